"""Which frames and which part of them a sample shows."""

import colorsys

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2m.train.params import InputParams
from m2m.train.sampling import cut, frame_indices, random_box, random_colours, view_boxes


def test_frames_are_spread_over_the_whole_clip():
    assert frame_indices(32, 30, 16, 0, 0, 0.0).tolist() == list(range(0, 32, 2))
    assert frame_indices(32, 30, 16, 0, 0.7, 0.5).tolist() == list(range(1, 32, 2))


def test_a_window_has_its_length_in_seconds_and_its_place():
    first = frame_indices(300, 30, 16, 2.7, 0.0, 0.0)
    last = frame_indices(300, 30, 16, 2.7, 1.0, 0.999)
    assert first[0] == 0 and last[-1] == 299
    for indices in (first, last):
        assert np.ptp(indices) / 30 == pytest.approx(2.7 * 15 / 16, abs=1 / 30)
        assert set(np.diff(indices)) <= {5, 6}


@given(
    st.integers(1, 400),
    st.floats(1, 60),
    st.integers(1, 32),
    st.floats(0, 20),
    st.floats(0, 1),
    st.floats(0, 0.999),
)
def test_frames_are_there_and_in_order(n, fps, frames, seconds, start, phase):
    indices = frame_indices(n, fps, frames, seconds, start, phase)
    assert len(indices) == frames and indices[0] >= 0 and indices[-1] < n and (np.diff(indices) >= 0).all()


@given(st.integers(20, 400), st.integers(20, 400), st.floats(0.1, 1), st.floats(1, 2), st.integers(0, 999))
def test_a_random_box_lies_in_the_frame_and_has_the_samples_shape(height, width, crop, ratio, seed):
    params = InputParams(crop=crop, ratio=ratio)
    left, top, w, h = random_box((height, width), (96, 128), params, np.random.default_rng(seed))
    assert left >= -1e-6 and top >= -1e-6 and left + w <= width + 1e-6 and top + h <= height + 1e-6
    assert 128 / 96 / ratio - 1e-6 <= w / h <= 128 / 96 * ratio + 1e-6
    assert w * h <= height * width + 1e-6


def test_views_go_from_edge_to_edge():
    assert view_boxes((100, 160), (50, 50), 3) == [(0, 0, 100, 100), (30, 0, 100, 100), (60, 0, 100, 100)]
    assert view_boxes((160, 100), (50, 50), 2) == [(0, 0, 100, 100), (0, 60, 100, 100)]
    assert view_boxes((100, 160), (50, 50), 1) == [(30, 0, 100, 100)]
    assert view_boxes((100, 100), (50, 50), 3) == [(0, 0, 100, 100)]


def smooth(seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).uniform(0, 255, (2, 6, 8, 3)).astype(np.float32)
    return np.stack(
        [cv2.resize(n, (128, 96), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8) for n in noise]
    )


def test_a_cut_without_scaling_is_a_slice_and_its_mirror_image():
    frames = smooth()
    part = cut(frames, (20, 10, 48, 32), (32, 48), False)
    assert np.array_equal(part, frames[:, 10:42, 20:68])
    assert np.array_equal(cut(frames, (20, 10, 48, 32), (32, 48), True), part[:, :, ::-1])


def test_a_scaled_cut_agrees_with_opencvs_resize():
    frames = smooth()
    found = cut(frames, (16, 8, 64, 48), (24, 32), False)
    wanted = np.stack([cv2.resize(f[8:56, 16:80], (32, 24), interpolation=cv2.INTER_LINEAR) for f in frames])
    assert np.abs(found.astype(int) - wanted).max() <= 2


def test_no_strength_changes_no_colour():
    colours = random_colours(0.0, np.random.default_rng(0))
    np.testing.assert_allclose(colours, np.eye(3, 4), atol=1e-6)


def test_colours_leave_grey_grey_and_differ_between_samples():
    rng = np.random.default_rng(0)
    found = [random_colours(0.4, rng) for _ in range(20)]
    for colours in found:
        grey = colours[:, :3] @ np.full(3, 0.5) + colours[:, 3]
        assert np.ptp(grey) < 1e-5
    reds = [tuple(np.clip(c[:, :3] @ [0.8, 0.2, 0.2] + c[:, 3], 0, 1)) for c in found]
    hues = {round(colorsys.rgb_to_hsv(*red)[0], 2) for red in reds}
    assert len(hues) > 5


@given(st.integers(1, 15), st.floats(0, 1), st.floats(0, 0.999))
def test_a_short_clip_repeats_its_frames_evenly_and_in_order(n, start, phase):
    indices = frame_indices(n, 25, 16, 2.7, start, phase)
    counts = np.bincount(indices, minlength=n)
    assert (np.diff(indices) >= 0).all() and len(counts) == n
    assert counts.max() - counts.min() <= 1


@given(st.integers(64, 300), st.integers(1, 4), st.sampled_from([24, 30000 / 1001, 12.5]), st.integers(0, 99))
def test_a_stride_is_so_many_frames_at_any_rate(n, stride, fps, seed):
    window = InputParams(stride=stride).window(16, fps)
    indices = frame_indices(n, fps, 16, window, *np.random.default_rng(seed).uniform(size=2))
    assert set(np.diff(indices)) == {stride}


def test_without_a_stride_seconds_count():
    assert InputParams(seconds=1.5).window(16, 30) == 1.5


@given(st.integers(40, 300), st.integers(40, 300), st.integers(0, 999))
def test_crops_of_several_scales_have_the_sides_and_places_of_multiscalecrop(height, width, seed):
    scales = (1, 0.875, 0.75, 0.66)
    left, top, w, h = random_box((height, width), (64, 64), InputParams(scales=scales), np.random.default_rng(seed))
    base = min(height, width)
    across, down = (min(range(4), key=lambda i: abs(scales[i] * base - side)) for side in (w, h))
    assert (w, h) == pytest.approx((scales[across] * base, scales[down] * base)) and abs(across - down) <= 1
    for start, room in ((left, width - w), (top, height - h)):
        assert start >= 0 and start <= room + 1e-9
        assert room < 1e-9 or (4 * start / room) == pytest.approx(round(4 * start / room))


def test_all_places_and_scales_of_a_crop_are_drawn():
    params, rng = InputParams(scales=(1.0, 0.5)), np.random.default_rng(0)
    boxes = {tuple(np.round(random_box((100, 160), (50, 50), params, rng), 6)) for _ in range(600)}
    sides = {box[2:] for box in boxes}
    assert sides == {(100, 100), (50, 50), (100, 50), (50, 100)}
    assert len({box[:2] for box in boxes if box[2:] == (50, 50)}) == 13


def test_a_crop_touches_no_pixel_outside_of_it():
    frames = smooth()
    other = frames.copy()
    other[:, :, :19], other[:, :9] = 0, 255
    box = (20, 10, 64, 48)
    assert np.array_equal(cut(frames, box, (24, 32), True), cut(other, box, (24, 32), True))
