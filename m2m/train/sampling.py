"""What part of a clip a sample shows: which frames, which crop, in which colours."""

import cv2
import numpy as np

from m2m.train.params import InputParams

Box = tuple[float, float, float, float]
"""Left, top, width and height in pixels."""

LUMA = np.array([0.299, 0.587, 0.114])


def frame_indices(n: int, fps: float, frames: int, seconds: float, start: float, phase: float) -> np.ndarray:
    """Frames spread evenly over a window: one at the same place of each of `frames` equal parts.

    Args:
        n: Frames of the clip.
        fps: Frames a second.
        frames: How many to take.
        seconds: Length of the window; 0 or longer than the clip: all of it.
        start: Where the window lies, 0 (first) to 1 (last possible place).
        phase: Where in each part the frame is taken, from 0 to below 1.

    Returns:
        (frames,) int64, ascending; some repeat where the window has fewer frames.
    """
    window = min(seconds * fps, n) if seconds else n
    at = start * (n - window) + (np.arange(frames) + phase) * window / frames
    return np.clip(np.floor(at + 1e-9), 0, n - 1).astype(np.int64)


def random_box(frame: tuple[int, ...], size: tuple[int, int], params: InputParams, rng: np.random.Generator) -> Box:
    """A random crop of nearly a given shape.

    Args:
        frame: Rows and columns of the frame.
        size: Rows and columns of the sample.
        params: Least area and most stretch.
        rng: Where chance comes from.

    Returns:
        A box inside the frame: the wanted share of the frame's area where a box of the drawn shape can have it.
    """
    height, width = frame
    shape = size[1] / size[0] * np.exp(rng.uniform(-1, 1) * np.log(params.ratio))
    area = rng.uniform(params.crop, 1) * height * width
    rows = min(np.sqrt(area / shape), height, width / shape)
    columns = rows * shape
    return rng.uniform(0, 1) * (width - columns), rng.uniform(0, 1) * (height - rows), columns, rows


def view_boxes(frame: tuple[int, ...], size: tuple[int, int], n: int) -> list[Box]:
    """The largest crops of the sample's shape at `n` places along the longer side; one where there is nothing to shift.

    One view lies in the middle; several lie from edge to edge.
    """
    (height, width), aspect = frame, size[1] / size[0]
    rows = min(height, width / aspect)
    columns = rows * aspect
    slack = max(width - columns, height - rows)
    if n == 1 or slack < 1:
        return [((width - columns) / 2, (height - rows) / 2, columns, rows)]
    return [(k * (width - columns), k * (height - rows), columns, rows) for k in np.linspace(0, 1, n)]


def cut(frames: np.ndarray, box: Box, size: tuple[int, int], mirror: bool) -> np.ndarray:
    """A crop of all frames at the sample's size.

    Args:
        frames: (T, H, W, 3) uint8.
        box: The crop.
        size: Rows and columns of the sample.
        mirror: Swap left and right.

    Returns:
        (T, *size, 3) uint8.
    """
    left, top, width, height = box
    # Centres of pixels lie at half places, in the sample as in the frame.
    scale = np.array([[width / size[1], 0, left], [0, height / size[0], top]])
    scale[:, 2] += (scale[:, :2].sum(1) - 1) / 2
    if mirror:
        scale[0] = [-scale[0, 0], 0, scale[0, 2] + scale[0, 0] * (size[1] - 1)]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    out = [cv2.warpAffine(f, scale, size[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE) for f in frames]
    return np.stack(out)


def random_colours(strength: float, rng: np.random.Generator) -> np.ndarray:
    """Random brightness, contrast, saturation and hue as one affine map of RGB in [0, 1].

    Args:
        strength: 0 (none) to 1: factors within 1 - strength and 1 + strength, hue turned by up to 90 degrees times it.
        rng: Where chance comes from.

    Returns:
        (3, 4) float32: new = map[:, :3] @ rgb + map[:, 3].
    """
    brightness, contrast, saturation = rng.uniform(1 - strength, 1 + strength, 3)
    turn = rng.uniform(-strength, strength) * np.pi / 2
    grey = np.outer(np.ones(3), LUMA)
    # Rotation about the grey axis (Rodrigues).
    axis = np.full(3, 3**-0.5)
    cross = np.cross(np.eye(3), axis)
    hue = np.cos(turn) * np.eye(3) + np.sin(turn) * cross + (1 - np.cos(turn)) * np.outer(axis, axis)
    colours = np.zeros((3, 4), np.float32)
    colours[:, :3] = brightness * contrast * (saturation * np.eye(3) + (1 - saturation) * grey) @ hue
    colours[:, 3] = 0.5 * (1 - contrast)
    return colours
