"""Masks widened in space and in time."""

import cv2
import numpy as np
from scipy.ndimage import maximum_filter1d


def disc(radius: int) -> np.ndarray:
    """An ellipse of (2 radius + 1) pixels a side, uint8."""
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))


def widen(mask: np.ndarray, radius: int) -> np.ndarray:
    """A mask (H, W) bool with every pixel within a radius in pixels of it, bool."""
    if radius < 1 or not mask.any():
        return mask
    # Distance, not a structuring element: OpenCV's ellipse falls short of its radius on the diagonals.
    return cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= radius


def spread(masks: np.ndarray, frames: int) -> np.ndarray:
    """Each mask of (T, H, W) bool united with those up to so many frames before and after it, bool."""
    if frames < 1 or len(masks) < 2:
        return masks
    return maximum_filter1d(masks.view(np.uint8), 2 * frames + 1, axis=0, mode="nearest").view(bool)


def bounds(mask: np.ndarray, margin: int) -> tuple[slice, slice]:
    """The box of a mask (H, W) bool that is not empty, with a margin in pixels, as slices of rows and columns."""
    ys, xs = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    rows = slice(max(0, int(ys[0]) - margin), min(mask.shape[0], int(ys[-1]) + margin + 1))
    return rows, slice(max(0, int(xs[0]) - margin), min(mask.shape[1], int(xs[-1]) + margin + 1))
