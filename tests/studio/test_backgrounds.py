import numpy as np
import pytest

from m2m.errors import InputError
from m2m.studio.backgrounds import CAMERAS, SCENES, make_background

SECONDS = np.arange(12) / 6
SIZE = (216, 120)


def frames(kind: str, camera: str, clutter: bool, seed: int) -> np.ndarray:
    background = make_background(np.random.default_rng(seed), kind, camera, clutter, SIZE, SECONDS)
    return np.stack([background.frame(i) for i in range(len(SECONDS))])


@pytest.mark.parametrize("kind", SCENES)
def test_scenes_have_texture_and_differ_by_seed(kind: str) -> None:
    a, b = frames(kind, "still", False, 1)[0], frames(kind, "still", False, 2)[0]
    assert a.shape == (120, 216, 3) and a.dtype == np.uint8
    assert np.abs(a.astype(int) - b).mean() > 5
    gray = a.mean(axis=2)
    steps = np.abs(np.diff(gray, axis=1))
    # Features to register by; a sky has few, the ground never.
    assert (steps > 8).mean() > 0.01 and (steps[75:] > 4).mean() > 0.05


def test_same_seed_same_bytes() -> None:
    for kind in SCENES:
        assert np.array_equal(frames(kind, "shake", True, 5), frames(kind, "shake", True, 5))


@pytest.mark.parametrize("camera", CAMERAS)
def test_only_a_still_camera_without_clutter_is_static(camera: str) -> None:
    for clutter in (False, True):
        background = make_background(np.random.default_rng(4), "room", camera, clutter, SIZE, SECONDS)
        shown = np.stack([background.frame(i) for i in range(len(SECONDS))])
        assert background.static == bool((shown == shown[0]).all()) == (camera == "still" and not clutter)


def test_frame_is_the_canvas_moved_by_the_view() -> None:
    background = make_background(np.random.default_rng(3), "street", "still", False, SIZE, SECONDS)
    background.view[1] = [7, -4, 1]
    rest, moved = background.frame(0), background.frame(1)
    assert np.array_equal(moved[:-4, 7:], rest[4:, :-7])


def test_zoom_keeps_the_centre() -> None:
    background = make_background(np.random.default_rng(3), "shop", "still", False, SIZE, SECONDS)
    background.view[1] = [0, 0, 2]
    rest, near = background.frame(0).astype(float), background.frame(1).astype(float)
    # Twice as near, the mean of each 2x2 block shows one pixel of the middle of the picture at rest.
    blocks = near.reshape(60, 2, 108, 2, 3).mean(axis=(1, 3))
    middle = rest[30:90, 54:162]
    assert np.abs(blocks - middle).mean() < 0.5 * np.abs(blocks[:, :-1] - middle[:, 1:]).mean()


def test_camera_never_shows_beyond_the_canvas() -> None:
    for seed in range(12):
        for camera in CAMERAS:
            background = make_background(np.random.default_rng(seed), "coast", camera, False, SIZE, SECONDS)
            height, width = background.canvas.shape[:2]
            spare_x, spare_y = (width - SIZE[0]) / 2, (height - SIZE[1]) / 2
            assert (np.abs(background.view[:, 0]) < spare_x).all() and (np.abs(background.view[:, 1]) < spare_y).all()
            assert (background.view[:, 2] >= 1).all()


def test_unknown_names_are_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match="scene"):
        make_background(rng, "moon", "still", False, SIZE, SECONDS)
    with pytest.raises(InputError, match="camera"):
        make_background(rng, "room", "drone", False, SIZE, SECONDS)
