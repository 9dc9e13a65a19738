"""Probing on kept features: the same as on pixels, resumed, shared between runs, and said."""

import json
from dataclasses import replace

import pytest
import torch

from m2m.clips import Clip
from m2m.files import file_sha256
from m2m.store import FolderStore, open_store
from m2m.train import features as probing
from m2m.train.checkpoints import NAME
from m2m.train.evaluate import evaluate
from m2m.train.features import trunk_hash
from m2m.train.models import make_classifier
from tests.train.test_engine import Stop, figures, weights
from tests.train.test_resume import EVERY_STEP, Interrupting, stop
from tests.train.toysets import EVALUATE, INPUT, MODEL, draw, rewrite

LP = replace(EVALUATE.lp, epochs=3, lr=0.05)


def probe(data, out, store=None, seed=0, epochs=3, features=0, every=0.0, model=MODEL, **changes):
    params = replace(
        EVALUATE,
        lp=replace(LP, epochs=epochs, features=features, **changes),
        views=(2, 2),
        validate_every=1,
        checkpoint_minutes=every,
    )
    return evaluate(data, None, out, params, model, protocol="lp", seed=seed, store=store)


def alike(one, two):
    a, b = weights(one), weights(two)
    for name, value in a.items():
        torch.testing.assert_close(b[name], value, rtol=1e-4, atol=1e-6)
    for left, right in zip(figures(one), figures(two), strict=True):
        assert right == pytest.approx(left, rel=1e-4)
    found = [json.loads((folder / "metrics.json").read_text()) for folder in (one, two)]
    assert found[0]["top1"] == found[1]["top1"] and found[0]["confusion"] == found[1]["confusion"]


@pytest.fixture(scope="module")
def still(tmp_path_factory):
    """Clips of as many frames as a sample has: there is one way to take one."""
    folder = tmp_path_factory.mktemp("still")
    clips = []
    for label in ("red", "blue"):
        for index in range(6):
            name, split = f"{label}_{index}", "train" if index < 4 else "val"
            draw(folder / "videos" / f"{name}.mp4", label, index, n=MODEL.frames)
            clips.append((name, label, split))
    rows = [
        Clip(n, f"videos/{n}.mp4", la, s, file_sha256(folder / "videos" / f"{n}.mp4"), 72, 48, 12, 1, MODEL.frames)
        for n, la, s in clips
    ]
    rewrite(folder, rows)
    return folder


def test_without_chance_one_epochs_features_are_those_of_all(still, tmp_path):
    plain = replace(INPUT, crop=1.0, ratio=1.0, jitter=0.0, seconds=0.0)
    for name, features in (("slow", 0), ("fast", 1)):
        probe(still, tmp_path / name, features=features, input=plain)
    alike(tmp_path / "slow", tmp_path / "fast")


@pytest.mark.parametrize("samples", [1, 2])
def test_features_of_all_epochs_are_what_pixels_give(toys, tmp_path, samples):
    """With all that is random about a sample, and what is random inside the frozen trunk left out as ever."""
    chance = {"input": replace(INPUT, flip=True, jitter=0.4, erase=0.3), "samples": samples, "drop_path": 0.5}
    for name, features in (("slow", 0), ("fast", 3)):
        probe(toys, tmp_path / name, features=features, ema=0.5, smoothing=0.1, **chance)
    alike(tmp_path / "slow", tmp_path / "fast")


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_a_probe_killed_while_it_encodes_or_learns_ends_with_the_same_bytes(toys, tmp_path, count):
    """Two epochs are encoded and kept, the third to the eighth thing stored is a step."""
    probe(toys, tmp_path / "straight", features=2)
    with pytest.raises(Stop):
        store = Interrupting(tmp_path / "store", count, stop)
        probe(toys, tmp_path / "lost", store, features=2, every=EVERY_STEP)
    probe(toys, tmp_path / "out", open_store(tmp_path / "store"), features=2)
    assert file_sha256(tmp_path / "out" / NAME) == file_sha256(tmp_path / "straight" / NAME)
    assert figures(tmp_path / "out") == figures(tmp_path / "straight")


def test_what_is_encoded_is_used_by_whoever_needs_the_same(toys, tmp_path, monkeypatch):
    store, encoded = FolderStore(tmp_path / "store"), []
    plain = probing._encode

    def encode(model, data, keys, *args):
        if len(keys) == 8:  # the training clips
            encoded.append(keys[0][0])
        return plain(model, data, keys, *args)

    monkeypatch.setattr(probing, "_encode", encode)
    probe(toys, tmp_path / "a", store, features=1)
    probe(toys, tmp_path / "b", store, features=3, lr=0.01)  # one epoch's are there
    assert encoded == [0, 1, 2]
    probe(toys, tmp_path / "c", store, features=1, seed=1)  # another trunk and other samples
    assert encoded == [0, 1, 2, 0]
    next((tmp_path / "store").rglob("features-00002-*.pt")).write_bytes(b"damaged")
    probe(toys, tmp_path / "d", store, features=3, lr=0.02)
    assert encoded == [0, 1, 2, 0, 2]


def test_it_is_said_and_part_of_the_fingerprint(toys, tmp_path):
    slow, fast, more = (probe(toys, tmp_path / str(n), features=n) for n in (0, 1, 2))
    assert len({slow.fingerprint, fast.fingerprint, more.fingerprint}) == 3
    report = json.loads(fast.metrics.read_text())
    torch.manual_seed(0)
    assert report["features"] == {"epochs": 1, "trunk": trunk_hash(make_classifier(MODEL, 2))}
    assert report["params"]["features"] == 1 and report["top1"]["n"] == 4
    assert "features" not in json.loads(slow.metrics.read_text())


def test_the_trunks_hash_is_of_the_trunk_alone():
    torch.manual_seed(0)
    model = make_classifier(MODEL, 2)
    before = trunk_hash(model)
    torch.nn.init.ones_(model.head.weight)
    assert trunk_hash(model) == before
    model.encoder.embed.bias.data[0] += 1e-6
    assert trunk_hash(model) != before
