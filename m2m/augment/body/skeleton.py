"""Forward kinematics along a tree of joints."""

import numpy as np


def rotation_matrices(pose: np.ndarray) -> np.ndarray:
    """Axis-angle to matrices (Rodrigues' formula).

    Args:
        pose: (J, 3) rotations in radians.

    Returns:
        (J, 3, 3) float64.
    """
    pose = np.asarray(pose, np.float64)
    angle = np.linalg.norm(pose, axis=1)
    axis = pose / np.maximum(angle, 1e-12)[:, None]
    cross = np.zeros((len(pose), 3, 3))
    cross[:, [2, 0, 1], [1, 2, 0]] = axis
    cross[:, [1, 2, 0], [2, 0, 1]] = -axis
    sin, cos = np.sin(angle)[:, None, None], np.cos(angle)[:, None, None]
    return np.eye(3) + sin * cross + (1 - cos) * (cross @ cross)


def forward(pose: np.ndarray, rest_joints: np.ndarray, parents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Poses a skeleton; the root joint is at the origin.

    Args:
        pose: (J, 3) local rotations, axis-angle in radians; row 0 is the root.
        rest_joints: (J, 3) joints in the rest pose, metres.
        parents: (J,) parent joints, -1 for the root; a parent comes before its children.

    Returns:
        rotations (J, 3, 3) and positions (J, 3), float64, relative to the root joint.
    """
    rotations = rotation_matrices(pose)
    positions = np.zeros((len(parents), 3))
    for joint in range(1, len(parents)):
        parent = parents[joint]
        positions[joint] = positions[parent] + rotations[parent] @ (rest_joints[joint] - rest_joints[parent])
        rotations[joint] = rotations[parent] @ rotations[joint]
    return rotations, positions
