"""The background of a still camera: for each pixel the consensus of the frames in which nobody is near it."""

import numpy as np

from m2m.augment.inpaint.morphology import widen
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
    # Wide enough that the spatial fill's border and the ring around the region lie inside the model.
    where = widen(region.any(0), params.guard + 8)
    ys, xs = np.nonzero(where)
    samples, trusted = frames[:, ys, xs], ~untrusted[:, ys, xs]
    spans = max(1, round((length - 1) / params.keyframes))
    centres = np.linspace(0, length - 1, spans + 1).round().astype(int)
    models, founds = [], []
    for centre in centres:
        colours, found = consensus(samples, trusted, int(centre), params)
        canvas = frames[centre].copy()
        canvas[ys, xs] = colours
        hole = where.copy()
        hole[ys, xs] = ~found
        models.append(smooth_fill(canvas, hole))
        founds.append(where & ~hole)
    out = frames.copy()
    borrowed = np.zeros(length, np.float32)
    for t in range(length):
        if not region[t].any():
            continue
        k = min(int(np.searchsorted(centres, t, "right")) - 1, spans - 1)
        share = (t - centres[k]) / max(1, centres[k + 1] - centres[k])
        model = models[k].copy()
        a, b = models[k][ys, xs].astype(np.float32), models[k + 1][ys, xs]
        model[ys, xs] = np.rint(a + (b - a) * np.float32(share)).astype(np.uint8)
        model = _expose(model, frames[t], where & ~region[t], params.tolerance)
        model = match_border(model, frames[t], region[t], where, FADE, params.tolerance)
        out[t][region[t]] = model[region[t]]
        borrowed[t] = (founds[k] & founds[k + 1])[region[t]].mean()
    return out, borrowed


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
