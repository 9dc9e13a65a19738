"""The background of a still camera: what each pixel shows in the frames in which nobody is near it."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

from m2m.augment.inpaint.consensus import consensus, largest
from m2m.augment.inpaint.morphology import bounds, widen
from m2m.augment.inpaint.navier_stokes import match_border, smooth_fill
from m2m.augment.inpaint.params import InpaintParams
from m2m.augment.inpaint.region import rounded

STRIDE = 3
"""Samples are taken this many frames apart first: neighbours share their faults."""
LATEST = 3
"""Samples before a frame, and after it, that say how a pixel was last and is next seen."""
CALM = 2
"""Frames before and after that are averaged to see what surrounds a region."""
GUESSES = 7
"""Frames around a model whose surroundings say what no frame shows."""
FADE = 5.0
"""Pixels over which the fill takes on the colours around the region."""


def _nearest(
    frames: np.ndarray, refused: np.ndarray | None, pixels: np.ndarray, centre: int, params: InpaintParams
) -> tuple[np.ndarray, np.ndarray]:
    """The colours of some pixels in one frame: what many samples agree on, as it was seen next to the frame.

    Args:
        frames: (T, H * W, 3) uint8.
        refused: (T, H * W) bool, samples that may not be used; None where all may.
        pixels: (P,) indices.
        centre: The frame to be near to.
        params: How many samples, how many must agree, and how well.

    Returns:
        (P, 3) uint8 and (P,) bool, whether enough samples agree.
    """
    order = sorted(range(len(frames)), key=lambda s: ((s - centre) % STRIDE != 0, abs(s - centre), s))
    taken, count, _ = _samples(frames, refused, pixels, order, params.samples)
    colours, agreed = consensus(taken, count, params)
    # Light and shadows change: what was seen last and is seen next is nearer, but only many samples tell who is in it.
    between = _between(frames, refused, pixels, centre, params)
    same = largest(np.abs(between.astype(np.int16) - colours)) <= params.tolerance
    return np.where(same[:, None], between, colours), agreed


def _between(
    frames: np.ndarray, refused: np.ndarray | None, pixels: np.ndarray, centre: int, params: InpaintParams
) -> np.ndarray:
    """The colours of some pixels between what was seen last and what is seen next, (P, 3) uint8; see `_nearest`."""
    total, weight = np.zeros((len(pixels), 3), np.float32), np.zeros((len(pixels), 1), np.float32)
    for order in (range(centre, -1, -1), range(centre, len(frames))):
        taken, count, first = _samples(frames, refused, pixels, order, min(LATEST, params.samples))
        colours, _ = consensus(taken, count, params)
        # As in linear interpolation: the weights are as the inverse distances in time.
        near = ((count > 0) / (np.abs(first - centre) + 0.5))[:, None].astype(np.float32)
        total += near * colours
        weight += near
    return np.rint(total / np.maximum(weight, 1e-6)).astype(np.uint8)


def _samples(
    frames: np.ndarray, refused: np.ndarray | None, pixels: np.ndarray, order: Sequence[int], most: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The first samples of some pixels in an order of frames.

    Returns:
        (P, most, 3) uint8 and (P,), as `consensus` wants them; (P,) the frame of the first sample.
    """
    taken = np.full((len(pixels), most, 3), 255, np.uint8)
    count, first = np.zeros(len(pixels), np.intp), np.zeros(len(pixels), np.intp)
    left = np.arange(len(pixels))
    for s in order:
        use = left if refused is None else left[~refused[s].take(pixels[left])]
        if len(use):
            taken[use, count[use]] = frames[s].take(pixels[use], axis=0)
            first[use[count[use] == 0]] = s
            count[use] += 1
            left = left[count[left] < most]
            if not len(left):
                break
    return taken, count, first


def fill_still(
    frames: np.ndarray, region: np.ndarray, untrusted: np.ndarray, params: InpaintParams
) -> tuple[np.ndarray, np.ndarray]:
    """Fills the region from background models, so that the fill does not flicker.

    Each model is complete: what no frame shows is painted once, in the model. Frames between two models fade from one
    to the other.

    Args:
        frames: (T, H, W, 3) uint8 RGB from a still camera.
        region: (T, H, W) bool, not empty.
        untrusted: (T, H, W) bool, pixels that are never copied.
        params: See `InpaintParams`.

    Returns:
        (T, H, W, 3) uint8 and (T, H, W) bool, the part of the region that was borrowed.
    """
    length = len(frames)
    spans = max(1, round((length - 1) / params.keyframes))
    centres = [int(c) for c in np.linspace(0, length - 1, spans + 1).round()]
    ends = [*centres[1:-1], length]
    used = [k for k in range(spans) if region[centres[k] : ends[k]].any()]
    out = frames.copy()
    known = np.zeros_like(region)

    def model(j: int) -> tuple[np.ndarray, np.ndarray]:
        begin, end = centres[max(0, j - 1)], centres[min(spans, j + 1)] + 1
        guesses = {s: region[s] for s in np.linspace(begin, end - 1, GUESSES).round().astype(int)}
        return _model(frames, np.logical_or.reduce(region[begin:end]), guesses, untrusted, centres[j], params)

    def fill(k: int) -> None:
        (a, found_a), (b, found_b) = models[k], models[k + 1]
        for t in range(centres[k], ends[k]):
            if not region[t].any():
                continue
            share = (t - centres[k]) / max(1, centres[k + 1] - centres[k])
            near = bounds(region[t], 16)
            hole = region[t][near]
            between = cv2.addWeighted(a[near], 1 - share, b[near], share, 0)
            calm = _calm(frames, region, t, near, params.tolerance)
            between = _expose(between, calm, ~hole, params.tolerance)
            between = match_border(between, calm, hole, ~hole, FADE, params.tolerance)
            out[t][near][hole] = between[hole]
            known[t] = found_a & found_b & region[t]

    # Every model and every span is a task of its own: the bytes do not depend on the threads.
    with ThreadPoolExecutor(params.threads) as pool:
        needed = sorted({j for k in used for j in (k, k + 1)})
        models = dict(zip(needed, pool.map(model, needed), strict=True))
        for _ in pool.map(fill, used):
            pass
    return out, known


def _model(
    frames: np.ndarray,
    region: np.ndarray,
    regions: dict[int, np.ndarray],
    untrusted: np.ndarray,
    centre: int,
    params: InpaintParams,
) -> tuple[np.ndarray, np.ndarray]:
    """The background around one frame.

    Args:
        frames: (T, H, W, 3) uint8 RGB.
        region: (H, W) bool, what the model is for.
        regions: (H, W) bool, what is painted out, of some frames around.
        untrusted: (T, H, W) bool.
        centre: The frame whose background it is.
        params: See `InpaintParams`.

    Returns:
        (H, W, 3) uint8 and (H, W) bool, what was found in the frames; the rest is painted from its border.
    """
    # Wide enough for the ring around the region and for the border that the spatial fill reads.
    where = np.flatnonzero(widen(region, 16))
    length, size = len(frames), region.size
    flat, hidden = frames.reshape(length, size, 3), region.reshape(size)[where]
    colours, agreed = _nearest(flat, untrusted.reshape(length, size), where, centre, params)
    # Pixels that this model never hides are in plain sight: they may bound the spatial fill, though nobody copies them.
    shown = ~agreed & ~hidden
    colours[shown], _ = _nearest(flat, None, where[shown], centre, params)
    model = frames[centre].copy()
    model.reshape(size, 3)[where] = colours
    unknown = np.zeros_like(region)
    unknown.reshape(size)[where] = ~agreed
    unknown = rounded(unknown & region, region)
    return _painted(model, unknown, frames, regions), region & ~unknown


def _painted(
    model: np.ndarray,
    unknown: np.ndarray,
    frames: np.ndarray,
    regions: dict[int, np.ndarray],
) -> np.ndarray:
    """The model with what no frame shows painted: the mean of what the surroundings suggest in several frames.

    The border that one frame shows is nearer than that of everything ever hidden, and guesses err in different ways:
    their mean is closer to the truth than most of them, and does not flicker.

    Args:
        model: (H, W, 3) uint8.
        unknown: (H, W) bool.
        frames: (T, H, W, 3) uint8 RGB.
        regions: (H, W) bool, what is painted out, of the frames to guess from.
    """
    if not unknown.any():
        return model
    box = bounds(unknown, 64)
    unknown, image = unknown[box], model[box].copy()
    where = np.flatnonzero(unknown)
    total, count = np.zeros((len(where), 3), np.float32), np.zeros((len(where), 1), np.float32)
    for s, region in regions.items():
        hole = unknown & region[box]
        guess = smooth_fill(np.where(region[box][..., None], image, frames[s][box]), hole)
        use = hole.reshape(-1)[where][:, None]
        total += guess.reshape(-1, 3)[where] * use
        count += use
    guessed = count[:, 0] > 0
    image.reshape(-1, 3)[where[guessed]] = np.rint(total[guessed] / count[guessed])
    rest = np.zeros_like(unknown)
    rest.reshape(-1)[where[~guessed]] = True
    out = model.copy()
    out[box] = smooth_fill(image, rest)
    return out


def _calm(frames: np.ndarray, region: np.ndarray, t: int, near: tuple[slice, slice], tolerance: int) -> np.ndarray:
    """What a frame shows around its region, averaged with the frames next to it where they show the same.

    To meet the noise of one frame would flicker; to meet what another frame shows instead could be a leak.
    """
    image = frames[t][near]
    total, count = image.astype(np.float32), np.ones(image.shape[:2], np.float32)
    for s in range(max(0, t - CALM), min(len(frames), t + CALM + 1)):
        if s != t:
            same = (largest(cv2.absdiff(frames[s][near], image)) <= tolerance) & ~region[s][near]
            cv2.accumulate(frames[s][near], total, same.view(np.uint8))
            count += same
    return np.rint(total / count[..., None]).astype(np.uint8)


def _expose(model: np.ndarray, frame: np.ndarray, ring: np.ndarray, tolerance: int) -> np.ndarray:
    """The model with the brightness of the frame, as seen on the pixels around the region."""
    difference = frame[ring].astype(np.float32) - model[ring]
    same = largest(np.abs(difference)) <= tolerance
    if same.sum() < 50:
        return model
    shift = difference[same].mean(0)
    if np.abs(shift).max() < 0.5:
        return model
    return np.clip(np.rint(model + shift), 0, 255).astype(np.uint8)
