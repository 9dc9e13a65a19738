"""The frame that stands for a clip: by chance, or out of the steadiest stretch."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2m.curate.frame import entropy_frame, steadiest
from m2m.video import VideoParams, Writer
from tests.conftest import moving_blocks


@given(st.integers(0, 10**6), st.integers(1, 40))
def test_it_is_the_middle_of_the_stretch_of_least_change(seed, n):
    levels = np.random.default_rng(seed).uniform(0.1, 1, (n, 5))
    levels /= levels.sum(axis=1, keepdims=True)
    entropy = [sum(q * np.log(q / p) for p, q in zip(levels[i], levels[i + 1], strict=True)) for i in range(n - 1)]
    change = [abs(b - a) for a, b in pairwise(entropy)]
    found = steadiest(levels)
    assert 0 <= found < n
    if change:
        width = min(8, len(change))
        totals = [sum(change[i : i + width]) for i in range(len(change) - width + 1)]
        first = found - (width + 1) // 2
        assert totals[first] == pytest.approx(min(totals))


def test_a_still_end_is_preferred_to_flicker(tmp_path):
    rng, scene = np.random.default_rng(0), moving_blocks(1, seed=5)[0]
    with Writer(tmp_path / "a.mp4", (96, 64), 30, VideoParams(preset="ultrafast")) as writer:
        for index in range(40):
            writer.write((scene * (rng.uniform(0.1, 1) if index < 20 else 0.7)).astype(np.uint8))
    assert 22 <= entropy_frame(tmp_path / "a.mp4") < 40


def test_a_single_frame_stands_for_itself(make_video):
    assert entropy_frame(make_video(n=1)) == 0
