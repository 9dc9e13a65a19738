"""The background of a moving camera: borrowed from the nearest frames in which nobody hides it."""

import cv2
import numpy as np

from m2m.augment.inpaint.consensus import consensus, largest
from m2m.augment.inpaint.morphology import bounds, widen
from m2m.augment.inpaint.motion import register
from m2m.augment.inpaint.navier_stokes import match_border, smooth_fill
from m2m.augment.inpaint.params import InpaintParams
from m2m.augment.inpaint.region import rounded

OFFSETS = (1, 2, 3, 5, 8, 12, 17, 23, 30, 40, 55, 75, 100)
"""Distances in frames at which samples are looked for, near ones first."""
BETTER = 0.15
"""Squared error around the region, as a share of a smooth fill's, below which a frame may be borrowed from."""
EXACT = 60.0
"""Squared error that is always good enough: compression and resampling alone."""
KEEP = 0.8
"""Weight of the last frame's fill in a guess."""
ANEW = 40
"""Difference of a channel, in levels, above which the last frame's fill is given up."""
THIN = 3
"""Every third row and column is enough to judge the surroundings."""
SAMPLES = 5
"""Samples of a moving background: more would be farther and fit worse."""
FADE = 5.0
"""Pixels over which the fill takes on the colours around the region."""


def fill_moving(
    frames: np.ndarray, region: np.ndarray, untrusted: np.ndarray, people: np.ndarray, params: InpaintParams
) -> tuple[np.ndarray, np.ndarray]:
    """Fills the region frame by frame from registered neighbours.

    Args:
        frames: (T, H, W, 3) uint8 RGB.
        region: (T, H, W) bool.
        untrusted: (T, H, W) bool, pixels that are never copied.
        people: (T, H, W) bool, pixels that must not steer the registration.
        params: See `InpaintParams`.

    Returns:
        (T, H, W, 3) uint8 and (T, H, W) bool, the part of the region that was borrowed.
    """
    steps = register(frames, people)
    out = frames.copy()
    known = np.zeros_like(region)
    for t in range(len(frames)):
        if not region[t].any():
            continue
        box = bounds(region[t], 24)
        fill, found = _borrow(frames, untrusted, region[t], widen(people[t], params.guard), t, box, steps, params)
        image, hole = frames[t][box], region[t][box]
        canvas = np.where(found[..., None], fill, image)
        rest = hole & ~found
        canvas = smooth_fill(canvas, rest)
        if t and (step := steps[t - 1]) is not None:
            canvas = _carry(canvas, rest, out[t - 1], region[t - 1], np.linalg.inv(step), box)
        canvas = np.where(hole[..., None], canvas, _extended(image, fill, found, hole))
        canvas = match_border(canvas, image, hole, ~hole, FADE, params.tolerance)
        out[t][box][hole] = canvas[hole]
        known[t][box] = found & hole
    return out, known


def _carry(
    canvas: np.ndarray,
    rest: np.ndarray,
    before: np.ndarray,
    filled: np.ndarray,
    matrix: np.ndarray,
    box: tuple[slice, slice],
) -> np.ndarray:
    """Keeps most of the last frame's fill where this frame has only its own guess, so that the guess does not flicker.

    Args:
        canvas: (h, w, 3) uint8, this frame's fill in the box.
        rest: (h, w) bool, where it is a guess.
        before: (H, W, 3) uint8, the last plate.
        filled: (H, W) bool, its region; nothing else of it is taken.
        matrix: (3, 3), takes a pixel of this frame to the last.
        box: Rows and columns of the box.
    """
    matrix = matrix @ np.array([[1, 0, box[1].start], [0, 1, box[0].start], [0, 0, 1.0]])
    size, flags = (rest.shape[1], rest.shape[0]), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    inside = cv2.warpPerspective(filled.astype(np.uint8) * 255, matrix, size, flags=flags) == 255
    kept = rest & inside
    last = cv2.warpPerspective(before, matrix, size, flags=flags)
    # Another guess altogether: something has come or gone behind the region.
    kept &= largest(cv2.absdiff(last, canvas)) <= ANEW
    return np.where(kept[..., None], cv2.addWeighted(last, KEEP, canvas, 1 - KEEP, 0), canvas)


def _extended(image: np.ndarray, fill: np.ndarray, found: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """What the fill would show just outside the hole, the image itself where it shows nothing."""
    return np.where((found & ~hole)[..., None], fill, image)


def _maps(t: int, steps: list[np.ndarray | None], reach: int) -> list[tuple[int, np.ndarray]]:
    """Frames to borrow from, nearest first, with the homographies that take a pixel of frame t there."""
    found: dict[int, np.ndarray] = {}
    for direction in (1, -1):
        matrix = np.eye(3)
        for k in range(1, reach + 1):
            s = t + direction * k
            step = steps[min(s, s - direction)] if 0 <= s <= len(steps) else None
            if step is None:
                break
            matrix = (step if direction > 0 else np.linalg.inv(step)) @ matrix
            if k in OFFSETS:
                found[s] = matrix / matrix[2, 2]
    return [(s, found[s]) for s in sorted(found, key=lambda s: (abs(s - t), s))]


def _borrow(
    frames: np.ndarray,
    untrusted: np.ndarray,
    region: np.ndarray,
    guarded: np.ndarray,
    t: int,
    box: tuple[slice, slice],
    steps: list[np.ndarray | None],
    params: InpaintParams,
) -> tuple[np.ndarray, np.ndarray]:
    """The median of the samples that fit around the region and agree with each other.

    Returns:
        Of the box: (h, w, 3) uint8 colours and (h, w) bool, where there are any.
    """
    image, hole = frames[t][box], region[box]
    outside = ~hole & ~guarded[box]
    height, width = hole.shape
    depth = cv2.distanceTransform(np.pad(hole, 1).astype(np.uint8), cv2.DIST_L2, 3).max()
    # Wide enough to see past the guard from the middle of the hole.
    size = 2 * int(depth + params.guard + 12) // THIN + 1
    thin = np.s_[::THIN, ::THIN]
    spatial = _spread_error(image[thin], outside[thin], size)
    offset = np.array([[1, 0, box[1].start], [0, 1, box[0].start], [0, 0, 1.0]])
    ys, xs = np.nonzero(cv2.dilate(hole.astype(np.uint8), np.ones((5, 5), np.uint8)))
    taken = np.full((len(ys), SAMPLES, 3), 255, np.uint8)
    count = np.zeros(len(ys), np.intp)
    left = np.arange(len(ys))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    for s, matrix in _maps(t, steps, params.reach):
        clean = np.where(untrusted[s], 0, 255).astype(np.uint8)
        clean = cv2.warpPerspective(clean, matrix @ offset, (width, height), flags=flags) == 255
        common = clean[thin] & outside[thin]
        use = left[clean[ys[left], xs[left]]]
        if common.sum() < 20 or not len(use):
            continue
        warped = cv2.warpPerspective(frames[s], matrix @ offset, (width, height), flags=flags)
        difference = image[thin].astype(np.float32) - warped[thin]
        shift = np.clip(np.median(difference[common], axis=0), -20, 20)
        fits = _fits(difference - shift, common, spatial, size)
        use = use[fits[ys[use] // THIN, xs[use] // THIN]]
        taken[use, count[use]] = np.clip(np.rint(warped[ys[use], xs[use]] + shift), 0, 255).astype(np.uint8)
        count[use] += 1
        left = left[count[left] < SAMPLES]
        if not len(left):
            break
    colours, agreed = consensus(taken, count, params)
    fill, found = np.zeros_like(image), np.zeros_like(hole)
    fill[ys, xs] = colours
    found[ys, xs] = agreed
    return fill, found & ~rounded(hole & ~found, hole)


def _local_mean(values: np.ndarray, known: np.ndarray, size: int) -> np.ndarray:
    """The mean of the known values in a square around each pixel; where there are none, of all."""
    share = cv2.blur(known.astype(np.float32), (size, size), borderType=cv2.BORDER_CONSTANT)
    total = cv2.blur(np.where(known, values, 0).astype(np.float32), (size, size), borderType=cv2.BORDER_CONSTANT)
    everywhere = values[known].mean() if known.any() else np.inf
    return np.where(share > 1e-3, total / np.maximum(share, 1e-3), everywhere)


def _spread_error(image: np.ndarray, known: np.ndarray, size: int) -> np.ndarray:
    """What a smooth fill would be wrong by, squared: the variance of the surroundings."""
    if not known.any():
        return np.full(known.shape, np.inf, np.float32)
    channels = cv2.split(image.astype(np.float32))
    squares = [_local_mean(c**2, known, size) - _local_mean(c, known, size) ** 2 for c in channels]
    return np.mean(squares, axis=0)


def _fits(difference: np.ndarray, common: np.ndarray, spatial: np.ndarray, size: int) -> np.ndarray:
    """Where a warped frame explains the surroundings so well that it will beat a smooth fill in the hole as well."""
    error = cv2.transform(np.square(difference), np.full((1, 3), 1 / 3, np.float32))
    return _local_mean(error, common, size) < np.maximum(BETTER * spatial, EXACT)
