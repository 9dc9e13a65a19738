"""Navier-Stokes inpainting: colours flow into the hole from its border (Bertalmio et al., CVPR 2001; OpenCV's)."""

import cv2
import numpy as np

from m2m.augment.inpaint.consensus import largest
from m2m.augment.inpaint.morphology import bounds
from m2m.augment.plate import Plate

RADIUS = 3
"""Pixels of the border that a point is computed from."""
DEPTH = 12
"""Half the width, in pixels, above which a hole is filled at reduced size."""


def navier_stokes(image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """An image (H, W, 3) uint8 with its hole (H, W) bool filled."""
    if not hole.any():
        return image
    out = image.copy()
    box = bounds(hole, 2 * RADIUS)
    part, gap = image[box], hole[box]
    if gap.all():
        out[box] = 0
        return out
    filled = cv2.inpaint(np.ascontiguousarray(part), gap.astype(np.uint8), RADIUS, cv2.INPAINT_NS)
    out[box][gap] = filled[gap]
    return out


def smooth_fill(image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Like `navier_stokes`, but wide holes are filled at reduced size, which leaves no streaks.

    Args:
        image: (H, W, 3) uint8.
        hole: (H, W) bool.

    Returns:
        (H, W, 3) uint8, equal to the image outside the hole.
    """
    if not hole.any() or hole.all():
        return navier_stokes(image, hole)
    depth = cv2.distanceTransform(np.pad(hole, 1).astype(np.uint8), cv2.DIST_L2, 3).max()
    factor = int(np.ceil(depth / DEPTH))
    if factor < 2:
        return navier_stokes(image, hole)
    box = bounds(hole, 8 * factor)
    out = image.copy()
    out[box] = _coarse_fill(image[box], hole[box], factor)
    return out


def _coarse_fill(image: np.ndarray, hole: np.ndarray, factor: int) -> np.ndarray:
    """An image (H, W, 3) uint8 with its hole (H, W) bool filled at a reduced size."""
    height, width = hole.shape
    size = (max(2, width // factor), max(2, height // factor))
    known = (~hole).astype(np.float32)
    share = cv2.resize(known, size, interpolation=cv2.INTER_AREA)
    mean = cv2.resize(image * known[..., None], size, interpolation=cv2.INTER_AREA) / np.maximum(share, 1e-6)[..., None]
    gap = share < 0.25
    if gap.all():
        return navier_stokes(image, hole)
    small = navier_stokes(np.where(gap[..., None], 0, mean).round().astype(np.uint8), gap)
    coarse = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    # The border's own colours reach in a few pixels, so that the coarse fill has no edge.
    return np.where(hole[..., None], match_border(coarse, image, hole, ~hole, factor), image)


def match_border(
    fill: np.ndarray, image: np.ndarray, hole: np.ndarray, known: np.ndarray, reach: float, tolerance: float = 255
) -> np.ndarray:
    """Moves the colours of a fill so that they meet the image along the border of the hole.

    The difference outside is averaged near each point and fades with the distance from the border.

    Args:
        fill: (H, W, 3) uint8, meaningful in the hole and some pixels around it.
        image: (H, W, 3) uint8.
        hole: (H, W) bool.
        known: (H, W) bool, pixels of the image to be met, outside the hole.
        reach: Pixels over which the correction fades.
        tolerance: Differences of any channel above this, in levels, are another thing and not met.

    Returns:
        (H, W, 3) uint8, equal to `fill` outside the hole.
    """
    if not hole.any():
        return fill
    margin = int(3 * reach) + 2
    box = bounds(hole, margin)
    inside = hole[box]
    depth = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 3)
    ring = cv2.dilate(inside.astype(np.uint8), np.ones((5, 5), np.uint8)).view(bool) & ~inside & known[box]
    ys, xs = np.nonzero(ring)
    difference = image[box][ys, xs].astype(np.float32) - fill[box][ys, xs]
    met = largest(np.abs(difference)) <= tolerance
    # Fourth channel: how much of the border is near.
    field = np.zeros((*inside.shape, 4), np.float32)
    field[ys[met], xs[met], :3] = difference[met]
    field[ys[met], xs[met], 3] = 1
    field = cv2.GaussianBlur(field, (0, 0), reach)
    ys, xs = np.nonzero(inside & (depth < 4 * reach))
    shift, near = field[ys, xs, :3], field[ys, xs, 3:]
    # Little evidence, little correction.
    fade = np.exp(-depth[ys, xs, None] / reach) * np.minimum(near / 0.05, 1) / np.maximum(near, 1e-4)
    out = fill.copy()
    out[box][ys, xs] = np.clip(np.rint(fill[box][ys, xs] + shift * fade), 0, 255).astype(np.uint8)
    return out


class NavierStokesInpainter:
    """Fills each frame from itself alone."""

    def fill(self, frames: np.ndarray, region: np.ndarray, sources: np.ndarray) -> Plate:  # noqa: ARG002
        """Paints out a region; see `Inpainter`. No pixel comes from another frame."""
        filled = np.stack([navier_stokes(f, r) for f, r in zip(frames, region, strict=True)])
        return Plate(filled, region, region & False)
