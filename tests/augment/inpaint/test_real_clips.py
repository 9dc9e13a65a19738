"""Real backgrounds behind a silhouette that walks."""

from itertools import islice

import numpy as np
import pytest

from benchmarks import plates
from benchmarks.clips import frames_of, named
from m2m.augment.inpaint import InpaintParams, make_inpainter


@pytest.mark.parametrize(
    ("clip", "walk", "gain"),
    [
        ("tai_chi", "walking", 5),
        ("yoga", "walking", 5),
        ("using_segway", "walking", -0.5),
        ("tennis", "walking", -0.5),
        ("apply_eye_makeup", "standing", -0.5),
        ("schoolgirls", "standing", -0.5),
    ],
)
@pytest.mark.usefixtures("shared")
def test_the_fill_beats_navier_stokes_or_gives_way_to_it(clip, walk, gain):
    frames = np.stack(list(islice(frames_of(named(clip), (432, 240)), 60)))
    mask = plates.masks(frames.shape[:3], plates.silhouette(144), walk)
    after, before = (
        plates.psnr(make_inpainter(InpaintParams(backend=b)).fill(frames, mask, mask).frames, frames, mask)
        for b in ("temporal", "navier-stokes")
    )
    assert after - before > gain
