"""What an original shows for a moment must not be on the plate at that moment; what stays is background."""

import cv2
import numpy as np

from m2m.audit.leakage import Leakage, correlation
from m2m.audit.params import AuditParams

N, H, W = 20, 96, 128
AT = slice(32, 64), slice(48, 80)


def scene(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Originals, plates and covers: something comes into a still picture for three frames and is painted out."""
    rng = np.random.default_rng(seed)
    still = cv2.resize(rng.integers(0, 256, (H // 4, W // 4, 3), np.uint8), (W, H), interpolation=cv2.INTER_CUBIC)
    plates = np.stack([still] * N)
    originals, covers = plates.copy(), np.zeros((N, H, W), bool)
    covers[:, 24:72, 40:88] = True
    for t in (9, 10, 11):
        limb = rng.integers(0, 256, (8, 8, 3), np.uint8)
        originals[(t, *AT)] = cv2.resize(limb, (32, 32), interpolation=cv2.INTER_CUBIC)
    return originals, plates, covers


def check(originals, plates, covers):
    leakage = Leakage(AuditParams())
    leakage.add(originals, plates, covers)
    return leakage.check()


def test_a_good_plate_leaks_nothing():
    originals, plates, covers = scene()
    found = check(originals, plates, covers)
    assert found.ok and found.figures["frames"] > 0


def test_a_patch_that_shines_through_is_found_where_it_is():
    originals, plates, covers = scene()
    plates[(10, *AT)] = originals[(10, *AT)]
    found = check(originals, plates, covers)
    sight = found.figures["sightings"][0]
    assert found.ok is False and sight["frame"] == 10 and sight["score"] > 0.99
    x0, y0, x1, y1 = sight["box"]
    assert 44 <= x0 < x1 <= 84 and 28 <= y0 < y1 <= 68


def test_what_lies_outside_of_the_masks_or_is_too_small_is_none():
    originals, plates, covers = scene()
    plates[(10, *AT)] = originals[(10, *AT)]
    assert check(originals, plates, np.zeros_like(covers)).ok is not False
    originals, plates, covers = scene()
    plates[10, 40:46, 52:58] = originals[10, 40:46, 52:58]  # 36 pixels
    assert check(originals, plates, covers).ok


def test_background_that_the_original_shows_beside_a_person_is_none():
    originals, plates, covers = scene()
    covers[...] = False
    covers[:, 8:88, 8:120] = True  # far wider than what is painted out
    assert check(originals, plates, covers).ok


def test_under_a_moving_camera_nothing_can_be_said():
    originals, plates, covers = scene()
    for frames in (originals, plates):
        frames[:] = np.stack([np.roll(f, 9 * t, 1) for t, f in enumerate(frames)])
    found = check(originals, plates, covers)
    assert found.ok is None and "moves" in found.figures["why"]


def test_gradients_of_a_picture_correlate_with_its_own_and_not_with_anothers():
    rng = np.random.default_rng(1)
    a, b = (cv2.GaussianBlur(rng.integers(0, 256, (40, 40), np.uint8), (0, 0), 1) for _ in range(2))
    box, patch = (slice(4, 36), slice(4, 36)), np.ones((32, 32), bool)
    assert correlation(a, a, box, patch) > 0.999
    assert correlation(a, (a * 0.7 + 20).astype(np.uint8), box, patch) > 0.99  # whatever the contrast
    assert abs(correlation(a, b, box, patch)) < 0.3
    assert correlation(np.full_like(a, 90), a, box, patch) == 0.0
