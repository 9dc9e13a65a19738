"""Augmentations hit all frames alike and nothing they should not; they leave other generators alone."""

import random

import numpy as np
import pytest

from m2m.train.augmentations import MEAN, STD, erase, rand_augment

POLICY = "rand-m7-n4-mstd0.5-inc1"


def noise(frames: int = 4, size: tuple[int, int] = (48, 64), seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (frames, *size, 3), np.uint8)


@pytest.mark.parametrize("seed", range(8))
def test_equal_frames_stay_equal(seed):
    clip = np.repeat(noise(1), 5, 0)
    out = rand_augment(clip, POLICY, np.random.default_rng(seed))
    assert out.shape == clip.shape and out.dtype == np.uint8
    assert all(np.array_equal(frame, out[0]) for frame in out)


def test_operations_differ_between_draws_and_repeat_with_the_seed():
    clip = noise(2)
    outs = [rand_augment(clip, POLICY, np.random.default_rng(seed)) for seed in (0, 1, 2, 3, 0)]
    assert np.array_equal(outs[0], outs[4])
    assert len({out.tobytes() for out in outs}) == 4


def test_inverting_is_inverting():
    """Of the policy's operations, one that a seed draws alone, against its definition."""
    clip, found = noise(2), 0
    for seed in range(80):
        out = rand_augment(clip, "rand-m7-n1-p1-inc1", np.random.default_rng(seed))
        found += np.array_equal(out, 255 - clip)
    assert 1 <= found <= 16  # one of fifteen operations


def test_global_generators_go_on_as_before():
    random.seed(3)
    np.random.seed(3)
    wanted = random.random(), np.random.random()
    random.seed(3)
    np.random.seed(3)
    rand_augment(noise(2), POLICY, np.random.default_rng(0))
    assert (random.random(), np.random.random()) == wanted


def box_of(changed: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
    return rows[0], rows[-1] + 1, columns[0], columns[-1] + 1


@pytest.mark.parametrize("seed", range(12))
def test_erasing_fills_the_same_box_of_every_frame_and_leaves_the_rest(seed):
    clip = np.full((3, 60, 80, 3), 7, np.uint8)  # noise is seldom 7
    before = clip.copy()
    out = erase(clip, np.random.default_rng(seed))
    assert np.array_equal(clip, before)
    boxes = {box_of((frame != 7).any(-1)) for frame in out}
    assert len(boxes) == 1
    top, bottom, left, right = boxes.pop()
    rest = np.ones((60, 80), bool)
    rest[top:bottom, left:right] = False
    assert (out[:, rest] == 7).all()
    assert not np.array_equal(out[0, top:bottom, left:right], out[1, top:bottom, left:right])
    area, aspect = (bottom - top) * (right - left) / 4800, (bottom - top) / (right - left)
    assert 0.015 < area < 0.35 and 0.25 < aspect < 4


def test_erased_pixels_have_the_mean_and_deviation_of_the_input():
    outs = [erase(np.full((4, 90, 90, 3), 1, np.uint8), np.random.default_rng(seed)) for seed in range(20)]
    pixels = np.concatenate([out[(out != 1).any(-1)] for out in outs]) / 255
    np.testing.assert_allclose(pixels.mean(0), MEAN, atol=0.01)
    np.testing.assert_allclose(pixels.std(0), STD, atol=0.02)  # a little is clipped
