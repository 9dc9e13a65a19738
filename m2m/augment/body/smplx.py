"""SMPL-X, the paper's body, through its own package; the package and the model files are licensed (non-commercial)."""

import tempfile
from pathlib import Path
from typing import Literal
from zipfile import is_zipfile

import numpy as np

from m2m.augment.body.skeleton import forward
from m2m.errors import InfrastructureError, InputError
from m2m.files import disk_errors
from m2m.weights import find_weight

KEYS = frozenset(
    {
        "v_template",
        "f",
        "shapedirs",
        "posedirs",
        "J_regressor",
        "kintree_table",
        "weights",
        "hands_componentsl",
        "hands_componentsr",
        "hands_meanl",
        "hands_meanr",
        "lmk_faces_idx",
        "lmk_bary_coords",
    }
)
DOWNLOAD = (
    "Download SMPL-X as npz from https://smpl-x.is.tue.mpg.de (with registration), and set body.smplx_path or put it "
    "into the folder of weights (M2M_WEIGHTS); or set body.model to mannequin, which needs neither"
)
# The arguments of smplx.SMPLX.forward and the joints they pose, in SMPL-X's order of joints.
PARTS = {
    "global_orient": slice(0, 1),
    "body_pose": slice(1, 22),
    "jaw_pose": slice(22, 23),
    "leye_pose": slice(23, 24),
    "reye_pose": slice(24, 25),
    "left_hand_pose": slice(25, 40),
    "right_hand_pose": slice(40, 55),
}


class Smplx:
    """A body model as `m2m.augment.bodies.BodyModel` describes it, with mean shape and flat hands at rest.

    Args:
        path: The npz, or a folder with SMPLX_NEUTRAL.npz, SMPLX_MALE.npz, SMPLX_FEMALE.npz (also in a folder smplx);
            empty for the folder of weights.
        gender: Which of them.

    Attributes:
        faces: (F, 3) int32.
        rest_joints: (55, 3) float32, metres, SMPL-X's own origin.
        parents: (55,) int32.

    Raises:
        InputError: The file is missing or is not SMPL-X.
        InfrastructureError: The packages smplx or torch are not installed, or the folder of weights has no such file.
    """

    def __init__(self, path: str, gender: Literal["neutral", "male", "female"] = "neutral") -> None:
        file = find_model(path, gender)
        try:
            import smplx
            import torch
        except ImportError as error:
            raise InfrastructureError(
                f"the SMPL-X body needs a package that is not installed: {error.name}",
                "Install it with `pip install 'm2m[smplx]'`",
            ) from error
        self._torch = torch
        try:
            with tempfile.TemporaryDirectory(prefix="m2m-") as scratch:
                # The package unpickles whatever a file holds.
                model = str(_without_objects(file, Path(scratch) / "model.npz"))
                self._model = smplx.SMPLX(
                    model, gender=gender, num_betas=10, use_pca=False, flat_hand_mean=True, batch_size=1
                ).eval()
            rest = self._posed(np.zeros((55, 3)))
        except (ValueError, KeyError, IndexError, AssertionError, RuntimeError) as error:
            raise InputError(f"{file} is not an SMPL-X model: {error}", DOWNLOAD) from error
        self.faces = self._model.faces.astype(np.int32)
        self.rest_joints = rest.joints[0, :55].numpy()
        self.parents = self._model.parents.numpy().astype(np.int32)

    def vertices(self, pose: np.ndarray, transl: np.ndarray) -> np.ndarray:
        """(V, 3) float32 vertices in camera space, metres; arguments as in `BodyModel.vertices`."""
        # SMPL-X turns about its pelvis and leaves it where it is at rest; ours is to lie at `transl`.
        return self._posed(pose).vertices[0].numpy() - self.rest_joints[0] + np.asarray(transl, np.float32)

    def joints(self, pose: np.ndarray, transl: np.ndarray) -> np.ndarray:
        """(55, 3) float32 joints in camera space for the same arguments."""
        return (forward(pose, self.rest_joints, self.parents)[1] + transl).astype(np.float32)

    def _posed(self, pose: np.ndarray):  # type: ignore[no-untyped-def]  # smplx's own type, and smplx is optional
        rows = self._torch.as_tensor(np.asarray(pose, np.float32))
        with self._torch.no_grad():
            return self._model(**{name: rows[part].reshape(1, -1) for name, part in PARTS.items()})


def find_model(path: str, gender: str) -> Path:
    """The file of a body model.

    Args:
        path: The npz, or a folder that holds it (also in a folder smplx); empty for the folder of weights.
        gender: Which of them.

    Raises:
        InputError: It is not where `path` says, or its licence was not accepted.
        InfrastructureError: It is not in the folder of weights.
    """
    if not path:
        try:
            return find_weight(f"smplx_{gender}")
        except InfrastructureError as error:
            raise InfrastructureError(f"body.smplx_path is not set, and {error.what}", DOWNLOAD) from error
    given = Path(path).expanduser()
    name = f"SMPLX_{gender.upper()}.npz"
    for file in (given, given / name, given / "smplx" / name):
        if file.is_file():
            return file
    raise InputError(f"there is no SMPL-X model for gender {gender} at {given}", DOWNLOAD)


def _without_objects(file: Path, copy: Path) -> Path:
    """A copy of a body model with the arrays that are needed. The published ones also hold pickled dictionaries.

    Raises:
        InputError: It is none, lacks an array, or has a pickle in its place.
        InfrastructureError: It cannot be written.
    """
    if not is_zipfile(file):
        raise InputError(f"{file} is not an npz file", DOWNLOAD)
    with np.load(file, allow_pickle=False) as model:
        missing = KEYS - set(model.files)
        if missing:
            raise InputError(f"{file} is not an SMPL-X model: it lacks {', '.join(sorted(missing))}", DOWNLOAD)
        arrays = {key: model[key] for key in KEYS}
    with disk_errors(copy.parent):
        np.savez(copy, allow_pickle=False, **arrays)
    return copy
