"""What MLflow knows of trainings is found by what they are, and gives the results that the folder gives."""

import json
from dataclasses import replace

import pytest

from m2m.clips import read_card
from m2m.errors import InfrastructureError, InputError
from m2m.reproduce import scale as scales
from m2m.reproduce.collect import collect
from m2m.reproduce.found import Folders
from m2m.reproduce.graph import build_graph
from m2m.reproduce.reproduce import prepare, reproduce
from m2m.reproduce.tracked import Runs, Tracked
from m2m.store import open_store
from tests.reproduce.toyscale import write_experiment, write_scale
from tests.sets import publish_set
from tests.trackers import database, runs


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A table and a curve that share a pre-training, computed here and sent to MLflow; its address."""
    folder = tmp_path_factory.mktemp("tracked")
    scale = write_scale(folder, seeds=(0,))
    curve = write_experiment(folder, "curve", kind="curve", rows={"a": {"pretrain": "a"}}, compare=[], sets=["one"])
    with pytest.MonkeyPatch.context() as patch:
        for name in ("M2M_WORK", "M2M_STORE", "M2M_TRACKING", "MLFLOW_EXPERIMENT_NAME"):
            patch.delenv(name, raising=False)
        uri = database(folder)
        patch.setenv("MLFLOW_TRACKING_URI", uri)
        table = write_experiment(folder, sets=["one"], rows={"both": {"pretrain": "a", "align": "b"}}, compare=[])
        what = prepare([str(table), str(curve)], str(scale), folder / "root")
        assert not reproduce(what, workers=2).missing
    return what, uri, folder


def data_hashes(what) -> dict[str, str]:
    folders = {key: what.root / what.graph.nodes[key].folder / "dataset" for key in what.graph.data.values()}
    return {key: read_card(folder).hash for key, folder in folders.items()}


def tracked(done, **more) -> Tracked:
    what, uri, _ = done
    return Tracked(what.graph, what.scale, data_hashes(what), Runs(more.get("uri", uri)))


def test_mlflow_gives_what_the_folder_gives_and_says_which_run_it_was(done):
    what, uri, _ = done
    known = {run.info.run_id: run for run in runs(uri)}
    for experiment in what.experiments:
        here = collect(experiment, what.scale, what.graph, Folders(what.graph, what.root))
        there = collect(experiment, what.scale, what.graph, tracked(done))
        assert here["missing"] == there["missing"] == []
        assert [{**e, "run": ""} for e in there["evaluations"]] == here["evaluations"]
        for found in there["evaluations"]:
            run = known[found["run"]]
            assert run.data.tags["m2m.dataset"] == found["set"] and run.data.params["protocol"] == found["protocol"]
            assert run.data.metrics["test_top1"] == found["top1"]
    assert len({e["run"] for e in there["evaluations"]}) == 2  # of the curve, a run an epoch


def test_what_is_not_finished_is_missing(done, tmp_path):
    what, uri, _ = done
    empty = collect(what.experiments[0], what.scale, what.graph, tracked(done, uri=database(tmp_path)))
    assert len(empty["missing"]) == 1 and empty["evaluations"] == []
    other = build_graph(what.experiments, what.scale, seeds=(7,))  # of which nothing was computed
    hashes = dict.fromkeys(other.data.values(), "0" * 64)
    later = collect(what.experiments[0], what.scale, other, Tracked(other, what.scale, hashes, Runs(uri)))
    assert len(later["missing"]) == 1 and later["evaluations"] == []


def test_cards_come_from_the_data_store_where_one_is_named(done, monkeypatch):
    *_, folder = done
    monkeypatch.delenv("M2M_STORE", raising=False)
    assert [(r["variant"], r["private"]) for r in collect_rows(done)] == [("", False)]
    monkeypatch.setenv("M2M_STORE", str(folder / "store"))
    for name in ("a", "b"):
        (folder / f"scratch-{name}").mkdir()
        publish_set(folder / name, open_store(folder / "store"), folder / f"scratch-{name}")
    assert [(r["variant"], r["private"]) for r in collect_rows(done)] == [("m2m", True)]


def collect_rows(done) -> list[dict]:
    what = done[0]
    return collect(what.experiments[0], what.scale, what.graph, tracked(done))["rows"]


def test_clips_of_a_joined_test_are_grouped_by_the_list_that_they_were_joined_by(done, tmp_path):
    what, uri, _ = done
    node = next(node for node in what.graph.nodes.values() if node.kind == "evaluate" and "epoch" in node.work)
    with pytest.raises(InputError, match="which clips of one are in which group"):
        tracked(done).groups(node)
    file = tmp_path / "groups.csv"
    named = replace(what.scale, sets={"one": scales.TestSet("One", test="a", groups=str(file))})
    finder = Tracked(what.graph, named, data_hashes(what), Runs(uri))
    names = [f"{label}_{index}" for label in ("down", "right") for index in (4, 5)]
    rows = [f"{name}.mp4,,{'odd' if '5' in name else 'even'}" for name in names]
    file.write_text("\n".join(["path,label,group", *rows]))
    assert finder.groups(node) == {"even": ["down_4", "right_4"], "odd": ["down_5", "right_5"]}
    file.write_text("path,label,group\ndown_0.mp4,,even\n")  # which was trained on
    with pytest.raises(InputError, match=r"names down_0.mp4, which was not tested"):
        finder.groups(node)


def test_a_tracker_that_does_not_answer_is_the_machines_fault_and_none_the_users(monkeypatch, tmp_path):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(InputError, match="no tracker is named"):
        Runs()
    with pytest.raises(InfrastructureError, match="does not answer"):
        Runs("http://127.0.0.1:9").of("pretrain")
    (tmp_path / "mlflow.db").write_text(json.dumps("no database") * 100)
    with pytest.raises(InfrastructureError, match="does not answer"):
        Runs(f"sqlite:///{tmp_path / 'mlflow.db'}").of("pretrain")
