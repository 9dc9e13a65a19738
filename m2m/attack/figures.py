"""Figures of attackers with intervals: rank-1, EER, AUC, and what chance alone would give.

Intervals resample persons, not frames or pairs: clips of one person are not independent, and who is in a test is what
another test would have otherwise. The same draws are used for every variant, so differences between two are paired.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 1000
INTERVAL = (2.5, 97.5)


@dataclass(frozen=True)
class Matching:
    """One test of an open-set attacker: how alike it finds every two clips.

    Attributes:
        scores: (N, N) float64, row: probe, column: gallery; higher is more alike.
        persons: (N,) whose clip each is; the same numbers in every test of a laboratory.
        allowed: (N, N) bool, clips of the gallery that count for each probe.
    """

    scores: np.ndarray
    persons: np.ndarray
    allowed: np.ndarray


@dataclass(frozen=True)
class Estimate:
    """A figure over several tests.

    Attributes:
        value: Mean over tests.
        low: Lower end of the 95 % interval.
        high: Upper end.
        chance: What guessing gives.
        n: Clips that were probed, or pairs compared, in all tests.
        each: The figure of each test.
        draws: The figure of each resampling, for differences.
    """

    value: float
    low: float
    high: float
    chance: float
    n: int
    each: tuple[float, ...]
    draws: np.ndarray


def rank1(test: Matching) -> tuple[np.ndarray, np.ndarray]:
    """Whether the clip found most alike is of the same person.

    Args:
        test: What an attacker found.

    Returns:
        For every probe the share of the best that is right, equal scores sharing, and the same of a guess; NaN for a
        probe of whom the gallery has nothing.
    """
    same = (test.persons[:, None] == test.persons[None]) & test.allowed
    best = np.where(test.allowed, test.scores, -np.inf)
    top = test.allowed & (best == best.max(1, keepdims=True))
    known = same.any(1)
    with np.errstate(invalid="ignore"):
        hits = (top & same).sum(1) / top.sum(1)
        guess = same.sum(1) / test.allowed.sum(1)
    return np.where(known, hits, np.nan), np.where(known, guess, np.nan)


def auc(scores: np.ndarray, genuine: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Probability that a genuine score is higher than another, ties counting half.

    Args:
        scores: (N,).
        genuine: (N,) bool.
        weights: (N,) of 0 or more; None: all the same.
    """
    misses, alarms = _errors(scores, genuine, weights)
    return float(np.trapezoid(1 - misses, alarms))


def eer(scores: np.ndarray, genuine: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Rate of errors where as many genuine pairs are missed as others are taken for genuine; arguments as in `auc`."""
    misses, alarms = _errors(scores, genuine, weights)
    over = int(np.argmax(alarms >= misses))
    if over == 0:
        return float(alarms[0])
    gap0, gap1 = misses[over - 1] - alarms[over - 1], alarms[over] - misses[over]
    share = gap0 / (gap0 + gap1) if gap0 + gap1 else 0.0
    return float(alarms[over - 1] + share * (alarms[over] - alarms[over - 1]))


def _errors(scores: np.ndarray, genuine: np.ndarray, weights: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Rates of misses and of false alarms at every threshold, the strictest first: from (1, 0) to (0, 1)."""
    weights = np.ones(len(scores)) if weights is None else weights
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.diff(scores[order], append=-np.inf))  # equal scores pass together
    found = np.cumsum((weights * genuine)[order])[ends]
    false = np.cumsum((weights * ~genuine)[order])[ends]
    if found[-1] <= 0 or false[-1] <= 0:
        return np.array([np.nan, np.nan]), np.array([0.0, 1.0])
    return np.append(1, 1 - found / found[-1]), np.append(0, false / false[-1])


def matching_figures(tests: Sequence[Matching], resamples: int = RESAMPLES) -> dict[str, Estimate]:
    """Rank-1, EER and AUC over tests, which may share persons.

    Args:
        tests: One a seed.
        resamples: Draws of persons for the intervals.

    Raises:
        ValueError: No probe has anybody to be found.
    """
    people = np.unique(np.concatenate([t.persons for t in tests]))
    hits = [rank1(t) for t in tests]
    pairs = [_pairs(t) for t in tests]
    if any(np.isnan(h).all() for h, _ in hits):
        raise ValueError("no probe has another clip of the same person in the gallery")

    def ranks(counts: np.ndarray) -> list[float]:
        return [_mean(h, counts[t.persons]) for t, (h, _) in zip(tests, hits, strict=True)]

    def by_pairs(figure: Callable[[np.ndarray, np.ndarray, np.ndarray], float]) -> Callable[[np.ndarray], list[float]]:
        def of(counts: np.ndarray) -> list[float]:
            out = []
            for scores, genuine, one, other in pairs:
                a, b = counts[one], counts[other]
                out.append(figure(scores, genuine, np.where(genuine, a, a * b)))
            return out

        return of

    probes = sum(int((~np.isnan(h)).sum()) for h, _ in hits)
    compared = sum(len(scores) for scores, *_ in pairs)
    guess = float(np.mean([np.nanmean(g) for _, g in hits]))
    return {
        "rank1": resampled(ranks, people, guess, probes, resamples),
        "eer": resampled(by_pairs(eer), people, 0.5, compared, resamples),
        "auc": resampled(by_pairs(auc), people, 0.5, compared, resamples),
    }


def resampled(
    figure: Callable[[np.ndarray], list[float]],
    units: np.ndarray,
    chance: float,
    n: int,
    resamples: int = RESAMPLES,
) -> Estimate:
    """A figure with its interval by resampling units with replacement.

    Args:
        figure: From how often each unit counts, by its number, to the figure of each test; NaN where it cannot be told.
        units: (U,) int64 different numbers of persons or clips, 0 or more.
        chance: What guessing gives.
        n: What was counted.
        resamples: Draws.
    """
    size = int(units.max()) + 1
    each = figure(np.bincount(units, minlength=size).astype(float))
    rng = np.random.default_rng(len(units))
    draws = np.empty(resamples)
    for i in range(resamples):
        drawn = units[rng.integers(len(units), size=len(units))]
        found = np.array(figure(np.bincount(drawn, minlength=size).astype(float)))
        draws[i] = np.nanmean(found) if np.isfinite(found).any() else np.nan
    low, high = np.nanpercentile(draws, INTERVAL)
    return Estimate(float(np.nanmean(each)), float(low), float(high), chance, n, tuple(map(float, each)), draws)


def difference(one: Estimate, other: Estimate) -> tuple[float, float, float]:
    """How much larger one figure is than another of the same tests, with its 95 % interval."""
    low, high = np.nanpercentile(one.draws - other.draws, INTERVAL)
    return one.value - other.value, float(low), float(high)


def balanced_accuracy(true: np.ndarray, guessed: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Mean over classes of the share that is recognised.

    Args:
        true: (N,) classes.
        guessed: (N,) classes.
        weights: (N,) of 0 or more; a class of weight 0 is left out.
    """
    weights = np.ones(len(true)) if weights is None else weights
    shares = []
    for label in np.unique(true):
        own = weights * (true == label)
        if own.sum() > 0:
            shares.append(float((own * (guessed == label)).sum() / own.sum()))
    return float(np.mean(shares)) if shares else float("nan")


def _mean(values: np.ndarray, weights: np.ndarray) -> float:
    known = ~np.isnan(values)
    total = weights[known].sum()
    return float((values[known] * weights[known]).sum() / total) if total else float("nan")


def _pairs(test: Matching) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Scores of all pairs that count, whether they are of one person, and whose they are."""
    i, j = np.nonzero(np.triu(test.allowed & test.allowed.T, 1))
    scores = (test.scores[i, j] + test.scores[j, i]) / 2
    return scores, test.persons[i] == test.persons[j], test.persons[i], test.persons[j]
