"""Reproduces experiments: plan, run, collect, report; what the command line calls."""

import importlib.util
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from m2m.errors import InfrastructureError, M2MError
from m2m.reproduce.collect import collect, write_results
from m2m.reproduce.cost import Plan, make_plan
from m2m.reproduce.experiment import Experiment, read_experiment
from m2m.reproduce.found import Folders
from m2m.reproduce.graph import Graph, build_graph
from m2m.reproduce.run import Progress, environment, run, tracker_of
from m2m.reproduce.scale import Scale, read_scale
from m2m.tracking import SWITCH
from m2m.wording import say


@dataclass(frozen=True)
class Reproduction:
    """Experiments at a scale, ready to be planned and run.

    Attributes:
        experiments: The experiments.
        scale: The scale.
        graph: Everything that they need.
        root: Folder of what is computed.
    """

    experiments: tuple[Experiment, ...]
    scale: Scale
    graph: Graph
    root: Path

    def plan(self, workers: int = 1) -> Plan:
        """What is there, and what the rest costs."""
        return make_plan(self.graph, self.scale, self.root, workers)


@dataclass(frozen=True)
class Reproduced:
    """What a run came to.

    Attributes:
        progress: Of the run.
        results: The files of results, an experiment each.
        missing: Evaluations that are not there yet, over all experiments.
        pages: What there is to read.
    """

    progress: Progress
    results: tuple[Path, ...]
    missing: int
    pages: tuple[Path, ...]

    @property
    def error(self) -> M2MError | None:
        """The first error, or None."""
        return next(iter(self.progress.failed.values()), None)

    def __str__(self) -> str:
        made, found = len(self.progress.made), self.progress.found
        lines = [f"{made} computed, {found} found, {len(self.progress.failed)} failed, {len(self.progress.left)} left"]
        if self.progress.left:
            lines.append("the same command goes on from here")
        return "\n".join([*lines, *(str(page) for page in self.pages)])


def prepare(
    names: Sequence[str],
    scale: str,
    root: Path,
    *,
    data: Path | None = None,
    rows: tuple[str, ...] = (),
    seeds: tuple[int, ...] = (),
) -> Reproduction:
    """Reads experiments and scale, and finds out what they need; computes nothing.

    Args:
        names: Experiments, by name or path.
        scale: `studio`, `paper`, or the path of a YAML file.
        root: Folder of what is computed.
        data: A YAML file with the user's own data sets, see `read_scale`.
        rows: Some rows; empty: all.
        seeds: In place of the scale's; empty: these.

    Raises:
        InputError: A file, name or parameter is wrong.
    """
    experiments = tuple(read_experiment(name) for name in names)
    at = read_scale(scale, data, seeds)
    return Reproduction(experiments, at, build_graph(experiments, at, rows), root)


def reproduce(what: Reproduction, *, workers: int = 1, minutes: float | None = None, tracker: str = "") -> Reproduced:
    """Computes what is missing, and writes results and pages of what there is.

    Args:
        what: What `prepare` gave.
        workers: Processes; their number changes no figure.
        minutes: After so many nothing new is begun.
        tracker: Address of MLflow's page, which the pages link to.

    Raises:
        InputError: Another run works in the folder, or a result is damaged.
        InfrastructureError: The machine failed.
        KeyboardInterrupt: After Ctrl-C or SIGTERM.
    """
    from m2m.report.reproduced import write_experiments

    progress = run(what.graph, what.root, workers=workers, minutes=minutes)
    results, missing = [], 0
    with environment(what.root):
        runs = _run_ids(what.root)
        finder = Folders(what.graph, what.root, runs)
        for experiment in what.experiments:
            values = collect(experiment, what.scale, what.graph, finder)
            missing += len(values["missing"])
            results.append(write_results(values, what.root / "results" / experiment.name))
        if runs:
            _save_views(what.root, results)
    pages = write_experiments(results, what.root / "results", tracker=tracker)
    return Reproduced(progress, tuple(results), missing, tuple(page for page in pages if page.suffix == ".html"))


def _run_ids(root: Path) -> dict[str, str]:
    """The tracker's runs of evaluations; none where there is no tracker: results do not wait for it."""
    if os.environ.get(SWITCH) == "off" or importlib.util.find_spec("mlflow") is None:
        return {}
    from m2m.reproduce.tracked import Runs

    try:
        found = Runs(tracker_of(root)).of("evaluate")
    except InfrastructureError as error:
        say(f"the pages name no runs: {error}", sys.stderr)
        return {}
    return {known.fingerprint: known.id for runs in found.values() for known in runs}


def _save_views(root: Path, results: Sequence[Path]) -> None:
    """A view a table in MLflow's page."""
    from m2m.comparison import save
    from m2m.report.experiment import read_experiment as read_results

    tables = [read_results(path) for path in results]
    save(tracker_of(root), tables=[table for table in tables if table.evaluations])
