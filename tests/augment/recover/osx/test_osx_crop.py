import numpy as np
import pytest

from m2m.augment.recover.osx.crop import HEIGHT, WIDTH, crop, window_of


def test_a_window_holds_the_box_and_a_quarter_more():
    window = window_of(np.array([100, 50, 161, 211], np.float32), 432, 240)
    x, y, wide, high = window
    assert wide / high == pytest.approx(3 / 4)
    assert high == pytest.approx(1.25 * 160)
    assert (x + wide / 2, y + high / 2) == pytest.approx((130, 130))


@pytest.mark.parametrize("box", [[10, 10, 10, 40], [500, 10, 560, 60], [-60, 10, -5, 60], [20, 250, 60, 300]])
def test_nothing_in_the_picture_has_no_window(box):
    assert window_of(np.array(box, np.float32), 432, 240) is None


def test_a_crop_is_the_picture_scaled():
    """A ramp in x and y: bilinear sampling of it is exact, so every pixel says where it was taken."""
    rows, columns = np.mgrid[:240, :432].astype(np.float32)
    image = np.stack([columns, rows, np.zeros_like(rows)], -1)
    window = np.array([100, 20, 90, 120], np.float32)
    out = crop(image, window)
    assert out.shape == (HEIGHT, WIDTH, 3)
    down, across = np.mgrid[:HEIGHT, :WIDTH]
    np.testing.assert_allclose(out[..., 0], 100 + across * 90 / WIDTH, atol=0.05)
    np.testing.assert_allclose(out[..., 1], 20 + down * 120 / HEIGHT, atol=0.05)


def test_outside_the_picture_is_black():
    out = crop(np.full((50, 50, 3), 200, np.uint8), np.array([-75, -100, 150, 200], np.float32))
    assert out[:200].max() == 0 and out[:, :150].max() == 0
    assert out[300, 240].tolist() == [200, 200, 200]


def test_a_stretched_picture_is_shown_as_it_is():
    rng = np.random.default_rng(0)
    small = rng.integers(0, 255, (30, 40, 3)).astype(np.float32)
    plain = np.repeat(np.repeat(small, 8, 0), 8, 1)
    wide = np.repeat(np.repeat(small, 8, 0), 16, 1)
    window = np.array([64, 64, 90, 120], np.float32)
    a, b = crop(plain, window), crop(wide, window, 2.0)
    assert np.abs(a - b).mean() < 4  # edges of the blocks fall a quarter of a pixel apart
