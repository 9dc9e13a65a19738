"""Alignment on two data sets: each sample is judged by its own head, both train one trunk, one head is handed on."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from m2m.train.align import align
from m2m.train.batches import RandomSamples
from m2m.train.checkpoints import read, read_trained
from m2m.train.clips import open_set
from m2m.train.joint import JointSamples, hits, losses
from m2m.train.models import make_classifier
from m2m.train.supervised import start_from
from tests.train.toysets import ALIGN, INPUT, MODEL, make_set


@pytest.fixture(scope="module")
def colours(tmp_path_factory):
    """Another data set, of three classes that one frame tells."""
    return make_set(tmp_path_factory.mktemp("colours"), train=3, val=0, labels=("blue", "down", "red"))


def test_samples_of_both_sets_are_there_with_labels_counted_on(toys, colours):
    first, second = (RandomSamples(open_set(folder), MODEL, INPUT, seed) for seed, folder in enumerate((toys, colours)))
    both = JointSamples(first, second, 2)
    assert len(both) == 8 + 9
    labels = [both[0, i][0]["label"] for i in range(len(both))]
    assert labels == [0] * 4 + [1] * 4 + [2] * 3 + [3] * 3 + [4] * 3
    assert np.array_equal(both[3, 10][0]["clip"], second[3, 2][0]["clip"])


def test_a_sample_is_judged_by_its_own_head():
    scores, label = torch.randn(6, 5), torch.tensor([0, 4, 1, 2, 3, 0])
    found = losses(scores, label, 0.1, (2, 3))
    right = hits(scores, label, (2, 3))
    for i, own in enumerate(label.tolist()):
        rows = slice(0, 2) if own < 2 else slice(2, 5)
        wanted = functional.cross_entropy(scores[i, rows], torch.tensor(own - rows.start), label_smoothing=0.1)
        assert found[i].item() == pytest.approx(wanted.item(), rel=1e-5)
        assert right[i] == (scores[i, rows].argmax() == own - rows.start)


def test_a_head_learns_nothing_from_the_other_set():
    scores = torch.randn(2, 5, requires_grad=True)
    losses(scores, torch.tensor([1, 3]), 0.1, (2, 3)).sum().backward()
    assert scores.grad[0, 2:].abs().max() == scores.grad[1, :2].abs().max() == 0
    assert scores.grad[0, :2].abs().min() > 0 and scores.grad[1, 2:].abs().min() > 0


def test_the_second_head_speaks_in_training_alone():
    for kind in ("videomae", "timesformer"):
        model = make_classifier(replace(MODEL, kind=kind), 2, also=3)
        clips = torch.rand(2, 3, 4, 32, 48)
        assert model(clips).shape == (2, 5) and model.eval()(clips).shape == (2, 2)


def test_an_alignment_on_two_sets_is_handed_on_like_any_other(toys, colours, tmp_path):
    done = align(toys, None, tmp_path / "both", ALIGN, MODEL, also=colours)
    alone = align(toys, None, tmp_path / "one", ALIGN, MODEL)
    assert done.fingerprint != alone.fingerprint
    report = json.loads((tmp_path / "both" / "metrics.json").read_text())
    assert report["also"]["data_hash"] == open_set(colours).hash and report["history"][0]["samples"] == 16
    assert "val_top1" in report["history"][-1]
    state = read(tmp_path / "both" / "checkpoint.pt")
    assert state["classes"] == ["down", "right"]
    assert state["model"]["head.weight"].shape == (2, 32) and state["model"]["also.weight"].shape == (3, 32)
    assert state["model"]["also.weight"].abs().max() > 1e-3  # it has learnt
    model = make_classifier(MODEL, 7)
    start_from(model, read_trained(tmp_path / "both", MODEL))
    assert torch.equal(model.encoder.embed.weight, state["model"]["encoder.embed.weight"])


def test_both_sets_are_learnt(toys, colours, tmp_path):
    still = replace(INPUT, crop=1, ratio=1, jitter=0)
    how = replace(ALIGN, epochs=30, warmup=3, lr=3e-3, drop_path=0, mixup=0, smoothing=0, layer_decay=1, input=still)
    align(toys, None, tmp_path, how, MODEL, also=colours)
    history = json.loads((tmp_path / "metrics.json").read_text())["history"]
    assert history[-1]["top1"] > 0.8 > 0.6 > history[0]["top1"]
