"""Trainings on published sets: tracked, resumed, and with the figures of the stages before them."""

import json

import pytest

from m2m import experiment
from m2m.errors import InputError
from m2m.experiment import align_set, evaluate_set, pretrain_set
from m2m.params import section
from m2m.report.results import read_result
from m2m.report.run import write_run_report
from m2m.store import DATA, WORK, open_store
from m2m.train.stage import TrainSummary
from tests.sets import publish_set, write_set

MODEL = {"depth": 1, "width": 24, "heads": 2, "decoder_depth": 1, "decoder_width": 24, "decoder_heads": 2}
MODEL |= {"frames": 4, "patch": 16, "size": [32, 32]}
INPUT = {"seconds": 1.0, "workers": 0, "cache": "memory"}
PROTOCOL = {"epochs": 2, "warmup": 0, "batch": 4, "input": INPUT}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Folders of a whole experiment on one published set, and its hash."""
    root = tmp_path_factory.mktemp("experiment")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(DATA, str(root / "store"))
        patch.setenv(WORK, str(root / "work"))
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{root / 'mlflow.db'}")
        card = write_set(root / "working", held=1)
        identity = publish_set(root / "working", open_store(root / "store"), root)
        assert identity == card.hash
        model = section("model", MODEL)
        first = section("pretrain", {"epochs": 2, "warmup": 0, "batch": 4, "samples": 2, "input": INPUT})
        second = section("align", PROTOCOL)
        third = section("evaluate", {"ft": PROTOCOL, "lp": PROTOCOL, "views": [1, 1]})
        pretrain_set(identity, root / "pretrain", first, model, seed=3)
        align_set(identity, root / "pretrain", root / "align", second, model)
        for protocol, seed in (("ft", 0), ("ft", 1), ("lp", 0)):
            out = root / f"{protocol}{seed}"
            evaluate_set(
                identity,
                root / "align",
                out,
                third,
                model,
                name="blocks",
                protocol=protocol,
                seed=seed,
                keep_model=False,
            )
        yield root, identity


def test_figures_of_earlier_stages_come_along(trained):
    root, identity = trained
    result = read_result(root / "ft1")
    assert (result.arm, result.name, result.protocol, result.seed) == ("m2m", "blocks", "ft", 1)
    assert {stage: len(rows) for stage, rows in result.curves.items()} == {"pretrain": 2, "align": 2, "evaluate": 2}
    assert json.loads((root / "ft1" / "metrics.json").read_text())["data_hash"] == identity
    assert not (root / "ft1" / "checkpoint.pt").exists()


def test_every_training_is_a_run_with_its_data_and_its_files(trained):
    import mlflow

    root, identity = trained
    client = mlflow.MlflowClient(f"sqlite:///{root / 'mlflow.db'}")
    experiments = [e.experiment_id for e in client.search_experiments()]
    runs = client.search_runs(experiments)
    kinds = sorted(r.data.tags["m2m.kind"] for r in runs)
    assert kinds == ["align", "evaluate", "evaluate", "evaluate", "pretrain"]
    for run in runs:
        assert run.info.status == "FINISHED"
        assert run.inputs.dataset_inputs[0].dataset.digest == identity[:36] or run.data.tags["m2m.data"] == identity
        files = {f.path for f in client.list_artifacts(run.info.run_id)}
        assert files >= {"metrics.json", "checkpoint.pt", "environment.txt", "loss.svg"}
        assert ("confusion.svg" in files) == (run.data.tags["m2m.kind"] == "evaluate")
        assert len(client.get_metric_history(run.info.run_id, "loss")) == 2


def test_the_page_shows_sets_results_and_curves(trained, monkeypatch):
    root, identity = trained
    monkeypatch.setenv(DATA, str(root / "store"))
    page = root / "page.html"
    write_run_report(page, [identity, identity], [root / "ft0", root / "ft1", root / "lp0"])
    text = page.read_text()
    assert text.count("Data set blocks, m2m") == 1
    assert text.count("<svg") == 6  # four curves and a confusion matrix of each protocol
    assert "blocks, FT: by class" in text and text.count("<td>class0</td>") == 2
    assert text.count("data:video/mp4") in (1, 2)
    assert "unreadable" in text
    assert "http://" not in text.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "http://creativecommons.org", ""
    )


def test_another_process_of_a_training_needs_nothing_that_the_first_one_writes(tmp_path, monkeypatch):
    """On another machine its folder stays empty."""
    figures = {"stage": "pretrain", "history": [{"epoch": 1, "loss": 0.5}]}
    summary = TrainSummary(
        "pretrain", "f" * 64, tmp_path / "no.pt", "0" * 64, tmp_path / "no.json", 1, 0, {"loss": 0.5}, figures
    )
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setattr(experiment, "pretrain", lambda *args, **kwargs: summary)
    write_set(tmp_path / "set", held=1)
    done = pretrain_set(tmp_path / "set", tmp_path / "out", section("pretrain", {}), section("model", MODEL))
    assert done.figures == figures and str(done) == "1 epochs: loss 0.5000"


def test_alignments_of_other_models_are_other_runs(tmp_path, monkeypatch):
    seen = []

    def opened(_stage, _name, identity, **_):
        seen.append(identity)
        raise InputError("enough")

    monkeypatch.setattr(experiment, "open_run", opened)
    write_set(tmp_path / "set", held=1)
    for parent in ("one", "two", "one"):
        (tmp_path / parent).mkdir(exist_ok=True)
        (tmp_path / parent / "metrics.json").write_text(json.dumps({"fingerprint": parent}))
        with pytest.raises(InputError, match="enough"):
            params = section("align", PROTOCOL), section("model", MODEL)
            align_set(tmp_path / "set", tmp_path / parent, tmp_path / "out", *params)
    assert seen[0] == seen[2] != seen[1]


def test_a_model_that_was_not_kept_is_named_with_those_that_were(tmp_path):
    kept = tmp_path / "models" / "epoch-00020.pt"
    kept.parent.mkdir()
    kept.write_bytes(b"")
    assert experiment.kept_model(tmp_path, 20) == kept
    with pytest.raises(InputError, match="kept no model after epoch 30; kept: 20"):
        experiment.kept_model(tmp_path, 30)
    with pytest.raises(InputError, match="kept: none"):
        experiment.kept_model(tmp_path / "other", 30)
