"""How people move, as numbers: from the poses that are drawn, or from the pictures alone."""

from pathlib import Path

import cv2
import numpy as np
from scipy.linalg import eigh

from m2m.attack.material import Track, read_track
from m2m.augment.body.mannequin import Mannequin
from m2m.augment.body.skeleton import forward

JOINTS = tuple(range(1, 22))
"""Hips to wrists; fingers and face are not recovered from pictures of this size."""
TIMES = 12
"""Moments a clip is described by."""
SMALL = 24
"""Side of a picture's map of movement."""
COMPONENTS = 40
SHRINK = 0.3
"""Share of the mean variance that is added to the spread within persons: few clips, many numbers."""


def poses(folder: Path, clip_ids: tuple[str, ...]) -> np.ndarray:
    """(N, F) float64 descriptions of how the drawn bodies move; NaN for a clip without a body."""
    body = Mannequin()
    rows = [read_track(folder / f"{name}.npz") for name in clip_ids]
    described = [None if track is None else _pose_features(track, body) for track in rows]
    width = next((len(d) for d in described if d is not None), 1)
    return np.stack([np.full(width, np.nan) if d is None else d for d in described])


def _pose_features(track: Track, body: Mannequin) -> np.ndarray:
    """Where joints are (mean, spread, extremes), how fast, and in which rhythm, seen from the person's own front."""
    joints = np.stack([forward(p, body.rest_joints, body.parents)[1] for p in track.pose])
    turns = [cv2.Rodrigues(p[0].astype(np.float64))[0] for p in track.pose]
    own = np.einsum("tji,tkj->tki", np.stack(turns), joints)[:, JOINTS].reshape(len(joints), -1)
    steps = np.abs(np.diff(own, axis=0)) if len(own) > 1 else np.zeros((1, own.shape[1]))
    moments = np.linspace(0, len(own) - 1, TIMES)
    even = np.stack([np.interp(moments, np.arange(len(own)), column) for column in own.T], 1)
    rhythm = np.log1p(np.abs(np.fft.rfft(even - even.mean(0), axis=0))[1:5].mean(1))
    tilt = np.stack([t[:, 1] for t in turns]).mean(0)
    tall = np.log(track.camera.focal / np.median(track.transl[:, 2]))
    spread = np.quantile(own, [0.1, 0.9], axis=0)
    return np.concatenate([own.mean(0), own.std(0), *spread, steps.mean(0), rhythm, tilt, [tall]])


def pictures(crops: np.ndarray) -> np.ndarray:
    """(N, F) float64 descriptions of what moves in pictures, with whatever stays left out.

    Args:
        crops: (N, T, s, s, 3) uint8.
    """
    out = []
    for clip in crops:
        grey = np.stack([cv2.resize(cv2.cvtColor(f, cv2.COLOR_RGB2GRAY), (SMALL, SMALL)) for f in clip]).astype(float)
        still = grey - grey.mean(0)
        steps = np.abs(np.diff(still, axis=0))
        curve = steps.mean((1, 2))
        out.append(np.concatenate([still.std(0).ravel(), steps.mean(0).ravel(), np.abs(np.fft.rfft(curve)), curve]))
    return np.log1p(np.stack(out))


def without_action(features: np.ndarray, labels: tuple[str, ...], train: np.ndarray) -> np.ndarray:
    """Descriptions less the mean of their action, in units of its deviation; the data set tells the action to anybody.

    Args:
        features: (N, F); NaN rows stay.
        labels: Action of each clip; all the same where unknown.
        train: Rows that mean and deviation are taken of; an action that is not among them takes those of all.
    """
    out = features.copy()
    words = np.array(labels)
    for word in np.unique(words):
        own = [i for i in train if words[i] == word and not np.isnan(features[i, 0])]
        own = own if len(own) > 1 else [i for i in train if not np.isnan(features[i, 0])]
        middle, spread = features[own].mean(0), features[own].std(0)
        out[words == word] = (features[words == word] - middle) / np.maximum(spread, 1e-6 + 0.05 * spread.mean())
    return out


def embed(features: np.ndarray, persons: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Directions in which clips of one person are alike and persons differ (principal components, then Fisher's).

    Args:
        features: (N, F); NaN rows stay.
        persons: (N,) numbers.
        train: Rows to learn from.

    Returns:
        (N, D) float64 of length 1.
    """
    own = train[~np.isnan(features[train, 0])]
    x = features[own]
    middle = x.mean(0)
    _, _, axes = np.linalg.svd(x - middle, full_matrices=False)
    axes = axes[: min(COMPONENTS, len(x) - 1)]
    y = (features - middle) @ axes.T
    known = y[own]
    names = np.unique(persons[own])
    within, between = np.zeros((len(axes), len(axes))), np.zeros((len(axes), len(axes)))
    for name in names:
        rows = known[persons[own] == name]
        centred = rows - rows.mean(0)
        within += centred.T @ centred
        between += len(rows) * np.outer(rows.mean(0), rows.mean(0))
    within += SHRINK * np.trace(within) / len(axes) * np.eye(len(axes)) + 1e-9 * np.eye(len(axes))
    _, vectors = eigh(between, within)
    z = y @ vectors[:, ::-1][:, : max(1, min(len(names) - 1, len(axes)))]
    return z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)
