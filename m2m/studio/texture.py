"""Textures: fractal noise, gradients and patterns that backgrounds are painted with; float32 RGB in [0, 1]."""

import cv2
import numpy as np


def noise(rng: np.random.Generator, height: int, width: int, cells: float, octaves: int = 4) -> np.ndarray:
    """Fractal value noise.

    Args:
        rng: Source of chance.
        height: Rows.
        width: Columns.
        cells: Cells of the coarsest octave along the longer side; each octave doubles them.
        octaves: How many octaves are added, each half as strong as the one before.

    Returns:
        (height, width) float32 with mean about 0, most values within -1 to 1.
    """
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        step = max(height, width) / (cells * 2**octave)
        grid = rng.standard_normal((int(height / step) + 3, int(width / step) + 3)).astype(np.float32)
        big = cv2.resize(grid, None, fx=max(step, 1), fy=max(step, 1), interpolation=cv2.INTER_CUBIC)
        total += (
            cv2.resize(big, (max(width, 1), max(height, 1))) * 0.5**octave
            if step < 1
            else (big[:height, :width] * 0.5**octave)
        )
    return total / 1.6


def grain(rng: np.random.Generator, image: np.ndarray, strength: float) -> None:
    """Makes a surface uneven in place: coarse stains and fine grain."""
    height, width = image.shape[:2]
    image += strength * noise(rng, height, width, 5, 3)[..., None]
    image += 0.5 * strength * rng.standard_normal((height, width, 1), dtype=np.float32)


def fill(color: np.ndarray, height: int, width: int) -> np.ndarray:
    """A surface of one colour, (height, width, 3)."""
    return np.broadcast_to(np.asarray(color, np.float32), (height, width, 3)).copy()


def ramp(top: np.ndarray, bottom: np.ndarray, height: int, width: int) -> np.ndarray:
    """A vertical gradient, (height, width, 3)."""
    w = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    return np.broadcast_to(
        np.asarray(top, np.float32) * (1 - w) + np.asarray(bottom, np.float32) * w, (height, width, 3)
    ).copy()


def paint(image: np.ndarray, shape: np.ndarray, color: np.ndarray, texture: np.ndarray | float = 0.0) -> None:
    """Lays a colour over an image in place where `shape` (H, W) in [0, 1] says, with a (H, W) texture added to it."""
    rows, columns = np.flatnonzero(shape.any(axis=1)), np.flatnonzero(shape.any(axis=0))
    if not len(rows):
        return
    part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    layer = np.asarray(color, np.float32) + (texture[part][..., None] if isinstance(texture, np.ndarray) else texture)
    under = image[part]
    under += shape[part][..., None] * (layer - under)


def polygon(height: int, width: int, points: np.ndarray) -> np.ndarray:
    """Anti-aliased coverage (height, width) of a filled polygon given as (N, 2) x, y in pixels."""
    out = np.zeros((height, width), np.uint8)
    cv2.fillPoly(out, [np.round(np.asarray(points) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return out.astype(np.float32) / 255


def box(height: int, width: int, x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    """Coverage of an upright rectangle."""
    return polygon(height, width, np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]))


def ground(texture: np.ndarray, height: int, width: int, horizon: float) -> np.ndarray:
    """A texture seen lying on the floor.

    Args:
        texture: (S, S, 3) square, repeated by mirroring.
        height: Rows of the floor in the picture.
        width: Columns.
        horizon: Rows from the horizon to the floor's upper edge.

    Returns:
        (height, width, 3).
    """
    rows = np.arange(height, dtype=np.float32)[:, None] + horizon + 0.5
    depth = 0.35 * len(texture) * (height + horizon) / rows
    x = (np.arange(width, dtype=np.float32)[None] - width / 2) * depth / width * 2.4 + len(texture) / 2
    return cv2.remap(texture, x, np.broadcast_to(depth, x.shape), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def bricks(
    rng: np.random.Generator, height: int, width: int, brick: tuple[int, int], color: np.ndarray, joint: np.ndarray
) -> np.ndarray:
    """A wall or floor of bricks, tiles or planks.

    Args:
        rng: Source of chance.
        height: Rows.
        width: Columns.
        brick: Width and height of one in pixels.
        color: Mean colour; every brick differs a little.
        joint: Colour of the joints.

    Returns:
        (height, width, 3).
    """
    wide, high = brick
    y, x = np.mgrid[:height, :width]
    row = y // high
    shifted = x + (row % 2) * (wide // 2)
    column = shifted // wide
    tints = rng.normal(0, 0.015, (row.max() + 1, column.max() + 1, 3)) + rng.normal(
        0, 0.05, (row.max() + 1, column.max() + 1, 1)
    )
    out = (np.asarray(color) + tints[row, column]).astype(np.float32)
    out[(shifted % wide < 1) | (y % high < 1)] = joint
    return out
