"""Parameters of the recover stage."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RecoverParams:
    """How bodies are found; lengths of time are in frames.

    Attributes:
        min_length: A body that would be drawn in fewer frames than this (or than the window has) is left out.
        max_gap: Longest stretch without the person inside a track that is bridged.
        smooth_points: Standard deviation of the smoothing of landmarks in the picture.
        smooth_depth: Standard deviation of the smoothing of the landmarks' relative depth.
        smooth_pose: Standard deviation of the smoothing of joint rotations.
        smooth_distance: Standard deviation of the smoothing of the body's distance from the camera.
        fit_rounds: Gauss-Newton steps after the closed form, before and again after the smoothing; 0 for none.
        most_turn: Most that a torso turns about the vertical from one frame to the next, degrees; 180 for any.
        hold_feet: A foot that stands in the picture is drawn so. Needs `fit_rounds`.
    """

    min_length: int = 8
    max_gap: int = 30
    smooth_points: float = 0.75
    smooth_depth: float = 3.0
    smooth_pose: float = 1.5
    smooth_distance: float = 8.0
    fit_rounds: int = 3
    most_turn: float = 12.0
    hold_feet: bool = True

    def __post_init__(self) -> None:
        if self.min_length < 1 or self.max_gap < 0 or self.fit_rounds < 0:
            raise ValueError("min_length must be at least 1, max_gap and fit_rounds at least 0")
        if min(self.smooth_points, self.smooth_depth, self.smooth_pose, self.smooth_distance) < 0:
            raise ValueError("smooth_points, smooth_depth, smooth_pose and smooth_distance must not be negative")
        if not 0 < self.most_turn <= 180:
            raise ValueError(f"most_turn must be above 0 and at most 180 degrees, not {self.most_turn}")
