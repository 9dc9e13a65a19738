"""The colour on which samples from several frames agree."""

import numpy as np

from m2m.augment.inpaint.params import InpaintParams

MANY = 5
"""Samples from which on the median stands without a majority: leaves move, and a leak of a frame or two is outvoted."""


def consensus(taken: np.ndarray, count: np.ndarray, params: InpaintParams) -> tuple[np.ndarray, np.ndarray]:
    """The median of the samples of each pixel, and whether it stands for them.

    Args:
        taken: (P, N, 3) uint8 samples of P pixels; unused places, which come last, hold 255.
        count: (P,) samples of each pixel, at most N.
        params: How many must agree and how well.

    Returns:
        (P, 3) uint8 and (P,) bool: `agree` samples lie within the tolerance of the median; of a few samples, most do.
    """
    places = taken.shape[1]
    every = np.arange(len(taken))
    ranked = np.sort(taken, axis=1)
    low, high = ranked[every, np.maximum(count - 1, 0) // 2], ranked[every, np.minimum(count // 2, places - 1)]
    median = ((low.astype(np.uint16) + high) // 2).astype(np.uint8)
    off = largest(np.abs(taken.astype(np.int16) - median[:, None]))
    support = ((off <= params.tolerance) & (np.arange(places) < count[:, None])).sum(1)
    return median, (support >= params.agree) & ((count >= MANY) | (2 * support > count))


def largest(values: np.ndarray) -> np.ndarray:
    """The largest channel of (..., 3); many times faster than a reduction over so short an axis."""
    return np.maximum(np.maximum(values[..., 0], values[..., 1]), values[..., 2])
