"""Submits the runs that reproduce experiments, each once, and waits for what they share."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from m2m.cluster import ClusterParams
from m2m.errors import InfrastructureError
from m2m.reproduce.collect import collect, write_results
from m2m.reproduce.reproduce import Reproduction
from m2m.reproduce.tracked import Runs, Tracked
from pipelines.cluster import Cluster, Listed
from pipelines.experiment import Wiring, experiment_pipeline
from pipelines.submission import Submission, data_hashes

State = Literal["submitted", "running", "finished", "held", "failed"]
STATES: tuple[State, ...] = ("submitted", "running", "finished", "held", "failed")
ABOUT = "pre-training "
"""What the description of a run begins with; then comes what the tracker knows it by."""
MINUTE = 60.0


@dataclass(frozen=True)
class Line:
    """How a submission stands.

    Attributes:
        name: Of the submission.
        tasks: How many it has.
        state: How it stands.
        note: The run's id; of one that is held, what it waits for.
        waits: Whether somebody works at it, or at what it waits for.
    """

    name: str
    tasks: int
    state: State
    note: str
    waits: bool


class Planner:
    """Submits what can begin, as often as it is asked to.

    What is shared is computed once: of the runs that need the same pre-training one goes first, and the others are held
    until the tracker says that it is finished, because only then the cache and the work store give it to them.

    Args:
        wanted: What is to run.
        cluster: Where.
        tracker: What the runs log to.
        params: What the cluster is like.
    """

    def __init__(self, wanted: Sequence[Submission], cluster: Cluster, tracker: Runs, params: ClusterParams) -> None:
        self._wanted, self._cluster, self._tracker, self._params = wanted, cluster, tracker, params
        self._pipelines: dict[Wiring, Any] = {}
        self._tried: set[str] = set()

    def step(self) -> list[Line]:
        """Submits what can begin. What has failed is begun again, but not what this planner itself has submitted.

        Returns:
            How everything stands, in order.

        Raises:
            InputError: The server refuses the token or a request.
            InfrastructureError: The server or the tracker does not answer.
        """
        listed = self._cluster.runs()
        mine = {one.name: [run for run in listed if run.name == one.name] for one in self._wanted}
        done = {key for key, runs in self._tracker.of("pretrain").items() if any(run.finished for run in runs)}
        done |= {_shared(run) for run in listed if run.succeeded}
        given_up = {name for name in self._tried if mine[name] and all(run.failed for run in mine[name])}
        # Who has a pre-training that others need, and whether anything may still come of it.
        first = {one.shared: (one.name, False) for one in self._wanted if one.name in given_up}
        first |= {_shared(run): (run.name, True) for run in listed if run.alive}
        lines = []
        for one in self._wanted:
            line = self._known(one, mine[one.name], given_up)
            if line is None and one.shared and one.shared in first and one.shared not in done:
                name, alive = first[one.shared]
                why = "pre-trains" if alive else "has failed, and with it the pre-training"
                line = Line(one.name, one.tasks, "held", f"{name} {why}", alive)
            if line is None:
                line = self._submitted(one, mine[one.name])
                first[one.shared] = one.name, True
            lines.append(line)
        return lines

    @staticmethod
    def _known(one: Submission, runs: list[Listed], given_up: set[str]) -> Line | None:
        """How a submission stands that need not be submitted."""
        for run in runs:
            if run.succeeded:
                return Line(one.name, one.tasks, "finished", f"run {run.id}", False)
        for run in runs:
            if run.alive:
                return Line(one.name, one.tasks, "running", f"run {run.id}", True)
        if one.name in given_up:
            return Line(one.name, one.tasks, "failed", f"run {runs[-1].id}", False)
        return None

    def _submitted(self, one: Submission, failed: list[Listed]) -> Line:
        if one.wiring not in self._pipelines:
            self._pipelines[one.wiring] = experiment_pipeline(self._params, one.wiring)
        about = f"{ABOUT}{one.shared}" if one.shared else ""
        run = self._cluster.submit(self._pipelines[one.wiring], dict(one.arguments), one.name, about)
        self._tried.add(one.name)
        again = f", again: run {failed[-1].id} was {failed[-1].state}" if failed else ""
        return Line(one.name, one.tasks, "submitted", f"run {run}{again}", True)


def _shared(run: Listed) -> str:
    """What the tracker knows the pre-training of a run by; empty: it has none."""
    return run.about.removeprefix(ABOUT) if run.about.startswith(ABOUT) else ""


def wait(
    planner: Planner, tell: Callable[[str], None], pause: Callable[[float], None] = time.sleep, every: float = MINUTE
) -> list[Line]:
    """Submits what can begin until nothing more is to be done.

    Args:
        planner: What submits.
        tell: Is told how everything stands, whenever that has changed.
        pause: Waits for so many seconds.
        every: Seconds between two looks.

    Returns:
        How everything stands at the end.

    Raises:
        M2MError: As `Planner.step` raises it; later than the first time, a server that does not answer is asked again.
    """
    lines = planner.step()
    tell(table(lines))
    while any(line.waits for line in lines):
        pause(every)
        try:
            now = planner.step()
        except InfrastructureError as error:
            tell(f"{error}; it is asked again")
            continue
        changed = [line for line, before in zip(now, lines, strict=True) if line != before]
        lines = now
        if changed:
            tell("\n".join([*map(_row, changed), counts(lines)]))
    return lines


def check_finished(lines: Sequence[Line]) -> None:
    """Raises an error where something is not finished.

    Raises:
        InfrastructureError: A run has failed.
    """
    left = sum(line.state != "finished" for line in lines)
    if left:
        raise InfrastructureError(f"{left} of {len(lines)} runs failed", "look at them; the same command goes on")


def table(lines: Sequence[Line]) -> str:
    """The table of how everything stands."""
    return "\n".join([*map(_row, lines), counts(lines)])


def _row(line: Line) -> str:
    return f"{line.name:52s} {line.tasks:3d} tasks  {line.state:9s}  {line.note}"


def counts(lines: Sequence[Line]) -> str:
    """How many stand how."""
    return ", ".join(f"{sum(line.state == state for line in lines)} {state}" for state in STATES)


def planned(wanted: Sequence[Submission]) -> str:
    """The table of what would be submitted."""
    rows = [f"{one.name:52s} {one.tasks:3d} tasks  {', '.join(one.rows)}" for one in wanted]
    return "\n".join([*rows, f"{len(wanted)} runs, {sum(one.tasks for one in wanted)} tasks"])


def join(what: Reproduction, tracker: Runs, out: Path) -> tuple[list[Path], int]:
    """Writes what the evaluations came to, as `m2m reproduce` does.

    Args:
        what: The experiments.
        tracker: What the runs have logged to.
        out: A folder; each experiment gets one in it.

    Returns:
        The files, and the number of evaluations that are not there yet.

    Raises:
        InputError: A data set is not published, or figures are damaged.
        InfrastructureError: The tracker does not answer.
    """
    finder = Tracked(what.graph, what.scale, data_hashes(what.graph, what.scale), tracker)
    values = [collect(experiment, what.scale, what.graph, finder) for experiment in what.experiments]
    paths = [write_results(found, out / found["experiment"]) for found in values]
    return paths, sum(len(found["missing"]) for found in values)
