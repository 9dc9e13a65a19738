"""Axis-aligned boxes: overlap, suppression, tiles, and the patches models look at."""

from collections.abc import Callable, Iterator

import cv2
import numpy as np


def areas(boxes: np.ndarray) -> np.ndarray:
    """Areas of (..., 4+) boxes x0, y0, x1, y1; 0 where a box is inside out."""
    return np.clip(boxes[..., 2] - boxes[..., 0], 0, None) * np.clip(boxes[..., 3] - boxes[..., 1], 0, None)


def intersections(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N, M) areas that (N, 4+) and (M, 4+) boxes share."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:4], b[None, :, 2:4])
    return np.clip(high - low, 0, None).prod(-1)


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N, M) intersection over union of (N, 4+) and (M, 4+) boxes."""
    inter = intersections(a, b)
    return inter / np.maximum(areas(a)[:, None] + areas(b)[None] - inter, 1e-6)


def inside(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N, M) intersection over the smaller of the two boxes."""
    return intersections(a, b) / np.maximum(np.minimum(areas(a)[:, None], areas(b)[None]), 1e-6)


def suppress(
    boxes: np.ndarray, threshold: float, overlap: Callable[[np.ndarray, np.ndarray], np.ndarray] = iou
) -> np.ndarray:
    """Greedy non-maximum suppression.

    Args:
        boxes: (N, 5) x0, y0, x1, y1, score.
        threshold: Overlap from which the weaker of two boxes goes.
        overlap: `iou`, or `inside` where a part of an object is found beside the whole.

    Returns:
        The kept rows, best first, float32.
    """
    left = boxes[np.argsort(-boxes[:, 4], kind="stable")]
    kept = []
    while len(left):
        kept.append(left[0])
        left = left[1:][overlap(left[:1], left[1:])[0] < threshold]
    return np.array(kept, np.float32).reshape(-1, 5)


def square_tiles(width: int, height: int, level: int) -> Iterator[tuple[float, float, float]]:
    """Squares that cover a frame with at least 40 % overlap.

    Args:
        width: Frame width.
        height: Frame height.
        level: 1: one square around the whole frame; 2: squares of the shorter side; 3: of half of that; and so on.

    Yields:
        x0, y0, side, in pixels.
    """
    if level == 1:
        side = float(max(width, height))
        yield (width - side) / 2, (height - side) / 2, side
        return
    side = min(width, height) / 2 ** (level - 2)
    columns, rows = (int(np.ceil((n - side) / (0.6 * side))) + 1 for n in (width, height))
    for x in np.linspace(0, width - side, columns):
        for y in np.linspace(0, height - side, rows):
            yield float(x), float(y), float(side)


def square_patch(frame: np.ndarray, x0: float, y0: float, side: float, size: int) -> np.ndarray:
    """A square of a frame, resized to (size, size, 3) uint8, black outside the frame."""
    k = size / side
    matrix = np.array([[k, 0, -x0 * k], [0, k, -y0 * k]], np.float32)
    # warpAffine samples single points; AREA falls back to LINEAR there, so big squares are shrunk by resize first.
    if k < 0.5:
        half = cv2.resize(frame, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        return square_patch(half, x0 / 2, y0 / 2, side / 2, size)
    return cv2.warpAffine(frame, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)


def fill_box(mask: np.ndarray, box: np.ndarray, grow: float = 0.0) -> None:
    """Sets the pixels of a box, grown by `grow` pixels on each side, in a (H, W) bool mask."""
    x0, y0, x1, y1 = (float(v) for v in box[:4])
    rows = slice(max(0, int(np.floor(y0 - grow))), max(0, int(np.ceil(y1 + grow))))
    columns = slice(max(0, int(np.floor(x0 - grow))), max(0, int(np.ceil(x1 + grow))))
    mask[rows, columns] = True


def box_of(mask: np.ndarray) -> np.ndarray:
    """(4,) float32 tight box of a (H, W) bool mask, end exclusive; zeros for an empty mask."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return np.zeros(4, np.float32)
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float32)
