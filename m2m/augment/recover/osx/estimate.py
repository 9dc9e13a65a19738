"""What OSX says of a person."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Estimate:
    """What OSX says of one person in one frame.

    Attributes:
        pose: (55, 3) float32 axis-angle, radians, SMPL-X's order; the root turns against OSX's camera; eyes are 0.
        betas: (10,) float32 shape coefficients: they tell where in the picture joints were seen, and are not kept.
        place: (3,) float32 metres, `cam_trans`: SMPL-X's origin in OSX's camera.
    """

    pose: np.ndarray
    betas: np.ndarray
    place: np.ndarray


class Network(Protocol):
    """Looks at people."""

    def estimate(self, crops: Iterable[np.ndarray]) -> list[Estimate]:
        """An estimate for every (512, 384, 3) float32 RGB crop in [0, 255], in order."""
        ...
