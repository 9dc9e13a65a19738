"""Saved views of MLflow's page: the evaluations side by side, and addresses that open them.

`python -m m2m.comparison TRACKER SERVER [SPOOLS]` waits until the server answers, sends it what is left in spools,
saves the views and prints the addresses.
"""

import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow import MlflowClient

from m2m.errors import InfrastructureError, InputError, M2MError
from m2m.tracking import KIND, replay

SHARED = "mlflow.sharedViewState."
"""Where MLflow's page keeps views that somebody shared: a tag of the experiment, as JSON."""

TESTS, MEANS = "m2m-tests", "m2m-means"
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
    """

    experiment: str
    runs: tuple[str, ...]

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
        if 1 < len(self.runs) <= 30:  # more do not fit on the page
            pages["Side by side"] = f"{server}/#/compare-runs?{urllib.parse.urlencode(named)}"
        return pages


def view(means: bool = False) -> str:
    """The state of MLflow's page as JSON: evaluations only, the columns and charts that matter, best first.

    Args:
        means: Whether runs that differ in their seed alone are joined.
    """
    by = [("tag", "m2m.variant"), ("param", "protocol"), ("tag", "m2m.dataset")]
    keys = [{"mode": mode, "groupByData": name} for mode, name in by]
    state = {
        "searchFilter": f"tags.`{KIND}` = 'evaluate'",
        "orderByKey": BEST,
        "orderByAsc": False,
        "selectedColumns": list(COLUMNS),
        "runsHiddenMode": "SHOW_ALL",
        "groupBy": {"aggregateFunction": "average", "groupByKeys": keys} if means else None,
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


def save(tracker: str, experiment: str = "m2m") -> Comparison:
    """Saves the views in a tracker.

    Args:
        tracker: Its address.
        experiment: The experiment's name.

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
    return Comparison(str(found.experiment_id), tuple(run.info.run_id for run in runs))


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
    tracker, server, *spools = sys.argv[1:]
    try:
        wait_for(server)
        for folder in spools:
            replay(Path(folder), tracker)
        pages = save(tracker).addresses(server)
    except M2MError as error:
        print(f"m2m: {error}", file=sys.stderr)
        return int(error.code)
    for what, address in pages.items():
        print(f"{what + ':':23} {address}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
