"""Saved views of MLflow's page: the evaluations side by side, and addresses that open them.

`python -m m2m.comparison TRACKER SERVER [SPOOLS] [--results RESULTS.json]` waits until the server answers, sends it
what is left in spools, saves the views, one more for each experiment that was reproduced, and prints the addresses.
"""

import argparse
import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run

from m2m.errors import InfrastructureError, InputError, M2MError
from m2m.report.experiment import Experiment, read_experiment
from m2m.tracking import FINGERPRINT, KIND, replay
from m2m.wording import printable, shown

SHARED = "mlflow.sharedViewState."
"""Where MLflow's page keeps views that somebody shared: a tag of the experiment, as JSON."""

TESTS, MEANS = "m2m-tests", "m2m-means"
TABLE = "m2m.table."
"""Tag of a run whose evaluation stands in an experiment's table: it holds the row's name."""
BEST = "metrics.`test_top1`"
COLUMNS = (
    BEST,
    "metrics.`test_top5`",
    "params.`protocol`",
    "params.`seed`",
    "tags.`m2m.dataset`",
    "tags.`m2m.variant`",
)
CHARTS = {"BAR": ("test_top1", "test_top5"), "LINE": ("val_top1", "loss")}


@dataclass(frozen=True)
class Comparison:
    """What there is to compare.

    Attributes:
        experiment: The experiment's id.
        runs: Ids of the evaluation runs, best first.
        tables: Titles of the experiments that have a view, by their name.
        unknown: How many evaluations of each experiment have no run here, by its name; where there are some.
    """

    experiment: str
    runs: tuple[str, ...]
    tables: dict[str, str] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=dict)

    def addresses(self, server: str) -> dict[str, str]:
        """Pages by what they show.

        Args:
            server: The server's address, without a slash at its end.
        """
        named = {"runs": json.dumps(list(self.runs)), "experiments": json.dumps([self.experiment])}
        runs = f"{server}/#/experiments/{self.experiment}/runs"
        pages = {
            "The tests, best first": f"{runs}?viewStateShareKey={TESTS}",
            "Their mean over seeds": f"{runs}?viewStateShareKey={MEANS}&compareRunsMode=CHART",
            "All runs": runs,
        }
        for name, title in self.tables.items():
            pages[title] = f"{runs}?viewStateShareKey={urllib.parse.quote(_key(name))}"
        if 1 < len(self.runs) <= 30:  # more do not fit on the page
            pages["Side by side"] = f"{server}/#/compare-runs?{urllib.parse.urlencode(named)}"
        return pages


def view(means: bool = False, table: str = "") -> str:
    """The state of MLflow's page as JSON: evaluations only, the columns and charts that matter, best first.

    Args:
        means: Whether runs that differ in their seed alone are joined.
        table: Name of an experiment: its runs only, joined by row and protocol.
    """
    by = [("tag", "m2m.variant"), ("param", "protocol"), ("tag", "m2m.dataset")]
    if table:
        by = [("tag", TABLE + table), ("param", "protocol")]
    keys = [{"mode": mode, "groupByData": name} for mode, name in by]
    state = {
        "searchFilter": _shows(table) if table else f"tags.`{KIND}` = 'evaluate'",
        "orderByKey": BEST,
        "orderByAsc": False,
        "selectedColumns": [*COLUMNS, *([f"tags.`{TABLE}{table}`"] if table else [])],
        "runsHiddenMode": "SHOW_ALL",
        "groupBy": {"aggregateFunction": "average", "groupByKeys": keys} if means or table else None,
        "compareRunSections": [
            {"uuid": kind, "name": name, "display": True, "isReordered": True}
            for kind, name in (("BAR", "Tests"), ("LINE", "Training"))
        ],
        "compareRunCharts": [_chart(kind, metric) for kind, metrics in CHARTS.items() for metric in metrics],
        "isAccordionReordered": True,
    }
    return json.dumps(state)


def _chart(kind: str, metric: str) -> dict[str, Any]:
    chart: dict[str, Any] = {"type": kind, "uuid": metric, "metricSectionId": kind, "metricKey": metric}
    # What counts as generated becomes a line as soon as a figure belongs to a later step than the first.
    chart |= {"displayName": metric, "deleted": False, "isGenerated": kind != "BAR", "runsCountToCompare": 50}
    if kind == "LINE":
        chart |= {"xAxisKey": "step", "scaleType": "linear", "xAxisScaleType": "linear", "lineSmoothness": 0}
        chart |= {"yAxisKey": "metric", "yAxisExpressions": [], "selectedXAxisMetricKey": "", "range": {}}
        chart |= {"useGlobalXaxisKey": True, "useGlobalLineSmoothing": True, "ignoreOutliers": False}
    return chart


def _shows(table: str) -> str:
    """The filter of the runs that stand in an experiment's table."""
    return f"tags.`{TABLE}{table}` LIKE '%'"


def _key(table: str) -> str:
    """Name of the view of an experiment's table."""
    return f"m2m-{table}"


def save(tracker: str, experiment: str = "m2m", tables: Sequence[Experiment] = ()) -> Comparison:
    """Saves the views in a tracker.

    Args:
        tracker: Its address.
        experiment: The name of MLflow's experiment.
        tables: Tables and figures whose runs are tagged and get a view each.

    Raises:
        InputError: The experiment is not there, or has no evaluation.
    """
    client = MlflowClient(tracker)
    found = client.get_experiment_by_name(experiment)
    runs = []
    if found is not None:
        query, order = f"tags.`{KIND}` = 'evaluate'", [f"{BEST} DESC"]
        runs = list(client.search_runs([found.experiment_id], query, max_results=1000, order_by=order))
    if found is None or not runs:
        raise InputError(f"{tracker} has no evaluation to compare", "run the experiment pipeline first")
    client.set_experiment_tag(found.experiment_id, SHARED + TESTS, view())
    client.set_experiment_tag(found.experiment_id, SHARED + MEANS, view(means=True))
    here = str(found.experiment_id)
    unknown = {one.name: _tag(client, here, one) for one in tables}
    for one in tables:
        client.set_experiment_tag(here, SHARED + _key(one.name), view(table=one.name))
    ids = tuple(run.info.run_id for run in runs)
    return Comparison(here, ids, {one.name: one.title for one in tables}, {k: n for k, n in unknown.items() if n})


def _tag(client: MlflowClient, here: str, table: Experiment) -> int:
    """Tags the runs of an experiment's evaluations with their rows, and no others; how many have no run."""
    known = {run.info.run_id: run for run in _all(client, here, f"tags.`{KIND}` = 'evaluate'")}
    prints: dict[str, list[str]] = {}
    for run_id, run in known.items():
        # That of the run, or of the figures that it has written.
        for mark in {run.data.tags.get(FINGERPRINT, ""), run.data.params.get("fingerprint", "")} - {""}:
            prints.setdefault(mark, []).append(run_id)
    wanted: dict[str, str] = {}
    unknown = 0
    for one in table.evaluations:
        ids = [one.run] if one.run in known else prints.get(one.fingerprint, [])[:1] if one.fingerprint else []
        wanted |= dict.fromkeys(ids, one.row)
        unknown += not ids
    name = TABLE + table.name
    for run in _all(client, here, _shows(table.name)):
        if run.info.run_id not in wanted:
            client.delete_tag(run.info.run_id, name)
    for run_id, row in wanted.items():
        if known[run_id].data.tags.get(name) != row:
            client.set_tag(run_id, name, row)
    return unknown


def _all(client: MlflowClient, experiment: str, query: str) -> list[Run]:
    """All runs of an experiment that a filter finds."""
    found: list[Run] = []
    token: str | None = None
    while True:
        page = client.search_runs([experiment], query, max_results=1000, page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def wait_for(server: str, seconds: float = 180.0) -> None:
    """Waits until an MLflow server answers.

    Raises:
        InfrastructureError: It does not.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(f"{server}/health", timeout=5):
                return
        except (urllib.error.URLError, OSError) as error:
            if time.monotonic() > end:
                raise InfrastructureError(f"{server} does not answer: {error}") from error
            time.sleep(0.5)


def main() -> int:
    """Saves the views and prints the addresses of the pages."""
    parser = argparse.ArgumentParser(prog="python -m m2m.comparison")
    parser.add_argument("tracker")
    parser.add_argument("server")
    parser.add_argument("spools", nargs="*", type=Path)
    parser.add_argument("--results", action="append", type=Path, default=[], help="what m2m reproduce left")
    args = parser.parse_args()
    try:
        tables = [read_experiment(path, allow_mixed=True) for path in args.results]
        wait_for(args.server)
        for folder in args.spools:
            replay(folder, args.tracker)
        done = save(args.tracker, tables=tables)
    except M2MError as error:
        print(f"m2m: {error}", file=sys.stderr)
        return int(error.code)
    for name, n in done.unknown.items():
        print(f"m2m: {n} evaluations of {name} have no run in {shown(args.tracker)}", file=sys.stderr)
    for what, address in done.addresses(args.server).items():
        print(f"{printable(what) + ':':23} {address}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
