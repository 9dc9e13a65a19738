import numpy as np

from m2m.augment.bodies import Camera
from m2m.studio.draw import Figure, Light, draw

CAMERA = Camera(100.0, 32.0, 32.0, 64, 64)
LIGHT = Light(np.array([0.0, 0.0, -1.0]), 1.0)
FACES = np.array([[0, 2, 1], [0, 3, 2]], np.int32)


def card(x0: float, y0: float, x1: float, y1: float, depth: float, color: tuple[float, float, float]) -> Figure:
    """A rectangle that faces the camera and covers the given pixels."""
    corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    points = np.column_stack([(corners - 32) / 100 * depth, np.full(4, depth)]).astype(np.float32)
    return Figure(points, FACES, np.tile(np.float32(color), (4, 1)), np.zeros(4, np.float32))


def plate() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)


def test_card_covers_exactly_its_pixels() -> None:
    background = plate()
    frame, masks = draw(background, [card(10, 20, 30, 50, 2.0, (1, 0, 0.5))], CAMERA, LIGHT)
    expected = np.zeros((64, 64), bool)
    expected[20:50, 10:30] = True
    assert np.array_equal(masks[0], expected)
    assert np.array_equal(frame[~expected], background[~expected])
    assert (np.abs(frame[expected].astype(int) - [255, 0, 128]) <= 1).all()


def test_edge_is_mixed_in_proportion() -> None:
    background = np.zeros((64, 64, 3), np.uint8)
    frame, masks = draw(background, [card(10 + 1 / 3, 20, 30, 50, 2.0, (1, 1, 1))], CAMERA, LIGHT)
    assert (np.abs(frame[25:45, 10].astype(int) - 170) <= 1).all()  # two of three columns of samples
    assert masks[0, 25:45, 10].all()
    _, masks = draw(background, [card(10 + 2 / 3, 20, 30, 50, 2.0, (1, 1, 1))], CAMERA, LIGHT)
    assert not masks[0, :, 10].any()


def test_nearer_figure_hides_the_other_whatever_the_order() -> None:
    far, near = card(10, 10, 40, 40, 4.0, (1, 0, 0)), card(25, 25, 60, 60, 2.0, (0, 1, 0))
    for figures, front in (([far, near], 1), ([near, far], 0)):
        frame, masks = draw(plate(), figures, CAMERA, LIGHT)
        assert masks[front, 25:60, 25:60].all()
        assert not (masks[0] & masks[1]).any()
        assert (frame[30, 30] == [0, 255, 0]).all()


def test_nothing_in_sight_leaves_the_plate() -> None:
    background = plate()
    for figures in ([], [card(100, 10, 120, 40, 2.0, (1, 0, 0))], [card(10, 10, 40, 40, -2.0, (1, 0, 0))]):
        frame, masks = draw(background, figures, CAMERA, LIGHT)
        assert np.array_equal(frame, background)
        assert masks.shape == (len(figures), 64, 64) and not masks.any()


def test_light_from_the_side_of_the_camera_is_brighter_than_from_behind() -> None:
    figure = card(10, 10, 40, 40, 2.0, (1, 1, 1))
    front = draw(plate(), [figure], CAMERA, Light(np.array([0, 0, -1.0]), 0.4))[0][20, 20]
    behind = draw(plate(), [figure], CAMERA, Light(np.array([0, 0, 1.0]), 0.4))[0][20, 20]
    assert (front >= 254).all() and (np.abs(behind.astype(int) - 102) <= 1).all()
