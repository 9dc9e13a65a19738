"""The skeleton of SMPL-X: joints by name, forward kinematics, and where BlazePose's landmarks sit on it."""

import numpy as np

from m2m.augment.bodies import N_JOINTS

PELVIS, SPINE, NECK, HEAD, JAW = 0, (3, 6, 9), 12, 15, 22
COLLARS, SHOULDERS, ELBOWS, WRISTS = (13, 14), (16, 17), (18, 19), (20, 21)
HIPS, KNEES, ANKLES, FEET = (1, 2), (4, 5), (7, 8), (10, 11)
EYES = (23, 24)
INDEX, PINKY = (25, 40), (31, 46)
FINGERS = {0: tuple(j for j in range(25, 37)), 1: tuple(j for j in range(40, 52))}
"""The four fingers of either hand, without the thumbs."""

NOSE, L_EYE, R_EYE, L_EAR, R_EAR = 0, 2, 5, 7, 8
SHOULDER_MARKS, ELBOW_MARKS, WRIST_MARKS = (11, 12), (13, 14), (15, 16)
PINKY_MARKS, INDEX_MARKS = (17, 18), (19, 20)
HIP_MARKS, KNEE_MARKS, ANKLE_MARKS = (23, 24), (25, 26), (27, 28)
HEEL_MARKS, TOE_MARKS = (29, 30), (31, 32)

MAJOR = dict(
    zip(
        (*SHOULDERS, *ELBOWS, *WRISTS, *HIPS, *KNEES, *ANKLES),
        (*SHOULDER_MARKS, *ELBOW_MARKS, *WRIST_MARKS, *HIP_MARKS, *KNEE_MARKS, *ANKLE_MARKS),
        strict=True,
    )
)
"""Joint -> the landmark that shows it."""

MIRROR = np.array([0, 4, 5, 6, 1, 2, 3, 8, 7, 10, 9, *(k for pair in range(11, 33, 2) for k in (pair + 1, pair))])
"""The landmark of the other side."""


class Skeleton:
    """Rest joints, parents and the points of the face that landmarks show.

    Args:
        rest_joints: (55, 3) metres, SMPL-X space.
        parents: (55,) parent joints, -1 for the root; a parent comes before its children.
    """

    def __init__(self, rest_joints: np.ndarray, parents: np.ndarray) -> None:
        self.rest = np.asarray(rest_joints, np.float64)
        self.parents = np.asarray(parents, np.int64)
        self.offsets = self.rest - self.rest[np.maximum(self.parents, 0)]
        self.offsets[0] = 0
        eyes = self.rest[list(EYES)].mean(0)
        # Nose tip and tragi of a grown-up's head relative to the middle of the eyeballs, metres.
        self.nose = eyes + np.array([0, -0.035, 0.035])
        self.ears = eyes + np.array([[0.072, -0.005, -0.085], [-0.072, -0.005, -0.085]])
        head = self.rest[HEAD]
        toe = np.array([0, 0, 0.05])
        self.points: tuple[tuple[int, np.ndarray, int, float], ...] = (
            *((j, np.zeros(3), mark, 1.0) for j, mark in MAJOR.items()),
            *((f, toe, mark, 0.25) for f, mark in zip(FEET, TOE_MARKS, strict=True)),
            (HEAD, self.nose - head, NOSE, 0.5),
            *((HEAD, ear - head, mark, 0.5) for ear, mark in zip(self.ears, (L_EAR, R_EAR), strict=True)),
            *((HEAD, self.rest[e] - head, mark, 0.25) for e, mark in zip(EYES, (L_EYE, R_EYE), strict=True)),
        )
        """Joint, offset in its rest axes (metres), landmark, weight: what is compared with the picture."""

    def bone(self, a: int, b: int) -> np.ndarray:
        """(3,) from joint a to joint b in the rest pose, metres."""
        return self.rest[b] - self.rest[a]

    def forward(self, local: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Forward kinematics.

        Args:
            local: (T, 55, 3, 3) local rotations.

        Returns:
            (T, 55, 3, 3) global rotations and (T, 55, 3) joints in metres relative to the root joint.
        """
        turned, joints = np.empty_like(local), np.zeros(local.shape[:3])
        turned[:, 0] = local[:, 0]
        for j in range(1, N_JOINTS):
            p = self.parents[j]
            turned[:, j] = turned[:, p] @ local[:, j]
            joints[:, j] = joints[:, p] + turned[:, p] @ self.offsets[j]
        return turned, joints

    def local(self, turned: np.ndarray) -> np.ndarray:
        """Local rotations (T, 55, 3, 3) of global ones."""
        out = np.swapaxes(turned[:, np.maximum(self.parents, 0)], -1, -2) @ turned
        out[:, 0] = turned[:, 0]
        return out

    def posed(self, turned: np.ndarray, joints: np.ndarray) -> np.ndarray:
        """(T, P, 3) the compared points relative to the root joint, metres."""
        return np.stack([joints[:, j] + turned[:, j] @ offset for j, offset, _, _ in self.points], 1)
