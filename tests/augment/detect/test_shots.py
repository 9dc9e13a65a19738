import numpy as np
import pytest

from m2m.augment.detect.shots import ShotDetector
from m2m.video import read


def cuts(frames):
    detector = ShotDetector()
    return [i for i, frame in enumerate(frames) if detector.push(frame)]


def scene(seed, n, speed=2):
    blocks = np.random.default_rng(seed).integers(0, 256, (8, 14, 3))
    picture = np.kron(blocks, np.ones((48, 48, 1))).astype(np.uint8)
    return [np.roll(picture, speed * i, 1) for i in range(n)]


def test_a_hard_cut_is_found_where_it_is():
    assert cuts(scene(0, 12) + scene(1, 9) + scene(2, 20)) == [12, 21]


def test_a_fast_pan_is_no_cut():
    assert cuts(scene(0, 30, speed=12)) == []


def test_a_frozen_picture_that_moves_on_is_no_cut():
    moving = scene(0, 40, speed=8)
    assert cuts(moving[:15] + [moving[14]] * 3 + moving[18:]) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [("TrumanShow_wave_f_nm_np1_fr_med_26.avi", [19]), ("arm_wrestling.mp4", []), ("using_segway_R6llTwEh07w.mp4", []),
     ("apply_eye_makeup.avi", []), ("schoolgirls.mp4", [])],
)  # fmt: skip
def test_cuts_of_real_clips(shared, name, expected):
    assert cuts(f.image for f in read(shared / "clips" / name, (432, 240))) == expected
