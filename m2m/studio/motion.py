"""Motion: what limbs, spine and feet do over time, and how that becomes SMPL-X poses.

Actions are written as directions of bones, which can be read and imagined; this module turns them into the local joint
rotations of SMPL-X. The figure's frame: x to the body's left, y up, z to the front, origin on the floor.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from m2m.augment.bodies import N_JOINTS

LEFT, RIGHT = 0, 1
SPINE = (3, 6, 9)
NECK_HEAD = (12, 15)
HIPS, KNEES, ANKLES = (1, 2), (4, 5), (7, 8)
COLLARS, SHOULDERS, ELBOWS, WRISTS = (13, 14), (16, 17), (18, 19), (20, 21)
FINGERS = (25, 40)
"""First joint of the left and of the right hand; four fingers of three joints each, then the thumb."""

_UPSIDE = Rotation.from_rotvec([np.pi, 0, 0])
_SIGN = np.array([1.0, -1.0])


@dataclass(frozen=True)
class Motion:
    """One person's movement over T frames, in the figure's frame.

    Attributes:
        arms: (T, 2, 2, 3) directions of upper arm and forearm, left then right, relative to the chest.
        legs: (T, 2, 2, 3) directions of thigh and shin, left then right, relative to the figure's frame.
        spine: (T, 3) radians: forward, to the left, twist to the left; spread over the three spine joints.
        head: (T, 3) radians, the same angles relative to the chest.
        hips: (T, 3) radians, the same angles of the pelvis.
        flat: (T, 2) in [0, 1]: 1 keeps the foot level, 0 lets it ride with the shin.
        support: (T, 2) weights of the feet that stay where they stand; all 0 where `travel` places the pelvis.
        travel: (T,) metres walked to the front.
        hop: (T,) metres of the lowest point above the floor.
        curl: Bend of each finger joint in radians.
    """

    arms: np.ndarray
    legs: np.ndarray
    spine: np.ndarray
    head: np.ndarray
    hips: np.ndarray
    flat: np.ndarray
    support: np.ndarray
    travel: np.ndarray
    hop: np.ndarray
    curl: float = 0.25


def ray(tilt: np.ndarray | float, azimuth: np.ndarray | float, side: int) -> np.ndarray:
    """A unit direction.

    Args:
        tilt: Degrees away from straight down; 90 is level, 180 straight up.
        azimuth: Degrees: 0 outwards to the limb's own side, 90 to the front, 180 across the body.
        side: LEFT or RIGHT.

    Returns:
        (..., 3) in the figure's frame.
    """
    t, a = np.broadcast_arrays(np.radians(tilt), np.radians(azimuth))
    return np.stack([_SIGN[side] * np.sin(t) * np.cos(a), -np.cos(t), np.sin(t) * np.sin(a)], axis=-1)


def blend(a: np.ndarray, b: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Directions between a (weight 0) and b (weight 1), unit length; the two must not be opposite."""
    mixed = a + (b - a) * np.asarray(weight)[..., None]
    return mixed / np.linalg.norm(mixed, axis=-1, keepdims=True)


def lean(angles: np.ndarray) -> Rotation:
    """Rotation from (T, 3) radians: forward, to the left, twist to the left."""
    return Rotation.from_euler("YXZ", np.stack([angles[:, 2], angles[:, 0], -angles[:, 1]], axis=1))


def _swing(rest: np.ndarray, target: np.ndarray) -> Rotation:
    """The shortest rotations that take one direction (3,) to others (T, 3)."""
    axis = np.cross(rest, target)
    sine = np.linalg.norm(axis, axis=1, keepdims=True)
    angle = np.arctan2(sine[:, 0], target @ rest)
    return Rotation.from_rotvec(axis / np.maximum(sine, 1e-9) * angle[:, None])


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def poses(motion: Motion, rest_joints: np.ndarray, heading: float) -> np.ndarray:
    """SMPL-X poses of a motion.

    Args:
        motion: T frames.
        rest_joints: (55, 3) of the body that will be drawn: bones aim exactly only with its own rest directions.
        heading: Radians the figure turns to its left from facing the camera.

    Returns:
        (T, 55, 3) float32 axis-angle, radians; the root takes SMPL-X space to camera space.
    """
    rest = rest_joints.astype(np.float64)
    frames = len(motion.hop)
    out = np.zeros((frames, N_JOINTS, 3))
    hips = lean(motion.hips)
    out[:, 0] = (_UPSIDE * Rotation.from_rotvec([0, heading, 0]) * hips).as_rotvec()
    for joints, angles in ((SPINE, motion.spine), (NECK_HEAD, motion.head)):
        part = lean(angles / len(joints)).as_rotvec()
        for joint in joints:
            out[:, joint] = part
    level = Rotation.from_rotvec(motion.hips[:, 2:] * [0, 1, 0])
    for side in (LEFT, RIGHT):
        _arm(out, motion, rest, side)
        _leg(out, motion, rest, side, hips, level)
    return out.astype(np.float32)


def _arm(out: np.ndarray, motion: Motion, rest: np.ndarray, side: int) -> None:
    shoulder, elbow, wrist = SHOULDERS[side], ELBOWS[side], WRISTS[side]
    upper, fore = motion.arms[:, side, 0], motion.arms[:, side, 1]
    # The collar bone takes part above the horizontal, or the skin folds at the shoulder.
    lift = 0.35 * np.maximum(np.arcsin(np.clip(upper[:, 1], -1, 1)) + np.radians(20), 0)
    collar = Rotation.from_rotvec(_SIGN[side] * lift[:, None] * [0, 0, 1])
    swing = _swing(_unit(rest[elbow] - rest[shoulder]), collar.inv().apply(upper))
    bend = _swing(_unit(rest[wrist] - rest[elbow]), (collar * swing).inv().apply(fore))
    out[:, COLLARS[side]], out[:, shoulder], out[:, elbow] = collar.as_rotvec(), swing.as_rotvec(), bend.as_rotvec()
    out[:, FINGERS[side] : FINGERS[side] + 12, 2] = -_SIGN[side] * motion.curl


def _leg(out: np.ndarray, motion: Motion, rest: np.ndarray, side: int, hips: Rotation, level: Rotation) -> None:
    hip, knee, ankle = HIPS[side], KNEES[side], ANKLES[side]
    thigh, shin = motion.legs[:, side, 0], motion.legs[:, side, 1]
    swing = _swing(_unit(rest[knee] - rest[hip]), hips.inv().apply(thigh))
    bend = _swing(_unit(rest[ankle] - rest[knee]), (hips * swing).inv().apply(shin))
    keep = ((hips * swing * bend).inv() * level).as_rotvec() * motion.flat[:, side, None]
    out[:, hip], out[:, knee], out[:, ankle] = swing.as_rotvec(), bend.as_rotvec(), keep
