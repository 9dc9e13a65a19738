"""The shape that OSX saw: SMPL-X's joints at rest, out of its licensed file, read with numpy alone."""

from dataclasses import dataclass
from pathlib import Path
from zipfile import is_zipfile

import numpy as np

from m2m.augment.bodies import N_JOINTS
from m2m.errors import InputError
from m2m.weights import find_weight

BETAS = 10


@dataclass(frozen=True)
class RestJoints:
    """Joints at rest by shape. The shape only tells where in the picture OSX saw a joint: it is neither drawn nor kept.

    Attributes:
        mean: (55, 3) metres, SMPL-X's own origin.
        change: (55, 3, 10) metres a coefficient.
    """

    mean: np.ndarray
    change: np.ndarray

    def of(self, betas: np.ndarray) -> np.ndarray:
        """(T, 55, 3) joints of (T, 10) coefficients."""
        return self.mean + np.einsum("jck,tk->tjc", self.change, betas)


def read_rest_joints(given: str) -> RestJoints:
    """Reads SMPLX_NEUTRAL.npz, the model that OSX was trained with; its other files of body models are not needed.

    Args:
        given: The file, or the folder that holds it (also in a folder smplx); empty for the folder of weights.

    Raises:
        InputError: It is missing there, or is not SMPL-X.
        InfrastructureError: It is not in the folder of weights.
    """
    file = _find(given)
    advice = "OSX needs SMPLX_NEUTRAL.npz of https://smpl-x.is.tue.mpg.de; set recover.osx.human_models to it"
    if not is_zipfile(file):
        raise InputError(f"{file} is not an npz file", advice)
    with np.load(file, allow_pickle=False) as model:
        missing = {"J_regressor", "v_template", "shapedirs"} - set(model.files)
        if missing:
            raise InputError(f"{file} is not an SMPL-X model: it lacks {', '.join(sorted(missing))}", advice)
        regress, rest, dirs = (np.asarray(model[k], np.float64) for k in ("J_regressor", "v_template", "shapedirs"))
    if regress.shape != (N_JOINTS, len(rest)) or dirs.shape[:2] != rest.shape or dirs.shape[2] < BETAS:
        shapes = f"J_regressor {regress.shape}, v_template {rest.shape}, shapedirs {dirs.shape}"
        raise InputError(f"{file} is not an SMPL-X model: {shapes}", advice)
    return RestJoints(regress @ rest, np.einsum("jv,vck->jck", regress, dirs[..., :BETAS]))


def _find(given: str) -> Path:
    name = "SMPLX_NEUTRAL.npz"
    folder = Path(given).expanduser()
    if given and folder.is_dir():
        for file in (folder / name, folder / "smplx" / name):
            if file.is_file():
                return file
    return find_weight("smplx_neutral", str(folder / name) if given and folder.is_dir() else given)
