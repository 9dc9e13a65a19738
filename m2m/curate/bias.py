"""How much of a class a single frame gives away: the bias of RESOUND (Li et al., 2018), class by class."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

BLOCK = 4096
"""Clips that are looked at a time: what is in memory does not grow with their number."""

PRIOR = 1.0
"""Clips' worth of chance in every recall: a class without evidence has the bias 0."""

SHORTEST = 1e-30
"""Vectors shorter than that are zeros."""

RESOLUTION = 1e-6
"""Cosines that differ by less are equal: they are computed in single precision."""


@dataclass(frozen=True, eq=False)
class Centres:
    """What the classes of a data set look like.

    Attributes:
        counts: (C,) clips of each class.
        sums: (C, d) float64, the sum of its clips' vectors, each at length 1.
    """

    counts: np.ndarray
    sums: np.ndarray

    @property
    def directions(self) -> np.ndarray:
        """(C, d) the means at length 1; a mean of zeros stays."""
        return units(self.sums)


@dataclass(frozen=True, eq=False)
class Bias:
    """How well one frame tells a class.

    Attributes:
        bias: (C,) log recall + log C: 0 at chance, log C where every clip is recognised.
        recall: (C,) in (0, 1), smoothed.
    """

    bias: np.ndarray
    recall: np.ndarray


def numbers(labels: Sequence[str], classes: Sequence[str]) -> np.ndarray:
    """The number of each clip's class.

    Raises:
        ValueError: A class is there twice, has no clip, or a clip's class is not there.
    """
    index = {label: i for i, label in enumerate(classes)}
    if len(index) != len(classes):
        raise ValueError("a class is there twice")
    own = np.array([index.get(label, -1) for label in labels])
    if not len(own) or own.min() < 0 or len(np.unique(own)) != len(classes):
        raise ValueError("every class needs a clip, and every clip one of the classes")
    return own


def centres(vectors: np.ndarray, own: np.ndarray) -> Centres:
    """Adds up what the clips of each class look like, in one pass and constant memory.

    Args:
        vectors: (N, d) one frame a clip, perhaps a file mapped into memory; their lengths do not matter.
        own: (N,) number of each clip's class, from 0 without a gap; quickest where equal ones lie together.

    Raises:
        ValueError: A value is not finite.
    """
    counts = np.bincount(own)
    sums = np.zeros((len(counts), vectors.shape[1]))
    for part, classes in _blocks(vectors, own):
        lengths = np.sqrt(np.einsum("nd,nd->n", part, part, dtype=np.float64))
        if not np.isfinite(lengths).all():
            raise ValueError("a vector is not finite")
        order = np.argsort(classes, kind="stable")
        scale = np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > SHORTEST)[order]
        found, first = np.unique(classes[order], return_index=True)
        unit = part[order] * scale[:, None].astype(part.dtype)
        sums[found] += np.add.reduceat(unit, first, axis=0, dtype=np.float64)
    return Centres(counts, sums)


def class_bias(vectors: np.ndarray, own: np.ndarray, known: Centres) -> Bias:
    """The bias of each class: log of its recall by a classifier that sees one frame, against chance.

    The classifier takes the class whose mean has the largest cosine; the mean of a clip's own class is taken without
    that clip, so every clip is held out exactly once and nothing is drawn. Recall is smoothed towards chance:
    (hits + 1/C) / (n + 1), with n = 0 for a class of one clip. RESOUND defines the bias of a representation on a whole
    data set, as log accuracy - log chance; the paper's appendix does not say what it is for one class.

    Args:
        vectors: (N, d) one frame a clip; their lengths do not matter.
        own: (N,) number of each clip's class.
        known: The classes of the same clips.
    """
    hits = np.zeros(len(known.counts))
    for scores, own_scores, classes in _scores(vectors, own, known):
        scores[np.arange(len(classes)), classes] = -np.inf
        hit = own_scores > scores.max(axis=1) + RESOLUTION
        hits += np.bincount(classes[hit], minlength=len(hits))
    single = known.counts == 1  # no other clip to know its class by
    hits[single] = 0
    chance = 1 / len(hits)
    recall = (hits + PRIOR * chance) / (np.where(single, 0, known.counts) + PRIOR)
    return Bias(np.log(recall) - np.log(chance), recall)


def pair_recall(vectors: np.ndarray, own: np.ndarray, known: Centres) -> np.ndarray:
    """How often one frame of class i is nearer to the mean of i, made without it, than to that of class j.

    Args:
        vectors: (N, d) one frame a clip.
        own: (N,) number of each clip's class.
        known: The classes of the same clips.

    Returns:
        (C, C) in (0, 1), smoothed towards 1/2; the diagonal is 1/2.
    """
    wins = np.zeros((len(known.counts), len(known.counts)))
    for scores, own_scores, classes in _scores(vectors, own, known):
        won = own_scores[:, None] > scores + RESOLUTION
        order = np.argsort(classes, kind="stable")
        found, first = np.unique(classes[order], return_index=True)
        wins[found] += np.add.reduceat(won[order], first, axis=0, dtype=np.float64)
    single = known.counts == 1
    wins[single] = 0
    out = (wins + PRIOR / 2) / (np.where(single, 0, known.counts) + PRIOR)[:, None]
    np.fill_diagonal(out, 0.5)
    return out


def units(vectors: np.ndarray) -> np.ndarray:
    """Rows at length 1; rows of zeros stay."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)


def _blocks(vectors: np.ndarray, own: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for at in range(0, len(own), BLOCK):
        yield np.asarray(vectors[at : at + BLOCK]), own[at : at + BLOCK]


def _scores(
    vectors: np.ndarray, own: np.ndarray, known: Centres
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Cosines (n, C) of clips with the means of all classes, and (n,) with that of their own made without them.

    That of their own needs no vector of its own: with u the clip and s the sum of its class it is
    u.(s - u) / |s - u| = (u.s - 1) / sqrt(s.s - 2 u.s + 1).
    """
    means = known.directions.T.astype(np.float32)
    lengths = np.linalg.norm(known.sums, axis=1)
    for part, classes in _blocks(vectors, own):
        size = np.sqrt(np.einsum("nd,nd->n", part, part))
        scale = np.divide(1, size, out=np.zeros_like(size), where=size > SHORTEST).astype(np.float32)
        scores = (part.astype(np.float32, copy=False) @ means) * scale[:, None]
        inside = (scale > 0).astype(np.float64)  # a clip of zeros is not in the sum
        along = scores[np.arange(len(classes)), classes] * lengths[classes]
        left = np.sqrt(np.maximum(lengths[classes] ** 2 - 2 * along + inside, 0))
        apart = np.divide(along - inside, left, out=np.zeros_like(left), where=left > RESOLUTION)
        yield scores, apart, classes
