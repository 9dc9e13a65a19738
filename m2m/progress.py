"""How far a long step without results of its own is, on stderr."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from tqdm import tqdm

EVERY = 10.0
"""Seconds between two lines where there is no terminal."""


@contextmanager
def counter(total: int, unit: str, what: str, shown: bool = True) -> Iterator[Callable[[], None]]:
    """Counts: a bar on a terminal, a line every ten seconds elsewhere, so that a short step says nothing.

    Args:
        total: How many there are.
        unit: Of what.
        what: What is done to them.
        shown: False counts in silence.

    Yields:
        What to call after each; from one thread.
    """
    if shown and sys.stderr.isatty():
        with tqdm(total=total, unit=unit, desc=what, leave=False) as bar:

            def advance() -> None:
                bar.update()

            yield advance
        return
    done, told = 0, time.monotonic()

    def count() -> None:
        nonlocal done, told
        done += 1
        if shown and time.monotonic() - told > EVERY:
            told = time.monotonic()
            with suppress(OSError):  # whoever read the progress went away; the work goes on
                print(f"{what}: {done} of {total} {unit}s", file=sys.stderr, flush=True)

    yield count
