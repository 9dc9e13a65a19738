"""The region that is painted out: a smooth hull that does not trace the body.

A hole with a person's outline shows pose and build. So the cover is widened to convex hulls, and where the camera is
still they are united over the neighbouring frames, so that the region does not follow the pose.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from m2m.augment.inpaint.morphology import disc, spread, widen
from m2m.augment.inpaint.motion import is_still

OUTLINES = ("hull", "dilate")
OBJECTS = ("beside", "held", "none")
SPECK = 0.03
"""Side of an unknown part, as a share of the frame's width, too small to show a pose."""


@dataclass(frozen=True)
class RegionParams:
    """What is painted out.

    Attributes:
        outline: `hull` (smooth hulls, united over time) or `dilate` (the paper's 3x3 ellipse, four times).
        margin: Width in pixels by which hulls are widened, at 432x240; more in larger frames.
        near: Parts closer than this share one hull, in pixels at 432x240.
        frames: Frames before and after over which hulls are united if the camera is still.
        frames_moving: The same if the camera moves.
        max_share: Share of the frame above which a hull is given up for a tighter one.
        objects: What people hold, kick or throw is put back on the plate where no evidence of a person lies (`beside`),
            even where weak evidence does, if it looks like no person (`held`), or not at all (`none`).
    """

    outline: str = "hull"
    margin: int = 8
    near: int = 12
    frames: int = 20
    frames_moving: int = 2
    max_share: float = 0.6
    objects: str = "beside"

    def __post_init__(self) -> None:
        if self.outline not in OUTLINES:
            raise ValueError(f"outline is one of {', '.join(OUTLINES)}, not {self.outline!r}")
        if self.objects not in OBJECTS:
            raise ValueError(f"objects is one of {', '.join(OBJECTS)}, not {self.objects!r}")
        if min(self.margin, self.near, self.frames, self.frames_moving) < 0 or not 0 <= self.max_share <= 1:
            raise ValueError("lengths are at least 0 and max_share is between 0 and 1")


def paint_region(frames: np.ndarray, cover: np.ndarray, params: RegionParams) -> np.ndarray:
    """What is painted out of one window.

    Args:
        frames: (T, H, W, 3) uint8 RGB of one shot.
        cover: (T, H, W) bool, what must not be released.
        params: How it is widened.

    Returns:
        (T, H, W) bool, contains the cover; empty where nobody is covered in the frames around.
    """
    if not cover.any():
        return cover.copy()
    out = np.empty_like(cover)
    if params.outline == "dilate":
        kernel = disc(1)
        for t, mask in enumerate(cover):
            out[t] = cv2.dilate(mask.view(np.uint8), kernel, iterations=4)
        return out
    united = spread(cover, params.frames if is_still(frames, cover) else params.frames_moving)
    for t, mask in enumerate(cover):
        out[t] = _frame(mask, united[t], params)
    return out


def _frame(cover: np.ndarray, united: np.ndarray, params: RegionParams) -> np.ndarray:
    """The smoothest of three outlines that leaves enough of the frame."""
    for mask in (united, cover):
        region = hulls(mask, params) | mask
        if region.mean() <= params.max_share:
            return region
    return widen(cover, _scaled(params.margin, cover))


def hulls(mask: np.ndarray, params: RegionParams) -> np.ndarray:
    """The widened, rounded convex hulls of the clusters of a mask.

    Args:
        mask: (H, W) bool.
        params: Margin and the distance within which parts share a hull.

    Returns:
        (H, W) bool, contains the mask.
    """
    if not mask.any():
        return mask.copy()
    margin = _scaled(params.margin, mask)
    # On a padded canvas, or hulls and their smoothing would shy away from the frame's border.
    pad = 2 * margin + 2
    padded = np.pad(mask, pad).astype(np.uint8)
    joined = cv2.dilate(padded, disc(max(1, _scaled(params.near, mask) // 2)))
    count, labels = cv2.connectedComponents(joined)
    out = np.zeros_like(padded)
    for label in range(1, count):
        contours, _ = cv2.findContours(padded * (labels == label), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        cv2.fillConvexPoly(out, cv2.convexHull(np.concatenate(contours)), 1)
    wide = widen(out.astype(bool), margin)
    # Widening and a blur that takes back less than was added rounds the corners off.
    blurred = cv2.GaussianBlur(wide.astype(np.float32), (0, 0), max(margin / 2, 0.5))
    smooth = (blurred >= 0.5) | out.astype(bool)
    return smooth[pad:-pad, pad:-pad] | mask


def rounded(unknown: np.ndarray, region: np.ndarray) -> np.ndarray:
    """The part of a region that no frame shows, without the outline of whoever hid it.

    Somebody who stands leaves an unknown part in the shape of a body; its smooth fill would show the pose.

    Args:
        unknown: (H, W) bool, inside the region.
        region: (H, W) bool.

    Returns:
        (H, W) bool, inside the region, contains `unknown`; specks stay as they are.
    """
    if not unknown.any():
        return unknown
    _, labels, stats, _ = cv2.connectedComponentsWithStats(unknown.astype(np.uint8))
    large = stats[:, cv2.CC_STAT_AREA] >= (SPECK * region.shape[1]) ** 2
    large[0] = False
    return (hulls(large[labels], RegionParams(margin=2)) & region) | unknown


def _scaled(pixels: int, mask: np.ndarray) -> int:
    return round(pixels * max(1.0, mask.shape[1] / 432))
