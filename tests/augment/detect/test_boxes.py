import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2m.augment.detect.boxes import box_of, fill_box, inside, iou, square_patch, square_tiles, suppress

BOX = st.tuples(st.integers(0, 15), st.integers(0, 15), st.integers(1, 16), st.integers(1, 16)).map(
    lambda v: (v[0], v[1], v[0] + v[2], v[1] + v[3])
)


def pixels(box):
    mask = np.zeros((32, 32), bool)
    mask[box[1] : box[3], box[0] : box[2]] = True
    return mask


@given(BOX, BOX)
def test_overlaps_equal_counted_pixels(a, b):
    both, either = (pixels(a) & pixels(b)).sum(), (pixels(a) | pixels(b)).sum()
    smaller = min(pixels(a).sum(), pixels(b).sum())
    one, two = np.array([a], float), np.array([b], float)
    assert iou(one, two)[0, 0] == pytest.approx(both / either)
    assert inside(one, two)[0, 0] == pytest.approx(both / smaller)


@given(BOX)
def test_the_box_of_a_filled_box_is_that_box(box):
    mask = np.zeros((32, 32), bool)
    fill_box(mask, np.array(box, float))
    assert np.array_equal(mask, pixels(box))
    assert box_of(mask).tolist() == list(box)


def test_an_empty_mask_has_an_empty_box():
    assert box_of(np.zeros((4, 5), bool)).tolist() == [0, 0, 0, 0]


@given(st.lists(st.tuples(BOX, st.floats(0.01, 1)), max_size=12), st.floats(0.1, 0.9))
def test_suppression_keeps_the_best_and_nothing_that_overlaps(found, threshold):
    boxes = np.array([[*b, s] for b, s in found], np.float32).reshape(-1, 5)
    kept = suppress(boxes, threshold)
    overlaps = iou(kept, kept) - np.eye(len(kept))
    assert (overlaps < threshold).all()
    # Whatever went overlaps something that stayed and scores at least as high.
    for box in boxes:
        near = kept[(iou(kept, box[None])[:, 0] >= threshold) | (kept == box).all(1)]
        assert len(near) and near[:, 4].max() >= box[4]


@given(st.integers(64, 500), st.integers(64, 500), st.integers(1, 4))
def test_tiles_cover_the_frame(width, height, level):
    seen = np.zeros((height, width), bool)
    for x, y, side in square_tiles(width, height, level):
        fill_box(seen, np.array([x, y, x + side, y + side]))
    assert seen.all()


@pytest.mark.parametrize("side", [20, 60, 200])
def test_a_patch_shows_its_square(side):
    # A horizontal ramp: the patch must be the same ramp, stretched.
    frame = np.repeat(np.tile(np.arange(240, dtype=np.uint8), (240, 1))[..., None], 3, 2)
    patch = square_patch(frame, 10, 10, side, 40)[..., 0].astype(float)
    centres = 10 + (np.arange(40)) * side / 40
    assert np.abs(patch[20] - centres).max() < 0.5 * max(1, side / 40) + 1
