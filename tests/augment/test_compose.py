import numpy as np
import pytest

from m2m.augment.compose import ComposeParams, behind, obscure, over


def noise(seed, shape=(60, 80, 3)):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_over_is_the_textbook_formula():
    back, rgba = noise(0), noise(1, (60, 80, 4))
    alpha = rgba[..., 3:] / 255.0
    want = rgba[..., :3] * alpha + back * (1 - alpha)
    assert np.abs(over(back, rgba) - want).max() <= 0.51


def test_nothing_drawn_leaves_the_background():
    back = noise(2)
    rgba = np.dstack([noise(3), np.zeros((60, 80), np.uint8)])
    assert np.array_equal(over(back, rgba), back)


@pytest.mark.parametrize("variant", ["blur", "pixelate", "blackout"])
def test_classical_variants_hide_inside_and_keep_outside(variant):
    frame = noise(4)
    cover = np.zeros((60, 80), bool)
    cover[10:50, 20:60] = True
    hidden = obscure(frame, cover, ComposeParams(variant))
    assert np.array_equal(hidden[~cover], frame[~cover])
    inside = np.corrcoef(hidden[cover].ravel().astype(float) + np.arange(cover.sum() * 3) * 1e-9, frame[cover].ravel())
    assert abs(inside[0, 1]) < 0.35, "noise of single pixels must not survive"


def test_unknown_variant_is_refused():
    with pytest.raises(ValueError, match="pixelate"):
        ComposeParams("sepia")


def test_a_body_is_not_drawn_over_what_stands_in_front():
    rgba = np.zeros((240, 432, 4), np.uint8)
    rgba[40:200, 100:140] = 255
    front = np.zeros((240, 432), bool)
    front[120:240, 80:300] = True
    front[40:120, 100:101] = True  # a sliver along the rim
    front[60:63, 110:113] = True  # a speck
    hidden = behind(rgba, front)
    want = rgba[..., 3].copy()
    want[120:200, 100:140] = 0
    assert np.array_equal(hidden[..., 3], want)
    assert np.array_equal(hidden[..., :3], rgba[..., :3])
    assert np.array_equal(behind(rgba, front & False), rgba)


def test_no_scraps_of_a_body_are_left_beside_what_hides_it():
    """Legs behind a fence: what shows between the boards goes, as far as it is small; another body stays."""
    rgba = np.zeros((240, 432, 4), np.uint8)
    rgba[20:200, 100:140] = 255
    rgba[20:40, 300:310] = 255
    front = np.zeros((240, 432), bool)
    front[110:200, 90:150] = True
    front[150:160, 110:120] = False
    hidden = behind(rgba, front)[..., 3] > 0
    assert hidden[20:110, 100:140].all() and not hidden[110:200].any()
    assert hidden[20:40, 300:310].all()
