"""Rotations in bulk: every function works on (..., 3) vectors or (..., 3, 3) matrices."""

import numpy as np

TINY = 1e-9


def unit(v: np.ndarray) -> np.ndarray:
    """Vectors of length one; a zero vector stays zero."""
    return v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), TINY)


def hat(w: np.ndarray) -> np.ndarray:
    """The (..., 3, 3) matrices with `hat(w) @ v == cross(w, v)`."""
    out = np.zeros((*w.shape, 3))
    out[..., 2, 1], out[..., 0, 2], out[..., 1, 0] = w[..., 0], w[..., 1], w[..., 2]
    return out - np.swapaxes(out, -1, -2)


def exp(w: np.ndarray) -> np.ndarray:
    """Rotation matrices of axis-angle vectors (radians), Rodrigues' formula."""
    angle = np.linalg.norm(w, axis=-1)[..., None, None]
    k = hat(w)
    # sin(x)/x and (1-cos(x))/x^2 without a division by zero.
    return np.eye(3) + np.sinc(angle / np.pi) * k + 0.5 * np.sinc(angle / (2 * np.pi)) ** 2 * (k @ k)


def quaternion(r: np.ndarray) -> np.ndarray:
    """Unit quaternions (..., 4), scalar first and not negative; the largest component is found first (Shepperd)."""
    m = r.reshape(-1, 3, 3)
    d = m[:, [0, 1, 2], [0, 1, 2]]
    trace = d.sum(-1, keepdims=True)
    squares = np.concatenate([1 + trace, 1 + 2 * d - trace], 1)
    xy, xz, yz = m[:, 0, 1] + m[:, 1, 0], m[:, 0, 2] + m[:, 2, 0], m[:, 1, 2] + m[:, 2, 1]
    wx, wy, wz = m[:, 2, 1] - m[:, 1, 2], m[:, 0, 2] - m[:, 2, 0], m[:, 1, 0] - m[:, 0, 1]
    products = np.stack(
        [
            np.stack([squares[:, 0], wx, wy, wz], -1),
            np.stack([wx, squares[:, 1], xy, xz], -1),
            np.stack([wy, xy, squares[:, 2], yz], -1),
            np.stack([wz, xz, yz, squares[:, 3]], -1),
        ],
        1,
    )
    q = products[np.arange(len(m)), squares.argmax(-1)]
    q /= np.linalg.norm(q, axis=-1, keepdims=True)
    return np.where(q[:, :1] < 0, -q, q).reshape(*r.shape[:-2], 4)


def log(r: np.ndarray) -> np.ndarray:
    """Axis-angle vectors (radians, at most pi long) of rotation matrices."""
    q = quaternion(r)
    sine = np.linalg.norm(q[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, q[..., :1])
    return q[..., 1:] * np.where(sine > TINY, angle / np.maximum(sine, TINY), 2.0)


def swing(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The smallest rotations that take direction a to direction b."""
    a, b = np.broadcast_arrays(unit(a), unit(b))
    near = (((a + b) ** 2).sum(-1) / 2)[..., None, None]  # 1 + cosine, also where that is next to nothing
    k = hat(np.cross(a, b))
    out = np.eye(3) + k + k @ k / np.maximum(near, TINY**2)
    side = np.where(np.abs(a[..., :1]) < 0.9, np.array([1.0, 0, 0]), np.array([0, 1.0, 0]))
    p = unit(np.cross(a, side))
    half_turn = 2 * p[..., :, None] * p[..., None, :] - np.eye(3)
    return np.where(near < 1e-14, half_turn, out)


def frame(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Rotations whose first column is along x and whose second is as near to y as can be."""
    x = unit(x)
    z = unit(np.cross(x, y))
    return np.stack([x, np.cross(z, x), z], -1)


def limited(r: np.ndarray, most: float) -> np.ndarray:
    """Rotations turned back to at most so many radians."""
    w = log(r)
    angle = np.linalg.norm(w, axis=-1, keepdims=True)
    return exp(w * np.minimum(1, most / np.maximum(angle, TINY)))


def nearest(m: np.ndarray) -> np.ndarray:
    """The rotations nearest to any matrices (Frobenius): their chordal mean if `m` is a weighted sum of rotations."""
    u, _, vt = np.linalg.svd(m)
    u[..., :, 2] *= np.linalg.det(u @ vt)[..., None]
    return u @ vt


def angle_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Angles (radians) between rotations."""
    return np.linalg.norm(log(np.swapaxes(a, -1, -2) @ b), axis=-1)
