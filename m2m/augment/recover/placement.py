"""Where an upright body stands, judged by a person's box alone."""

import numpy as np

from m2m.augment.bodies import Camera
from m2m.augment.people import Person
from m2m.augment.recover import skeleton as sk
from m2m.augment.recover.skeleton import Skeleton
from m2m.augment.recover.translation import NEAREST

CROWN = 0.14
"""From the eyeballs to the top of the head, metres."""
SOLE = 0.07
"""From the ankle joint to the sole, metres."""
BREADTH = 0.52
"""Across shoulders and upper arms, metres."""
STANDING = 0.9
"""A figure at least this much higher than wide may be a standing body: clothes are wide, and pictures stretched."""
CORE = 0.35
"""Columns of a mask's upper part at least this share as high as the highest are head and trunk; arms that reach out are
lower, and what someone stands or rides on is below."""
TRUNK, CHEST = 0.6, 0.4
"""Upper part of a mask that tells how wide somebody is, and where the middle."""


def figure(person: Person) -> np.ndarray:
    """(4,) a person's box without what reaches out sideways, by the mask; the box itself where the mask is empty."""
    box = np.asarray(person.box, np.float64)
    mask = person.mask
    rows = np.flatnonzero(mask.any(1))
    if not len(rows):
        return box

    def core(share: float) -> tuple[float, float]:
        high = mask[rows[0] : rows[0] + int(np.ceil(share * (rows[-1] + 1 - rows[0])))].sum(0)
        columns = np.flatnonzero(high >= CORE * high.max())
        return (columns[0] + columns[-1] + 1) / 2, columns[-1] + 1 - columns[0]

    middle, half = core(CHEST)[0], core(TRUNK)[1] / 2
    return np.array([middle - half, box[1], middle + half, box[3]])


def widened(figures: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """(T, 4) figures as wide as their boxes about their own middles: of head and shoulders the whole width counts."""
    middle, half = figures[:, [0, 2]].mean(1), (boxes[:, 2] - boxes[:, 0]) / 2
    return np.stack([middle - half, figures[:, 1], middle + half, figures[:, 3]], 1)


def cut_off(boxes: np.ndarray, camera: Camera) -> bool:
    """Whether most boxes of a track hold head and shoulders only: they reach the lower border or are not high.

    Args:
        boxes: (T, 4) boxes of figures, pixels.
        camera: The camera.
    """
    high = boxes[:, 3] - boxes[:, 1] >= STANDING * (boxes[:, 2] - boxes[:, 0])
    return bool(np.mean((boxes[:, 3] > 0.98 * camera.height) | ~high) > 0.5)


def from_boxes(skeleton: Skeleton, boxes: np.ndarray, camera: Camera, bust: bool) -> np.ndarray:
    """Translations of an upright body that fills the boxes.

    Args:
        skeleton: The body's rest joints.
        boxes: (T, 4) x0, y0, x1, y1 in pixels.
        camera: The camera.
        bust: The boxes hold head and shoulders: their width gives the distance and their top the head. Otherwise they
            hold a standing body and their height gives the distance.

    Returns:
        (T, 3) metres: positions of the root joint.
    """
    eyes = skeleton.rest[list(sk.EYES)].mean(0)[1] - skeleton.rest[sk.PELVIS][1]
    ankles = skeleton.rest[list(sk.ANKLES)].mean(0)[1] - skeleton.rest[sk.PELVIS][1]
    crown, height = eyes + CROWN, eyes + CROWN - ankles + SOLE
    wide, high = np.maximum(boxes[:, 2] - boxes[:, 0], 1), np.maximum(boxes[:, 3] - boxes[:, 1], 1)
    z = np.maximum(camera.focal * (BREADTH / wide if bust else height / high), NEAREST)
    x = ((boxes[:, 0] + boxes[:, 2]) / 2 - camera.cx) * z / camera.focal
    y = (boxes[:, 1] - camera.cy) * z / camera.focal + crown
    return np.stack([x, y, z], -1)
