"""Body models: SMPL-X poses to vertices, behind one interface."""

from dataclasses import dataclass
from typing import Literal

from m2m.augment.bodies import BodyModel


@dataclass(frozen=True)
class BodyParams:
    """Which body is drawn. Its shape is constant: it must not describe the person.

    Attributes:
        model: `mannequin` (comes with M2M) or `smplx` (the paper's; its package and licensed file are the user's own).
        gender: The body's build, for either model.
        smplx_path: For `smplx`: SMPLX_NEUTRAL.npz and so on, or the folder that holds them; empty for the
            folder of weights (`m2m weights`).
    """

    model: Literal["mannequin", "smplx"] = "mannequin"
    gender: Literal["neutral", "male", "female"] = "neutral"
    smplx_path: str = ""


def make_body(params: BodyParams) -> BodyModel:
    """The body model the parameters ask for.

    Raises:
        InputError: `smplx` is asked for without its file, or with one that is not SMPL-X.
        InfrastructureError: The smplx package is not installed, or the folder of weights has no SMPL-X.
    """
    if params.model == "smplx":
        from m2m.augment.body.smplx import Smplx

        return Smplx(params.smplx_path, params.gender)
    from m2m.augment.body.mannequin import Mannequin

    return Mannequin(params.gender)
