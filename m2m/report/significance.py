"""Whether a difference of top-1 holds for other seeds and other clips: two-way random effects, seeds by clips.

As studies of several readers and several cases have it (Dorfman, Berbaum and Metz 1992; Hillis 2007; Gallas 2006), the
readers being seeds. A score of seed s on clip c of a set is mean + seed + clip + rest. Sets are no sample of sets: each
counts the same; their clips are not shared, their seeds are.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ALPHA = 0.05
"""What counts as shown, and what intervals leave out."""


@dataclass(frozen=True)
class Estimate:
    """A mean with its interval.

    Attributes:
        value: The mean over sets of the means over seeds and clips.
        low: Lower end of the 95 % interval.
        high: Upper end.
        p: Of no difference from 0, two-sided.
        seeds: How many; of one the interval is over clips alone, and speaks of this training only.
        df: Degrees of freedom of t.
    """

    value: float
    low: float
    high: float
    p: float
    seeds: int
    df: float


def estimate(sets: Sequence[np.ndarray], *, share: bool = False) -> Estimate:
    """The mean over sets with its interval over seeds and clips.

    The variance of the mean is that of seeds, of clips and of the rest. Where a component comes out negative it counts
    as 0, which makes the sum larger than the unbiased one; the seeds' part never counts as less, nor as better known,
    than the rest alone makes it. Degrees of freedom are Satterthwaite's.

    Args:
        sets: For each set (S, N) scores of the same S seeds on the set's own N clips: right or wrong as 1 and 0, or
            the difference of two rows, -1 to 1.
        share: The scores are right or wrong: the interval stays within 0 to 1 and, near its ends, is as wide as if
            two more clips of a set were right and two more wrong (Agresti and Coull 1998).

    Raises:
        ValueError: There is no set, no seed or no clip, or the sets' seeds are not as many.
    """
    if not sets or len({len(scores) for scores in sets}) > 1 or any(scores.size == 0 for scores in sets):
        raise ValueError(f"no scores of the same seeds: {[scores.shape for scores in sets]}")
    seeds, many = len(sets[0]), len(sets) ** 2
    value = float(np.mean([scores.mean() for scores in sets]))
    clips = rest = spread = 0.0
    for scores in sets:
        of_clips, of_rest, freedom = _components(np.asarray(scores, float), share)
        clips, rest = clips + of_clips / many, rest + of_rest / many
        spread += freedom / many**2
    of_seeds = float(np.mean([scores.mean(1) for scores in sets], 0).var(ddof=1)) / seeds if seeds > 1 else 0.0
    of_seeds = max(of_seeds, rest)
    variance = of_seeds + clips
    spread += of_seeds**2 / (seeds - 1) if seeds > 1 else 0.0
    df = variance**2 / spread  # no set is without a least part of its clips, so neither is 0
    low, high, p = _student(value, math.sqrt(variance), df)
    return Estimate(value, max(low, 0.0) if share else low, min(high, 1.0) if share else high, p, seeds, df)


def _components(scores: np.ndarray, share: bool) -> tuple[float, float, float]:
    """Of one set: the clips' part of the variance of its mean, the rest's, and both squared over their freedom."""
    seeds, n = scores.shape
    mean = scores.mean()
    by_clip = scores.mean(0)
    clips = float(by_clip.var(ddof=1)) / n if n > 1 else 0.0
    rest = 0.0
    if seeds > 1 and n > 1:
        residual = scores - scores.mean(1, keepdims=True) - by_clip + mean
        rest = float((residual**2).sum()) / ((seeds - 1) * (n - 1)) / (seeds * n)
    if share:
        smoothed = (n * mean + 2) / (n + 4)
        clips += max(0.0, smoothed * (1 - smoothed) / (n + 4) - mean * (1 - mean) / max(n - 1, 1))
    clips = max(clips, 1 / n**2)  # as if one clip had come out otherwise
    freedom = clips**2 / max(n - 1, 1)
    freedom += rest**2 / ((seeds - 1) * max(n - 1, 1)) if seeds > 1 else 0.0
    return max(clips - rest, 0.0), rest, freedom


def _student(value: float, error: float, df: float) -> tuple[float, float, float]:
    from scipy.special import stdtr, stdtrit

    half = float(stdtrit(df, 1 - ALPHA / 2)) * error
    return value - half, value + half, min(1.0, 2 * float(stdtr(df, -abs(value) / error)))


def holm(ps: Sequence[float]) -> list[float]:
    """Holm's correction (1979): of several comparisons, one is wrong by chance in at most one of twenty experiments.

    Args:
        ps: In any order.

    Returns:
        In the same order, none smaller than it was.
    """
    corrected, least = [0.0] * len(ps), 0.0
    for rank, index in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        least = max(least, min(1.0, (len(ps) - rank) * ps[index]))
        corrected[index] = least
    return corrected


def verdict(found: Estimate, p: float) -> str:
    """A difference in words.

    Args:
        found: Of the difference, as shares.
        p: Corrected for the other comparisons.
    """
    size = f"{100 * abs(found.value):.1f} points"
    words = "no difference shown" if p >= ALPHA else f"{'higher' if found.value > 0 else 'lower'} by {size}"
    return words if found.seeds > 1 else f"{words}, for this training only: one seed"
