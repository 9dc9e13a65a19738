"""Rates and decays by layer and step."""

import itertools
import math

import pytest

from m2m.train.optimiser import layer_of, make_optimiser, rate, set_rate
from m2m.train.videomae import Classifier
from tests.train.toysets import MODEL


def test_the_rate_rises_to_its_maximum_and_falls_as_a_cosine():
    rates = [rate(s, 100, 10, 2.0) for s in range(100)]
    assert rates[10] == max(rates) == 2.0
    assert [round(b - a, 9) for a, b in itertools.pairwise(rates[:11])] == [round(2 / 11, 9)] * 10
    assert rates[55] == pytest.approx(2 * (1 + math.cos(math.pi / 2)) / 2)
    assert rates[-1] < 0.01 and rates[10:] == sorted(rates[10:], reverse=True)


def test_without_warmup_the_first_step_has_the_highest_rate():
    assert rate(0, 10, 0, 1.0) == 1.0


def test_early_layers_are_slower_and_vectors_do_not_decay():
    model = Classifier(MODEL, 2)
    optimiser = make_optimiser(model, MODEL.depth, (0.9, 0.999), 0.05, 0.5)
    set_rate(optimiser, 1.0)
    found = {id(p): (g["lr"], g["weight_decay"]) for g in optimiser.param_groups for p in g["params"]}
    weights = dict(model.named_parameters())
    assert found.keys() == {id(p) for p in weights.values()}
    assert found[id(weights["encoder.embed.weight"])] == (0.125, 0.05)
    assert found[id(weights["encoder.blocks.0.attn.qkv.weight"])] == (0.25, 0.05)
    assert found[id(weights["encoder.blocks.1.norm1.bias"])] == (0.5, 0.0)
    assert found[id(weights["head.weight"])] == (1.0, 0.05) and found[id(weights["head.bias"])] == (1.0, 0.0)


def test_frozen_weights_are_left_out():
    model = Classifier(MODEL, 2)
    model.encoder.requires_grad_(False)
    optimiser = make_optimiser(model, MODEL.depth, (0.9, 0.999), 0.05, 0.5)
    assert sum(len(g["params"]) for g in optimiser.param_groups) == 4


def test_a_model_shared_by_processes_has_the_same_layers():
    assert layer_of("module.encoder.blocks.3.norm1.weight", 12) == 4
