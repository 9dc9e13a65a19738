"""Every table and the figure from end to end, at a scale of a minute: drawn, selected, augmented, trained, reported."""

import json
from pathlib import Path

import pytest
import yaml

from m2m.cli import main
from m2m.params import to_dict
from m2m.reproduce.experiment import folder, read_experiment
from tests.train.toysets import ALIGN, EVALUATE, MODEL, PRETRAIN

SETS = ["ucf101", "uavhuman"]
ROWS = {
    "table1": ["videomae_align_real", "tsn_r50", "ppma", "smply_private_knexus"],
    "table2": ["mesh_on_real", "m2m"],
    "table3": ["real", "neutral"],
    "table4": ["align_no_human", "align_real", "align_m2m", "align_true_plates"],
    "figure3": ["real", "m2m"],
}
SEEDS = 2


def tiny() -> dict:
    """The studio's scale with all that takes time made small; data sets keep their names and what they are made of."""
    values = yaml.safe_load((folder() / "scales" / "studio.yaml").read_text(encoding="utf-8"))
    for source in values["data"].values():
        if drawn := source.get("studio"):
            drawn |= {"clips": 2, "size": [256, 144], "seconds": 1.0}
            drawn |= {"test_clips": 2} if "test_clips" in drawn else {}
            drawn |= {"actions": ["jumping_jack", "squat"]} if "actions" in drawn else {"classes": 4}
        if labels := source.get("select", {}).get("labels"):
            labels[:] = ["wave", "squat"]
    evaluate = to_dict(EVALUATE)
    for protocol in ("ft", "lp"):
        evaluate[protocol] |= {"epochs": 1, "warmup": 0}
    values["params"] |= {
        "model": to_dict(MODEL) | {"pixels": "amplified"},
        "pretrain": to_dict(PRETRAIN) | {"epochs": 2, "warmup": 1, "batch": 4, "keep_every": 1},
        "align": to_dict(ALIGN) | {"epochs": 1, "warmup": 0},
        "evaluate": evaluate,
        "curate": {"classes": 2},
        "augment": {"size": "256x144"},
    }
    small = {"kind": "tsn", "depth": 14, "frames": 2, "size": [32, 48], "pixels": "rgb"}
    values["recipes"] = {"tsn": {"params": {"model": small}}, "ppma": {"params": {"pretrain": {"mask": "random"}}}}
    return values | {"seeds": list(range(SEEDS))}


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory) -> Path:
    """The folder of all five, with a tracker beside it."""
    root = tmp_path_factory.mktemp("tables")
    (root / "tiny.yaml").write_text(yaml.safe_dump(tiny()))
    paths = []
    for name, rows in ROWS.items():
        experiment = yaml.safe_load((folder() / f"{name}.yaml").read_text(encoding="utf-8"))
        experiment["rows"] = {row: experiment["rows"][row] for row in rows}
        experiment["compare"] = [pair for pair in experiment["compare"] if set(pair) <= set(rows)]
        if not experiment.get("groups"):
            experiment["sets"] = SETS
        paths.append(root / f"{name}.yaml")
        paths[-1].write_text(yaml.safe_dump(experiment, sort_keys=False))
    with pytest.MonkeyPatch.context() as patch:
        for name in ("M2M_WORK", "M2M_STORE", "MLFLOW_TRACKING_URI", "M2M_TRACKING"):
            patch.delenv(name, raising=False)
        arguments = [*map(str, paths), "--profile", str(root / "tiny.yaml"), "--output", str(root), "--workers", "2"]
        assert main(["reproduce", *arguments]) == 0
    return root / "tiny"


def results(root: Path, name: str) -> dict:
    return json.loads((root / "results" / name / "results.json").read_text(encoding="utf-8"))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ROWS)
def test_every_row_is_measured_on_every_set_by_every_seed(reproduced, name):
    values, experiment = results(reproduced, name), read_experiment(str(reproduced.parent / f"{name}.yaml"))
    assert values["missing"] == []
    columns = experiment.groups or experiment.sets
    found = {(e["row"], e["set"], e["protocol"], e["seed"], e["epoch"]) for e in values["evaluations"]}
    epochs = (1, 2) if experiment.kind == "curve" else (None,)
    assert found == {
        (row, column, protocol, seed, epoch)
        for row in experiment.rows
        for column in columns
        for protocol in experiment.protocols
        for seed in range(SEEDS)
        for epoch in epochs
    }
    by_set: dict[str, set] = {}
    for one in values["evaluations"]:
        by_set.setdefault(one["set"], set()).add((one["test_hash"], tuple(sorted(one["clips"]))))
    assert all(len(tests) == 1 for tests in by_set.values())  # every row on the same clips
    page = (reproduced / "results" / f"{name}.html").read_text(encoding="utf-8")
    assert all(row.title in page for row in experiment.rows.values())


def test_private_rows_are_told_from_others(reproduced):
    private = {
        row["name"]: row["private"] for name in ("table1", "table2") for row in results(reproduced, name)["rows"]
    }
    assert private["smply_private_knexus"] and private["ppma"] and private["m2m"]
    assert not private["videomae_align_real"] and not private["mesh_on_real"]


def test_the_audits_figures_stand_beside_what_was_augmented(reproduced):
    rows = {entry["row"]: entry["figures"] for entry in results(reproduced, "table2")["privacy"]}
    assert set(rows["mesh_on_real"]) == {"people left"}, "what shows people is not audited for people"
    assert rows["mesh_on_real"]["people left"]["value"] > 2 * rows["m2m"]["people left"]["value"]
    assert rows["m2m"]["audited"] == 4 and {"people", "faces", "copies"} <= set(rows["m2m"]["failed by"])


def test_a_group_s_clips_are_of_the_other_gender(reproduced):
    values = results(reproduced, "table3")
    sizes = {(e["set"], e["n"]) for e in values["evaluations"]}
    assert sizes == {("women_in_men_biased", 2), ("men_in_women_biased", 2)}
    clips = {e["set"]: set(e["clips"]) for e in values["evaluations"]}
    assert not clips["women_in_men_biased"] & clips["men_in_women_biased"]


def test_true_plates_show_nobody_and_belong_to_the_same_clips(reproduced):
    from m2m.clips import read_manifest
    from m2m.video import read

    (plates,) = (reproduced / "plates").glob("*/dataset")
    rows = read_manifest(plates / "clips.parquet")
    originals = read_manifest((plates.parent / "of" / "dataset").resolve() / "clips.parquet")
    assert [r.clip_id for r in rows] == [r.clip_id for r in originals]
    for row, original in zip(rows, originals, strict=True):
        frames = [frame.image.astype(int) for frame in read(plates / row.path)]
        assert (len(frames), row.label) == (original.n_frames, original.label)
        assert abs(frames[0] - frames[-1]).max() < 12  # a still camera before an empty scene


def test_shared_work_was_done_once(reproduced):
    names = [json.loads(p.read_text())["name"] for p in reproduced.glob("*/*/done.json")]
    trained = [name for name in names if name.startswith("pretrain m2m,")]
    assert len(trained) == SEEDS  # for tables 2 and 4 and the figure
    assert names.count("real") == 1


def test_every_training_is_in_the_tracker(reproduced):
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{reproduced / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("m2m")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], max_results=1000)
    done = sum(1 for kind in ("pretrain", "align", "evaluate") for _ in (reproduced / kind).glob("*/done.json"))
    assert len(runs) == done and {run.info.status for run in runs} == {"FINISHED"}


def test_pages_name_the_runs_and_the_tracker_has_a_view_a_table(reproduced):
    from mlflow import MlflowClient

    runs = {one["run"] for one in results(reproduced, "table4")["evaluations"]}
    assert "" not in runs and all(run in (reproduced / "results" / "table4.html").read_text() for run in runs)
    client = MlflowClient(f"sqlite:///{reproduced / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("m2m")
    assert experiment is not None
    assert sum(key.startswith("mlflow.sharedViewState.m2m-table") for key in experiment.tags) >= len(ROWS) - 1
    tags = client.get_run(next(iter(runs))).data.tags
    assert tags["m2m.table.table4"] in ROWS["table4"]
