"""What a selection of classes is worth: measured on clips that had no part in it, beside random selections."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from m2m.curate.bias import BLOCK, Centres, units

SHRINK = 0.1
"""Share of the common covariance that is replaced by its mean variance, so that it can be inverted."""


@dataclass(frozen=True, eq=False)
class Probe:
    """A frozen classifier of single frames: a score a class, the largest of a subset wins.

    Attributes:
        name: What it is.
        weights: (d, C).
        offsets: (C,).
    """

    name: str
    weights: np.ndarray
    offsets: np.ndarray

    def scores(self, unit: np.ndarray) -> np.ndarray:
        """(n, C) of clips (n, d) at length 1."""
        return unit @ self.weights + self.offsets


@dataclass(frozen=True)
class Measure:
    """One figure of a selection beside those of random ones.

    Attributes:
        name: What was measured.
        value: The selection's.
        mean: Of the random subsets.
        spread: Their standard deviation.
        percentile: Share of the random subsets that are below, those that are equal counted half, in [0, 100].
        subsets: How many there are.
        clips: Clips that the selection's figure comes from.
    """

    name: str
    value: float
    mean: float
    spread: float
    percentile: float
    subsets: int
    clips: int


def probes(vectors: np.ndarray, own: np.ndarray, known: Centres) -> tuple[Probe, ...]:
    """Two classifiers of single frames, frozen after one look at the clips that the selection was made of.

    `nearest mean` takes the mean of largest cosine. `linear` is Fisher's discriminant: Gaussians of one covariance,
    shrunk by a fixed share, and equal priors. Both score each class by itself, so the classifier of a subset of classes
    is the same one with the other classes left out.

    Args:
        vectors: (N, d) one frame a clip, perhaps a file mapped into memory.
        own: (N,) number of each clip's class.
        known: The classes of the same clips.
    """
    dim = vectors.shape[1]
    means = known.sums / known.counts[:, None]
    scatter = np.zeros((dim, dim))
    for at in range(0, len(own), BLOCK):
        apart = units(np.asarray(vectors[at : at + BLOCK], np.float64)) - means[own[at : at + BLOCK]]
        scatter += apart.T @ apart
    scatter /= max(len(own) - len(means), 1)
    level = float(np.trace(scatter)) / dim
    shrunk = (1 - SHRINK) * scatter + (SHRINK * level or 1.0) * np.eye(dim)
    weights = np.linalg.solve(shrunk, means.T)
    offsets = -0.5 * np.einsum("cd,dc->c", means, weights)
    nearest = Probe("nearest mean", known.directions.T, np.zeros(len(means)))
    return nearest, Probe("linear", weights, offsets)


def scored(vectors: np.ndarray, own: np.ndarray, probe: Probe) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Scores (n, C) and class numbers (n,) of clips, a block at a time."""
    for at in range(0, len(own), BLOCK):
        yield probe.scores(units(np.asarray(vectors[at : at + BLOCK], np.float64))), own[at : at + BLOCK]


def accuracies(
    clips: Iterable[tuple[np.ndarray, np.ndarray]], subsets: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """How often a classifier is right on the clips of a subset of classes, when it has to choose among these.

    Args:
        clips: Scores (n, C) and class numbers (n,) of clips that it was not trained on, some at a time.
        subsets: Numbers of the classes of each subset.

    Returns:
        Accuracy (S,) in [0, 1] and the number of clips (S,) of each.

    Raises:
        ValueError: A subset has no clip.
    """
    hits, seen = np.zeros(len(subsets)), np.zeros(len(subsets), np.int64)
    for scores, own in clips:
        for index, subset in enumerate(subsets):
            inside = np.flatnonzero(np.isin(own, subset))
            if len(inside):
                guess = subset[np.argmax(scores[np.ix_(inside, subset)], axis=1)]
                hits[index] += np.count_nonzero(guess == own[inside])
                seen[index] += len(inside)
    if not seen.all():
        raise ValueError("a subset has no clip to be tested on")
    return hits / seen, seen


def resound(accuracy: np.ndarray, k: int) -> np.ndarray:
    """RESOUND's bias: log accuracy - log chance; an accuracy of 0 counts as half a promille."""
    return np.log(np.maximum(accuracy, 0.0005)) + np.log(k)


def nearest_cosine(known: Centres, subset: np.ndarray) -> float:
    """How much a class resembles the most alike of the others, on average: the mean largest cosine of class means."""
    if len(subset) < 2:
        return 0.0
    directions = known.directions[subset]
    cosines = directions @ directions.T
    np.fill_diagonal(cosines, -np.inf)
    return float(cosines.max(axis=1).mean())


def balance(counts: np.ndarray) -> float:
    """Entropy of the clips over the classes, 1 where all have as many, in [0, 1]."""
    if len(counts) < 2:
        return 1.0
    shares = counts / counts.sum()
    return float(-(shares * np.log(shares)).sum() / np.log(len(counts)))


def random_subsets(n: int, k: int, subsets: int, seed: int) -> list[np.ndarray]:
    """Subsets of `k` of `n` classes, sorted numbers, drawn one after the other by seed."""
    rng = np.random.default_rng([seed, k])
    return [np.sort(rng.choice(n, k, replace=False)) for _ in range(subsets)]


def beside(name: str, values: np.ndarray, clips: int) -> Measure:
    """The first value, the selection's, beside the others, those of random subsets."""
    value, others = float(values[0]), values[1:]
    below = np.count_nonzero(others < value - 1e-12) + 0.5 * np.count_nonzero(np.abs(others - value) <= 1e-12)
    return Measure(
        name=name,
        value=round(value, 6),
        mean=round(float(others.mean()), 6),
        spread=round(float(others.std()), 6),
        percentile=round(float(100 * below / len(others)), 2),
        subsets=len(others),
        clips=clips,
    )


def measure(
    train: tuple[np.ndarray, np.ndarray, Centres],
    test: tuple[np.ndarray, np.ndarray],
    subset: np.ndarray,
    subsets: int = 200,
    seed: int = 0,
    gap: np.ndarray | None = None,
) -> list[Measure]:
    """All figures of one selection.

    Args:
        train: Vectors (N, d), class numbers (N,) and classes of the clips that the selection was made of.
        test: Vectors and class numbers of others: what the probes are tested on.
        subset: Numbers of the selected classes.
        subsets: Random subsets of as many classes to compare with.
        seed: Of these.
        gap: (2, M, C) scores of a model for the `test` clips, from one frame and from all its frames, or None.

    Raises:
        ValueError: A subset has no clip to be tested on.
    """
    vectors, own, known = train
    k = len(subset)
    trials = [np.sort(subset), *random_subsets(len(known.counts), k, subsets, seed)]
    found = []
    for probe in probes(vectors, own, known):
        accuracy, seen = accuracies(scored(*test, probe), trials)
        found.append(beside(f"RESOUND bias, {probe.name}", resound(accuracy, k), int(seen[0])))
    clips = int(known.counts[trials[0]].sum())
    found.append(beside("cosine to the nearest class", np.array([nearest_cosine(known, s) for s in trials]), clips))
    found.append(beside("entropy of clips per class", np.array([balance(known.counts[s]) for s in trials]), clips))
    if gap is not None:
        one, every = (accuracies([(scores, test[1])], trials)[0] for scores in gap)
        tested = int(np.isin(test[1], subset).sum())
        found.append(beside("top-1 from all frames less top-1 from one", every - one, tested))
    return found
