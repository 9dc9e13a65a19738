import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from m2m.augment.render.zbuffer import draw as draw_channel
from m2m.studio.raster import draw
from m2m.studio.texture import box, paint, polygon

LENS = (60.0, 20.0, 15.0)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_colours_are_those_of_a_channel_at_a_time_to_the_bit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (30, 40)
    nearest, image, owner = np.zeros(shape), np.zeros((*shape, 3), np.float32), np.zeros(shape, np.uint8)
    depth, channels, owned = np.zeros(shape), np.zeros((3, *shape), np.float32), np.zeros(shape, np.uint8)
    for name in (1, 2):
        away = np.array([0, 0, rng.uniform(0.0, 1.5)])
        vertices = rng.normal(0, 0.4, (12, 3)) + away  # some behind the camera
        faces, colors = rng.integers(0, 12, (10, 3)).astype(np.int32), rng.uniform(0, 1, (12, 3))
        draw(vertices, faces, colors, name, *LENS, nearest, image, owner)
        before = depth
        for channel in range(3):
            depth = before.copy()
            draw_channel(vertices, faces, colors[:, channel].copy(), *LENS, depth, channels[channel])
        owned[depth > before] = name
    assert np.array_equal(nearest, depth) and np.array_equal(owner, owned)
    assert np.array_equal(image, channels.transpose(1, 2, 0))


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_paint_is_the_blend_of_the_whole_picture_to_the_bit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = rng.uniform(0, 1, (20, 30, 3)).astype(np.float32)
    corners = rng.uniform(-10, 40, (4, 2))
    shape = polygon(20, 30, corners) if seed % 2 else box(20, 30, *corners[0], *corners[1])
    texture = rng.normal(0, 0.1, (20, 30)).astype(np.float32)
    for grain in (0.1, texture):
        layer = np.float32([0.2, 0.5, 0.9]) + (grain[..., None] if isinstance(grain, np.ndarray) else grain)
        expected = image + shape[..., None] * (layer - image)
        paint(image, shape, np.array([0.2, 0.5, 0.9]), grain)
        assert np.array_equal(image, expected.astype(np.float32))
