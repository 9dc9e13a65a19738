"""Work beside the main thread."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager


@contextmanager
def side_thread() -> Iterator[ThreadPoolExecutor]:
    """One thread for the length of a block. When the block raises (Ctrl-C too) it is not waited for."""
    pool = ThreadPoolExecutor(1)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()
