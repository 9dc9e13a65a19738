"""Worker processes that do one item at a time, and what happens when one of them dies."""

import ctypes
import json
import logging
import math
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from m2m.errors import InfrastructureError, M2MError, QuarantineError
from m2m.files import DISK_ERRORS, disk_error, file_sha256
from m2m.records import Item, Record, share
from m2m.store import Store, blob_key

Task = Callable[[Any], dict[str, Any]]
"""Does one item. It returns JSON; under `outputs` a mapping from words to the files it wrote, relative to the folder of
the results."""

ATTEMPTS = 2
"""Times an item is given to a worker that dies of it."""

GRACE = 10.0
"""Seconds a worker has to drop what it has in hand when the run is stopped."""

LONGEST_WAIT = 3600.0
"""Seconds; the system takes no number of milliseconds beyond 31 bits."""

PR_SET_PDEATHSIG = 1
M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8


@dataclass
class _Worker:
    """A worker process, seen from the run. `item` is what it has in hand."""

    process: BaseProcess
    pipe: Connection
    ready: bool = False
    item: Item | None = None
    began: float = 0.0

    def left(self) -> float:
        """Seconds until the time of its item is up."""
        if self.item is None or self.item.limit is None:
            return math.inf
        return self.began + self.item.limit - time.monotonic()


@dataclass(frozen=True)
class _Ready:
    """A worker has made its task."""


@dataclass(frozen=True)
class _Fatal:
    """A worker has met what ends the run."""

    error: M2MError


def work(
    make_task: Callable[[], Task], items: list[Item], out: Path, n: int, store: Store | None = None
) -> Generator[tuple[Record, float], None, None]:
    """Does items in `n` processes.

    Args:
        make_task: Makes the task, once in each process; picklable.
        items: What to do.
        out: Folder of the results.
        n: Processes; even one is apart from this one.
        store: Where outputs and then the record are put, by the process that made them: no other waits for it.

    Yields:
        A record and the seconds it took, in the order in which they come. When the generator is closed, workers drop
        what they have in hand.

    Raises:
        InfrastructureError: The disk is full, a package is missing, or a worker dies before it is ready.
        M2MError: Whatever else `make_task` raises of this kind.
    """
    todo = deque(items)
    workers: list[_Worker] = []
    deaths: dict[str, int] = {}
    try:
        while left := len(todo) + sum(w.item is not None for w in workers):
            while len(workers) < min(n, left):
                workers.append(_start(make_task, out, store))
            for worker in workers:
                if worker.ready and worker.item is None and todo:
                    _give(worker, todo.popleft())
            by_pipe: dict[Any, _Worker] = {w.pipe: w for w in workers}
            told = wait(list(by_pipe), _patience(workers))
            for worker in [w for w in workers if w.pipe not in told and w.left() <= 0]:
                workers.remove(worker)
                yield _give_up(worker), time.monotonic() - worker.began
            for pipe in told:
                worker = by_pipe[pipe]
                seconds = time.monotonic() - worker.began
                try:
                    message = worker.pipe.recv()
                except (EOFError, OSError):
                    workers.remove(worker)
                    lost = _bury(worker, deaths)
                    if isinstance(lost, Record):
                        yield lost, seconds
                    elif lost is not None:
                        todo.appendleft(lost)
                    continue
                if isinstance(message, _Fatal):
                    raise message.error
                if isinstance(message, _Ready):
                    worker.ready = True
                else:
                    worker.item = None
                    yield message, seconds
    finally:
        _stop(workers)


def _start(make_task: Callable[[], Task], out: Path, store: Store | None) -> _Worker:
    # A fresh interpreter: a fork would copy the locks of libraries that have threads.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(make_task, out, store, theirs, os.getpid()), daemon=True)
    # Ctrl-C reaches every process of a terminal; the child is born deaf to it, and then ignores it.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    finally:
        theirs.close()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return _Worker(process, ours)


def _give(worker: _Worker, item: Item) -> None:
    worker.item, worker.began = item, time.monotonic()
    with suppress(BrokenPipeError):  # it has just died: reading from its pipe tells
        worker.pipe.send(item)


def _patience(workers: list[_Worker]) -> float | None:
    """Seconds to wait for a word of any worker."""
    left = min(w.left() for w in workers)
    return None if math.isinf(left) else min(max(0.0, left), LONGEST_WAIT)


def _give_up(worker: _Worker) -> Record:
    """Kills a worker whose item takes too long; a decoder that is stuck hears nothing else."""
    item = worker.item
    assert item is not None
    worker.process.kill()
    worker.process.join()
    worker.pipe.close()
    worker.process.close()
    text = f"took longer than {item.limit:g} s"
    return Record(item.name, item.fingerprint, "quarantined", "error", text, {"limit": item.limit})


def _bury(worker: _Worker, deaths: dict[str, int]) -> Item | Record | None:
    """A worker is gone without a word: the item to try once more, or its record, or None if it had nothing in hand."""
    worker.process.join()
    code = worker.process.exitcode or 0
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    worker.pipe.close()
    worker.process.close()
    if not worker.ready:
        raise InfrastructureError(
            f"a worker process {how} while it was starting", "check the memory; use fewer workers"
        )
    item = worker.item
    if item is None:
        return None
    deaths[item.name] = deaths.get(item.name, 0) + 1
    if deaths[item.name] < ATTEMPTS:
        return item
    text = f"its worker process {how}, {ATTEMPTS} times"
    return Record(item.name, item.fingerprint, "quarantined", "error", text, {"exit_code": code})


def _stop(workers: list[_Worker]) -> None:
    """Idle workers leave when their pipe closes, busy ones drop what they have in hand, stubborn ones are killed."""
    for worker in workers:
        worker.pipe.close()
        if worker.item is not None or not worker.ready:
            worker.process.terminate()
    deadline = time.monotonic() + GRACE
    for worker in workers:
        worker.process.join(max(0.0, deadline - time.monotonic()))
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
        worker.process.close()


def _serve(make_task: Callable[[], Task], out: Path, store: Store | None, pipe: Connection, parent: int) -> None:
    """The life of a worker process."""
    _spare_memory()
    die_with(parent)
    _speak()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    signal.signal(signal.SIGTERM, _interrupt)
    with suppress(KeyboardInterrupt, EOFError, BrokenPipeError, ConnectionResetError):
        try:
            _serve_items(make_task, out, store, pipe)
        finally:  # it is leaving: whatever libraries do at the end of a process is not to be interrupted
            signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _serve_items(make_task: Callable[[], Task], out: Path, store: Store | None, pipe: Connection) -> None:
    try:
        task = make_task()
    except Exception as error:
        fatal = _fatal(error, out) or InfrastructureError(f"workers cannot start: {_in_a_line(error)}")
        pipe.send(_Fatal(fatal))
        return
    pipe.send(_Ready())
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    while True:
        pipe.send(_do(task, pipe.recv(), out, store))
        if trim is not None:  # clips of many sizes leave holes in the heap, which add up over days
            trim(0)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _do(task: Task, item: Item, out: Path, store: Store | None = None) -> Record | _Fatal:
    made = _try(task, item, out)
    return _kept(made, out, store) if isinstance(made, Record) and store is not None else made


def _try(task: Task, item: Item, out: Path) -> Record | _Fatal:
    try:
        result = task(item.payload)
        json.dumps(result, allow_nan=False)
        outputs = {path: file_sha256(out / path) for path in result.get("outputs", {}).values()}
        return Record(item.name, item.fingerprint, "ok", outputs=outputs, result=result)
    except QuarantineError as error:
        evidence = error.evidence if _is_json(error.evidence) else {"evidence": repr(error.evidence)}
        return Record(item.name, item.fingerprint, "quarantined", error.reason, error.what, evidence)
    except Exception as error:
        fatal = _fatal(error, out)
        if isinstance(fatal, InfrastructureError):  # any other M2MError is about this clip
            return _Fatal(fatal)
        evidence = {"traceback": traceback.format_exc()}
        return Record(item.name, item.fingerprint, "quarantined", "error", _in_a_line(error), evidence)


def _kept(record: Record, out: Path, store: Store) -> Record | _Fatal:
    """A record whose outputs, and then itself, are in the work store: what is recorded there is whole."""
    try:
        for path, digest in record.outputs.items():
            store.put(out / path, blob_key(digest))
        share(record, store)
        return record
    except M2MError as error:  # not about this clip: the next would meet it too
        return _Fatal(InfrastructureError(error.what, error.next_step))


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


def _fatal(error: Exception, out: Path) -> M2MError | None:
    """The error that ends the run, if this one does because the next item would meet it too."""
    if isinstance(error, ImportError):
        return InfrastructureError(f"a package is missing: {error}", "install it, then run again")
    if isinstance(error, OSError) and error.errno in DISK_ERRORS:
        return disk_error(error, Path(error.filename).parent if error.filename else out)
    if not isinstance(error, M2MError):
        return None
    try:
        pickle.loads(pickle.dumps(error))
    except TypeError:  # as for errors whose arguments are not those of Exception
        return InfrastructureError(str(error))
    return error


def _in_a_line(error: Exception) -> str:
    where = traceback.extract_tb(error.__traceback__)[-1]
    said = " ".join(str(error).split())  # OpenVINO's are many lines
    return f"{type(error).__name__}: {said} ({Path(where.filename).name}:{where.lineno})"


def _speak() -> None:
    """Shows what M2M's own modules log, among the lines of progress: with what is drawn, where memory was short."""
    log, shown = logging.getLogger("m2m"), logging.StreamHandler()
    shown.setFormatter(logging.Formatter("%(message)s"))
    log.addHandler(shown)
    log.setLevel(logging.INFO)
    log.propagate = False


def _spare_memory() -> None:
    """Keeps freed memory from staying with the process, where the C library is glibc.

    It would give threads heaps of their own, and would move ever larger blocks from maps of their own into the heaps.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_MMAP_THRESHOLD, 4 << 20)


def die_with(parent: int) -> None:
    """Ends this process when its parent is killed: an orphan must not write beside the next run."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)
    threading.Thread(target=_watch_parent, daemon=True).start()


def _watch_parent() -> None:
    """The same where there is no such signal: waits for the parent's end of a pipe to close."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
