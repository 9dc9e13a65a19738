import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m2m.augment.detect.cover import capsules, cover, hold, widen
from m2m.augment.detect.params import DetectParams
from m2m.augment.people import Landmarks
from tests.augment.detect.test_tracks import HEIGHT, WIDTH, at, looks

NOBODY = np.zeros((12, HEIGHT, WIDTH), bool)


@settings(max_examples=30)
@given(st.integers(0, 4), st.integers(0, 2**32 - 1))
def test_masks_hold_before_and_after(frames, seed):
    masks = np.random.default_rng(seed).random((7, 3, 4)) > 0.8
    held = hold(masks, frames)
    for t in range(7):
        assert np.array_equal(held[t], masks[max(0, t - frames) : t + frames + 1].any(0))


@pytest.mark.parametrize("height", [240, 720])
def test_widening_scales_with_the_frame(height):
    mask = np.zeros((height, height), bool)
    mask[height // 2, height // 2] = True
    wide = np.flatnonzero(widen(mask, 5).any(0))
    assert wide[-1] - wide[0] + 1 == pytest.approx(5 * height / 240, abs=2)


def test_no_evidence_covers_nothing():
    assert not cover(looks(12), NOBODY, DetectParams()).any()


def test_a_box_that_nothing_explains_is_filled_until_the_next_look():
    out = cover(looks(12, {6: at([20, 10, 40, 50, 0.35])}), NOBODY, DetectParams())
    assert out[4:9, 10:50, 20:40].all() and not out[:3].any() and not out[10:].any()


def test_a_face_is_covered_with_its_head():
    out = cover(looks(12, None, {6: at([30, 20, 50, 40, 0.7])}), NOBODY, DetectParams())
    assert out[6, 20:40, 30:50].all() and out[6, 12, 40] and out[6, 30, 24]


def test_segmentation_counts_unless_a_closer_look_refutes_it():
    evidence = looks(12)
    evidence.selfie[:, 20:30, 20:30] = 100
    assert cover(evidence, NOBODY, DetectParams())[:, 20:30, 20:30].all()
    everywhere = [np.full_like(r, 255) for r in evidence.refuted]
    assert not cover(dataclasses.replace(evidence, refuted=everywhere), NOBODY, DetectParams()).any()


def test_the_cover_contains_the_persons():
    persons = np.random.default_rng(0).random((12, HEIGHT, WIDTH)) > 0.95
    assert (cover(looks(12), persons, DetectParams()) | ~persons).all()


def test_capsules_cover_every_present_landmark_of_the_body():
    rng = np.random.default_rng(3)
    points = rng.uniform(20, 80, (33, 2)).astype(np.float32)
    seen = np.ones(33, np.float32)
    landmarks = Landmarks(points, seen, seen, seen, np.zeros((33, 3), np.float32), 1.0)
    drawn = capsules(landmarks, 100, 100)
    body = [11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28]
    x, y = points[body].round().astype(int).T
    assert drawn[y, x].all()


def test_capsules_leave_out_limbs_that_are_not_seen():
    points = np.full((33, 2), 50, np.float32)
    for left, right, y in ((11, 12, 30), (23, 24, 60), (25, 26, 80), (27, 28, 100), (31, 32, 104), (29, 30, 104)):
        points[[left, right]] = [[56, y], [44, y]]
    points[:11] = 50, 15
    sure = np.ones(33, np.float32)
    sure[25:] = 0.2
    landmarks = Landmarks(points, sure * 0, sure, sure * 0 + 1, np.zeros((33, 3), np.float32), 1.0)
    whole, upper = capsules(landmarks, 120, 100), capsules(landmarks, 120, 100, sure, 0.5)
    assert whole[90, 44] and whole[90, 56] and not upper[66:].any()
    assert np.array_equal(whole[:58], upper[:58])
    assert capsules(landmarks, 120, 100, sure, 0.5, 1.5).sum() > upper.sum()


@pytest.mark.parametrize("bad", [{"threads": 0}, {"hold": -1}, {"pose_birth": 1.5}, {"backend": "other"}])
def test_parameters_out_of_range_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        DetectParams(**bad)
