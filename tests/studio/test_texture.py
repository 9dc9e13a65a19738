"""Painting of shapes."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from m2m.studio.texture import box, paint, polygon


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
