"""A small body with SMPL-X's joints, posed by scipy: independent of the library's own kinematics."""

import numpy as np
from scipy.spatial.transform import Rotation

from m2m.augment.bodies import Camera
from m2m.augment.people import FramePeople, Landmarks, Person

_BODY = [-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 15, 15, 15]
_FINGERS = [j for w, first in ((20, 25), (21, 40)) for k in range(first, first + 15, 3) for j in (w, k, k + 1)]
PARENTS = np.array([*_BODY, *_FINGERS])
_MIDDLE = {
    0: (0, 0, 0),
    3: (0, 0.11, -0.01),
    6: (0, 0.24, 0),
    9: (0, 0.30, 0.01),
    12: (0, 0.50, -0.02),
    15: (0, 0.59, 0.01),
    22: (0, 0.60, 0.02),
}
_LEFT = {
    (1, 2): (0.07, -0.09, 0),
    (4, 5): (0.10, -0.47, 0),
    (7, 8): (0.09, -0.88, -0.03),
    (10, 11): (0.12, -0.94, 0.10),
    (13, 14): (0.05, 0.41, 0),
    (16, 17): (0.17, 0.44, -0.01),
    (18, 19): (0.43, 0.44, -0.02),
    (20, 21): (0.68, 0.44, -0.02),
    (23, 24): (0.03, 0.65, 0.08),
}
MARKS = {16: 11, 17: 12, 18: 13, 19: 14, 20: 15, 21: 16, 1: 23, 2: 24, 4: 25, 5: 26, 7: 27, 8: 28, 10: 31, 11: 32}
MARKS |= {25: 19, 40: 20, 31: 17, 46: 18, 23: 2, 24: 5}
FACING = np.array([np.pi, 0, 0])


def _rest() -> np.ndarray:
    joints = np.zeros((55, 3))
    for j, at in _MIDDLE.items():
        joints[j] = at
    for (left, right), at in _LEFT.items():
        joints[left], joints[right] = at, np.multiply(at, [-1, 1, 1])
    for first, wrist, side in ((25, 20, 1), (40, 21, -1)):
        for finger, (x, z) in enumerate(((0.1, 0.03), (0.1, 0.0), (0.08, -0.04), (0.09, -0.02), (0.03, 0.04))):
            for k in range(3):
                joints[first + 3 * finger + k] = joints[wrist] + [side * (x + 0.025 * k), 0, z]
    return joints


class Stick:
    faces = np.zeros((0, 3), np.int32)
    rest_joints = _rest().astype(np.float32)
    parents = PARENTS.astype(np.int32)

    def vertices(self, pose: np.ndarray, transl: np.ndarray) -> np.ndarray:
        return self.joints(pose, transl)

    def joints(self, pose: np.ndarray, transl: np.ndarray) -> np.ndarray:
        return posed(pose)[1] + transl


def posed(pose: np.ndarray) -> tuple[list[Rotation], np.ndarray]:
    """Global rotations and joints relative to the root, by scipy."""
    local = [Rotation.from_rotvec(v) for v in np.asarray(pose, float)]
    rest = np.asarray(Stick.rest_joints, float)
    turned, joints = [local[0]], [np.zeros(3)]
    for j in range(1, 55):
        p = PARENTS[j]
        joints.append(joints[p] + turned[p].apply(rest[j] - rest[p]))
        turned.append(turned[p] * local[j])
    return turned, np.array(joints)


def points(pose: np.ndarray) -> np.ndarray:
    """(33, 3) landmarks of a posed body, metres, relative to the root."""
    turned, joints = posed(pose)
    out = np.zeros((33, 3))
    for joint, mark in MARKS.items():
        out[mark] = joints[joint]
    eyes = (joints[23] + joints[24]) / 2
    head = turned[15]
    for mark, offset in ((0, (0, -0.035, 0.035)), (7, (0.072, -0.005, -0.085)), (8, (-0.072, -0.005, -0.085))):
        out[mark] = eyes + head.apply(offset)
    for marks, at in (((1, 3), 2), ((4, 6), 5), ((9, 10), 0), ((21,), 19), ((22,), 20)):
        out[list(marks)] = out[at]
    for mark, ankle in ((29, 7), (30, 8)):
        out[mark] = joints[ankle] + turned[ankle].apply([0, -0.07, -0.05])
    for mark, foot in ((31, 10), (32, 11)):
        out[mark] = joints[foot] + turned[foot].apply([0, 0, 0.05])
    return out


def at_ease() -> np.ndarray:
    """(55, 3) pose: upright, facing the camera, arms down."""
    pose = np.zeros((55, 3))
    pose[0] = FACING
    pose[16], pose[17] = [0, 0, -1.3], [0, 0, 1.3]
    pose[18], pose[19] = [0, -0.4, 0], [0, 0.4, 0]
    return pose


def landmarks(pose: np.ndarray, transl: np.ndarray, camera: Camera) -> Landmarks:
    """What a perfect pose model sees; landmarks outside the picture are absent."""
    body = points(pose)
    world = body - body[[23, 24]].mean(0)
    image = camera.project(body + transl)
    inside = ((image >= 0) & (image < [camera.width, camera.height])).all(-1).astype(np.float32)
    zero = np.zeros(33, np.float32)
    return Landmarks(image.astype(np.float32), zero, inside, inside, world.astype(np.float32), 1.0)


def person(track: int, marks: Landmarks | None, camera: Camera, box: tuple | None = None, families: int = 2) -> Person:
    if box is None:
        assert marks is not None
        low, high = marks.image.min(0), marks.image.max(0)
        box = (*np.maximum(low, 0), *np.minimum(high, [camera.width, camera.height]))
    names = frozenset(("pose", "ssdlite", "selfie")[:families])
    return Person(track, np.array(box, np.float32), 1.0, np.zeros((camera.height, camera.width), bool), names, marks)


def frame(*persons: Person) -> FramePeople:
    return FramePeople(tuple(persons), np.zeros((1, 1), bool))
