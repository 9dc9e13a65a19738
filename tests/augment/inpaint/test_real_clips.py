"""Real backgrounds behind a silhouette that walks."""

import importlib.util
from pathlib import Path

import pytest

from m2m.augment.inpaint import InpaintParams, make_inpainter

BENCHMARK = Path(__file__).parents[3] / "benchmarks" / "plates.py"


@pytest.fixture(scope="module")
def plates():
    spec = importlib.util.spec_from_file_location("plates", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
def test_the_fill_beats_navier_stokes_or_gives_way_to_it(shared, plates, clip, walk, gain):
    frames = plates.read(shared, clip, 60, (432, 240))
    mask = plates.masks(frames.shape[:3], plates.silhouette(shared, 144), walk)
    after, before = (
        plates.psnr(make_inpainter(InpaintParams(backend=b)).fill(frames, mask, mask).frames, frames, mask)
        for b in ("temporal", "navier-stokes")
    )
    assert after - before > gain
