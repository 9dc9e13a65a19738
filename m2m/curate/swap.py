"""The subset of classes that single frames tell apart least: RESOUND's bias, minimised by swapping classes."""

import numpy as np


def least_told_apart(pairs: np.ndarray, k: int, seed: int, starts: int = 10) -> tuple[np.ndarray, float]:
    """Chooses classes so that one frame says as little as may be about which of two of them it shows.

    RESOUND (Li et al., 2018) asks for the data set of least bias; the accuracy over all pairs of its classes is a sum
    over pairs, so what a swap changes is known at once. From each start the best swap is made until none helps.

    Args:
        pairs: (C, C) recall of class i against class j, as `m2m.curate.bias.pair_recall` gives it.
        k: Classes to choose, 1 to C.
        seed: Seed of the starts.
        starts: Random subsets to begin with; the first is the one of least sums.

    Returns:
        Numbers of the chosen classes, sorted; the mean accuracy over their pairs (1/2 where there is no pair).

    Raises:
        ValueError: `k` is less than 1 or more than C.
    """
    n = len(pairs)
    if not 1 <= k <= n:
        raise ValueError(f"k must be 1 to {n}, not {k}")
    both = (pairs + pairs.T) / 2
    np.fill_diagonal(both, 0)
    rng = np.random.default_rng(seed)
    best, least = np.arange(k), np.inf
    for start in range(starts):
        ranked = np.argsort(both.sum(axis=1), kind="stable") if start == 0 else rng.permutation(n)
        inside = np.zeros(n, bool)
        inside[ranked[:k]] = True
        cost = _descend(both, inside)
        if cost < least - 1e-12:
            best, least = np.flatnonzero(inside), cost
    return best, least / (k * (k - 1)) if k > 1 else 0.5


def _descend(both: np.ndarray, inside: np.ndarray) -> float:
    """Swaps until no swap helps, in place; returns the sum over ordered pairs."""
    sums = both[:, inside].sum(axis=1)
    while not inside.all():
        gone, new = np.flatnonzero(inside), np.flatnonzero(~inside)
        change = sums[new][None, :] - both[np.ix_(gone, new)] - sums[gone][:, None]
        i, j = np.unravel_index(np.argmin(change), change.shape)
        if change[i, j] > -1e-12:
            break
        inside[gone[i]], inside[new[j]] = False, True
        sums += both[:, new[j]] - both[:, gone[i]]
    return float(sums[inside].sum())
