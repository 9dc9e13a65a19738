"""Made scenes for the inpaint stage: textured walls, a blob that walks before them, a camera that pans."""

import cv2
import numpy as np

MAGENTA = np.array([255, 0, 255], np.uint8)


def wall(height, width, seed=0):
    """A textured (H, W, 3) uint8 background without magenta: green is at least 60."""
    rng = np.random.default_rng(seed)
    coarse = cv2.resize(rng.uniform(70, 200, (height // 12, width // 12, 3)).astype(np.float32), (width, height))
    fine = cv2.resize(rng.uniform(-30, 30, (height // 3, width // 3, 3)).astype(np.float32), (width, height))
    return np.clip(coarse + fine, 60, 230).astype(np.uint8)


def walk(length, height, width, step=4.0, size=(12, 26), begin=20):
    """A blob that walks to the right, (T, H, W) bool: an ellipse of half axes `size`."""
    out = np.zeros((length, height, width), np.uint8)
    for t in range(length):
        cv2.ellipse(out[t], (round(begin + step * t), height // 2), size, 0, 0, 360, 1, -1)
    return out.astype(bool)


def dressed(background, blob):
    """The background frames with the blob in magenta."""
    return np.where(blob[..., None], MAGENTA, background)


def magenta(frames):
    """(T, H, W) bool: pixels that show the blob's colour, or most of it."""
    r, g, b = (frames[..., c].astype(int) for c in range(3))
    return (np.minimum(r, b) - g > 60) & (g < 60)


def psnr(a, b, where):
    return 10 * np.log10(255**2 / max(np.square(a[where].astype(float) - b[where]).mean(), 1e-9))
