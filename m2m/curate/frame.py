"""Which frame stands for a clip."""

from pathlib import Path

import numpy as np

from m2m import video
from m2m.clips import Clip
from m2m.fingerprints import fingerprint

SIZE = (64, 48)
"""Frames are compared at this size; nothing of a histogram is lost by it."""

BINS = 32
STRETCH = 8
"""Changes between frames that make a stretch."""


def random_frame(clip: Clip, seed: int) -> int:
    """A frame drawn by seed and content, so that it is the same in every data set."""
    return int(fingerprint("frame", seed, clip.sha256)[:16], 16) % clip.n_frames


def entropy_frame(file: Path) -> int:
    """The middle of the stretch in which the relative entropy between neighbouring frames changes least.

    A footnote of the paper offers this in place of a random frame and leaves the rest open. Here the relative entropy
    is that of the grey levels of one frame to those of the frame before, in 32 bins with one pixel more in each; a
    stretch is 8 of its changes or as many as there are; of several equal ones the first counts.

    Raises:
        QuarantineError: `unreadable`: the clip cannot be decoded.
    """
    return steadiest(np.stack([_histogram(frame.image) for frame in video.read(file, SIZE)]))


def steadiest(histograms: np.ndarray) -> int:
    """The same from histograms (T, bins), each of sum 1 and above 0 everywhere."""
    entropy = (histograms[1:] * np.log(histograms[1:] / histograms[:-1])).sum(axis=1)
    changes = np.abs(np.diff(entropy))
    if not len(changes):
        return len(histograms) // 2
    n = min(STRETCH, len(changes))
    totals = np.convolve(changes, np.ones(n), "valid")
    # The stretch that begins with change i spans the frames i to i + n + 1.
    return int(np.argmin(np.round(totals, 12))) + (n + 1) // 2


def _histogram(image: np.ndarray) -> np.ndarray:
    grey = (image @ np.array([0.299, 0.587, 0.114])).astype(np.int64)
    counts = np.bincount((grey * BINS // 256).ravel(), minlength=BINS) + 1.0
    return counts / counts.sum()
