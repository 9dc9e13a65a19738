"""Sends spools to the tracker: follows one while its run goes on, and replays what earlier runs left.

`python -m m2m.sender SPOOL` is started by `m2m.tracking`. It is a process of its own: the MLflow client is large
and may hang in a call, and the training must feel neither. It outlives the run by seconds and ends by itself.
"""

import functools
import json
import os
import select
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from m2m import mirror, spool
from m2m.errors import Exit, InfrastructureError, M2MError
from m2m.spool import Event, State
from m2m.store import WORK, Store, open_store
from m2m.tracker import Gone, Tracker, Unreachable

BATCH = 200
"""Entries sent together."""


@dataclass(frozen=True)
class Replayed:
    """What a replay came to.

    Attributes:
        arrived: Spools that arrived whole and are removed.
        left: Spools that did not arrive.
        refused: Entries that the tracker will never take, put aside in `.refused`.
        error: Why the last one was left, or empty.
    """

    arrived: int = 0
    left: int = 0
    refused: int = 0
    error: str = ""

    def __str__(self) -> str:
        refused = f", {self.refused} entries refused" if self.refused else ""
        return f"{self.arrived} runs arrived, {self.left} are left{refused}"


def deliver(path: Path, tracker: Tracker) -> State:
    """Sends what a spool holds beyond its state.

    Returns:
        The state after it: nothing is left if its offset is the size of the spool.

    Raises:
        Unreachable: Something is left; the state says how much.
    """
    state = replace(spool.read_state(path), error="")
    try:
        if not state.run_id:
            opened = next(spool.read(path), None)
            if opened is None:
                return state
            run_id, resumed = tracker.open(opened[0])
            state = replace(state, run_id=run_id, resumed=resumed, offset=max(state.offset, opened[1]))
            spool.write_state(path, state)
        for events, end in _batches(path, state.offset):
            refused = tracker.send(state.run_id, events, path, state.resumed)
            for event, why in refused:
                spool.refuse(path, event, why)
            state = replace(state, offset=end, refused=state.refused + len(refused))
            spool.write_state(path, state)
            for event in events:
                if event["event"] == "artifact":
                    with suppress(ValueError):  # of somebody else's making: refused above
                        spool.kept(path, event["file"]).unlink(missing_ok=True)
    except Gone as error:
        spool.write_state(path, State(refused=state.refused, error=str(error)))  # from the start, into a new run
        raise
    except Unreachable as error:
        spool.write_state(path, replace(state, error=str(error)))
        raise
    return state


def _batches(path: Path, offset: int) -> Iterator[tuple[list[Event], int]]:
    events: list[Event] = []
    end = offset
    for event, end in spool.read(path, offset):
        events.append(event)
        if len(events) == BATCH:
            yield events, end
            events = []
    if events:
        yield events, end


def replay(
    folder: Path, tracker: Tracker, store: Store | None = None, stop: Callable[[], bool] = lambda: False
) -> Replayed:
    """Sends what earlier runs left in a folder and in the work store. Spools of runs that go on are left alone.

    Args:
        folder: Where spools lie.
        tracker: Where to.
        store: The work store, if spools may lie there too.
        stop: Asked before each spool.
    """
    done = Replayed()
    for path in _waiting(folder, store):
        if stop():
            break
        with spool.claimed(path) as ours:
            if not ours:
                continue
            try:
                state = deliver(path, tracker)
            except Unreachable as error:
                done = replace(done, left=done.left + 1, error=str(error))
                continue
            if store is not None:
                mirror.drop(store, path)
            spool.remove(path)
            done = replace(done, arrived=done.arrived + 1, refused=done.refused + state.refused)
    return done


def _waiting(folder: Path, store: Store | None) -> Iterator[Path]:
    yield from spool.pending(folder)
    if store is not None:
        yield from mirror.fetch(store, folder)


class Follower:
    """Sends a spool while its run goes on.

    Args:
        path: The spool, locked by the run.
        uri: The tracker; empty if there is none, and the spool is only mirrored.
        store: The work store, if the spool's own disk is not durable.
        ended: Waits for so many seconds; whether the run has ended.
        patience: Seconds for which it tries on after the run has ended, if the tracker does not answer.
        pause: Seconds between looks; up to 30 of them while the tracker does not answer.
    """

    def __init__(
        self,
        path: Path,
        uri: str,
        store: Store | None,
        ended: Callable[[float], bool],
        patience: float = 5.0,
        pause: float = 1.0,
    ) -> None:
        self._path, self._uri, self._store, self._ended = path, uri, store, ended
        self._patience, self._pause = patience, pause
        self._tracker: Tracker | None = None
        self._mirrored, self._next_mirror = 0, 0.0

    def follow(self) -> tuple[State, bool]:
        """Sends until the run has ended; the last state, and whether everything arrived."""
        wait, replayed = self._pause, False
        ended, deadline = False, float("inf")
        while True:
            ended = ended or self._ended(wait)
            if ended:
                deadline = min(deadline, time.monotonic() + (self._patience if self._uri else 0))
            try:
                state = deliver(self._path, self._connected())
                wait = self._pause
                if ended:
                    self._remove()
                    return state, True
                if not replayed:
                    replayed = True
                    self._replay()
            except Unreachable as error:
                _say(str(error))
                wait = min(2 * wait, 30 * self._pause)
                self._mirror(ended)
                if time.monotonic() > deadline:
                    return replace(spool.read_state(self._path), error=str(error)), False
                if ended:
                    time.sleep(self._pause)

    def _connected(self) -> Tracker:
        if not self._uri:
            raise Unreachable("MLFLOW_TRACKING_URI is not set")
        if self._tracker is None:
            self._tracker = Tracker(self._uri)
        return self._tracker

    def _replay(self) -> None:
        try:
            done = replay(self._path.parent, self._connected(), self._store, lambda: self._ended(0))
        except M2MError as error:
            _say(f"what earlier runs left is not sent: {error}")
        else:
            _say(f"of earlier ones {done}")

    def _remove(self) -> None:
        if self._store is not None and self._mirrored:
            try:
                mirror.drop(self._store, self._path)
            except M2MError as error:
                _say(f"its copy in the work store stays: {error}")
        spool.remove(self._path)

    def _mirror(self, now: bool) -> None:
        """Puts what did not arrive into the work store: at the end, and every minute until then."""
        size = self._path.stat().st_size
        if self._store is None or size == self._mirrored or (time.monotonic() < self._next_mirror and not now):
            return
        self._next_mirror = time.monotonic() + 60
        try:
            mirror.save(self._store, self._path)
            self._mirrored = size
        except M2MError as error:
            _say(f"the work store does not take the spool: {error}")


@functools.lru_cache(1)  # the same again is not news
def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def _run_ended(seconds: float) -> bool:
    """Waits; whether the run has said on standard input that it ended, or is gone."""
    return bool(select.select([0], [], [], seconds)[0])


def replay_to(uri: str, folder: Path) -> Replayed:
    """Replays a folder and the work store to a tracker.

    Raises:
        InfrastructureError: The tracker, or the work store, does not answer.
    """
    try:
        tracker = Tracker(uri)
    except Unreachable as error:
        raise InfrastructureError(
            f"the tracker does not answer: {error}", "nothing is lost; try again later"
        ) from error
    return replay(folder, tracker, _mirror_store())


def _mirror_store() -> Store | None:
    """The work store, if it is not a folder of this machine, in which the spools lie anyway."""
    work = os.environ.get(WORK, "")
    return open_store(work) if work.startswith("s3://") else None


def main(argv: list[str] | None = None) -> int:
    """Follows a spool until standard input says something or closes, then tells on standard output what came of it."""
    (path,) = argv or sys.argv[1:]
    answer = os.dup(1)
    os.dup2(2, 1)  # MLflow prints
    os.nice(10)
    try:
        store = _mirror_store()
    except M2MError as error:
        _say(f"no work store: {error}")
        store = None
    state, arrived = Follower(Path(path), os.environ.get("MLFLOW_TRACKING_URI", ""), store, _run_ended).follow()
    text = {"arrived": arrived, "run_id": state.run_id, "refused": state.refused, "error": state.error}
    with suppress(OSError):  # the run may be gone
        os.write(answer, json.dumps(text).encode())
    return int(Exit.DONE if arrived else Exit.INFRASTRUCTURE)


if __name__ == "__main__":
    sys.exit(main())
