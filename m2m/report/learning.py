"""Learning curves, the paper's figure 3: top-1 from checkpoints of pretraining, and who leads early and late."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from m2m.report.experiment import DownstreamSet, Evaluation, Experiment
from m2m.report.figures import Rows
from m2m.report.numbers import listed
from m2m.report.significance import estimate
from m2m.report.tables import Comparison, Key, apart, by_cell, by_reason, corrected, interval, scores

MOST_ORDERS = 8
"""Sets whose every order is gone through for an exact p; of more there is none."""


@dataclass(frozen=True)
class Panel:
    """One set by one protocol.

    Attributes:
        set: The set.
        protocol: `ft` or `lp`.
        lines: Rows of epochs with `epoch`, `top1`, `low`, `high`, `seeds` and `n`, by the title of the line.
        chance: 1 / classes, or None where nothing was measured.
    """

    set: DownstreamSet
    protocol: str
    lines: Mapping[str, Rows]
    chance: float | None


@dataclass(frozen=True)
class Trend:
    """Whether the early gap goes with the sets' bias.

    Attributes:
        first: A row's name.
        second: Name of the row that is taken away.
        protocol: `ft` or `lp`.
        sets: How many have both.
        rho: Spearman's rank correlation.
        p: Exact over all orders, two-sided; None for more than MOST_ORDERS sets.
    """

    first: str
    second: str
    protocol: str
    sets: int
    rho: float
    p: float | None


@dataclass(frozen=True)
class Curves:
    """What is drawn and said of learning curves.

    Attributes:
        panels: In order of falling bias, protocol by protocol.
        gaps: Early and late gap of each pair and protocol; means over the first, and the last, third of checkpoints.
        trends: Of the early gaps.
    """

    panels: tuple[Panel, ...]
    gaps: tuple[Comparison, ...]
    trends: tuple[Trend, ...]


def learning(experiment: Experiment) -> Curves:
    """The figures of an experiment of kind `curve`."""
    tests = by_cell(experiment.evaluations)
    sets = sorted(experiment.sets, key=lambda s: -math.inf if s.bias is None else s.bias, reverse=True)
    panels = [_panel(experiment, tests, one, protocol) for protocol in experiment.protocols for one in sets]
    pairs = experiment.compare or ([(experiment.rows[0].name, experiment.rows[1].name)] if experiment.rows[1:] else [])
    gaps = [
        _gap(tests, sets, *pair, protocol, what)
        for pair in pairs
        for protocol in experiment.protocols
        for what in ("early", "late")
    ]
    trends = [trend for gap in gaps if gap.what == "early" and (trend := _trend(gap, sets)) is not None]
    return Curves(tuple(panels), corrected(gaps), tuple(trends))


def by_epoch(tests: Sequence[Evaluation]) -> dict[int, list[Evaluation]]:
    """Tests of a cell by checkpoint, each by seed."""
    found: dict[int, list[Evaluation]] = {}
    for one in tests:
        found.setdefault(one.epoch or 0, []).append(one)
    return dict(sorted(found.items()))


def spearman(one: Sequence[float], other: Sequence[float]) -> tuple[float, float | None]:
    """Spearman's rank correlation and its exact p, two-sided; None where there are too many orders.

    Raises:
        ValueError: They are not as many, or fewer than three.
    """
    from scipy.stats import rankdata

    if len(one) != len(other) or len(one) < 3:
        raise ValueError(f"{len(one)} and {len(other)} values have no rank correlation")
    a, b = (rankdata(values) - (len(one) + 1) / 2 for values in (one, other))
    size = math.sqrt(float((a**2).sum() * (b**2).sum()))
    if size == 0:
        return 0.0, 1.0
    found = float((a * b).sum())
    if len(one) > MOST_ORDERS:
        return found / size, None
    orders = [abs(float((a * np.array(order)).sum())) for order in itertools.permutations(b)]
    return found / size, sum(value >= abs(found) - 1e-9 for value in orders) / len(orders)


def _panel(
    experiment: Experiment, tests: Mapping[Key, Sequence[Evaluation]], one: DownstreamSet, protocol: str
) -> Panel:
    lines = {}
    found = [(row, tests.get((row.name, one.name, protocol), [])) for row in experiment.rows]
    for row, mine in found:
        points: list[dict[str, float]] = []
        for epoch, at in by_epoch(mine).items():
            top1 = sum(e.top1 for e in at) / len(at)
            low, high = interval(at) or (top1, top1)
            points.append(
                {"epoch": epoch, "top1": top1, "low": low, "high": high, "seeds": len(at), "n": max(e.n for e in at)}
            )
        if points:
            lines[row.title] = points
    chance = next((1 / e.classes for _, mine in found for e in mine), None)
    return Panel(one, protocol, lines, chance)


def _gap(
    tests: Mapping[Key, Sequence[Evaluation]],
    sets: Sequence[DownstreamSet],
    first: str,
    second: str,
    protocol: str,
    what: str,
) -> Comparison:
    gaps, seeds, whys = {}, {}, {}
    for one in sets:
        both = [by_epoch(tests.get((row, one.name, protocol), [])) for row in (first, second)]
        found = _third(both[0], both[1], what)
        if isinstance(found, str):
            whys[one.title] = found
        else:
            gaps[one.title], seeds[one.title] = found
    why = by_reason(whys)
    if not why and len(set(seeds.values())) > 1:
        why = "seeds differ by set: " + "; ".join(f"{title} {listed(s)}" for title, s in seeds.items())
    return Comparison(
        first=first,
        second=second,
        protocol=protocol,
        what=what,
        found=None if why else estimate(list(gaps.values())),
        by_set={title: estimate([gap]) for title, gap in gaps.items()},
        p=None,
        verdict=f"not comparable: {why}" if why else "",
    )


def _third(
    one: Mapping[int, list[Evaluation]], other: Mapping[int, list[Evaluation]], what: str
) -> tuple[np.ndarray, tuple[int, ...]] | str:
    """The mean difference by seed and clip over a third of the checkpoints, and the seeds; or why there is none."""
    epochs = sorted(one.keys() & other.keys())
    if not epochs:
        return "no checkpoint of both"
    many = math.ceil(len(epochs) / 3)
    differences = []
    chosen = epochs[:many] if what == "early" else epochs[-many:]
    for epoch in chosen:
        if why := apart(one[epoch], other[epoch]):
            return f"epoch {epoch}: {why}"
        mine, theirs = scores(one[epoch]), scores(other[epoch])
        if mine is not None and theirs is not None:
            differences.append(mine - theirs)
    seeds = {tuple(e.seed for e in one[epoch]) for epoch in chosen}
    if len(seeds) > 1 or len({e.clips.keys() == one[chosen[0]][0].clips.keys() for k in chosen for e in one[k]}) > 1:
        return "seeds or clips differ by checkpoint"
    return np.mean(differences, 0), seeds.pop()


def _trend(gap: Comparison, sets: Sequence[DownstreamSet]) -> Trend | None:
    known = [(s.bias, gap.by_set[s.title].value) for s in sets if s.bias is not None and s.title in gap.by_set]
    if len(known) < 3:
        return None
    rho, p = spearman([bias for bias, _ in known], [value for _, value in known])
    return Trend(gap.first, gap.second, gap.protocol, len(known), rho, p)
