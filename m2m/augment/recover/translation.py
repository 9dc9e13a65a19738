"""Where a posed body stands, in closed form, so that its points fall on the landmarks of the picture."""

import numpy as np

from m2m.augment.bodies import Camera

NEAREST = 0.3
"""No body comes nearer to the camera than this, metres."""


def translation(
    points: np.ndarray, marks: np.ndarray, weight: np.ndarray, camera: Camera, rounds: int = 4
) -> np.ndarray:
    """Weighted linear least squares of the pinhole equations, reweighted against outliers (Geman-McClure).

    f (X + tx) = (u - cx) (Z + tz) is linear in t; each round divides by the depth, so that the residual is in pixels.

    Args:
        points: (T, P, 3) metres relative to the root joint, camera axes.
        marks: (T, P, 2) pixels.
        weight: (T, P) not negative.
        camera: The camera.
        rounds: Rounds of reweighting.

    Returns:
        (T, 3) metres.
    """
    u = marks - [camera.cx, camera.cy]
    a = np.zeros((*u.shape, 3))
    a[..., 0, 0] = a[..., 1, 1] = camera.focal
    a[..., 2] = -u
    b = u * points[..., 2:] - camera.focal * points[..., :2]
    spread = np.sqrt((weight[..., None] * (u - _mean(u, weight)) ** 2).sum((1, 2)) / np.maximum(weight.sum(1), 1e-9))
    robust = np.ones_like(weight)
    t = np.zeros((len(points), 3))
    for _ in range(rounds):
        w = (weight * robust)[..., None]
        normal = np.einsum("tpik,tpil->tkl", a * w[..., None], a) + 1e-9 * np.eye(3)
        right = np.einsum("tpik,tpi->tk", a * w[..., None], b)
        t = np.linalg.solve(normal, right[..., None])[..., 0]
        t[:, 2] = np.maximum(t[:, 2], NEAREST)
        seen = points + t[:, None]
        error = np.linalg.norm(seen[..., :2] / np.maximum(seen[..., 2:], NEAREST) * camera.focal - u, axis=-1)
        robust = 1 / (1 + (error / np.maximum(0.25 * spread, 1e-6)[:, None]) ** 2) ** 2
    return t


def _mean(u: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return (weight[..., None] * u).sum(1, keepdims=True) / np.maximum(weight.sum(1), 1e-9)[:, None, None]
