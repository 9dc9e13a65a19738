"""What people wear, as numbers: the colours down the middle of their pictures. Nothing is learnt.

The oldest way to find somebody again (Gray and Tao, 2008, and others before); it needs no other persons to learn from,
so it works where there are too few of them for a network.
"""

import cv2
import numpy as np

BANDS = 8
"""Bands from head to feet."""
MIDDLE = 0.25
"""Share of a picture's width, in its middle, in which a person's colours are."""


def describe(crops: np.ndarray) -> np.ndarray:
    """(N, F) float64 descriptions of clips: the mean CIELAB colour of every band.

    Args:
        crops: (N, T, s, s, 3) uint8 RGB, the person of every clip.
    """
    side = crops.shape[2]
    start, stop = round(side * (0.5 - MIDDLE / 2)), round(side * (0.5 + MIDDLE / 2))
    out = []
    for clip in crops:
        strips = [cv2.cvtColor(frame, cv2.COLOR_RGB2LAB)[:, start:stop].astype(np.float64) for frame in clip]
        bands = np.array_split(np.mean(strips, (0, 2)), BANDS)
        out.append(np.concatenate([band.mean(0) for band in bands]))
    return np.stack(out)


def alike(features: np.ndarray) -> np.ndarray:
    """(N, N) float64: how alike clips are, 0 for the same and less for others."""
    return -np.linalg.norm(features[:, None] - features[None], axis=-1)
