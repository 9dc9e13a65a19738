"""Parameters of the recover stage."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class OSXParams:
    """How the network OSX is run.

    Attributes:
        weights: A checkpoint of osx_l; empty for the folder of weights; `random` for a trial whose bodies mean nothing.
        human_models: SMPLX_NEUTRAL.npz, or the folder that holds it (also in a folder smplx); empty for the folder of
            weights. Not needed with random weights.
        batch: People that the network looks at in one go, of one frame or many.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        half: Computes in 16 bits on a GPU.
    """

    weights: str = ""
    human_models: str = ""
    batch: int = 16
    device: str = "auto"
    half: bool = True

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise ValueError(f"batch must be at least 1, not {self.batch}")


@dataclass(frozen=True)
class RecoverParams:
    """How bodies are found; lengths of time are in frames.

    Attributes:
        backend: `ik` (the detector's landmarks) or `osx` (the paper's: a network looks at every person).
        min_length: A body that would be drawn in fewer frames than this (or than the window has) is left out.
        max_gap: Longest stretch without the person inside a track that is bridged.
        smooth_points: Standard deviation of the smoothing of landmarks in the picture.
        smooth_depth: Standard deviation of the smoothing of the landmarks' relative depth; of `ik` only.
        smooth_pose: Standard deviation of the smoothing of joint rotations.
        smooth_distance: Standard deviation of the smoothing of the body's distance from the camera.
        fit_rounds: Gauss-Newton steps after the closed form, before and again after the smoothing; 0 for none. Of
            `osx` after the smoothing.
        most_turn: Most that a torso turns about the vertical from one frame to the next, degrees; 180 for any; of `ik`
            only.
        hold_feet: A foot that stands in the picture is drawn so. Needs `fit_rounds`; of `ik` only.
        osx: How `osx` is run.
    """

    backend: Literal["ik", "osx"] = "ik"
    min_length: int = 8
    max_gap: int = 30
    smooth_points: float = 0.75
    smooth_depth: float = 3.0
    smooth_pose: float = 1.5
    smooth_distance: float = 8.0
    fit_rounds: int = 3
    most_turn: float = 12.0
    hold_feet: bool = True
    osx: OSXParams = field(default_factory=OSXParams)

    def __post_init__(self) -> None:
        if self.min_length < 1 or self.max_gap < 0 or self.fit_rounds < 0:
            raise ValueError("min_length must be at least 1, max_gap and fit_rounds at least 0")
        if min(self.smooth_points, self.smooth_depth, self.smooth_pose, self.smooth_distance) < 0:
            raise ValueError("smooth_points, smooth_depth, smooth_pose and smooth_distance must not be negative")
        if not 0 < self.most_turn <= 180:
            raise ValueError(f"most_turn must be above 0 and at most 180 degrees, not {self.most_turn}")
