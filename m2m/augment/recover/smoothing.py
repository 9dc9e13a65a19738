"""Smoothing along a track: zero phase, weighted by what was seen, robust to single frames."""

import numpy as np
from scipy.ndimage import median_filter

from m2m.augment.recover.rotations import angle_between, nearest

DAMPED = 0.05
"""Damping of the slope of a smoothed line, as a share of the variance of the Gaussian."""
OUTLIER_ANGLE = 0.5
"""Angle (radians) from the mean at which a frame's rotation counts half."""


def kernel(times: np.ndarray, sigma: float) -> np.ndarray:
    """(T, T) Gaussian weights between frames; `sigma` in frames, 0 for the identity."""
    apart = np.abs(times[:, None] - times[None, :])
    if sigma <= 0:
        return (apart == 0).astype(float)
    return np.exp(-0.5 * (apart / sigma) ** 2)


def despike(values: np.ndarray, tolerance: float | np.ndarray, width: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Replaces values that stand out from the median around them.

    Args:
        values: (T, ...) without gaps.
        tolerance: Distance from the median that is still motion; broadcasts against `values` without its last axis.
        width: Frames of the median.

    Returns:
        The values with the outliers replaced by their median, and a (T, ...) bool without the last axis: the outliers.
    """
    middle = median_filter(values, size=(width, *([1] * (values.ndim - 1))), mode="nearest")
    out = np.linalg.norm(values - middle, axis=-1) > tolerance
    return np.where(out[..., None], middle, values), out


def smooth(values: np.ndarray, weight: np.ndarray, sigma: float, fill: float) -> np.ndarray:
    """Weighted Gaussian smoothing along time (local linear regression).

    Where nothing weighs within reach of `sigma`, a wide Gaussian bridges the gap; beyond that the nearest end holds.

    Args:
        values: (T, ...) floats; entries of weight 0 are not read.
        weight: (T, ...) not negative, of the shape of `values` without its last axis or with it.
        sigma: Standard deviation in frames.
        fill: Standard deviation of the bridge in frames.
    """
    times = np.arange(len(values), dtype=float)
    weight = weight if weight.ndim == values.ndim else weight[..., None]
    weight = np.broadcast_to(weight, values.shape)
    flat = weight.reshape(len(values), -1)
    # A hundredth, and a billionth that falls off exponentially: the bridge, and the ends.
    k = kernel(times, sigma) + 1e-2 * kernel(times, fill)
    later = times[None, :] - times[:, None]
    k += 1e-9 * np.exp(-np.abs(later) / fill)
    read = flat * np.where(weight > 0, values, 0).reshape(len(values), -1)
    total = np.maximum(k @ flat, 1e-300)
    mean, when = (k @ read) / total, (k * later) @ flat / total
    # A line through the weighted neighbours, its slope damped: a mean alone would lag behind motion at both ends.
    spread = (k * later**2) @ flat / total - when**2 + DAMPED * max(sigma, 0.1) ** 2
    slope = ((k * later) @ read / total - when * mean) / spread
    return (mean - slope * when).reshape(values.shape)


def smooth_rotations(
    rotations: np.ndarray, weight: np.ndarray, rest: np.ndarray, sigma: float, fill: float
) -> np.ndarray:
    """Weighted mean rotations along time (chordal L2, the projection of the mean matrix).

    Gaps are bridged by a wide Gaussian; far from anything seen, the rest rotation takes over.

    Args:
        rotations: (T, J, 3, 3).
        weight: (T, J) in [0, 1], how far each is to be believed.
        rest: (T, J, 3, 3) rotations of the body at ease.
        sigma: Standard deviation in frames.
        fill: Standard deviation of the bridge in frames.
    """
    frames, joints = rotations.shape[:2]
    times = np.arange(frames, dtype=float)
    k = kernel(times, sigma) + 1e-2 * kernel(times, fill)

    def mean(w: np.ndarray) -> np.ndarray:
        total = k @ (w[..., None, None] * rotations).reshape(frames, -1)
        return nearest(total.reshape(rotations.shape) + 3e-4 * rest)

    first = mean(weight)
    apart = angle_between(first.reshape(-1, 3, 3), rotations.reshape(-1, 3, 3)).reshape(frames, joints)
    return mean(weight / (1 + (apart / OUTLIER_ANGLE) ** 2))


def jitter(values: np.ndarray) -> float:
    """Mean size of the second difference along the first axis; 0 for fewer than three values."""
    if len(values) < 3:
        return 0.0
    return float(np.abs(np.diff(values, 2, axis=0)).mean())
