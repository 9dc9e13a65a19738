"""Means over downstream sets, and tables by class: computed from the results, never typed."""

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from m2m.report.paper import reported_rows
from m2m.report.results import Line, Result, lines

MOST_DRAWN = 20
"""Classes of the largest confusion matrix that is drawn; of more the page would have to be metres wide."""


@dataclass(frozen=True)
class Mean:
    """The mean of an arm over the downstream sets.

    Attributes:
        arm: As in `Result`.
        how: As in `Result`.
        sets: The sets over which it is.
        missing: Sets on which other arms were tested and this one was not; then there is no mean.
        top1: Mean over sets of the means over seeds, 0 to 1, or None.
        seeds: The seeds that every set has.
        least: Lowest of the means of one of these seeds, or None.
        most: Highest.
        reported: The mean of the paper's figures for this arm and these sets, or None where it lacks one.
    """

    arm: str
    how: str
    sets: tuple[str, ...]
    missing: tuple[str, ...]
    top1: float | None
    seeds: tuple[int, ...]
    least: float | None
    most: float | None
    reported: float | None

    @property
    def difference(self) -> float | None:
        """Measured minus reported."""
        return None if self.reported is None or self.top1 is None else self.top1 - self.reported


def means(results: Sequence[Result]) -> list[Mean]:
    """A mean for every arm and way of evaluation; none at all where there is one downstream set."""
    sets = sorted({result.name for result in results})
    rows: defaultdict[tuple[str, str], list[Line]] = defaultdict(list)
    for line in lines(results):
        rows[line.how, line.arm].append(line)
    return [_mean(found, sets, results) for _, found in sorted(rows.items())] if len(sets) > 1 else []


def _mean(found: Sequence[Line], sets: Sequence[str], results: Sequence[Result]) -> Mean:
    arm, how, names = found[0].arm, found[0].how, tuple(line.name for line in found)
    missing = tuple(name for name in sets if name not in names)
    if missing:
        return Mean(arm, how, names, missing, None, (), None, None, None)
    seeds = tuple(sorted(set.intersection(*(set(line.seeds) for line in found))))
    own = {(r.seed, r.name): r.top1 for r in results if (r.arm, r.how) == (arm, how)}
    of_seeds = [statistics.fmean(own[seed, name] for name in names) for seed in seeds]
    theirs = [line.reported for line in found if line.reported is not None]
    return Mean(
        arm=arm,
        how=how,
        sets=names,
        missing=(),
        top1=statistics.fmean(line.top1 for line in found),
        seeds=seeds,
        least=min(of_seeds, default=None),
        most=max(of_seeds, default=None),
        reported=statistics.fmean(theirs) if len(theirs) == len(found) else None,
    )


def reported_means() -> dict[str, dict[str, float]]:
    """Means of the rows of the paper's table 1 by protocol, 0 to 1, computed from its figures."""
    return {
        name: {
            protocol: statistics.fmean(top1 for (_, how), top1 in row.cells.items() if how == protocol)
            for protocol in ("ft", "lp")
        }
        for name, row in reported_rows("table1").items()
    }


@dataclass(frozen=True)
class ByClass:
    """One downstream set by class.

    Attributes:
        name: The set.
        how: As in `Result`.
        arms: Columns of the table.
        rows: Label, clips of the test, and for each arm the share that was right (over all its seeds) or None.
        confusions: Counts over all seeds, by arm; of small sets alone.
        labels: The classes in the order of these counts.
    """

    name: str
    how: str
    arms: tuple[str, ...]
    rows: tuple[tuple[str, int, tuple[float | None, ...]], ...]
    confusions: Mapping[str, Sequence[Sequence[int]]]
    labels: tuple[str, ...]


def by_class(results: Sequence[Result]) -> list[ByClass]:
    """A table for every downstream set and way of evaluation; classes by name, arms side by side."""
    grouped: defaultdict[tuple[str, str], dict[str, Result]] = defaultdict(dict)
    for result in results:
        grouped[result.name, result.how][result.fingerprint] = result
    return [_by_class(name, how, list(found.values())) for (name, how), found in sorted(grouped.items())]


def _by_class(name: str, how: str, results: Sequence[Result]) -> ByClass:
    labels = tuple(sorted({label for result in results for label in result.labels}))
    arms = tuple(sorted({result.arm for result in results}))
    counts = {arm: _counts([r for r in results if r.arm == arm], labels) for arm in arms}
    seeds = {arm: sum(r.arm == arm for r in results) for arm in arms}
    rows = []
    for i, label in enumerate(labels):
        n = {arm: sum(counts[arm][i]) for arm in arms}
        shares = tuple(counts[arm][i][i] / n[arm] if n[arm] else None for arm in arms)
        rows.append((label, max(n[arm] // seeds[arm] for arm in arms), shares))
    return ByClass(name, how, arms, tuple(rows), counts if len(labels) <= MOST_DRAWN else {}, labels)


def _counts(results: Sequence[Result], labels: Sequence[str]) -> list[list[int]]:
    """Confusions added up over seeds."""
    place = {label: i for i, label in enumerate(labels)}
    total = [[0] * len(labels) for _ in labels]
    for result in results:
        for shows, row in zip(result.labels, result.confusion, strict=True):
            for taken, n in zip(result.labels, row, strict=True):
                total[place[shows]][place[taken]] += n
    return total
