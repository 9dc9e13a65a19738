"""What a network for inpainting is shown, how much of it at once, and what becomes of its output."""

import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m2m.augment.inpaint import InpaintParams
from m2m.augment.inpaint.morphology import spread, widen
from m2m.augment.inpaint.neural import NeuralInpainter
from m2m.augment.inpaint.params import E2FGVIParams
from m2m.errors import InfrastructureError, InputError

torch = pytest.importorskip("torch")  # its error for a full memory is what is caught

HEIGHT, WIDTH = 24, 32
SMALL = E2FGVIParams(neighbours=2, step=2, reference_stride=3, references=2)


class Fake:
    """A network that mixes everything it is shown into every pixel, so that nothing shown can hide."""

    def __init__(self, most=10**6):
        self.shapes, self.shown, self.most = [], [], most

    def __call__(self, shown, count):
        assert shown.dtype == np.float32 and shown.min() >= -1 and shown.max() <= 1
        if len(shown) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 3.00 GiB.\nmore")
        self.shapes.append((len(shown), count))
        self.shown.append(shown.copy())
        weight = np.cos(np.arange(shown.size)).reshape(shown.shape)
        return np.sin(shown[:count] + (weight * shown).sum()).astype(np.float32)


def params(e2fgvi=SMALL, **values):
    return InpaintParams(backend="e2fgvi-hq", e2fgvi=e2fgvi, **values)


def scene(length, seed=0):
    """Noise, a cover that walks through it and a region around the cover."""
    rng = np.random.default_rng(seed)
    frames = rng.integers(0, 256, (length, HEIGHT, WIDTH, 3), dtype=np.uint8)
    cover = np.zeros(frames.shape[:3], bool)
    for t in range(length):
        x = (3 + 2 * t) % (WIDTH - 6)
        cover[t, 8:16, x : x + 5] = True
    return frames, np.stack([widen(c, 2) for c in cover]), cover


def test_the_plate_is_the_source_outside_the_region_and_the_network_inside():
    frames, region, cover = scene(9)
    given_frames, given_region = frames.copy(), region.copy()
    plate = NeuralInpainter(lambda shown, n: np.full_like(shown[:n], 0.5), params()).fill(frames, region, cover)
    assert (plate.frames == frames)[~region].all()
    assert (plate.frames[region] == 191).all()  # (0.5 + 1) * 127.5 = 191.25
    assert plate.frames.dtype == np.uint8 and (plate.region == region).all()
    assert not plate.known.any() and plate.borrowed.max() == 0
    assert (frames == given_frames).all() and (region == given_region).all()


def test_the_network_sees_rgb_from_minus_one_to_one_and_grey_where_it_may_not_look():
    frames, region, cover = scene(3)
    frames[0, 0, 0] = (255, 0, 51)
    network = Fake()
    NeuralInpainter(network, params(guard=0, guard_frames=0)).fill(frames, region, cover)
    [first, *_] = network.shown
    np.testing.assert_allclose(first[0, 0, 0], [1, -1, -0.6], atol=1e-6)
    assert (first[:3][region] == 0).all()
    np.testing.assert_allclose(first[:3][~region], frames[~region] / 127.5 - 1, atol=1e-6)


@settings(max_examples=25)
@given(
    length=st.integers(1, 9),
    seed=st.integers(0, 9),
    guard=st.integers(0, 4),
    guard_frames=st.integers(0, 2),
    noise=st.integers(0, 2**31),
)
def test_no_pixel_of_a_person_reaches_the_output(length, seed, guard, guard_frames, noise):
    """Whatever lies under the cover, its guard and the region can be anything: not a byte of the fill changes."""
    frames, region, cover = scene(length, seed)
    cover = np.roll(cover, 3, axis=1)  # partly outside of the region
    hidden = region | spread(np.stack([widen(c, guard) for c in cover]), guard_frames)
    other = frames.copy()
    other[hidden] = np.random.default_rng(noise).integers(0, 256, (hidden.sum(), 3))
    painter = NeuralInpainter(Fake(), params(guard=guard, guard_frames=guard_frames))
    a, b = painter.fill(frames, region, cover), painter.fill(other, region, cover)
    assert (a.frames[region] == b.frames[region]).all()
    # The test can fail: a single pixel that may be seen changes the fill.
    if (~hidden[0]).any():
        seen = frames.copy()
        seen[0][~hidden[0]] ^= 255
        assert (painter.fill(seen, region, cover).frames[region] != a.frames[region]).any()


def test_memory_does_not_grow_with_the_window():
    largest = {}
    for length in (30, 60, 240):
        network = Fake()
        NeuralInpainter(network, params(E2FGVIParams(references=4))).fill(*scene(length))
        largest[length] = max(n for n, _ in network.shapes)
    assert set(largest.values()) == {11 + 4} or (largest[30] < 15 and largest[60] == largest[240] == 15)


def test_passes_without_a_region_are_not_run():
    frames, region, cover = scene(40)
    region[:20], cover[:20] = False, False
    network = Fake()
    plate = NeuralInpainter(network, params()).fill(frames, region, cover)
    assert (plate.frames[:20] == frames[:20]).all()
    full = Fake()
    NeuralInpainter(full, params()).fill(frames, region | True, cover)
    assert 0 < len(network.shapes) < 0.6 * len(full.shapes)
    none = Fake()
    NeuralInpainter(none, params()).fill(frames, region & False, cover)
    assert none.shapes == []


def test_a_single_frame_is_filled():
    frames, region, cover = scene(1)
    network = Fake()
    plate = NeuralInpainter(network, params()).fill(frames, region, cover)
    assert network.shapes == [(1, 1)] and (plate.frames == frames)[~region].all()


def test_a_full_memory_halves_the_passes_once_and_says_so(caplog):
    frames, region, cover = scene(40)
    network = Fake(most=8)
    with caplog.at_level(logging.WARNING):
        plate = NeuralInpainter(network, params(E2FGVIParams(references=4))).fill(frames, region, cover)
    assert max(n for n, _ in network.shapes) <= 8
    told = [r.message for r in caplog.records if "memory is short" in r.message]
    assert len(told) == 1  # what did not fit once is not tried again
    assert (plate.frames == frames)[~region].all()
    # Every frame was filled.
    echo = Fake(most=8)
    filled = NeuralInpainter(lambda shown, n: echo(shown, n) * 0 + 0.5, params(E2FGVIParams(references=4)))
    assert (filled.fill(frames, region, cover).frames[region] == 191).all()


def test_a_memory_for_nothing_is_an_error():
    with pytest.raises(InfrastructureError, match="2 at a time"):
        NeuralInpainter(Fake(most=1), params()).fill(*scene(9))


def test_another_size_is_refused_and_the_other_model_named():
    painter = NeuralInpainter(Fake(), InpaintParams(backend="e2fgvi"), (432, 240), "use e2fgvi-hq")
    with pytest.raises(InputError, match=r"e2fgvi works at 432x240 only, not at 32x24; use e2fgvi-hq"):
        painter.fill(*scene(2))
