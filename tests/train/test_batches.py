"""Batches are the same for any number of processes and workers, and differ between epochs."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from m2m.errors import InputError
from m2m.train.batches import Masking, RandomSamples, Views, load, plan, to_device
from m2m.train.clips import open_set
from m2m.train.mixtures import Mixing
from tests.train.toysets import INPUT, MODEL


@given(st.integers(1, 60), st.integers(1, 20), st.integers(0, 5), st.integers(1, 4), st.integers(0, 9))
def test_processes_share_what_one_would_do(n, batch, chunk, count, epoch):
    alone = plan(n, batch, 0, 7, epoch)
    if min(n, batch) < count:
        with pytest.raises(InputError, match="processes"):
            plan(n, batch, chunk, 7, epoch, 0, count)
        return
    parts = [plan(n, batch, chunk, 7, epoch, rank, count) for rank in range(count)]
    for step, whole in enumerate(alone.steps):
        shared = [clip for p in parts for part in p.steps[step] for clip in part]
        assert sorted(shared) == sorted(whole[0])
        assert all(len(part) <= chunk or not chunk for p in parts for part in p.steps[step])
        if min(n, batch) >= 2 * count and chunk != 1:  # neighbours stay together, in the same place
            pairs = {whole[0][i : i + 2] for i in range(0, len(whole[0]), 2)}
            assert {part[i : i + 2] for p in parts for part in p.steps[step] for i in range(0, len(part), 2)} == pairs
        assert all(p.totals[step] == len(whole[0]) == min(n, batch) for p in parts)
    used = [clip for step in alone.steps for clip in step[0]]
    assert len(used) == len(set(used)) and n - len(used) < batch


def test_the_order_is_drawn_anew_every_epoch_and_by_every_seed():
    orders = {plan(20, 20, 0, seed, epoch).steps for seed in (0, 1) for epoch in (0, 1)}
    assert len(orders) == 4


def samples(toys, **changes):
    masking = Masking("tube", 0.5)
    return RandomSamples(open_set(toys), MODEL, replace(INPUT, **changes), 3, samples=2, masking=masking)


def same(a, b) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)


def test_a_batch_depends_on_seed_epoch_and_clips_alone(toys):
    keys = [[(0, 1), (0, 5)], [(1, 1)]]
    data = samples(toys)
    first, second = list(load(data, keys, 0, False))
    for workers in (0, 2):
        again = list(load(samples(toys), [keys[1], keys[0]], workers, False))
        assert same(again[1], first) and same(again[0], second)
    assert not torch.equal(first["clip"][:2], second["clip"])
    assert not torch.equal(first["clip"][0], first["clip"][1])  # two samples of one clip


def test_kept_frames_are_decoded_frames(toys):
    keys = [[(2, 0), (2, 3)]]
    kept, decoded = (next(load(samples(toys, cache=cache), keys, 0, False)) for cache in ("memory", "none"))
    assert same(kept, decoded)


def test_a_batch_has_the_models_shape_and_the_clips_labels(toys):
    data = samples(toys)
    batch = to_device(next(load(data, [[(0, i) for i in range(8)]], 0, False)), torch.device("cpu"))
    assert batch["clip"].shape == (16, 3, 4, 32, 48) and batch["clip"].dtype == torch.float32
    assert 0 <= batch["clip"].min() < 0.3 and 0.7 < batch["clip"].max() <= 1
    assert batch["label"].tolist() == [0] * 8 + [1] * 8
    assert batch["visible"].shape == batch["hidden"].shape == (16, 6)


def test_colours_are_changed_alike_in_all_frames(toys):
    batch = {"clip": torch.full((1, 4, 2, 2, 3), 100, dtype=torch.uint8)}
    batch["colours"] = torch.tensor([[[0.5, 0, 0, 0.1], [0, 1, 0, 0], [0, 0, 4.0, 0]]])
    red, green, blue = to_device(batch, torch.device("cpu"))["clip"][0]
    assert torch.allclose(red, torch.tensor(50 / 255 + 0.1)) and torch.allclose(green, torch.tensor(100 / 255))
    assert (blue == 1).all()


def test_views_differ_and_are_those_of_their_clip(toys):
    data = Views(open_set(toys), MODEL, INPUT, (2, 3))
    batch = next(load(data, [[0, 3]], 0, False))
    # 72x48 pixels have the sample's shape: nothing to shift across, two windows in time.
    assert batch["index"].tolist() == [0, 0, 3, 3] and batch["label"].tolist() == [0, 0, 1, 1]
    assert not torch.equal(batch["clip"][0], batch["clip"][1])
    assert same(next(load(data, [[0, 3]], 0, False)), batch)
    assert same(data.reduced((1, 1))[1][0], Views(open_set(toys), MODEL, INPUT, (1, 1))[1][0])
    assert len(data[1]) == 2


def test_several_samples_of_a_clip_follow_each_other(toys):
    data = RandomSamples(open_set(toys), MODEL, INPUT, 3, samples=3)
    batch = next(load(data, [[(0, 7), (0, 0)]], 0, False))
    assert batch["label"].tolist() == [1, 1, 1, 0, 0, 0] and "visible" not in batch and "mixture" not in batch


def test_augmented_samples_depend_on_seed_epoch_and_clip_alone(toys):
    params = replace(INPUT, randaugment="rand-m7-n4-mstd0.5-inc1", erase=0.5, scales=(1.0, 0.75), stride=2)
    keys = [[(0, i) for i in range(8)]]

    def of(workers):
        data = RandomSamples(open_set(toys), MODEL, params, 3, samples=2, mixing=Mixing(0.8, 1.0))
        return next(load(data, keys, workers, False))

    assert same(of(0), of(2)) and of(0)["mixture"].shape == (16, 5)
    plain = next(load(RandomSamples(open_set(toys), MODEL, INPUT, 3, samples=2), keys, 0, False))
    assert not torch.equal(plain["clip"], of(0)["clip"])


def test_a_clip_too_short_for_two_windows_is_seen_once(toys):
    model = replace(MODEL, frames=12)
    assert len(Views(open_set(toys), model, replace(INPUT, seconds=0.0), (2, 1))[0]) == 1


@pytest.mark.parametrize("workers", [0, 1])
def test_a_clip_that_cannot_be_decoded_stops_the_loading(toys, tmp_path, workers):
    data = samples(toys, cache="none")
    broken = tmp_path / "down_1.mp4"
    broken.write_bytes((toys / "videos" / "down_1.mp4").read_bytes()[:900])
    clips = tuple(replace(c, path=str(broken)) if c.clip_id == "down_1" else c for c in data.data.train)
    data = RandomSamples(replace(data.data, train=clips), MODEL, data.params, 3)
    with pytest.raises(InputError, match=r"down_1\.mp4 cannot be decoded"):
        list(load(data, [[(0, i)] for i in range(8)], workers, False))


def test_samples_show_what_moves(toys):
    data = RandomSamples(open_set(toys), MODEL, replace(INPUT, jitter=0.0, crop=1.0, ratio=1.0), 0)
    batch = next(load(data, [[(0, 7)]], 0, False))
    bright = batch["clip"][0].float().mean(-1).numpy()  # (T, H, W)
    columns = [np.average(np.arange(48), weights=(frame > 200).sum(0)) for frame in bright]
    assert batch["label"].tolist() == [1] and (np.diff(columns) > 0).all()
