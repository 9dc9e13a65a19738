"""Bias-augmented k-means over classes: classes that look alike and are alike in bias fall into one cluster."""

import warnings
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Clusters:
    """K clusters of C classes; none is empty.

    Attributes:
        points: (C, d) float64, what was clustered.
        members: (C,) cluster of each class, numbered by the first class in it.
        objective: Sum of squared distances to the centroids.
        bias_share: Share of the points' total variance that comes from the bias, in [0, 1].
    """

    points: np.ndarray
    members: np.ndarray
    objective: float
    bias_share: float

    def distances(self) -> np.ndarray:
        """Squared distance of each class to its centroid, (C,)."""
        return _distances(self.points, self.members)


def augmented(means: np.ndarray, bias: np.ndarray, weight: float) -> np.ndarray:
    """The points that are clustered: [e_i / |e_i| ; sqrt(weight) z_i] with z the standardised bias.

    Args:
        means: (C, d) mean vector of each class; lengths do not matter.
        bias: (C,) bias of each class.
        weight: Lambda; 0 leaves the means alone.

    Returns:
        (C, d + 1) float64.

    Raises:
        ValueError: A value is not finite, or a mean has length 0.
    """
    means = np.asarray(means, np.float64)
    lengths = np.linalg.norm(means, axis=1, keepdims=True)
    if not (np.isfinite(means).all() and np.isfinite(bias).all()) or not lengths.all():
        raise ValueError("class means and biases must be finite and no mean zero")
    spread = float(np.std(bias))
    z = (bias - bias.mean()) / spread if spread > 1e-12 else np.zeros(len(bias))
    return np.concatenate([means / lengths, np.sqrt(weight) * z[:, None]], axis=1)


def cluster(points: np.ndarray, k: int, seed: int, starts: int = 10) -> Clusters:
    """Divides classes into `k` clusters by scikit-learn's k-means.

    Where fewer than `k` points are distinct k-means leaves clusters empty; each of those takes the point farthest
    from its centroid out of a cluster of more than one, the first where several are.

    Args:
        points: (C, d + 1), as `augmented` makes them; the order is part of the seed, so sort the classes.
        k: Clusters, 1 to C.
        seed: Seed of the starts (k-means++).
        starts: How many; the least objective counts.

    Raises:
        ValueError: `k` is less than 1 or more than C.
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    if not 1 <= k <= len(points):
        raise ValueError(f"k must be 1 to {len(points)}, not {k}")
    # Threads add up in the order in which they end; one thread gives the same bits every time.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct points than clusters: mended below
        members = KMeans(k, n_init=starts, random_state=seed).fit(points).labels_.astype(np.int64)
    for empty in sorted(set(range(k)) - set(members.tolist())):
        crowded = np.bincount(members, minlength=k)[members] > 1
        members[np.argmax(np.where(crowded, _distances(points, members), -1.0))] = empty
    members = _renumbered(members)
    variance = points.var(axis=0)
    total = float(variance.sum())
    share = float(variance[-1]) / total if total else 0.0
    return Clusters(points, members, float(_distances(points, members).sum()), share)


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
