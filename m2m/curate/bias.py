"""How much of a class a single frame gives away: the bias of RESOUND (Li et al., 2018), class by class."""

from collections.abc import Sequence

import numpy as np

BLOCK = 4096
"""Clips that are scored at a time."""

PRIOR = 1.0
"""Clips' worth of chance in every recall: a class without evidence has the bias 0."""


def class_bias(vectors: np.ndarray, labels: Sequence[str], classes: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The bias of each class: log of its recall by a classifier that sees one frame, against chance.

    The classifier takes the class whose mean has the largest cosine; the mean of a clip's own class is taken without
    that clip, so every clip is held out exactly once and nothing is drawn. Recall is smoothed towards chance:
    (hits + 1/C) / (n + 1), with n = 0 for a class of one clip. RESOUND defines the bias of a representation on a whole
    data set, as log accuracy - log chance; the paper's appendix does not say what it is for one class.

    Args:
        vectors: (N, d) one frame a clip; their lengths do not matter.
        labels: Class of each clip.
        classes: The C classes, each with a clip or more.

    Returns:
        Bias (C,) float64, 0 at chance and log C where every clip is recognised; recall (C,) in [0, 1], smoothed.
    """
    index = {label: i for i, label in enumerate(classes)}
    own = np.array([index[label] for label in labels])
    unit = _units(np.asarray(vectors, np.float64))
    counts = np.bincount(own, minlength=len(classes))
    sums = np.zeros((len(classes), unit.shape[1]))
    np.add.at(sums, own, unit)
    means = _units(sums).T
    hit = np.concatenate(
        [_recognised(unit[at : at + BLOCK], own[at : at + BLOCK], sums, means) for at in range(0, len(own), BLOCK)]
    )
    hit &= counts[own] > 1  # no other clip to know its class by
    hits = np.bincount(own[hit], minlength=len(classes))
    held_out = np.where(counts > 1, counts, 0)
    recall = (hits + PRIOR / len(classes)) / (held_out + PRIOR)
    return np.log(recall) + np.log(len(classes)), recall


def _recognised(unit: np.ndarray, own: np.ndarray, sums: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Which clips are nearer to the mean of their own class, made without them, than to any other; a tie is a miss."""
    scores, rows = unit @ means, np.arange(len(own))
    own_score = np.einsum("nd,nd->n", unit, _units(sums[own] - unit))
    scores[rows, own] = -np.inf
    return own_score > scores.max(axis=1)


def _units(vectors: np.ndarray) -> np.ndarray:
    """Rows at length 1; rows of zeros stay."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
