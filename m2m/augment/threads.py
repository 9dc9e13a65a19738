"""Work beside the main thread."""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")


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


def each(step: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """`map`, but it has let go of an item and its result before it asks for the next item: they are large."""
    for item in items:
        held = [item]
        del item
        yield step(held.pop())


def ahead(items: Iterable[T], depth: int) -> Iterator[T]:
    """The same items in the same order, made in a thread that is up to `depth` of them ahead.

    What making an item raises is raised when its turn comes. Whoever stops early waits until the item in work is made,
    so that no thread goes on with a model that somebody else then uses.

    Args:
        items: What to make; it runs in the thread.
        depth: Items that may wait; 0 makes each when it is asked for, and no thread.
    """
    if not depth:
        yield from items
        return
    made: SimpleQueue[tuple[str, list]] = SimpleQueue()
    room, stopped = threading.Semaphore(depth), threading.Event()

    def work() -> None:
        try:
            room.acquire()
            for item in items:
                held = [item]
                del item
                made.put(("item", held))
                del held
                room.acquire()
                if stopped.is_set():
                    return
            made.put(("end", []))
        except BaseException as error:
            made.put(("error", [error]))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            kind, held = made.get()
            if kind == "end":
                return
            if kind == "error":
                raise held.pop()
            room.release()
            yield held.pop()
    finally:
        stopped.set()
        room.release()
        thread.join()
        if isinstance(items, Generator):
            items.close()


@contextmanager
def behind(call: Callable[..., None], depth: int) -> Iterator[Callable[..., None]]:
    """A function whose calls are made in a thread, in order, up to `depth` of them behind; all are made at the end.

    What a call raises is raised by a later one, or at the end of the block. When the block raises, the call in work is
    waited for and those behind it are dropped.

    Args:
        call: What to do.
        depth: Calls that may wait; 0 makes each at once, and no thread.
    """
    if not depth:
        yield call
        return
    pool, pending = ThreadPoolExecutor(1), deque[Future[None]]()

    def hand(*args: Any) -> None:
        pending.append(pool.submit(call, *args))
        while len(pending) > depth:
            pending.popleft().result()

    try:
        yield hand
        while pending:
            pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
