"""The plate: the video without people, and the region painted out to get it."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Plate:
    """The background of one window.

    Attributes:
        frames: (T, H, W, 3) uint8 RGB; equal to the source outside `region`.
        region: (T, H, W) bool, what was painted out; contains the cover of every frame.
        known: (T, H, W) bool, the part of the region that other frames show (the rest is painted from its border).
        front: (T, H, W) bool, what no body is drawn over; None for nothing.
    """

    frames: np.ndarray
    region: np.ndarray
    known: np.ndarray
    front: np.ndarray | None = None

    @property
    def borrowed(self) -> np.ndarray:
        """(T,) float32, share of the region filled from other frames."""
        return (self.known.sum((1, 2)) / np.maximum(self.region.sum((1, 2)), 1)).astype(np.float32)


class Inpainter(Protocol):
    """Paints out regions of one window; a window never spans a cut."""

    def fill(self, frames: np.ndarray, region: np.ndarray, sources: np.ndarray) -> Plate:
        """Paints out a region.

        Args:
            frames: (T, H, W, 3) uint8 RGB.
            region: (T, H, W) bool, pixels to paint out.
            sources: (T, H, W) bool, pixels that may hold a person and must never be copied elsewhere (the cover; the
                implementation keeps its guard distance from them).

        Returns:
            The plate; pixels outside the region are untouched.
        """
        ...
