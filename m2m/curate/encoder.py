"""What describes a frame: encoders behind one interface."""

from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np

from m2m.curate.params import CurateParams

SIDE = 64
GRID = 4
HOG_CELL = 16
LAB_MEAN, LAB_SPREAD = np.array([50.0, 0, 0]), np.array([25.0, 15, 15])
STD_MEAN = np.array([10.0, 3, 3])
HOG_MEAN = 0.13


class Encoder(Protocol):
    """Describes frames.

    Attributes:
        name: Its name and version: whatever changes a vector changes the name.
        size: Width and height in pixels that frames are resized to, or None for the source's own.
        batch: How many frames to give it at a time.
    """

    name: str
    size: tuple[int, int] | None
    batch: int

    def __call__(self, frames: Sequence[np.ndarray], labels: Sequence[str]) -> np.ndarray:
        """The vectors of frames.

        Args:
            frames: (H, W, 3) uint8 RGB, perhaps of several sizes.
            labels: The clips' classes, for encoders that are asked about them.

        Returns:
            (n, d) float32.
        """
        ...


class EmbeddedEncoder:
    """Colours and edges of a small picture: no weights, nothing learned, the label is not looked at.

    Colour: mean and standard deviation of CIE Lab in 4x4 cells (96 values). Shape: histograms of oriented gradients
    (Dalal and Triggs, 2005) in 16-pixel cells (324 values). What any picture has is subtracted, as fixed numbers, so
    that cosines between pictures spread; then each half has length 1, and so has the whole.
    """

    name = "embedded-1"
    size: tuple[int, int] | None = (SIDE, SIDE)
    batch = 32

    def __init__(self) -> None:
        cell = (HOG_CELL, HOG_CELL)
        self._hog = cv2.HOGDescriptor((SIDE, SIDE), (2 * HOG_CELL, 2 * HOG_CELL), cell, cell, 9)

    def __call__(self, frames: Sequence[np.ndarray], labels: Sequence[str]) -> np.ndarray:  # noqa: ARG002
        """The vectors of frames, (n, 420) float32 of length 1."""
        return np.stack([self._one(frame) for frame in frames])

    def _one(self, frame: np.ndarray) -> np.ndarray:
        if frame.shape[:2] != (SIDE, SIDE):
            frame = cv2.resize(frame, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        lab = cv2.cvtColor(frame.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
        cells = lab.reshape(GRID, SIDE // GRID, GRID, SIDE // GRID, 3).transpose(0, 2, 1, 3, 4).reshape(GRID**2, -1, 3)
        means, spreads = (cells.mean(1) - LAB_MEAN) / LAB_SPREAD, (cells.std(1) - STD_MEAN) / STD_MEAN
        colour = np.concatenate([means.ravel(), spreads.ravel()])
        shape = np.asarray(self._hog.compute(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY))).ravel() - HOG_MEAN
        return _unit(np.concatenate([_unit(colour), _unit(shape)])).astype(np.float32)


def _unit(vector: np.ndarray) -> np.ndarray:
    """A vector at length 1; one of zeros (a black or even picture) stays."""
    length = float(np.linalg.norm(vector))
    return vector / length if length else vector


def make_encoder(params: CurateParams) -> Encoder:
    """The encoder that the parameters name.

    Raises:
        InputError: Its weights are not there.
        InfrastructureError: Its package is not there.
    """
    if params.encoder == "clip":
        from m2m.curate.clip_encoder import ClipEncoder  # backends do not import each other

        return ClipEncoder(params)
    return EmbeddedEncoder()
