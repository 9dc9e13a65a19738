"""Occluders: still things that stand between the camera and the people; they belong to the scene."""

from collections.abc import Callable

import numpy as np

from m2m.errors import InputError
from m2m.studio.texture import box, noise, paint

Painter = Callable[[np.random.Generator, np.ndarray, np.ndarray, float, float, float], None]


def _stuff(rng: np.random.Generator, image: np.ndarray, base: np.ndarray) -> None:
    """One colour with a grain all over: alpha alone gives the shape, so that its rim has the thing's own colour."""
    height, width = image.shape[:2]
    image[:] = base + 0.09 * noise(rng, height, width, 40, 4)[..., None]


def _table(rng: np.random.Generator, image: np.ndarray, alpha: np.ndarray, x: float, feet: float, tall: float) -> None:
    height, width = alpha.shape
    wood = np.array([0.5, 0.36, 0.24]) * rng.uniform(0.7, 1.3)
    _stuff(rng, image, wood)
    half, top = tall * rng.uniform(0.5, 0.7), feet - tall * rng.uniform(0.42, 0.52)
    paint(image, box(height, width, x - half, top, x + half, top + 0.035 * tall), wood * 1.4, 0.02)
    alpha += box(height, width, x - half, top, x + half, feet + 0.06 * tall)


def _fence(rng: np.random.Generator, image: np.ndarray, alpha: np.ndarray, x: float, feet: float, tall: float) -> None:  # noqa: ARG001
    height, width = alpha.shape
    _stuff(rng, image, np.array([0.62, 0.6, 0.56]) * rng.uniform(0.5, 1.2))
    top, wide = feet - tall * rng.uniform(0.5, 0.62), tall * 0.07
    for left in np.arange(-wide, width, 2.2 * wide):
        alpha += box(height, width, left, top, left + wide, feet + 0.08 * tall)
    for rail in (0.15, 0.75):
        y = top + rail * (feet - top)
        alpha += box(height, width, 0, y, width, y + 0.7 * wide)


def _bush(rng: np.random.Generator, image: np.ndarray, alpha: np.ndarray, x: float, feet: float, tall: float) -> None:
    height, width = alpha.shape
    leaves = noise(rng, height, width, 45, 4)
    image[:] = np.array([0.22, 0.4, 0.16]) * rng.uniform(0.7, 1.3) + 0.16 * leaves[..., None]
    y, xs = np.mgrid[:height, :width].astype(np.float32)
    high = tall * rng.uniform(0.5, 0.6)
    crown = 1 - np.abs((xs - x) / (0.5 * tall)) ** 2.5 - np.abs((y - feet - 0.1 * tall) / high) ** 2.5
    alpha += np.clip((crown + 0.25 * leaves) * 6, 0, 1)


def _post(rng: np.random.Generator, image: np.ndarray, alpha: np.ndarray, x: float, feet: float, tall: float) -> None:
    height, width = alpha.shape
    _stuff(rng, image, np.array([0.35, 0.36, 0.38]) * rng.uniform(0.6, 1.6))
    half = tall * rng.uniform(0.05, 0.08)
    alpha += box(height, width, x - half, -1, x + half, feet + 0.08 * tall)


OCCLUDERS: dict[str, Painter] = {"table": _table, "fence": _fence, "bush": _bush, "post": _post}
"""Painters by kind: (rng, colours to paint, alpha to paint, column, row of the soles and height of who is behind)."""


def make_occluder(
    rng: np.random.Generator, kind: str, shape: tuple[int, int], x: float, feet: float, tall: float
) -> np.ndarray:
    """Paints what stands in front.

    Args:
        rng: Source of chance.
        kind: A key of OCCLUDERS.
        shape: Rows and columns of the scene's canvas.
        x: Column on the canvas of the person behind.
        feet: Row of their soles.
        tall: Their height in pixels.

    Returns:
        (Hc, Wc, 4) uint8 RGBA, straight alpha.

    Raises:
        InputError: There is no such thing.
    """
    if kind not in OCCLUDERS:
        raise InputError(f"the studio has no occluder {kind!r}", f"known: {', '.join(OCCLUDERS)}")
    image, alpha = np.zeros((*shape, 3), np.float32), np.zeros(shape, np.float32)
    OCCLUDERS[kind](rng, image, alpha, x, feet, tall)
    return np.round(np.dstack([image, alpha]).clip(0, 1) * 255).astype(np.uint8)
