"""Saved views of reproduced tables: what MLflow shows with them, in a real tracker."""

import json

import pytest
from mlflow import MlflowClient

from m2m import comparison, tracking
from m2m.report.experiment import read_experiment
from m2m.sender import replay
from m2m.tracker import Tracker
from m2m.tracking import open_run
from tests.report.reproduced import results, write
from tests.trackers import database, runs


@pytest.fixture
def tracked(tmp_path, monkeypatch):
    """A tracker with a run for each evaluation of a table, and one that stands in none."""
    for name in (
        "MLFLOW_TRACKING_URI",
        "MLFLOW_EXPERIMENT_NAME",
        "MLFLOW_RUN_ID",
        "M2M_PARENT_RUN",
        "M2M_PIPELINE_RUN",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(tracking, "_start_sender", lambda out, uri: None)
    uri = database(tmp_path)
    data = results({"real": 0.5, "m2m": 0.6}, n=5, sets={"one": "One"}, protocols=("ft",), seeds=(0, 1))
    for one in [*data["evaluations"], {"fingerprint": "other", "top1": 0.1, "protocol": "ft"}]:
        with open_run("evaluate", "t", one["fingerprint"], spool=tmp_path / "s", params={"protocol": "ft"}) as run:
            run.metrics({"test_top1": one["top1"]}, 1)
        one["run"] = ""
    done = replay(tmp_path / "s", Tracker(uri, settle=0))
    assert (done.left, done.refused) == (0, 0)
    return uri, data


def shown(uri, found, name) -> dict[str, str]:
    """The rows by fingerprint that MLflow finds with the filter of a table's view."""
    tags = MlflowClient(uri).get_experiment(found.experiment).tags
    view = json.loads(tags[f"mlflow.sharedViewState.m2m-{name}"])
    keys = [key["groupByData"] for key in view["groupBy"]["groupByKeys"]]
    assert keys == [f"m2m.table.{name}", "protocol"]
    rows = MlflowClient(uri).search_runs([found.experiment], view["searchFilter"])
    return {run.data.tags["m2m.fingerprint"]: run.data.tags[f"m2m.table.{name}"] for run in rows}


def test_a_tables_view_shows_its_runs_by_row_and_no_others(tracked, tmp_path):
    uri, data = tracked
    table = read_experiment(write(tmp_path, data))
    found = comparison.save(uri, tables=[table])
    assert shown(uri, found, "table1") == {e["fingerprint"]: e["row"] for e in data["evaluations"]}
    assert (found.tables, found.unknown) == ({"table1": "Results of table1"}, {})
    assert "viewStateShareKey=m2m-table1" in found.addresses("http://host")["Results of table1"]
    assert len(found.runs) == 5


def test_a_run_is_found_by_its_id_and_one_that_left_the_table_loses_the_tag(tracked, tmp_path):
    uri, data = tracked
    comparison.save(uri, tables=[read_experiment(write(tmp_path, data))])
    other = next(r for r in runs(uri) if r.data.tags["m2m.fingerprint"] == "other")
    data["evaluations"][0] |= {"run": other.info.run_id, "fingerprint": "nowhere"}
    data["evaluations"][1] |= {"run": "f" * 32, "fingerprint": "nor here"}
    found = comparison.save(uri, tables=[read_experiment(write(tmp_path, data))])
    kept = {e["fingerprint"]: e["row"] for e in data["evaluations"][2:]}
    assert shown(uri, found, "table1") == {"other": "real", **kept}
    assert found.unknown == {"table1": 1}


def test_two_tables_may_share_a_run(tracked, tmp_path):
    uri, data = tracked
    two = {**data, "experiment": "ours", "title": "Ours", "evaluations": data["evaluations"][:1]}
    found = comparison.save(uri, tables=[read_experiment(write(tmp_path, one)) for one in (data, two)])
    assert len(shown(uri, found, "table1")) == 4 and len(shown(uri, found, "ours")) == 1
    assert {"Results of table1", "Ours"} < set(found.addresses("http://host"))
