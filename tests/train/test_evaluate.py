"""Alignment and evaluation: what trains, what is frozen, what is reported, what is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from m2m.clips import read_card
from m2m.errors import InputError
from m2m.files import file_sha256
from m2m.train import evaluate as evaluating
from m2m.train.align import align
from m2m.train.batches import Views
from m2m.train.checkpoints import read, read_trained
from m2m.train.clips import open_set
from m2m.train.evaluate import evaluate
from m2m.train.models import make_classifier
from m2m.train.params import ModelParams
from m2m.train.pretrain import pretrain
from m2m.train.processes import Processes
from m2m.train.supervised import score_clips, start_from
from m2m.train.videomae import Classifier
from tests.train.test_engine import Notes
from tests.train.toysets import ALIGN, EVALUATE, INPUT, MODEL, PRETRAIN, make_set


@pytest.fixture(scope="module")
def pretrained(toys, tmp_path_factory):
    return pretrain(toys, tmp_path_factory.mktemp("pretrained"), replace(PRETRAIN, epochs=1), MODEL)


@pytest.fixture(scope="module")
def aligned(toys, pretrained, tmp_path_factory):
    params = replace(ALIGN, epochs=1)
    return align(toys, pretrained.checkpoint, tmp_path_factory.mktemp("aligned"), params, MODEL)


def test_the_trunk_is_handed_on_and_the_head_is_fresh(pretrained, aligned):
    before = read(pretrained.checkpoint)["model"]
    torch.manual_seed(0)
    model = Classifier(MODEL, 2)
    head = model.head.weight.clone()
    start_from(model, read_trained(pretrained.checkpoint, MODEL))
    for name, value in model.encoder.state_dict().items():
        assert torch.equal(value, before[f"encoder.{name}"])
    assert torch.equal(model.head.weight, head) and torch.equal(model.fc_norm.weight, torch.ones(32))
    start_from(model, read_trained(aligned.checkpoint, MODEL))
    assert torch.equal(model.fc_norm.weight, read(aligned.checkpoint)["model"]["fc_norm.weight"])
    assert torch.equal(model.head.weight, head)


def test_linear_probing_leaves_the_trunk_alone(toys, aligned, tmp_path):
    params = replace(EVALUATE, lp=replace(EVALUATE.lp, drop_path=0.5, epochs=2))
    evaluate(toys, aligned.checkpoint, tmp_path, params, MODEL, protocol="lp")
    before, after = read(aligned.checkpoint)["model"], read(tmp_path / "checkpoint.pt")["model"]
    for name in before:
        assert torch.equal(before[name], after[name]) == name.startswith("encoder."), name


@pytest.mark.parametrize("features", [0, 1])
@pytest.mark.parametrize("kind", ["videomae", "tsn", "i3d"])
def test_no_weight_and_no_buffer_of_a_frozen_trunk_moves(toys, tmp_path, monkeypatch, kind, features):
    """Bit for bit, drop path and batch norm and all that no checkpoint holds; and it computes the same as before."""
    size = MODEL if kind == "videomae" else ModelParams(kind=kind, depth=14, frames=4, size=(32, 48))
    held = []

    def make(*args):
        model = make_classifier(*args)
        held.append((model, {k: v.clone() for k, v in values(model).items()}))
        return model

    monkeypatch.setattr(evaluating, "make_classifier", make)
    lp = replace(EVALUATE.lp, drop_path=0.5, epochs=2, lr=0.1, weight_decay=0.1, features=features)
    evaluate(toys, None, tmp_path, replace(EVALUATE, lp=lp, views=(1, 1)), size, protocol="lp")
    ((model, before),) = held
    assert any("running_mean" in name for name in before) == (kind != "videomae")
    moved = {name for name, value in values(model).items() if not torch.equal(value, before[name])}
    norm = {"fc_norm.weight", "fc_norm.bias"} if kind == "videomae" else set()
    assert moved == {"head.weight", "head.bias"} | norm


def values(model):
    return dict(model.named_parameters()) | dict(model.named_buffers())


def test_fine_tuning_trains_everything(toys, aligned, tmp_path):
    evaluate(toys, aligned.checkpoint, tmp_path, EVALUATE, MODEL, protocol="ft")
    before, after = read(aligned.checkpoint)["model"], read(tmp_path / "checkpoint.pt")["model"]
    assert not any(torch.equal(before[name], after[name]) for name in before)


def test_what_an_evaluation_reports(toys, aligned, tmp_path):
    notes = Notes()
    found = evaluate(toys, aligned.checkpoint, tmp_path, EVALUATE, MODEL, protocol="ft", seed=3, tracker=notes)
    report = json.loads((tmp_path / "metrics.json").read_text())
    assert (report["stage"], report["protocol"], report["seed"], report["variant"]) == ("evaluate", "ft", 3, "m2m")
    assert report["parent"] == file_sha256(aligned.checkpoint) == aligned.sha256
    assert report["data_hash"] == read_card(toys).hash
    assert report["classes"] == ["down", "right"] and report["clips"] == {"train": 8, "val": 4}
    top1 = report["top1"]
    assert (
        top1["n"] == 4
        and top1["correct"] == top1["value"] * 4
        and top1["low"] < top1["value"] + 1e-9 < top1["high"] + 2e-9
    )
    confusion = np.array(report["confusion"])
    assert confusion.sum(1).tolist() == [2, 2] and np.trace(confusion) == top1["correct"]
    assert [row["label"] for row in report["per_class"]] == ["down", "right"]
    assert [row["epoch"] for row in report["history"]] == [1, 2, 3]
    assert notes.parameters["params"]["lr"] == EVALUATE.ft.lr and notes.rows[3] == {
        "test_top1": top1["value"],
        "test_top5": 1,
    }
    assert {p.name for p in notes.files} == {"metrics.json", "checkpoint.pt"}
    assert found.figures["top1"] == top1["value"] and found.sha256 == file_sha256(tmp_path / "checkpoint.pt")


def test_a_movement_can_be_learnt_from_scratch(tmp_path):
    data = make_set(tmp_path / "data", train=16, val=8)
    ft = replace(EVALUATE.ft, epochs=40, batch=8, lr=4e-3, input=replace(INPUT, seconds=0.0))
    found = evaluate(data, None, tmp_path / "out", replace(EVALUATE, ft=ft), MODEL)
    assert found.figures["top1"] >= 0.8  # of 16 clips; 12 right by chance: p = .04


def test_scores_are_means_over_views(toys):
    torch.manual_seed(0)
    model = Classifier(MODEL, 2)
    torch.nn.init.normal_(model.head.weight)
    group = Processes(0, 1, torch.device("cpu"))
    data = open_set(toys)
    both = Views(data, MODEL, INPUT, (2, 1))
    odds, labels = score_clips(model, both, 3, group)
    assert labels.tolist() == [0, 0, 1, 1]
    for i in range(4):
        views = torch.stack([torch.from_numpy(v["clip"]) for v in both[i]]).permute(0, 4, 1, 2, 3).float() / 255
        wanted = model(views).softmax(1).mean(0).detach().numpy()
        np.testing.assert_allclose(odds[i], wanted, rtol=1e-5)


def test_seeds_differ_and_repeat(toys, aligned, tmp_path):
    heads = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        evaluate(toys, aligned.checkpoint, tmp_path / name, EVALUATE, MODEL, protocol="lp", seed=seed)
        heads.append(read(tmp_path / name / "checkpoint.pt")["model"]["head.weight"])
    assert torch.equal(heads[0], heads[1]) and not torch.equal(heads[0], heads[2])


@pytest.mark.parametrize("change", [{"width": 64}, {"depth": 3}, {"frames": 8}, {"size": (48, 48)}])
def test_a_checkpoint_of_another_shape_is_refused(toys, pretrained, tmp_path, change):
    (name,) = change
    with pytest.raises(InputError, match=f"whose {name} is"):
        align(toys, pretrained.checkpoint, tmp_path, ALIGN, replace(MODEL, **change))


def test_another_decoder_does_not_matter(toys, pretrained, tmp_path):
    model = replace(MODEL, decoder_width=48)
    assert align(toys, pretrained.checkpoint, tmp_path, replace(ALIGN, epochs=1), model).epochs == 1


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", None])
def test_what_is_no_checkpoint_is_refused(toys, tmp_path, content):
    file = tmp_path / "model.pt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match=r"model\.pt"):
        align(toys, file, tmp_path / "out", ALIGN, MODEL)


def test_a_file_that_would_run_code_is_refused(toys, tmp_path):
    class Harm:
        def __reduce__(self):
            return (open, (str(tmp_path / "harm"), "w"))

    torch.save({"format": 1, "model": Harm()}, tmp_path / "model.pt")
    with pytest.raises(InputError, match="not a checkpoint"):
        align(toys, tmp_path / "model.pt", tmp_path / "out", ALIGN, MODEL)
    assert not (tmp_path / "harm").exists()


def test_an_unknown_protocol_is_refused(toys, tmp_path):
    with pytest.raises(InputError, match="'knn'"):
        evaluate(toys, None, tmp_path, EVALUATE, MODEL, protocol="knn")
