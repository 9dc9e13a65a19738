"""The table: a row a figure, with its interval, chance, the plate alone, and the verdict that follows from these."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from m2m.attack.figures import Estimate, Matching, auc, balanced_accuracy, difference, matching_figures, resampled
from m2m.attack.linkage import within
from m2m.attack.pieces import Arrays

LOWER_TELLS = frozenset({"eer", "median_rank"})
"""Figures of which less is better for the attacker."""
NOTHING, PLATE, BEYOND, ABOVE = "nothing shown", "no more than the plate", "beyond the plate", "above chance"


@dataclass(frozen=True)
class Row:
    """One figure of one attacker on one variant.

    Attributes:
        attacker: Its name and how it was asked.
        variant: What it saw.
        figure: `rank1`, `eer`, `auc`, `balanced_accuracy`, `iou`, `rank10`, `median_rank`.
        value: Mean over seeds.
        low: Lower end of the 95 % interval.
        high: Upper end.
        chance: What guessing gives.
        n: What was counted.
        seeds: How many tests.
        each: The figure of each test.
        control: The same attacker on the plate alone; None where there is none.
        over_control: By how much the figure is over the control's, with the ends of the 95 % interval; None as before.
        verdict: NOTHING, PLATE, BEYOND, or ABOVE where there is no control.
    """

    attacker: str
    variant: str
    figure: str
    value: float
    low: float
    high: float
    chance: float
    n: int
    seeds: int
    each: tuple[float, ...]
    control: float | None
    over_control: tuple[float, float, float] | None
    verdict: str


def row(attacker: str, variant: str, figure: str, found: Estimate, control: Estimate | None = None) -> Row:
    """A row with its verdict.

    Args:
        attacker: As in `Row`.
        variant: As in `Row`.
        figure: As in `Row`.
        found: The figure.
        control: The same on the plate alone, with the same persons drawn; None where there is none.
    """
    sign = -1 if figure in LOWER_TELLS else 1
    above = found.low > found.chance if sign > 0 else found.high < found.chance
    over = None if control is None else difference(found, control)
    beyond = over is not None and (over[1] > 0 if sign > 0 else over[2] < 0)
    if not above:
        verdict = NOTHING
    elif over is None:
        verdict = ABOVE
    else:
        verdict = BEYOND if beyond else PLATE
    return Row(
        attacker,
        variant,
        figure,
        found.value,
        found.low,
        found.high,
        found.chance,
        found.n,
        len(found.each),
        found.each,
        None if control is None else control.value,
        over,
        verdict,
    )


def matching_rows(attacker: str, tests: dict[str, list[Matching]], control: str, resamples: int) -> list[Row]:
    """Rank-1, EER and AUC of every variant.

    Args:
        attacker: Its name.
        tests: Of every variant, the same persons in all.
        control: The variant that is the plate alone, if it is there.
        resamples: Draws for the intervals.
    """
    found = {variant: matching_figures(t, resamples) for variant, t in tests.items()}
    rows = []
    for variant, figures in found.items():
        for name, one in figures.items():
            beside = found[control][name] if control in found and variant != control else None
            rows.append(row(attacker, variant, name, one, beside))
    return rows


def guess_rows(
    attacker: str, guesses: Mapping[str, Sequence[tuple[np.ndarray, ...]]], control: str, resamples: int
) -> list[Row]:
    """Balanced accuracy of every variant.

    Args:
        attacker: Its name.
        guesses: Of every variant, for each test what is true, what was guessed, and whose clip it is.
        control: As in `matching_rows`.
        resamples: Draws for the intervals.
    """
    found = {}
    for variant, tests in guesses.items():
        classes = np.mean([len(np.unique(true)) for true, *_ in tests])
        units = np.unique(np.concatenate([who for *_, who in tests]))

        def figure(counts: np.ndarray, tests: Sequence[tuple[np.ndarray, ...]] = tests) -> list[float]:
            return [balanced_accuracy(t, g, counts[who]) for t, g, who in tests]

        found[variant] = resampled(figure, units, float(1 / classes), sum(len(t) for t, *_ in tests), resamples)
    return [
        row(attacker, v, "balanced_accuracy", e, found[control] if control in found and v != control else None)
        for v, e in found.items()
    ]


def clip_figure(
    tests: Sequence[tuple[np.ndarray, np.ndarray]],
    of: Callable[[np.ndarray, np.ndarray], float],
    chance: float,
    resamples: int,
) -> Estimate:
    """A figure of values by clip, clips being resampled.

    Args:
        tests: For each test the clips' numbers and their values.
        of: From values and how often each counts to the figure.
        chance: What guessing gives.
        resamples: Draws for the interval.
    """
    units = np.unique(np.concatenate([rows for rows, _ in tests]))

    def figure(counts: np.ndarray) -> list[float]:
        return [of(values, counts[rows]) for rows, values in tests]

    return resampled(figure, units, chance, sum(len(rows) for rows, _ in tests), resamples)


def mean(values: np.ndarray, weights: np.ndarray) -> float:
    """Weighted mean; NaN where nothing counts."""
    return float((values * weights).sum() / weights.sum()) if weights.sum() else float("nan")


def median(values: np.ndarray, weights: np.ndarray) -> float:
    """Weighted median."""
    return float(np.median(np.repeat(values, weights.astype(int)))) if weights.sum() else float("nan")


def linkage_rows(ranks: dict[str, dict[str, np.ndarray]], control: str, resamples: int) -> list[Row]:
    """Rank-1, rank-10 and median rank by every way of looking.

    Args:
        ranks: By variant and way the places of every clip's source, as `m2m.attack.linkage.ranks` gives them.
        control: As in `matching_rows`.
        resamples: Draws for the intervals.
    """
    rows = []
    for way in next(iter(ranks.values())):
        found: dict[str, dict[str, Estimate]] = {}
        for variant, by_way in ranks.items():
            places = by_way[way]
            n, at, middle = len(places), np.arange(len(places)), places.mean(1)
            found[variant] = {
                "rank1": clip_figure([(at, within(places, 1))], mean, 1 / n, resamples),
                "rank10": clip_figure([(at, within(places, 10))], mean, min(1.0, 10 / n), resamples),
                "median_rank": clip_figure([(at, middle)], median, (n + 1) / 2, resamples),
            }
        for variant, figures in found.items():
            for name, one in figures.items():
                beside = found[control][name] if control in found and variant != control else None
                rows.append(row(f"linkage: {way}", variant, name, one, beside))
    return rows


def membership_row(attacker: str, variant: str, tests: Sequence[Arrays], resamples: int) -> Row:
    """How well members have the lower loss: AUC, clips being resampled.

    Args:
        attacker: Its name.
        variant: What the models were trained on.
        tests: `losses` and `members` of each seed.
        resamples: Draws for the interval.
    """

    def figure(values: np.ndarray, weights: np.ndarray) -> float:
        return auc(-values[:, 0], values[:, 1] > 0, weights)

    # A clip may be a member in one test and not in another: tests are resampled apart.
    rows, start = [], 0
    for test in tests:
        count = len(test["losses"])
        values = np.column_stack([test["losses"], test["members"]])
        rows.append((np.arange(start, start + count), values))
        start += count
    return row(attacker, variant, "auc", clip_figure(rows, figure, 0.5, resamples))
