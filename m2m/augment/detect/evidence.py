"""Evidence: which pixels each model blames on a person, at low scores and widened."""

import cv2
import numpy as np
from scipy import ndimage

from m2m.augment.people import Landmarks

# Pairs of BlazePose landmarks and the width of the limb between them, in torso lengths: hips and thighs are wide.
LIMBS = (
    *((11, 12, 0.39), (23, 24, 0.34), (11, 23, 0.29), (12, 24, 0.29)),
    *((11, 13, 0.26), (13, 15, 0.21), (15, 19, 0.18), (12, 14, 0.26), (14, 16, 0.21), (16, 20, 0.18)),
    *((23, 25, 0.34), (25, 27, 0.26), (27, 31, 0.21), (27, 29, 0.18)),
    *((24, 26, 0.34), (26, 28, 0.26), (28, 32, 0.21), (28, 30, 0.18)),
)
PRESENT = 0.3
TORSO = (11, 12, 24, 23)
HEAD = (7, 8, 0)


def capsules(landmarks: Landmarks, shape: tuple[int, int]) -> np.ndarray:
    """A stick figure with thick limbs, a filled torso and a head.

    Args:
        landmarks: Of one person.
        shape: Height and width of the frame.

    Returns:
        (H, W) bool.
    """
    points = landmarks.image
    shoulders, hips, ankles = (points[list(pair)].mean(0) for pair in ((11, 12), (23, 24), (27, 28)))
    # Seen from above or end-on the torso is short; shoulders and legs then tell the person's size.
    torso = max(
        4.0,
        float(np.linalg.norm(shoulders - hips)),
        0.6 * float(np.linalg.norm(points[11] - points[12])),
        0.25 * float(np.linalg.norm(hips - ankles)),
    )
    canvas = np.zeros(shape, np.uint8)
    whole = np.clip(np.rint(points), -8 * max(shape), 8 * max(shape)).astype(int)
    for a, b, width in LIMBS:
        if min(landmarks.presence[a], landmarks.presence[b]) > PRESENT:
            cv2.line(canvas, whole[a].tolist(), whole[b].tolist(), 1, max(2, round(width * torso)))
    cv2.fillConvexPoly(canvas, cv2.convexHull(whole[list(TORSO)].astype(np.int32)), 1)
    head = points[list(HEAD)].mean(0)
    centre = np.clip(np.rint(head + 0.15 * (head - shoulders)), -8 * max(shape), 8 * max(shape)).astype(int)
    cv2.circle(canvas, centre.tolist(), max(3, round(0.3 * torso)), 1, -1)
    return canvas.astype(bool)


def widen(mask: np.ndarray, diameter: int) -> np.ndarray:
    """A (H, W) bool mask dilated by a disc of an odd diameter in pixels."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter, diameter))
    return cv2.dilate(mask.view(np.uint8), kernel).view(bool)


def unexplained(mask: np.ndarray, known: np.ndarray, near: int, least: float) -> np.ndarray:
    """The parts of a segmentation that other evidence leaves unexplained.

    Args:
        mask: (H, W) bool.
        known: (H, W) bool evidence of others.
        near: Diameter in pixels within which evidence explains its surroundings.
        least: Area from which a part counts, as a share of the frame; less is the segmentation's noise at edges.

    Returns:
        (H, W) bool, whole connected parts.
    """
    rest = mask & ~widen(known, near)
    labels, count = ndimage.label(rest)
    if not count:
        return rest
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    return (areas >= least * mask.size)[labels]


def hold(masks: np.ndarray, frames: int) -> np.ndarray:
    """(T, H, W) bool masks, each united with those of `frames` frames before and after."""
    out = masks.copy()
    for k in range(1, min(frames, len(masks) - 1) + 1):
        out[k:] |= masks[:-k]
        out[:-k] |= masks[k:]
    return out
