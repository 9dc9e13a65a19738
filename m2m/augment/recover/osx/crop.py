"""What OSX is shown of a person: the box, widened and brought to 3:4, as a picture of 384x512."""

import cv2
import numpy as np

WIDTH, HEIGHT = 384, 512
WIDER = 1.25
"""Sides of what is shown, as a share of the box's."""


def window_of(box: np.ndarray, width: int, height: int) -> np.ndarray | None:
    """What is shown of a person, as OSX's `process_bbox` has it of a box inside the image.

    Args:
        box: (4,) x0, y0, x1, y1 in pixels; what of it is outside the image does not count.
        width: Of the image.
        height: Of the image.

    Returns:
        (4,) float32: x, y, width and height in pixels, 3:4; None where nothing of the box is in the image.
    """
    x, y, right, below = np.clip(np.asarray(box, np.float64), 0, [width, height, width, height]).tolist()
    wide, high = right - 1 - x, below - 1 - y  # OSX takes the last pixel for the end
    if wide <= 0 or high <= 0:
        return None
    middle = np.array([x + wide / 2, y + high / 2])
    ratio = WIDTH / HEIGHT
    sides = WIDER * np.array([max(wide, ratio * high), max(high, wide / ratio)])
    return np.concatenate([middle - sides / 2, sides]).astype(np.float32)


def crop(image: np.ndarray, window: np.ndarray, stretch: float = 1.0) -> np.ndarray:
    """A window of an image, as OSX's `generate_patch_image` makes it: bilinear, black outside.

    Args:
        image: (H, W, 3) RGB, uint8 or float32.
        window: (4,) x, y, width and height in pixels of the image as it is before it is stretched in width.
        stretch: How much wider the image shows things than they are.

    Returns:
        (512, 384, 3) float32 RGB in [0, 255].
    """
    x, y, wide, high = (float(v) for v in window)
    across, down = WIDTH / wide, HEIGHT / high
    matrix = np.array([[across / stretch, 0, -x * across], [0, down, -y * down]], np.float32)
    return cv2.warpAffine(image.astype(np.float32), matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)
