"""Fingers by the hand model's landmarks where it sees a hand, relaxed where it does not."""

import numpy as np

from m2m.augment.recover import skeleton as sk
from m2m.augment.recover.kinematics import CURL
from m2m.augment.recover.rotations import exp, unit
from m2m.augment.recover.smoothing import kernel

FIRST = (5, 9, 17, 13)
"""First landmark of index, middle, little and ring finger, the order of SMPL-X's joints."""
STEADY = 8.0
"""Standard deviation of the smoothing in time, frames: hands are small, and single looks wrong by 17 degrees."""
DOUBT = 1.5
"""Looks at a hand that relaxed fingers weigh."""
FIST = 1.6
"""Most that a joint bends, radians."""


def bends(hands: np.ndarray) -> np.ndarray:
    """Angles between the bones of four fingers.

    Args:
        hands: (..., 21, 3) landmarks of hands, any axes.

    Returns:
        (..., 12) radians, not negative, in the order of `skeleton.FINGERS`; NaN where there is no hand.
    """
    angles = []
    for first in FIRST:
        bones = unit(np.diff(hands[..., [0, first, first + 1, first + 2, first + 3], :], axis=-2))
        cosine = (bones[..., 1:, :] * bones[..., :-1, :]).sum(-1)
        angles.append(np.arccos(np.clip(cosine, -1, 1)))
    return np.concatenate(angles, -1)


def curled(local: np.ndarray, hands: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Bends fingers as they are seen, on the average over a while.

    Args:
        local: (T, 55, 3, 3) local rotations.
        hands: (n, 2, 21, 3) landmarks of left and right hand, NaN where not seen.
        at: (n,) frames of the hands.

    Returns:
        (T, 55, 3, 3) local rotations.
    """
    out = local.copy()
    near = kernel(np.arange(len(local), dtype=float), STEADY)[:, at]
    for side, sign in ((0, 1), (1, -1)):
        bend = np.minimum(bends(np.asarray(hands[:, side], np.float64)), FIST)
        seen = np.isfinite(bend).all(1)
        if not seen.any():
            continue
        weight = near[:, seen]
        mean = (weight @ bend[seen] + DOUBT * CURL) / (weight.sum(1, keepdims=True) + DOUBT)
        out[:, sk.FINGERS[side]] = exp(mean[..., None] * [0, 0, -sign])
    return out
