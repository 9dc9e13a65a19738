"""Inverse kinematics in closed form: 33 points of a body to 55 joint rotations.

Pelvis and chest frames from hips and shoulders, the turn between them split over the spine, the head from ears and
nose, every limb by a swing of its first bone, a twist that lays the hinge across the plane of the bend, and a swing
of its second bone; feet and hands clamped; fingers relaxed. Where the points are not to be trusted the joint takes its
neutral rotation: upright, arms down, legs hanging.
"""

import numpy as np

from m2m.augment.bodies import N_JOINTS
from m2m.augment.recover import skeleton as sk
from m2m.augment.recover.rotations import exp, frame, limited, log, nearest, swing, unit
from m2m.augment.recover.skeleton import Skeleton

UP = np.array([0.0, -1.0, 0.0])
FACING = np.diag([1.0, -1.0, -1.0])
"""Root rotation of an upright body that faces the camera."""

WAIST, NECK, ANKLE, WRIST = 1.0, 1.25, 0.7, 1.1
"""Most that chest against pelvis, head against chest, foot and hand may turn, radians."""
SHOULDER_TWIST, HIP_TWIST = 2.0, 0.9
HYPEREXTENSION = 0.09
"""Most that a knee or an elbow bends the wrong way, sine of the angle."""
LUMBAR = 0.3
"""Share of the hips' bend that the small of the back takes: bending, a pelvis turns less than the line of the torso."""
CURL = 0.22
"""Bend of each finger joint of a relaxed hand, radians."""

KNEE_HINGE = np.array([1.0, 0, 0])
ELBOW_HINGE = (np.array([0, -1.0, 0]), np.array([0, 1.0, 0]))


def smoothstep(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def neutral(skeleton: Skeleton, turned: np.ndarray | None = None) -> np.ndarray:
    """Local rotations of a body at ease.

    Args:
        skeleton: Whose.
        turned: (T, 55, 3, 3) global rotations; where the torso is upright, the legs hang down in the picture.

    Returns:
        (T, 55, 3, 3), or T = 1 facing the camera without `turned`.
    """
    count = 1 if turned is None else len(turned)
    out = np.tile(np.eye(3), (count, N_JOINTS, 1, 1))
    out[:, 0] = FACING if turned is None else turned[:, 0]
    for side, sign in ((0, 1), (1, -1)):
        arm = skeleton.bone(sk.SHOULDERS[side], sk.ELBOWS[side])
        out[:, sk.SHOULDERS[side]] = swing(arm, np.array([sign * 0.22, -1.0, 0.06]))
        out[:, sk.ELBOWS[side]] = exp(ELBOW_HINGE[side] * 0.25)
        for finger in sk.FINGERS[side]:
            out[:, finger] = exp(np.array([0, 0, -sign * CURL]))
    if turned is not None:
        pelvis = turned[:, 0]
        hanging = np.swapaxes(pelvis, -1, -2) @ frame(pelvis[:, :, 0] * [1, 0, 1], UP)
        upright = smoothstep(pelvis[:, :, 1] @ UP, 0.3, 0.7)
        leg = exp(log(hanging) * upright[:, None])
        for hip in sk.HIPS:
            out[:, hip] = limited(leg, 1.3)
    return out


def hinge_limited(local: np.ndarray, bone: np.ndarray, hinge: np.ndarray) -> np.ndarray:
    """Rotations of knees or elbows that do not bend the wrong way.

    Args:
        local: (T, 3, 3) local rotations.
        bone: (3,) the lower bone in the rest pose.
        hinge: (3,) axis about which the joint bends.
    """
    bend = unit(np.cross(hinge, bone))
    direction = local @ unit(bone)
    forward = (direction @ bend)[:, None]
    straight = unit(direction - forward * bend) * np.sqrt(1 - HYPEREXTENSION**2) - HYPEREXTENSION * bend
    return swing(direction, np.where(forward < -HYPEREXTENSION, straight, direction)) @ local


def limits(skeleton: Skeleton, local: np.ndarray) -> np.ndarray:
    """Local rotations brought inside the joints' limits: head, knees, elbows."""
    out = local.copy()
    head = limited(local[:, sk.NECK] @ local[:, sk.HEAD], NECK)
    out[:, sk.NECK], out[:, sk.HEAD] = exp(log(head) * 0.4), exp(log(head) * 0.6)
    for side in (0, 1):
        knee, elbow = sk.KNEES[side], sk.ELBOWS[side]
        out[:, knee] = hinge_limited(local[:, knee], skeleton.bone(knee, sk.ANKLES[side]), KNEE_HINGE)
        out[:, elbow] = hinge_limited(local[:, elbow], skeleton.bone(elbow, sk.WRISTS[side]), ELBOW_HINGE[side])
    return out


def _between(points: np.ndarray, pair: tuple[int, int]) -> np.ndarray:
    return (points[:, pair[0]] + points[:, pair[1]]) / 2


def _torso(skeleton: Skeleton, points: np.ndarray, trust: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Global rotations of pelvis and chest."""
    hips, shoulders = _between(points, sk.HIP_MARKS), _between(points, sk.SHOULDER_MARKS)
    hips_seen = trust[:, sk.HIP_MARKS].min(1)[:, None]
    shoulders_seen = trust[:, sk.SHOULDER_MARKS].min(1)[:, None]
    rest_hips, rest_shoulders = skeleton.rest[list(sk.HIPS)].mean(0), skeleton.rest[list(sk.SHOULDERS)].mean(0)
    rest = frame(np.array([1.0, 0, 0]), rest_shoulders - rest_hips)
    up = unit(hips_seen * shoulders_seen * unit(shoulders - hips) + (1 - hips_seen * shoulders_seen) * UP)
    across = unit(points[:, sk.SHOULDER_MARKS[0]] - points[:, sk.SHOULDER_MARKS[1]])
    across = shoulders_seen * across + (1 - shoulders_seen) * np.array([1.0, 0, 0])
    chest = frame(across, up) @ rest.T
    pelvis_across = unit(points[:, sk.HIP_MARKS[0]] - points[:, sk.HIP_MARKS[1]])
    level = across - (across * up).sum(-1, keepdims=True) * up
    pelvis = frame(hips_seen * pelvis_across + (1 - hips_seen) * unit(level), up) @ rest.T
    pelvis = pelvis @ _rounded(pelvis, points, hips_seen[:, 0] * trust[:, sk.KNEE_MARKS].min(1))
    turn = limited(np.swapaxes(chest, -1, -2) @ pelvis, WAIST)
    return chest @ turn, chest


def _rounded(pelvis: np.ndarray, points: np.ndarray, trust: np.ndarray) -> np.ndarray:
    """Turns (T, 3, 3) of the pelvis against the torso's line, backwards as far as both thighs are raised."""
    thighs = points[:, sk.KNEE_MARKS] - points[:, sk.HIP_MARKS]
    raised = np.einsum("tij,tsi->tsj", pelvis, thighs)
    bend = np.arctan2(raised[..., 2], np.maximum(-raised[..., 1], 0)).mean(1)
    return exp(-LUMBAR * (np.clip(bend, 0, None) * trust)[:, None] * np.array([1.0, 0, 0]))


def _head(skeleton: Skeleton, points: np.ndarray) -> np.ndarray:
    """Global rotations of the head."""
    ear_mid = _between(points, (sk.L_EAR, sk.R_EAR))
    seen = frame(
        points[:, sk.L_EAR] - points[:, sk.R_EAR],
        np.cross(points[:, sk.NOSE] - ear_mid, points[:, sk.L_EAR] - points[:, sk.R_EAR]),
    )
    rest_ears = skeleton.ears[0] - skeleton.ears[1]
    rest = frame(rest_ears, np.cross(skeleton.nose - skeleton.ears.mean(0), rest_ears))
    return seen @ rest.T


def _twist(angle: np.ndarray, most: float) -> np.ndarray:
    """A twist within its limit; from there it goes back to 0 at pi, so that it never jumps."""
    size = np.abs(angle)
    return np.sign(angle) * np.where(size <= most, size, most * (np.pi - size) / (np.pi - most))


def _limb(
    base: np.ndarray,
    upper: np.ndarray,
    lower: np.ndarray,
    rest: tuple[np.ndarray, np.ndarray],
    hinge: np.ndarray,
    most: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Global rotations of both bones of a limb.

    Args:
        base: (T, 3, 3) global rotations of the parent.
        upper: (T, 3) from shoulder to elbow, or hip to knee.
        lower: (T, 3) from elbow to wrist, or knee to ankle.
        rest: The same bones in the rest pose.
        hinge: (3,) axis of the hinge in the rest pose.
        most: Most that the first bone twists, radians.
    """
    upper, lower = unit(upper), unit(lower)
    first = swing(base @ unit(rest[0]), upper) @ base
    across = np.cross(upper, lower)
    bend = np.linalg.norm(across, axis=-1)
    axis = first @ unit(hinge - unit(rest[0]) * (hinge @ unit(rest[0])))
    across = unit(across)
    angle = np.arctan2((np.cross(axis, across) * upper).sum(-1), (axis * across).sum(-1))
    angle = _twist(angle, most) * smoothstep(bend, 0.1, 0.4)
    first = exp(upper * angle[:, None]) @ first
    return first, swing(first @ unit(rest[1]), lower) @ first


def _foot(skeleton: Skeleton, points: np.ndarray, shin: np.ndarray, side: int) -> np.ndarray:
    toes = points[:, sk.TOE_MARKS[side]] - points[:, sk.HEEL_MARKS[side]]
    rest = skeleton.bone(sk.ANKLES[side], sk.FEET[side]) * [1, 0, 1]
    return limited(np.swapaxes(shin, -1, -2) @ swing(shin @ rest, toes) @ shin, ANKLE)


def _hand(skeleton: Skeleton, points: np.ndarray, forearm: np.ndarray, side: int) -> np.ndarray:
    index, pinky = points[:, sk.INDEX_MARKS[side]], points[:, sk.PINKY_MARKS[side]]
    wrist = skeleton.rest[sk.WRISTS[side]]
    rest_index, rest_pinky = skeleton.rest[sk.INDEX[side]], skeleton.rest[sk.PINKY[side]]
    rest = frame((rest_index + rest_pinky) / 2 - wrist, rest_index - rest_pinky)
    seen = frame((index + pinky) / 2 - points[:, sk.WRIST_MARKS[side]], index - pinky)
    return limited(np.swapaxes(forearm, -1, -2) @ seen @ rest.T, WRIST)


def solve(skeleton: Skeleton, points: np.ndarray, trust: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rotations of a body from its points.

    Args:
        skeleton: The body's rest joints.
        points: (T, 33, 3) BlazePose landmarks, metres, camera axes (x right, y down, z away), any origin.
        trust: (T, 33) in [0, 1]; 0 is absent.

    Returns:
        (T, 55, 3, 3) local rotations in SMPL-X joint order, inside the joints' limits, and (T, 55) in [0, 1] how far
        each rests on what was seen; the rest is neutral.
    """
    points = np.asarray(points, np.float64)
    seen = np.zeros((len(points), N_JOINTS))
    turned = np.tile(np.eye(3), (len(points), N_JOINTS, 1, 1))
    pelvis, chest = _torso(skeleton, points, trust)
    turned[:, 0] = pelvis
    turn = log(np.swapaxes(pelvis, -1, -2) @ chest)
    for k, j in enumerate(sk.SPINE):
        turned[:, j] = pelvis @ exp(turn * (k + 1) / 3)
    shoulders, hips = trust[:, sk.SHOULDER_MARKS].min(1), trust[:, sk.HIP_MARKS].min(1)
    seen[:, 0] = np.maximum(shoulders, hips)
    seen[:, list(sk.SPINE)] = np.minimum(shoulders, hips)[:, None]
    for c in sk.COLLARS:
        turned[:, c] = chest
    head = limited(np.swapaxes(chest, -1, -2) @ _head(skeleton, points), NECK)
    turned[:, sk.NECK], turned[:, sk.HEAD] = chest @ exp(log(head) * 0.4), chest @ head
    seen[:, [sk.NECK, sk.HEAD]] = trust[:, [sk.NOSE, sk.L_EAR, sk.R_EAR]].mean(1)[:, None]

    def bones(marks: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
        return points[:, marks[1]] - points[:, marks[0]], points[:, marks[2]] - points[:, marks[1]]

    for side in (0, 1):
        shoulder, elbow, wrist = sk.SHOULDERS[side], sk.ELBOWS[side], sk.WRISTS[side]
        marks = sk.SHOULDER_MARKS[side], sk.ELBOW_MARKS[side], sk.WRIST_MARKS[side]
        rest = skeleton.bone(shoulder, elbow), skeleton.bone(elbow, wrist)
        turned[:, shoulder], turned[:, elbow] = _limb(chest, *bones(marks), rest, ELBOW_HINGE[side], SHOULDER_TWIST)
        seen[:, shoulder] = trust[:, marks[:2]].min(1)
        seen[:, elbow] = trust[:, marks].min(1)
        hip, knee, ankle = sk.HIPS[side], sk.KNEES[side], sk.ANKLES[side]
        marks = sk.HIP_MARKS[side], sk.KNEE_MARKS[side], sk.ANKLE_MARKS[side]
        rest = skeleton.bone(hip, knee), skeleton.bone(knee, ankle)
        turned[:, hip], turned[:, knee] = _limb(pelvis, *bones(marks), rest, KNEE_HINGE, HIP_TWIST)
        seen[:, hip] = trust[:, marks[:2]].min(1)
        seen[:, knee] = trust[:, marks].min(1)
    local = skeleton.local(turned)
    for side in (0, 1):
        ankle, wrist = sk.ANKLES[side], sk.WRISTS[side]
        local[:, ankle] = _foot(skeleton, points, turned[:, sk.KNEES[side]], side)
        local[:, wrist] = _hand(skeleton, points, turned[:, sk.ELBOWS[side]], side)
        feet = sk.KNEE_MARKS[side], sk.HEEL_MARKS[side], sk.TOE_MARKS[side]
        hand = sk.ELBOW_MARKS[side], sk.WRIST_MARKS[side], sk.INDEX_MARKS[side], sk.PINKY_MARKS[side]
        seen[:, ankle] = trust[:, feet].min(1)
        seen[:, wrist] = trust[:, hand].min(1)
    # Below these the relative turn of shoulders and hips, or of a whole limb, is not known at all.
    local = limits(skeleton, local)
    rest_pose = neutral(skeleton, turned)
    driven = [0, *sk.SPINE, sk.NECK, sk.HEAD, *sk.SHOULDERS, *sk.ELBOWS, *sk.WRISTS, *sk.HIPS, *sk.KNEES, *sk.ANKLES]
    share = np.zeros_like(seen)
    share[:, driven] = seen[:, driven]
    share[:, [0, *sk.SPINE]] = 1  # the torso's own fallbacks are inside _torso
    # A joint that is seen at all keeps its rotation; the neutral one takes over below a tenth.
    mix = smoothstep(share, 0.02, 0.1)[..., None, None]
    return nearest(mix * local + (1 - mix) * rest_pose), seen
