"""What the tasks of every wiring of the experiment pipeline train is what was planned, and is joined again."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from components.align import align
from components.evaluate import evaluate
from components.pretrain import pretrain
from components.scratch import scratch
from components.summarize import summarize
from m2m.reproduce.experiment import read_experiment
from m2m.reproduce.graph import build_graph
from m2m.reproduce.scale import read_scale
from m2m.store import open_store
from m2m.tracking import replay
from pipelines.__main__ import main
from pipelines.experiment import WIRINGS
from pipelines.submission import Submission, submissions
from tests.reproduce.toyscale import write_experiment, write_scale
from tests.sets import publish_set
from tests.trackers import database, runs


def artifact(path: Path) -> SimpleNamespace:
    return SimpleNamespace(path=str(path), metadata={}, log_confusion_matrix=lambda *_: None)


def carried_out(one: Submission, folder: Path) -> str:
    """Calls a run's components as the pipeline wires them, in this process; gives the page."""
    given: dict[str, Any] = json.loads(json.dumps(one.arguments), parse_int=float)  # as KFP hands numbers on
    model, seed = given["model_params"], int(given["seed"])
    encoder = None
    if one.wiring != "scratch":
        encoder = artifact(folder / "pretrain")
        named = {"checkpoint": encoder, "metrics": artifact(folder)}
        pretrain.python_func(given["pretrain_set"], given["pretrain_params"], model, seed, **named)
    if one.wiring != "unaligned":
        aligned = artifact(folder / "align")
        start = {} if encoder is None else {"checkpoint": encoder}
        named = {"dataset": given["align_set"], "params": given["align_params"], "model": model, "seed": seed}
        named |= {"also": given["also_set"], "aligned": aligned, "metrics": artifact(folder)}
        (align if start else scratch).python_func(**start, **named)
        encoder = aligned
    evaluations = []
    for number, test in enumerate(given["downstream"]):
        evaluations.append(artifact(folder / f"evaluate-{number}"))
        named = {"name": test["title"], "dataset": test["dataset"], "protocol": test["protocol"]}
        named |= {"seed": int(test["seed"]), "epoch": int(test["epoch"]), "params": given["evaluate_params"]}
        named |= {"metrics": artifact(folder), "confusion": artifact(folder)}
        evaluate.python_func(checkpoint=encoder, model=model, evaluation=evaluations[-1], **named)
    page = artifact(folder / "page.html")
    sets = [given.get(name, "") for name in ("pretrain_set", "align_set", "also_set")]
    summarize.python_func(datasets=sets, evaluations=evaluations, page=page)
    return Path(page.path).read_text()


@pytest.mark.slow
def test_runs_of_every_wiring_give_the_results_that_were_planned(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    for name in ("store", "work"):
        monkeypatch.setenv(f"M2M_{name.upper()}", str(tmp_path / name))
        (tmp_path / name).mkdir()
    uri = database(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("M2M_TRACKING", "later")
    scale = write_scale(tmp_path, seeds=(0,), recipes={"tsn": {"params": {"model": {"kind": "tsn", "depth": 14}}}})
    data = {}
    for name in ("a", "b"):
        (tmp_path / f"scratch-{name}").mkdir()
        published = publish_set(tmp_path / name, open_store(tmp_path / "store"), tmp_path / f"scratch-{name}")
        data[name] = {"published": published}
    (tmp_path / "data.yaml").write_text(yaml.safe_dump({"data": data}))
    tsn = {"align": "a", "also": "b", "recipe": "tsn"}
    rows = {"joint": {"pretrain": "a", "align": "a", "also": "b"}, "scratch": tsn}
    table = write_experiment(tmp_path, "table", rows=rows, sets=["one"], compare=[])
    bare = {"bare": {"pretrain": "a"}}
    curve = write_experiment(tmp_path, "curve", kind="curve", rows=bare, sets=["one"], compare=[])
    at = read_scale(str(scale), tmp_path / "data.yaml")
    wanted = submissions(build_graph([read_experiment(str(path)) for path in (table, curve)], at), at)
    assert sorted(one.wiring for one in wanted) == sorted(WIRINGS)

    for one in wanted:
        monkeypatch.setenv("M2M_PIPELINE_RUN", one.name)
        assert "toys" in carried_out(one, tmp_path / one.name)
    replay(tmp_path / "work" / "tracking")
    known = [r for r in runs(uri) if r.data.tags["m2m.kind"] == "pretrain"]
    assert {r.data.tags["m2m.fingerprint"] for r in known} == {one.shared for one in wanted} - {""}

    named = ["--profile", str(scale), "--data", str(tmp_path / "data.yaml"), "--collect", str(tmp_path / "out")]
    assert main(["reproduce", str(table), str(curve), *named]) == 0
    assert "0 evaluations are not there yet" in capsys.readouterr().out
    results = {name: json.loads((tmp_path / "out" / name / "results.json").read_text()) for name in ("table", "curve")}
    assert [e["row"] for e in results["table"]["evaluations"]] == ["joint", "scratch"]
    assert [e["epoch"] for e in results["curve"]["evaluations"]] == [1, 2]
    assert [r["private"] for r in results["table"]["rows"]] == [True, True]
    evaluations = [e for result in results.values() for e in result["evaluations"]]
    by_id = {r.info.run_id: r for r in runs(uri)}
    assert len({e["run"] for e in evaluations}) == 4 and {e["n"] for e in evaluations} == {4}
    for one in evaluations:
        assert by_id[one["run"]].data.metrics["test_top1"] == one["top1"]
