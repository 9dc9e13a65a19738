"""Linkage: which of many sources a clip was made from, by its scene, its timing or its length."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from scipy.stats import rankdata

from m2m.attack.material import Material
from m2m.errors import InputError
from m2m.video import probe, read

GRID = (16, 9)
"""Cells of the picture of a scene."""
TIMES = 16
"""Moments of the curve of movement."""
KEPT = 0.7
"""Share of cells, the most alike, by which scenes are compared: the person may be anywhere."""
WAYS = ("scene", "timing", "length", "all")


@dataclass(frozen=True)
class Traces:
    """What clips are recognised by.

    Attributes:
        scenes: (N, cells, 3) float32, the median of each cell over time, 0 to 255.
        curves: (N, TIMES) float32, how much moves, standardised.
        lengths: (N, 2) float64, frames and frames a second.
    """

    scenes: np.ndarray
    curves: np.ndarray
    lengths: np.ndarray


def traces(material: Material, variant: str) -> Traces:
    """Reads the clips of a variant; every frame is looked at.

    Raises:
        InputError: A clip has no frame.
    """
    scenes, curves, lengths = [], [], []
    for name in material.clip_ids:
        path = Path(material.variants[variant].clips[name].path)
        small = [cv2.resize(f.image, (96, 54), interpolation=cv2.INTER_AREA) for f in read(path)]
        if not small:
            raise InputError(f"{path} has no frame", "take it out of the data set")
        frames = np.stack(small)
        still = np.median(frames, 0).astype(np.uint8)
        scenes.append(cv2.resize(still, GRID, interpolation=cv2.INTER_AREA).reshape(-1, 3).astype(np.float32))
        steps = np.abs(np.diff(frames.astype(np.int16), axis=0)).mean((1, 2, 3)) if len(frames) > 1 else np.zeros(1)
        curve = np.interp(np.linspace(0, len(steps) - 1, TIMES), np.arange(len(steps)), steps)
        curves.append((curve - curve.mean()) / max(float(curve.std()), 1e-6))
        fps = probe(path).fps
        lengths.append((float(len(frames)), float(Fraction(fps))))
    return Traces(np.stack(scenes), np.stack(curves).astype(np.float32), np.array(lengths))


def gaps(made: Traces, sources: Traces, way: str) -> np.ndarray:
    """(N, M) float64, how unlike each clip is each source; smaller is more alike.

    Args:
        made: Clips.
        sources: Sources.
        way: One of WAYS.
    """
    if way == "scene":
        keep = max(1, round(KEPT * made.scenes.shape[1]))
        rows = [np.sort(np.abs(sources.scenes - one).mean(2), axis=1)[:, :keep].mean(1) for one in made.scenes]
        return np.stack(rows).astype(float)
    if way == "timing":
        return 1 - (made.curves @ sources.curves.T).astype(float) / TIMES
    if way == "length":
        return np.abs(made.lengths[:, None] - sources.lengths[None]).sum(2)
    return sum(rankdata(gaps(made, sources, one), axis=1) for one in WAYS[:-1])  # type: ignore[return-value]


def ranks(found: np.ndarray) -> np.ndarray:
    """The places that the true source of each clip may have, 1 being the most alike; equal ones are in any order.

    Args:
        found: (N, N), the source of clip i being i.

    Returns:
        (N, 2) int64, the first and the last place.
    """
    own = np.diag(found)[:, None]
    before = (found < own).sum(1)
    return np.column_stack([before + 1, before + (found == own).sum(1)])


def within(places: np.ndarray, most: int) -> np.ndarray:
    """(N,) float64, the probability that the source is among the first `most`, of places as `ranks` gives them."""
    first, last = places.T
    return np.clip((most - first + 1) / (last - first + 1), 0, 1)
