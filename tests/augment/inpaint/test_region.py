"""The region contains the cover, is smooth, and does not follow the pose."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m2m.augment.inpaint.region import RegionParams, paint_region, rounded
from tests.augment.inpaint.scenes import wall

HEIGHT, WIDTH = 120, 216


def boxes(draw_boxes, length=4):
    cover = np.zeros((length, HEIGHT, WIDTH), bool)
    for t, x, y, w, h in draw_boxes:
        cover[t, y : y + h, x : x + w] = True
    return cover


box = st.tuples(
    st.integers(0, 3), st.integers(0, WIDTH - 1), st.integers(0, HEIGHT - 1), st.integers(1, 150), st.integers(1, 110)
)


@settings(deadline=None, max_examples=60)
@given(st.lists(box, max_size=4), st.sampled_from(["hull", "dilate"]), st.floats(0, 1))
def test_the_region_contains_the_cover_and_is_empty_without_one(drawn, outline, share):
    cover = boxes(drawn)
    frames = np.broadcast_to(wall(HEIGHT, WIDTH), (4, HEIGHT, WIDTH, 3))
    region = paint_region(frames, cover, RegionParams(outline=outline, max_share=share))
    assert region.shape == cover.shape and region.dtype == bool
    assert not (cover & ~region).any()
    assert region.any() == cover.any()


def star(x):
    """Somebody with arms and legs spread."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    for dx, dy in ((-25, -30), (25, -30), (-20, 35), (20, 35), (0, -38)):
        cv2.line(mask, (x, 60), (x + dx, 60 + dy), 1, 5)
    return mask.astype(bool)


def solidity(mask):
    """The share that a mask takes of its convex hull."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return mask.sum() / cv2.contourArea(cv2.convexHull(np.concatenate(contours)))


def test_limbs_do_not_show_in_the_region():
    cover = star(100)[None]
    frames = wall(HEIGHT, WIDTH)[None]
    region = paint_region(frames, cover, RegionParams())
    assert solidity(cover[0]) < 0.5
    assert solidity(region[0]) > 0.97


def test_a_still_camera_gives_a_region_that_does_not_follow_the_pose():
    """Arms that go up and down: outlines differ from frame to frame, regions do not."""
    cover = np.stack([star(100) if t % 4 < 2 else star(103) for t in range(24)])
    frames = np.broadcast_to(wall(HEIGHT, WIDTH), (24, HEIGHT, WIDTH, 3))
    region = paint_region(frames, cover, RegionParams())
    assert (cover[1] ^ cover[2]).sum() > 100
    assert (region == region[0]).all()


def test_a_moving_camera_unites_fewer_frames():
    texture = wall(HEIGHT, WIDTH + 200)
    frames = np.stack([texture[:, 6 * t : 6 * t + WIDTH] for t in range(24)])
    cover = np.zeros((24, HEIGHT, WIDTH), bool)
    cover[12, 40:80, 90:110] = True
    region = paint_region(frames, cover, RegionParams(frames=20, frames_moving=2))
    assert np.flatnonzero(region.any((1, 2))).tolist() == [10, 11, 12, 13, 14]


def test_separate_people_do_not_swallow_what_is_between_them():
    cover = np.zeros((1, HEIGHT, WIDTH), bool)
    cover[0, 40:80, 20:30] = cover[0, 40:80, 180:190] = True
    assert not paint_region(wall(HEIGHT, WIDTH)[None], cover, RegionParams())[0, :, 80:140].any()


def test_a_hull_that_takes_too_much_gives_way_to_the_cover():
    cover = np.zeros((1, HEIGHT, WIDTH), bool)
    cover[0, :, :6] = cover[0, :6] = cover[0, :, -6:] = True  # its hull is the frame
    frames = wall(HEIGHT, WIDTH)[None]
    assert paint_region(frames, cover, RegionParams(max_share=1.0)).all()
    tight = paint_region(frames, cover, RegionParams(max_share=0.6))
    assert tight.mean() < 0.4 and not (cover & ~tight).any()


def test_the_papers_outline_is_four_dilations_by_a_cross():
    cover = np.zeros((1, HEIGHT, WIDTH), bool)
    cover[0, 60, 100] = True
    region = paint_region(wall(HEIGHT, WIDTH)[None], cover, RegionParams(outline="dilate"))[0]
    ys, xs = np.nonzero(region)
    assert set(zip(ys - 60, xs - 100, strict=True)) == {
        (y, x) for y in range(-4, 5) for x in range(-4, 5) if abs(y) + abs(x) <= 4
    }


def test_what_no_frame_shows_is_rounded_inside_the_region():
    region = np.zeros((HEIGHT, WIDTH), bool)
    region[5:115, 60:140] = True
    unknown = star(100) & region
    unknown[10, 62] = True
    out = rounded(unknown, region)
    assert not (unknown & ~out).any() and not (out & ~region).any()
    assert out[40, 100 - 2] and out[60, 88], "between the limbs"
    assert not out[12:16, 62:66].any(), "a speck stays a speck"


@pytest.mark.parametrize("wrong", [{"outline": "box"}, {"margin": -1}, {"max_share": 1.5}])
def test_wrong_parameters_are_refused(wrong):
    with pytest.raises(ValueError):
        RegionParams(**wrong)
