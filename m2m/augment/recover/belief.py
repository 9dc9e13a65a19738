"""Which frames' landmarks show a pose at all: they must move as a body can, and the body must fill the person's mask.

A pose model that is lost does not say so (its score stays near 1), but it trembles: from frame to frame the whole body
jumps by a few percent of its size, where people who run, dance or juggle are smooth. What it dreams up leaves much of
the silhouette bare, which another head of the model draws. And of a face that fills the picture its landmarks in the
picture and in the world, two more of its heads, show different bodies. Poses that are rare, and most false ones are,
with the hips beside or above the shoulders, have to be calmer to be believed.
"""

from collections.abc import Iterable
from itertools import pairwise

import cv2
import numpy as np
from scipy.ndimage import median_filter

from m2m.augment.recover import skeleton as sk
from m2m.augment.recover.kinematics import smoothstep
from m2m.augment.recover.readings import mismatch

UNREST = 0.05
"""Most that a believed body trembles, as a share of its size. Measured over a second at 24 to 30 frames/s: people whom
the model sees well .003 to .05 (median .01), a lost model .03 to .12 (median .07)."""
UNUSUAL, BARE, FILLED = 0.4, 0.4, 1.6
"""What that is multiplied by where the torso does not stand, where the body leaves the mask bare, where it fills it."""
STANDING = (0.0, 0.2)
"""Height of the shoulders above the hips, as a share of the person's size, from which a torso begins to stand."""
SHARE = (0.5, 0.85)
"""Share of the mask under the body from which it is not bare."""
FULL = (0.87, 0.97)
UNLIKE = 0.17
"""Most that the landmarks in the picture may differ from those in the world over a second, as a share (rms). Measured:
.05 to .16, of a face close-up .19 to .32."""
HALF = 7
"""Frames before and after that count."""
STEP = 3
"""Frames apart that two neighbours may be."""
ISLAND = 4
"""Runs up to this long are judged as the frames around them."""
LOST, LONG = 0.3, 24
"""Where less than this share of a track is believed, only runs this long are: the model is lost and calm by chance."""
TRUSTED = 0.3
FEWEST = 3
"""Landmarks that must be trusted for a body to be seen."""
CELLS = 64
"""Longer side of the mask when it is compared, cells."""
_JOINTS = [sk.NOSE, sk.L_EAR, sk.R_EAR, *sk.MAJOR.values()]
_TRUNK = [*sk.SHOULDER_MARKS, *reversed(sk.HIP_MARKS)]
_LIMBS = [
    pair
    for side in (0, 1)
    for chain in (
        (sk.SHOULDER_MARKS[side], sk.ELBOW_MARKS[side], sk.WRIST_MARKS[side], sk.INDEX_MARKS[side]),
        (sk.HIP_MARKS[side], sk.KNEE_MARKS[side], sk.ANKLE_MARKS[side], sk.TOE_MARKS[side]),
    )
    for pair in pairwise(chain)
]
_THICK, _HEAD = 0.17, 0.13
"""Thickness of limbs and radius of the head, shares of the landmarks' extent; generous: clothes and hair are wide."""


def unrest(image: np.ndarray, trust: np.ndarray, extent: np.ndarray, at: np.ndarray) -> np.ndarray:
    """How much a body trembles around every frame.

    Args:
        image: (n, 33, 2) landmarks, pixels.
        trust: (n, 33) in [0, 1].
        extent: (n,) pixels, the person's size.
        at: (n,) increasing frame numbers.

    Returns:
        (n,) medians over time of the median joint's distance from the line between its neighbours in time, as a share
        of the person's size; NaN where too little is seen.
    """
    own = np.full(len(at), np.nan)
    points, trust = image[:, _JOINTS], trust[:, _JOINTS] > TRUSTED
    for k in range(1, len(at) - 1):
        before, after = at[k] - at[k - 1], at[k + 1] - at[k]
        seen = trust[k - 1] & trust[k] & trust[k + 1]
        if max(before, after) <= STEP and seen.sum() >= FEWEST:
            between = (points[k - 1] * after + points[k + 1] * before) / (before + after)
            own[k] = np.median(np.linalg.norm(points[k] - between, axis=-1)[seen]) / extent[k]
    return _around(own, at)


def _around(values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """(n,) medians of the finite values of the frames near by; NaN where there are none."""
    out = np.full(len(at), np.nan)
    for k in range(len(at)):
        near = values[np.abs(at - at[k]) <= HALF]
        near = near[np.isfinite(near)]
        if len(near):
            out[k] = np.median(near)
    return out


def explained(mask: np.ndarray, image: np.ndarray) -> float:
    """Share of a person's mask that lies under a plump body drawn through the landmarks; NaN for an empty mask.

    Args:
        mask: (H, W) bool.
        image: (33, 2) landmarks, pixels; those that are hidden or outside the picture are drawn as well.
    """
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return float("nan")
    top, left = rows[0], columns[0]
    inner = mask[top : rows[-1] + 1, left : columns[-1] + 1]
    scale = CELLS / max(inner.shape)
    size = max(1, round(inner.shape[1] * scale)), max(1, round(inner.shape[0] * scale))
    small = cv2.resize(inner.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.5
    if not small.any():
        return float("nan")
    points = np.clip((image - [left, top]) * scale, -4 * CELLS, 5 * CELLS)
    extent = min(float(np.ptp(points, axis=0).max()), 1.5 * CELLS)
    drawn = np.zeros(small.shape, np.uint8)
    thick = max(1, int(_THICK * extent))
    trunk = points[_TRUNK].astype(np.int32)
    cv2.fillConvexPoly(drawn, cv2.convexHull(trunk), 1)
    cv2.polylines(drawn, [trunk], True, 1, thick)
    head = points[:11].mean(0)
    cv2.circle(drawn, _cell(head), max(1, int(_HEAD * extent)), 1, -1)
    cv2.line(drawn, _cell(points[list(sk.SHOULDER_MARKS)].mean(0)), _cell(head), 1, thick)
    for a, b in _LIMBS:
        cv2.line(drawn, _cell(points[a]), _cell(points[b]), 1, thick)
    return float((small & (drawn > 0)).sum() / small.sum())


def _cell(point: np.ndarray) -> tuple[int, int]:
    return int(point[0]), int(point[1])


def believed(
    image: np.ndarray,
    world: np.ndarray,
    trust: np.ndarray,
    extent: np.ndarray,
    at: np.ndarray,
    masks: Iterable[np.ndarray],
    frames: int,
) -> np.ndarray:
    """(n,) bool: frames whose landmarks show a pose.

    Args:
        image: (n, 33, 2) landmarks, pixels.
        world: (n, 33, 3) landmarks, metres.
        trust: (n, 33) in [0, 1].
        extent: (n,) pixels, the person's size.
        at: (n,) increasing frame numbers.
        masks: n masks (H, W) bool of the person; an empty one says nothing.
        frames: Frames of the whole track.
    """
    rise = (image[:, sk.HIP_MARKS, 1].mean(1) - image[:, sk.SHOULDER_MARKS, 1].mean(1)) / extent
    limit = UNREST * (UNUSUAL + (1 - UNUSUAL) * smoothstep(rise, *STANDING))
    share = np.array([explained(m, p) for m, p in zip(masks, image, strict=True)])
    filled = BARE + (1 - BARE) * smoothstep(share, *SHARE) + (FILLED - 1) * smoothstep(share, *FULL)
    limit = limit * np.where(np.isfinite(share), filled, 1.0)
    trembling = unrest(image, trust, extent, at)
    # One or two frames cannot tremble: a body is believed in a short window, but not as a flash within a long one.
    calm = np.where(np.isfinite(trembling), trembling <= limit, (frames < 3) & ((trust > TRUSTED).sum(1) >= FEWEST))
    calm &= _around(mismatch(image, world, trust), at) <= UNLIKE
    calm = median_filter(calm.astype(np.uint8), size=2 * ISLAND + 1, mode="nearest").astype(bool)
    if calm.mean() < LOST:
        edges = np.flatnonzero(np.diff(np.concatenate([[0], calm.astype(np.int8), [0]])))
        for first, stop in edges.reshape(-1, 2):
            calm[first:stop] = stop - first >= LONG
    return calm
