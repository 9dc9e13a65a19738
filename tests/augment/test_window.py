"""Windows hold every frame of a clip once and never span a cut."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m2m.augment.window import WindowParams, windows


class Cuts:
    """Cuts where it is told, by the value of the pixel."""

    def __init__(self, at):
        self.at = set(at)

    def push(self, frame):
        return int(frame[0, 0, 0]) + 256 * int(frame[0, 0, 1]) in self.at


def numbered(n):
    for i in range(n):
        yield np.array([[[i % 256, i // 256, 0]]], np.uint8)


def number(frames):
    return frames[:, 0, 0, 0].astype(int) + 256 * frames[:, 0, 0, 1].astype(int)


@settings(deadline=None, max_examples=200)
@given(
    n=st.integers(0, 400),
    cuts=st.sets(st.integers(1, 399), max_size=6),
    context=st.integers(1, 12),
    extra=st.integers(0, 40),
)
def test_cores_are_the_clip_in_order_and_no_window_spans_a_cut(n, cuts, context, extra):
    params = WindowParams(core=2 * context + extra, context=context)
    seen, tail = [], np.array([], int)
    for window in windows(numbered(n), Cuts(cuts), params):
        ids = number(window.frames)
        assert window.first == len(seen)
        assert list(ids) == list(range(ids[0], ids[0] + len(ids))), "frames of a window follow each other"
        assert not cuts & set(range(ids[0] + 1, ids[-1] + 1)), "a window spans a cut"
        assert window.shot == sum(c <= ids[0] for c in cuts if c < n)
        assert list(ids[: window.overlap]) == list(tail[len(tail) - window.overlap :])
        assert len(ids) <= params.core + 4 * context
        seen += list(ids[window.start : window.stop])
        tail = ids
    assert seen == list(range(n))


def test_a_window_sees_context_on_both_sides_inside_a_shot():
    params = WindowParams(core=20, context=5)
    found = list(windows(numbered(100), Cuts([]), params))
    assert len(found) > 2
    assert all(len(window.frames) == 30 for window in found[:-1]), "each takes as much memory"
    for window in found[1:-1]:
        assert window.start == 5
        assert len(window.frames) - window.stop == 5


def test_larger_frames_make_shorter_windows():
    params = WindowParams()
    assert params.core_for(240, 432) == params.core
    assert params.core_for(720, 1280) == 100
    assert params.core_for(2160, 3840) == 2 * params.context


def test_ten_seconds_are_one_window():
    assert [len(w.frames) for w in windows(numbered(300), Cuts(()), WindowParams())] == [300]


def test_impossible_lengths_are_refused():
    with pytest.raises(ValueError, match="context"):
        WindowParams(core=10, context=6)
