"""What part of a clip a sample shows: which frames, which crop, in which colours."""

from collections.abc import Sequence

import cv2
import numpy as np

from m2m.train.params import InputParams

Box = tuple[float, float, float, float]
"""Left, top, width and height in pixels."""

LUMA = np.array([0.299, 0.587, 0.114])


def frame_indices(n: int, fps: float, frames: int, seconds: float, start: float, phase: float) -> np.ndarray:
    """Frames spread evenly over a window: one at the same place of each of `frames` equal parts.

    A window with fewer frames than are to be taken shows each of them about equally often, one after the other, and
    none is left out: a short clip runs slower, it does not start again.

    Args:
        n: Frames of the clip.
        fps: Frames a second.
        frames: How many to take.
        seconds: Length of the window; 0 or longer than the clip: all of it.
        start: Where the window lies, 0 (first) to 1 (last possible place).
        phase: Where in each part the frame is taken, from 0 to below 1.

    Returns:
        (frames,) int64, ascending.
    """
    window = min(seconds * fps, n) if seconds else n
    at = start * (n - window) + (np.arange(frames) + phase) * window / frames
    return np.clip(np.floor(at + 1e-9), 0, n - 1).astype(np.int64)


def random_box(frame: tuple[int, ...], size: tuple[int, int], params: InputParams, rng: np.random.Generator) -> Box:
    """A random crop of nearly a given shape.

    Args:
        frame: Rows and columns of the frame.
        size: Rows and columns of the sample.
        params: Least area and most stretch; or scales.
        rng: Where chance comes from.

    Returns:
        A box inside the frame: the wanted share of the frame's area where a box of the drawn shape can have it.
    """
    if params.scales:
        return _corner_box(frame, size, params.scales, rng)
    height, width = frame
    shape = size[1] / size[0] * np.exp(rng.uniform(-1, 1) * np.log(params.ratio))
    area = rng.uniform(params.crop, 1) * height * width
    rows = min(np.sqrt(area / shape), height, width / shape)
    columns = rows * shape
    return rng.uniform(0, 1) * (width - columns), rng.uniform(0, 1) * (height - rows), columns, rows


PLACES = ((0, 0), (4, 0), (0, 4), (4, 4), (2, 2), (0, 2), (4, 2), (2, 4), (2, 0), (1, 1), (3, 1), (1, 3), (3, 3))
"""Where a crop of several scales lies: quarters of what is left over, across and down."""


def _corner_box(
    frame: tuple[int, ...], size: tuple[int, int], scales: Sequence[float], rng: np.random.Generator
) -> Box:
    """Corner cropping with scale jittering (Wang et al. 2016, arXiv 1608.00859, section 3.2), as VideoMAE pretrains.

    Sides are shares of the largest crop's; they are the same or neighbours among the scales.
    """
    (_, _, width, height), order = view_boxes(frame, size, 1)[0], sorted(scales, reverse=True)
    pairs = [(a, b) for i, a in enumerate(order) for j, b in enumerate(order) if abs(i - j) <= 1]
    across, down = pairs[rng.integers(len(pairs))]
    columns, rows = across * width, down * height
    right, below = PLACES[rng.integers(len(PLACES))]
    return right / 4 * (frame[1] - columns), below / 4 * (frame[0] - rows), columns, rows


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


def cut(frames: Sequence[np.ndarray], box: Box, size: tuple[int, int], mirror: bool) -> np.ndarray:
    """A crop of all frames at the sample's size; pixels outside of it are not touched.

    Args:
        frames: T of (H, W, 3) uint8.
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
    out = np.empty((len(frames), *size, 3), np.uint8)
    for frame, sample in zip(frames, out, strict=True):
        cv2.warpAffine(frame, scale, size[::-1], dst=sample, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return out


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
