"""Bias-augmented k-means over classes: classes that look alike and are alike in bias fall into one cluster."""

import warnings
from dataclasses import dataclass

import numpy as np

from m2m.curate.bias import units

DIGITS = 9
"""Decimals of a point that count: what lies behind them depends on the order in which clips were added up."""

MOST_STEPS = 300
"""Steps of k-means at most."""


@dataclass(frozen=True, eq=False)
class Clusters:
    """K clusters of C classes; none is empty.

    Attributes:
        points: (C, d) float64, what was clustered.
        members: (C,) cluster of each class, numbered by the first class in it.
        objective: Sum of squared distances to the centroids.
        trace: The objective after each step of the best start; it never rises.
    """

    points: np.ndarray
    members: np.ndarray
    objective: float
    trace: tuple[float, ...]

    def distances(self) -> np.ndarray:
        """Squared distance of each class to its centroid, (C,)."""
        return _distances(self.points, self.members)


def standardised(bias: np.ndarray) -> np.ndarray:
    """(C, 1) the bias with mean 0 and variance 1; zeros where all are equal."""
    spread = float(np.std(bias))
    z = (bias - bias.mean()) / spread if spread > 1e-12 else np.zeros(len(bias))
    return np.asarray(z, np.float64)[:, None]


def look(means: np.ndarray) -> np.ndarray:
    """What classes look like, for clustering: means at length 1, moved and scaled to mean 0 and total variance 1.

    Neither changes what k-means finds in them. It makes one weight mean the same with any encoder: means that resemble
    each other, as those of one network do, have a total variance of .02 to .5 before.

    Args:
        means: (C, d) mean vector of each class; lengths do not matter.

    Returns:
        (C, d) float64; zeros where all means have one direction.

    Raises:
        ValueError: A value is not finite, or a mean has length 0.
    """
    means = np.asarray(means, np.float64)
    if not np.isfinite(means).all() or not means.any(axis=1).all():
        raise ValueError("class means must be finite and none zero")
    centred = units(means)
    centred = centred - centred.mean(axis=0)
    spread = float(np.sqrt((centred**2).sum(axis=1).mean()))
    return centred / spread if spread > 1e-9 else np.zeros_like(centred)


def augmented(means: np.ndarray, bias: np.ndarray, weight: float) -> np.ndarray:
    """The points that are clustered: [what a class looks like ; sqrt(weight) z] with z the standardised bias.

    Args:
        means: (C, d) mean vector of each class; lengths do not matter.
        bias: (C,) bias of each class.
        weight: Lambda, the variance of the bias where that of the look is 1; 0 leaves the look alone.

    Returns:
        (C, d + 1) float64.

    Raises:
        ValueError: A value is not finite, or a mean has length 0.
    """
    if not np.isfinite(bias).all():
        raise ValueError("biases must be finite")
    return np.concatenate([look(means), np.sqrt(weight) * standardised(bias)], axis=1)


def cluster(points: np.ndarray, k: int, seed: int, starts: int = 10) -> Clusters:
    """Divides classes into `k` clusters by scikit-learn's k-means from seeded k-means++ starts.

    Where fewer than `k` points are distinct k-means leaves clusters empty; each of those takes the point farthest
    from its centroid out of a cluster of more than one, the first where several are.

    Args:
        points: (C, d) float64; the order is part of the seed, so sort the classes.
        k: Clusters, 1 to C.
        seed: Seed of the starts.
        starts: How many; the least objective counts, the first where several have it.

    Raises:
        ValueError: `k` is less than 1 or more than C.
    """
    from sklearn.cluster import KMeans, kmeans_plusplus
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    if not 1 <= k <= len(points):
        raise ValueError(f"k must be 1 to {len(points)}, not {k}")
    points = np.round(points, DIGITS) + 0.0  # no -0.0

    def lloyd(centres: np.ndarray, steps: int) -> KMeans:
        return KMeans(k, init=centres, n_init=1, max_iter=steps, tol=0).fit(points)

    # Threads add up in the order in which they end; one thread gives the same bits every time.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct points than clusters: mended below
        seeds = np.random.SeedSequence(seed).generate_state(starts)
        begun = [kmeans_plusplus(points, k, random_state=int(s))[0] for s in seeds]
        ended = [lloyd(centres, MOST_STEPS) for centres in begun]
        best = int(np.argmin([np.round(fit.inertia_, DIGITS) for fit in ended]))
        members = ended[best].labels_.astype(np.int64)
        trace, centres = [], begun[best]
        for _ in range(ended[best].n_iter_):
            step = lloyd(centres, 1)
            centres = step.cluster_centers_
            trace.append(float(step.inertia_))
    for empty in sorted(set(range(k)) - set(members.tolist())):
        crowded = np.bincount(members, minlength=k)[members] > 1
        members[np.argmax(np.where(crowded, _distances(points, members), -1.0))] = empty
    members = _renumbered(members)
    return Clusters(points, members, float(_distances(points, members).sum()), tuple(trace))


def explained(values: np.ndarray, members: np.ndarray) -> float:
    """Share of the variance of something that clusters explain, in [0, 1]: 1 where they are alike in it.

    Args:
        values: (C, d) something of each class.
        members: (C,) cluster of each class.

    Returns:
        1 - variance within / variance; 1 where there is no variance.
    """
    total = float(((values - values.mean(axis=0)) ** 2).sum())
    return 1 - float(_distances(values, members).sum()) / total if total > 1e-12 else 1.0


def _distances(points: np.ndarray, members: np.ndarray) -> np.ndarray:
    counts = np.bincount(members)
    centroids = np.zeros((len(counts), points.shape[1]))
    np.add.at(centroids, members, points)
    centroids /= np.maximum(counts, 1)[:, None]
    return ((points - centroids[members]) ** 2).sum(axis=1)


def _renumbered(members: np.ndarray) -> np.ndarray:
    """The same clusters numbered in the order in which they appear."""
    _, first, inverse = np.unique(members, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]
