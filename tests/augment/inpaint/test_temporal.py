"""The fill restores known backgrounds, does not flicker, and hands no person on."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m2m.augment.inpaint import InpaintParams, make_inpainter
from m2m.augment.inpaint.region import RegionParams, paint_region
from tests.augment.inpaint.scenes import dressed, magenta, psnr, walk, wall

HEIGHT, WIDTH, LENGTH = 120, 216, 40
TEMPORAL, SPATIAL = make_inpainter(InpaintParams()), make_inpainter(InpaintParams(backend="navier-stokes"))


def still(noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    frames = np.repeat(wall(HEIGHT, WIDTH, seed)[None], LENGTH, axis=0)
    return np.clip(frames + rng.normal(0, noise, frames.shape), 60, 255).astype(np.uint8) if noise else frames


def panning(step=3, seed=0):
    texture = wall(HEIGHT, WIDTH + step * LENGTH, seed)
    return np.stack([texture[:, step * t : step * t + WIDTH] for t in range(LENGTH)])


def eroded(mask, pixels):
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * pixels + 1, 2 * pixels + 1))
    return cv2.erode(mask.astype(np.uint8), kernel).astype(bool)


@pytest.mark.parametrize("backend", ["temporal", "navier-stokes"])
@pytest.mark.parametrize("scene", [still, panning])
def test_only_the_region_changes_and_runs_agree(backend, scene):
    blob = walk(LENGTH, HEIGHT, WIDTH)
    frames = dressed(scene(), blob)
    given_frames = frames.copy()
    region = paint_region(frames, blob, RegionParams())
    plates = [make_inpainter(InpaintParams(backend=backend)).fill(frames, region, blob) for _ in range(2)]
    assert (plates[0].frames == plates[1].frames).all()
    assert (frames == given_frames).all()
    assert (plates[0].frames == frames)[~region].all()
    assert plates[0].frames.dtype == np.uint8 and plates[0].borrowed.shape == (LENGTH,)
    assert ((plates[0].borrowed >= 0) & (plates[0].borrowed <= 1)).all()
    assert not magenta(plates[0].frames).any()


@pytest.mark.parametrize("length", [1, 2, 13, 30, LENGTH])
def test_threads_do_not_change_the_bytes(length):
    blob = walk(LENGTH, HEIGHT, WIDTH)[:length]
    blob[length // 3 : 2 * length // 3] = False  # nobody for a while: some models are never asked for
    frames = dressed(still(noise=4)[:length], blob)
    region = paint_region(frames, blob, RegionParams(frames=2))
    one, many = (make_inpainter(InpaintParams(threads=n)).fill(frames, region, blob) for n in (1, 5))
    assert np.array_equal(one.frames, many.frames) and np.array_equal(one.borrowed, many.borrowed)


def test_a_still_camera_gets_its_background_back():
    blob = walk(LENGTH, HEIGHT, WIDTH)
    truth = still(noise=2)
    plate = TEMPORAL.fill(dressed(truth, blob), blob, blob)
    base = SPATIAL.fill(dressed(truth, blob), blob, blob)
    assert psnr(plate.frames, truth, blob) > 35
    assert psnr(plate.frames, truth, blob) > psnr(base.frames, truth, blob) + 10
    assert plate.borrowed[blob.any((1, 2))].min() > 0.95
    assert base.borrowed.max() == 0


def test_a_panning_camera_gets_its_background_back():
    blob = walk(LENGTH, HEIGHT, WIDTH, step=2.0, begin=40)
    truth = panning()
    frames = dressed(truth, blob)
    plate, base = TEMPORAL.fill(frames, blob, blob), SPATIAL.fill(frames, blob, blob)
    assert psnr(plate.frames, truth, blob) > psnr(base.frames, truth, blob) + 8
    assert plate.borrowed.mean() > 0.8


def test_nothing_is_borrowed_where_frames_do_not_belong_together():
    """Every frame is another picture: there is nothing to register and nothing to borrow."""
    frames = np.stack([wall(HEIGHT, WIDTH, seed) for seed in range(8)])
    blob = walk(8, HEIGHT, WIDTH, begin=60)
    plate = TEMPORAL.fill(dressed(frames, blob), blob, blob)
    assert plate.borrowed.max() == 0
    assert not magenta(plate.frames).any()


def test_what_moves_with_the_camera_is_not_filled_with_what_lies_beside_it():
    """A panel that stays in the picture while the wall passes: registered frames agree on the floor beside it."""
    truth = panning()
    truth[:, 70:] = (150, 110, 80)
    truth[:, 70:, 85:125] = (80, 160, 90)
    blob = np.zeros((LENGTH, HEIGHT, WIDTH), bool)
    blob[:, 84:110, 97:113] = True
    plate = TEMPORAL.fill(dressed(truth, blob), blob, blob)
    assert psnr(plate.frames, truth, blob) > 30


def test_the_fill_of_a_still_camera_does_not_flicker_though_the_frames_are_noisy():
    blob = walk(LENGTH, HEIGHT, WIDTH, step=0.25, begin=100)  # hides its middle all the time
    frames = dressed(still(noise=6), blob)
    region = paint_region(frames, blob, RegionParams())
    plate = TEMPORAL.fill(frames, region, blob)
    inner = region[1:] & region[:-1] & np.stack([eroded(r, 6) for r in region])[1:]
    change = np.abs(np.diff(plate.frames.astype(int), axis=0)).mean(-1)
    noise = np.abs(np.diff(frames.astype(int), axis=0)).mean(-1)[~region[1:] & ~region[:-1]].mean()
    assert 0 < plate.borrowed.mean() < 1
    assert change[inner].mean() < 0.25 * noise
    assert change[inner].max() <= 12


def test_who_stands_and_sways_is_painted_over_no_worse_than_frame_by_frame():
    """Nothing can be borrowed; the fill is as good as one that is new in each frame, and does not flicker."""
    blob = np.concatenate([walk(1, HEIGHT, WIDTH, begin=100 + round(3 * np.sin(t / 5))) for t in range(LENGTH)])
    truth = still(noise=6)
    plate, base = (made.fill(dressed(truth, blob), blob, blob) for made in (TEMPORAL, SPATIAL))
    assert plate.borrowed.max() < 0.2
    assert psnr(plate.frames, truth, blob) > psnr(base.frames, truth, blob)
    both = blob[1:] & blob[:-1]
    change, peer = (np.abs(np.diff(p.frames.astype(int), axis=0)).mean(-1)[both].mean() for p in (plate, base))
    assert change < 0.3 * peer
    assert not magenta(plate.frames).any()


def test_a_change_of_light_does_not_leave_a_patch():
    blob = walk(LENGTH, HEIGHT, WIDTH)
    light = np.linspace(0, 40, LENGTH)[:, None, None, None]
    truth = np.clip(still() * 0.8 + light, 0, 255).astype(np.uint8)
    plate = TEMPORAL.fill(dressed(truth, blob), blob, blob)
    off = (plate.frames.astype(int) - truth)[blob].mean()
    assert abs(off) < 2
    assert psnr(plate.frames, truth, blob) > 30


def missed_rims(blob, pixels, frames):
    """The mask misses a rim of the blob in some frames."""
    mask = blob.copy()
    for t in frames:
        mask[t] = eroded(blob[t], pixels)
    return mask


@settings(deadline=None, max_examples=8)
@given(st.integers(1, 5), st.sets(st.integers(0, LENGTH - 1), max_size=12), st.booleans(), st.integers(2, 6))
def test_a_rim_that_the_mask_misses_is_not_painted_anywhere(pixels, frames, camera_pans, step):
    blob = walk(LENGTH, HEIGHT, WIDTH, step=step)
    scene = dressed(panning() if camera_pans else still(), blob)
    cover = missed_rims(blob, pixels, frames)
    region = paint_region(scene, cover, RegionParams())
    plate = TEMPORAL.fill(scene, region, cover)
    assert not (magenta(plate.frames) & region).any()
    # The mask alone, no hull: what is painted shows no rim but at its very edge.
    plate = TEMPORAL.fill(scene, cover, cover)
    inner = np.stack([eroded(np.pad(c, 1), 1)[1:-1, 1:-1] for c in cover])
    if not camera_pans:
        assert not (magenta(plate.frames) & inner).any()


@settings(deadline=None, max_examples=10)
@given(st.integers(0, LENGTH - 2), st.integers(1, 2), st.booleans())
def test_a_blob_missed_for_a_frame_or_two_is_not_copied_into_others(first, count, camera_pans):
    blob = walk(LENGTH, HEIGHT, WIDTH)
    scene = dressed(panning() if camera_pans else still(), blob)
    cover = blob.copy()
    cover[first : first + count] = False
    plate = TEMPORAL.fill(scene, cover, cover)
    missed = np.zeros(LENGTH, bool)
    missed[first : first + count] = True
    assert not magenta(plate.frames)[~missed].any()


def test_two_samples_must_agree():
    """The background is free in two frames only; where they contradict each other neither is shown."""
    length, mask = 30, np.zeros((30, HEIGHT, WIDTH), bool)
    mask[:, 40:80, 90:120] = True
    mask[[0, -1]] = False
    frames = np.repeat(wall(HEIGHT, WIDTH)[None], length, axis=0)
    frames[0, 40:80, 90:120], frames[-1, 40:80, 90:120] = (0, 0, 250), (250, 0, 0)
    params = InpaintParams(guard_frames=0)
    assert make_inpainter(params).fill(frames, mask, mask).borrowed.max() < 0.05
    frames[0] = frames[-1] = wall(HEIGHT, WIDTH)
    assert make_inpainter(params).fill(frames, mask, mask).borrowed[1:-1].min() > 0.95


def test_one_sample_is_not_enough():
    mask = np.zeros((30, HEIGHT, WIDTH), bool)
    mask[1:, 40:80, 90:120] = True
    frames = np.repeat(wall(HEIGHT, WIDTH)[None], 30, axis=0)
    assert make_inpainter(InpaintParams(guard_frames=0)).fill(frames, mask, mask).borrowed.max() < 0.05


def test_the_guard_keeps_its_distance():
    """A halo that no mask knows of is all that is ever seen of some pixels: somebody stands and sways by 3 px."""
    blob = np.zeros((LENGTH, HEIGHT, WIDTH), bool)
    for t in range(LENGTH):
        x = 90 if t // 10 % 2 else 93
        blob[t, 30:90, x : x + 30] = True
    halo = np.stack(
        [cv2.distanceTransform((~b).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= 5 for b in blob]
    )
    frames = dressed(still(), halo)
    region = paint_region(frames, blob, RegionParams())
    assert not (halo & ~region).any()
    assert not magenta(TEMPORAL.fill(frames, region, blob).frames).any()


def test_somebody_who_stands_and_is_missed_for_two_frames_is_not_copied_into_the_others():
    """Those frames agree with each other and are the only ones that show these pixels."""
    blob = walk(LENGTH, HEIGHT, WIDTH, step=0.0, begin=100)
    cover = blob.copy()
    cover[18:20] = False
    plate = TEMPORAL.fill(dressed(still(), blob), cover, cover)
    assert not magenta(plate.frames)[np.r_[0:18, 20:LENGTH]].any()


def test_an_empty_region_and_a_full_one():
    frames = still()[:5]
    empty, full = np.zeros(frames.shape[:3], bool), np.ones(frames.shape[:3], bool)
    plate = TEMPORAL.fill(frames, empty, empty)
    assert (plate.frames == frames).all() and not plate.borrowed.any()
    for inpainter in (TEMPORAL, SPATIAL):
        plate = inpainter.fill(frames, full, full)
        assert (plate.frames != frames).any(-1).mean() > 0.9, "nothing of the source is left"
        assert plate.frames.std() < frames.std()


def test_one_frame_alone():
    blob = walk(1, HEIGHT, WIDTH, begin=100)
    plate = TEMPORAL.fill(dressed(still()[:1], blob), blob, blob)
    assert not magenta(plate.frames).any() and plate.borrowed.max() == 0


@pytest.mark.parametrize(
    "wrong", [{"backend": "magic"}, {"agree": 0}, {"samples": 1}, {"guard": -1}, {"reach": 0}, {"threads": 0}]
)
def test_wrong_parameters_are_refused(wrong):
    with pytest.raises(ValueError):
        InpaintParams(**wrong)
