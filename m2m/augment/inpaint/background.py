"""The background of a still camera: for each pixel the consensus of the frames in which nobody is near it."""

import cv2
import numpy as np

from m2m.augment.inpaint.morphology import bounds, widen
from m2m.augment.inpaint.navier_stokes import match_border, smooth_fill
from m2m.augment.inpaint.params import InpaintParams

STRIDE = 3
"""Samples are taken this many frames apart first: neighbours share their faults."""
MANY = 5
"""Samples from which on the median stands without a majority: leaves move, and a leak of a frame or two is outvoted."""
FADE = 5.0
"""Pixels over which the fill takes on the colours around the region."""


def consensus(
    samples: np.ndarray, trusted: np.ndarray, centre: int, params: InpaintParams
) -> tuple[np.ndarray, np.ndarray]:
    """The colours on which the trusted samples nearest in time agree.

    Args:
        samples: (T, P, 3) uint8, P pixels over time.
        trusted: (T, P) bool, samples that may be used.
        centre: The frame to be near to.
        params: How many samples, how many must agree, and how well.

    Returns:
        (P, 3) uint8 medians and (P,) bool, where there is agreement.
    """
    length, pixels = trusted.shape
    order = sorted(range(length), key=lambda s: ((s - centre) % STRIDE != 0, abs(s - centre), s))
    taken = np.full((pixels, params.samples, 3), 255, np.uint8)
    count = np.zeros(pixels, np.intp)
    left = np.arange(pixels)
    for s in order:
        need = left[trusted[s, left]]
        if len(need):
            taken[need, count[need]] = samples[s, need]
            count[need] += 1
            left = left[count[left] < params.samples]
            if not len(left):
                break
    # Empty slots hold 255 and sort to the end.
    ranked = np.sort(taken, axis=1)
    every = np.arange(pixels)
    low, high = ranked[every, np.maximum(count - 1, 0) // 2], ranked[every, np.minimum(count // 2, params.samples - 1)]
    median = ((low.astype(np.uint16) + high) // 2).astype(np.uint8)
    off = np.abs(taken.astype(np.int16) - median[:, None]).max(-1)
    used = np.arange(params.samples) < count[:, None]
    support = ((off <= params.tolerance) & used).sum(1)
    return median, (support >= params.agree) & ((count >= MANY) | (2 * support > count))


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
        (T, H, W, 3) uint8 and (T,) float32, the share of the region that was borrowed.
    """
    length = len(frames)
    spans = max(1, round((length - 1) / params.keyframes))
    centres = [int(c) for c in np.linspace(0, length - 1, spans + 1).round()]
    out = frames.copy()
    borrowed = np.zeros(length, np.float32)
    models: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    for k in range(spans):
        stop = length if k == spans - 1 else centres[k + 1]
        for t in range(centres[k], stop):
            if not region[t].any():
                continue
            for j in (k, k + 1):
                if j not in models:
                    begin, end = centres[max(0, j - 1)], centres[min(spans, j + 1)] + 1
                    models[j] = _model(frames, region[begin:end].any(0), untrusted, centres[j], params)
            (a, found_a), (b, found_b) = models[k], models[k + 1]
            share = (t - centres[k]) / max(1, centres[k + 1] - centres[k])
            near = bounds(region[t], 16)
            hole = region[t][near]
            model = cv2.addWeighted(a[near], 1 - share, b[near], share, 0)
            model = _expose(model, frames[t][near], ~hole, params.tolerance)
            model = match_border(model, frames[t][near], hole, ~hole, FADE, params.tolerance)
            out[t][near][hole] = model[hole]
            borrowed[t] = (found_a & found_b)[near][hole].mean()
        models.pop(k, None)
    return out, borrowed


def _model(
    frames: np.ndarray, region: np.ndarray, untrusted: np.ndarray, centre: int, params: InpaintParams
) -> tuple[np.ndarray, np.ndarray]:
    """The background around one frame.

    Args:
        frames: (T, H, W, 3) uint8 RGB.
        region: (H, W) bool, what the model is for.
        untrusted: (T, H, W) bool.
        centre: The frame whose background it is.
        params: See `InpaintParams`.

    Returns:
        (H, W, 3) uint8 and (H, W) bool, what was found in the frames; the rest is painted from its border.
    """
    # Wide enough for the ring around the region and for the border that the spatial fill reads.
    where = widen(region, 16)
    ys, xs = np.nonzero(where)
    samples = frames[:, ys, xs]
    colours, agreed = consensus(samples, ~untrusted[:, ys, xs], centre, params)
    # Pixels that this model never hides are in plain sight: they may bound the spatial fill, though nobody copies them.
    shown = np.flatnonzero(~agreed & ~region[ys, xs])
    colours[shown], _ = consensus(samples[:, shown], np.ones((len(frames), len(shown)), bool), centre, params)
    canvas = frames[centre].copy()
    canvas[ys, xs] = colours
    found = np.zeros_like(where)
    found[ys, xs] = agreed
    return smooth_fill(canvas, region & ~found), found


def _expose(model: np.ndarray, frame: np.ndarray, ring: np.ndarray, tolerance: int) -> np.ndarray:
    """The model with the brightness of the frame, as seen on the pixels around the region."""
    difference = frame[ring].astype(np.float32) - model[ring]
    same = np.abs(difference).max(-1) <= tolerance
    if same.sum() < 50:
        return model
    shift = difference[same].mean(0)
    if np.abs(shift).max() < 0.5:
        return model
    return np.clip(np.rint(model + shift), 0, 255).astype(np.uint8)
