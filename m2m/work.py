"""One function over many clips, with resume: the one place where many clips meet faults.

A finished item leaves a record after its outputs are in place, so whatever is killed at whatever moment, a second run
does what is missing and nothing else. Results do not depend on the number of workers or the order of work. With a work
store even the loss of the machine costs only what was in hand.
"""

import fcntl
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from tqdm import tqdm

from m2m import records
from m2m.errors import InputError
from m2m.files import clean
from m2m.records import Item, Record
from m2m.store import Store
from m2m.wording import printable
from m2m.workers import Task, work

__all__ = ["Item", "Record", "Task", "locked", "run"]

FOLDER = ".m2m"


def run(
    make_task: Callable[[], Task],
    items: Sequence[Item],
    *,
    out: Path,
    workers: int = 1,
    resume: bool = True,
    progress: bool = True,
    store: Store | None = None,
    materialise: bool = True,
) -> list[Record]:
    """Does all items.

    Args:
        make_task: Makes the task, once in each worker process; picklable, as a function of a module is.
        items: What to do.
        out: Folder of the results; all outputs lie under it, records and the lock in `.m2m`.
        workers: Processes; one item at a time each. Even a single worker is a process of its own.
        resume: Keep what earlier runs finished, if its outputs are still there and whole.
        progress: Tell on stderr what is done: a bar on a terminal, a line an item elsewhere.
        store: The work store. Outputs go there before an item counts as done, and what an earlier run left there, from
            whatever machine, is not done again.
        materialise: Fetch the outputs of such items into `out`; otherwise all outputs and records of the run are in the
            store alone, and `out` is only where they are made.

    Returns:
        A record for every item, in their order.

    Raises:
        InputError: The folder or the store cannot be used, or another run is working in the folder.
        InfrastructureError: The disk is full, a package is missing, the store cannot be reached, a worker dies before
            it is ready. Finished items are kept.
        KeyboardInterrupt: After Ctrl-C or SIGTERM. Items in hand are dropped, finished ones kept.
        M2MError: Whatever else `make_task` raises of this kind.
    """
    if workers < 1:
        raise InputError(f"workers must be 1 or more, not {workers}")
    if len({i.name for i in items}) != len(items):
        raise ValueError("names of items must be unique")
    with locked(out), _sigterm_interrupts():
        clean(out)
        done = records.keep(items, out, out / FOLDER, resume)
        if store is not None and resume:
            done = records.join(items, done, out, out / FOLDER, store, materialise)
        report = _Progress(len(items), len(done), progress)
        todo = [i for i in items if i.name not in done]
        try:
            with closing(work(make_task, todo, out, workers, store)) as finished:
                for record, seconds in finished:
                    if store is None or materialise:
                        records.save(record, out / FOLDER)
                    else:  # the disk need not hold what the store has
                        for path in record.outputs:
                            (out / path).unlink(missing_ok=True)
                    done[record.name] = record
                    report.done(record, seconds)
        finally:
            report.close()
            clean(out)
    return [done[i.name] for i in items]


_held: dict[Path, int] = {}
"""The thread that holds a lock, by the lock's file."""


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Keeps other runs away from a folder of results; `run` inside the block does not lock it again.

    The system releases the lock of a process that dies.

    Raises:
        InputError: Another run holds the lock, or the folder cannot be written.
    """
    path = out.absolute() / FOLDER / "lock"
    if _held.get(path) == threading.get_ident():
        yield
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise InputError(f"cannot write in {out}: {error.strerror}", "choose another folder") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(f"another run is working in {out}", "wait for it, or choose another folder") from error
        _held[path] = threading.get_ident()
        try:
            yield
        finally:
            del _held[path]
    finally:
        os.close(handle)


@contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """SIGTERM stops like Ctrl-C, unless the program has a way of its own."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


class _Progress:
    """What is done, on stderr."""

    def __init__(self, total: int, before: int, shown: bool) -> None:
        self._total, self._count = total, before
        self._lines = shown and not sys.stderr.isatty()
        self._bar = tqdm(total=total, initial=before, unit="clip") if shown and not self._lines else None
        if self._lines and before:
            self._say(f"{before} of {total} finished earlier")

    def done(self, record: Record, seconds: float) -> None:
        """Tells of one finished item."""
        self._count += 1
        verdict = "ok" if record.status == "ok" else f"{record.status} ({record.reason})"
        if self._bar is not None:
            if record.status != "ok":
                self._bar.write(printable(f"{record.name} {verdict}: {record.what}"), file=sys.stderr)
            self._bar.update()
        elif self._lines:
            self._say(f"[{self._count}/{self._total}] {record.name} {verdict} {seconds:.1f} s")

    def close(self) -> None:
        """Ends the bar."""
        if self._bar is not None:
            self._bar.close()

    @staticmethod
    def _say(text: str) -> None:
        with suppress(OSError):  # whoever read the progress went away; the work goes on
            print(text, file=sys.stderr, flush=True)
