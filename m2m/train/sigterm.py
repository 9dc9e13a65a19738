"""SIGTERM during a training: put off until what is in hand is done and saved, then dealt with as everywhere else."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Interrupted(Exception):
    """SIGTERM came while nothing was in hand."""


class Sigterm:
    """Whether the training has been asked to stop.

    Attributes:
        asked: SIGTERM has come, here or in another process.
    """

    def __init__(self) -> None:
        self.asked = False
        self._idle = False

    @contextmanager
    def idle(self) -> Iterator[None]:
        """Inside the block nothing is in hand, so that SIGTERM ends it at once.

        Raises:
            Interrupted: SIGTERM has come.
        """
        self._idle = True
        try:
            if self.asked:
                raise Interrupted
            yield
        finally:
            self._idle = False

    def note(self, *_: object) -> None:
        """The signal's handler."""
        self.asked = True
        if self._idle:
            raise Interrupted


@contextmanager
def put_off() -> Iterator[Sigterm]:
    """Notes SIGTERM instead of obeying it; at the end of the block, which Interrupted ends too, it is handed on.

    Outside the main thread, and where the program ignores SIGTERM, nothing is changed.

    Raises:
        KeyboardInterrupt: SIGTERM has come, and the program has no other way of dealing with it.
    """
    sigterm = Sigterm()
    before = signal.getsignal(signal.SIGTERM)
    ours = threading.current_thread() is threading.main_thread() and before not in (signal.SIG_IGN, None)
    if ours:
        signal.signal(signal.SIGTERM, sigterm.note)
    try:
        yield sigterm
    except Interrupted:
        sigterm.asked = True
    finally:
        if ours:
            signal.signal(signal.SIGTERM, before)
    if sigterm.asked:
        if callable(before):
            before(signal.SIGTERM, None)
        raise KeyboardInterrupt


def apart(_: int = 0) -> None:
    """For a loader's workers: when a whole group of processes is told to stop, the step in hand still needs them.

    They do not ignore the signal: their own process ends them with it.
    """
    os.setpgid(0, 0)
