"""What bodies do not do: turn about their own axis within a frame or two, and slide on feet that stand."""

import numpy as np
from scipy.ndimage import gaussian_filter1d

from m2m.augment.recover import skeleton as sk
from m2m.augment.recover.kinematics import UP, smoothstep
from m2m.augment.recover.rotations import exp
from m2m.augment.recover.skeleton import Skeleton

UPRIGHT = (0.3, 0.7)
"""Height of a torso's axis, as a share of its length, between which a body begins to have a heading."""
ROUNDS = 200
"""Most sweeps in which headings that differ too much are brought together."""
STILL = 0.5 / 240
"""A landmark that moves less than this between two frames stands, share of the picture's height: .5 px of 240."""
SLOW = 1.5
"""Standard deviation of the smoothing of a landmark before its speed is looked at as well, frames."""
DRIFT = 6.0
"""Standard deviation of the smoothing of where a foot stands, frames: it may drift, with the camera."""
RELEASE = 2.0
"""Standard deviation of the time in which a foot goes from where it is held to where it is seen, frames."""


def slower(angle: np.ndarray, most: float) -> np.ndarray:
    """Angles (T,) of which no two neighbours differ by more than `most`: those that do go towards each other."""
    angle = angle.copy()
    for _ in range(ROUNDS):
        for first in (0, 1):
            before, after = angle[first:-1:2], angle[first + 1 :: 2]
            apart = after - before
            half = (apart - np.clip(apart, -most, most)) / 2
            before += half
            after -= half
        if np.abs(np.diff(angle)).max(initial=0) <= most * (1 + 1e-3):
            break
    return angle


def _too_fast(torso: np.ndarray, most: float) -> np.ndarray:
    """(T,) angles about the vertical, from x towards z, that slow a torso's heading down."""
    upright = smoothstep(torso[:, :, 1] @ UP, *UPRIGHT)
    has = np.flatnonzero(upright > 0)
    if not len(has):
        return np.zeros(len(torso))
    heading = np.unwrap(np.arctan2(torso[has, 2, 0], torso[has, 0, 0]))
    heading = np.interp(np.arange(len(torso)), has, heading)
    return (slower(heading, most) - heading) * upright


def turn_slower(skeleton: Skeleton, local: np.ndarray, most: float) -> np.ndarray:
    """Slows the turns of pelvis and chest, seen from above; head and limbs keep their directions.

    Args:
        skeleton: Whose.
        local: (T, 55, 3, 3) local rotations.
        most: Most that a heading changes from one frame to the next, radians.
    """
    turned, _ = skeleton.forward(local)
    pelvis, chest = (_too_fast(turned[:, j], most) for j in (sk.PELVIS, sk.SPINE[-1]))
    shares = {sk.PELVIS: 0.0, **{j: (k + 1) / 3 for k, j in enumerate(sk.SPINE)}, **dict.fromkeys(sk.COLLARS, 1.0)}
    for j, share in shares.items():
        angle = (1 - share) * pelvis + share * chest
        turned[:, j] = exp(angle[:, None] * UP) @ turned[:, j]  # about -y: from x towards z
    return skeleton.local(turned)


def stands(image: np.ndarray, seen: np.ndarray, height: int) -> np.ndarray:
    """(T - 1,) bool, whether a landmark stands between two frames: as it is, or smoothed.

    Args:
        image: (T, 2) pixels.
        seen: (T,) bool.
        height: Of the picture, pixels.
    """
    speeds = [np.linalg.norm(np.diff(v, axis=0), axis=1) for v in (image, gaussian_filter1d(image, SLOW, axis=0))]
    return (np.minimum(*speeds) < STILL * height) & seen[1:] & seen[:-1]


def held(path: np.ndarray, still: np.ndarray) -> np.ndarray:
    """A path that stays, but for a slow drift, where it stands, and goes over smoothly to what is between.

    Args:
        path: (T, 2) pixels.
        still: (T - 1,) bool, whether it is to stay between two frames.

    Returns:
        (T, 2) pixels.
    """
    gone, stays = np.zeros_like(path), np.zeros(len(path), bool)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], still.astype(np.int8), [0]])))
    for first, last in edges.reshape(-1, 2):
        part = slice(first, last + 1)
        gone[part] = gaussian_filter1d(path[part], DRIFT, axis=0, mode="nearest") - path[part]
        stays[part] = True
    at, frames = np.flatnonzero(stays), np.arange(len(path))
    if not len(at):
        return path
    before = at[np.maximum(np.searchsorted(at, frames, "right") - 1, 0)]
    after = at[np.minimum(np.searchsorted(at, frames), len(at) - 1)]
    near = np.exp(-0.5 * ((np.stack([before, after]) - frames) / RELEASE) ** 2)
    near /= np.maximum(near.sum(0), 1)
    between = near[0, :, None] * gone[before] + near[1, :, None] * gone[after]
    return path + np.where(stays[:, None], gone, between)
