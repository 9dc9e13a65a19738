"""A reproduced table: cells, means over the sets, and pairs of rows compared. Computed from the evaluations."""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from m2m.report.experiment import Evaluation, Experiment
from m2m.report.numbers import listed
from m2m.report.paper import Reported, reported_row
from m2m.report.significance import Estimate, estimate, holm, verdict

Key = tuple[str, str, str]
"""Row, set, protocol."""


@dataclass(frozen=True)
class Cell:
    """A row on a set by one protocol.

    Attributes:
        top1: Mean over seeds, 0 to 1, or None where nothing was measured.
        interval: Its 95 % interval: of one seed the evaluation's own, over clips; of several over seeds and clips;
            None where these are not of the same clips.
        seeds: The seeds.
        n: Clips of the test; more than one number where the seeds' tests differ.
        chance: 1 / classes, or None.
        reported: The paper's figure, or None.
        why: Where nothing was measured: why not.
    """

    top1: float | None
    interval: tuple[float, float] | None
    seeds: tuple[int, ...]
    n: tuple[int, ...]
    chance: float | None
    reported: float | None
    why: str = ""

    @property
    def difference(self) -> float | None:
        """Measured less reported."""
        return None if self.top1 is None or self.reported is None else self.top1 - self.reported


@dataclass(frozen=True)
class RowMean:
    """The mean of a row over all sets by one protocol.

    Attributes:
        top1: Mean of its cells, or None where one is missing.
        interval: Its 95 % interval over seeds and clips; None where the sets' seeds differ.
        missing: Titles of the sets that are missing.
        reported: The mean of the paper's figures for these sets, computed, or None where it lacks one.
        misprint: What the paper prints, where that is not what its figures come to.
    """

    top1: float | None
    interval: tuple[float, float] | None
    missing: tuple[str, ...]
    reported: float | None
    misprint: float | None

    @property
    def difference(self) -> float | None:
        """Measured less reported."""
        return None if self.top1 is None or self.reported is None else self.top1 - self.reported


@dataclass(frozen=True)
class Comparison:
    """One row less another.

    Attributes:
        first: A row's name.
        second: Name of the row that is taken away.
        protocol: `ft` or `lp`.
        what: Which part is compared: empty for all, `early` and `late` of curves.
        found: The mean difference over all sets, or None where the two cannot be compared.
        by_set: The same of each set alone, by its title; where it can be had.
        p: Corrected for the other comparisons of the experiment, or None.
        verdict: In words.
        reported: The paper's difference, computed from its figures, or None.
        misprint: What the paper prints for it, without its sign, where that is not what its figures come to.
    """

    first: str
    second: str
    protocol: str
    found: Estimate | None
    by_set: Mapping[str, Estimate]
    p: float | None
    verdict: str
    reported: float | None = None
    misprint: float | None = None
    what: str = ""


@dataclass(frozen=True)
class Table:
    """A table, or what lies behind curves.

    Attributes:
        cells: By row, set and protocol; all there could be.
        means: By row and protocol.
        comparisons: Those the experiment asks for, by pair and protocol.
        deltas: Rows less the baseline by row and protocol, without correction and verdict.
    """

    cells: Mapping[Key, Cell]
    means: Mapping[tuple[str, str], RowMean]
    comparisons: tuple[Comparison, ...]
    deltas: Mapping[tuple[str, str], Comparison]


def tabulate(experiment: Experiment) -> Table:
    """The figures of an experiment of kind `table`.

    Raises:
        InputError: A row names a reported one that the paper does not have.
    """
    tests = by_cell(experiment.evaluations)
    paper = {row.name: reported_row(experiment.name, row.reported) for row in experiment.rows}
    cells = {
        (row.name, one.name, protocol): _cell(experiment, tests, paper[row.name], (row.name, one.name, protocol))
        for row in experiment.rows
        for one in experiment.sets
        for protocol in experiment.protocols
    }
    means = {
        (row.name, protocol): _mean(experiment, cells, tests, paper[row.name], row.name, protocol)
        for row in experiment.rows
        for protocol in experiment.protocols
    }
    pairs = [(*pair, protocol) for pair in experiment.compare for protocol in experiment.protocols]
    deltas = {
        (row.name, protocol): _compared(experiment, tests, paper, row.name, experiment.baseline, protocol)
        for row in experiment.rows
        for protocol in experiment.protocols
        if experiment.baseline not in ("", row.name)
    }
    return Table(cells, means, corrected([_compared(experiment, tests, paper, *pair) for pair in pairs]), deltas)


def by_cell(evaluations: Iterable[Evaluation]) -> dict[Key, list[Evaluation]]:
    """Evaluations of each cell, by seed."""
    found: defaultdict[Key, list[Evaluation]] = defaultdict(list)
    for one in sorted(evaluations, key=lambda e: (e.seed, e.epoch or 0)):
        found[one.row, one.set, one.protocol].append(one)
    return dict(found)


def scores(tests: Sequence[Evaluation]) -> np.ndarray | None:
    """Right and wrong as 1 and 0, (S, N): a line a test, clips by id; None where they are not the same or not known."""
    ids = sorted(tests[0].clips)
    if not ids or any(one.clips.keys() != tests[0].clips.keys() for one in tests):
        return None
    return np.array([[one.clips[name] for name in ids] for one in tests], float)


def interval(tests: Sequence[Evaluation]) -> tuple[float, float] | None:
    """The 95 % interval of one set's top-1."""
    if len(tests) == 1:
        return tests[0].low, tests[0].high
    found = scores(tests)
    if found is None:
        return None
    over = estimate([found], share=True)
    return over.low, over.high


def apart(one: Sequence[Evaluation], other: Sequence[Evaluation]) -> str:
    """Why tests of two rows on one set cannot be compared; empty where they can."""
    if not one or not other:
        return "one of them is missing"
    seeds = [tuple(e.seed for e in tests) for tests in (one, other)]
    if seeds[0] != seeds[1]:
        return f"seeds {listed(seeds[0])} against {listed(seeds[1])}"
    both = [*one, *other]
    if not all(e.clips for e in both):
        return "what was right is not known clip by clip"
    if any(e.clips.keys() != one[0].clips.keys() for e in both):
        shared = set.intersection(*(set(e.clips) for e in both))
        return f"different clips, {len(shared)} of {max(len(e.clips) for e in both)} in all"
    if len({e.test_hash for e in both}) > 1:
        return "different versions of the clips"
    return ""


def corrected(comparisons: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """Comparisons with p corrected for one another, and verdicts in words."""
    tested = [c for c in comparisons if c.found is not None]
    ps = iter(holm([c.found.p for c in tested if c.found is not None]))
    done = []
    for one in comparisons:
        if one.found is None:
            done.append(one)
            continue
        p = next(ps)
        done.append(replace(one, p=p, verdict=verdict(one.found, p)))
    return tuple(done)


def by_reason(whys: Mapping[str, str]) -> str:
    """Each reason once, after the sets that it holds for; `whys` is by title, and empty where there is no reason."""
    titles: dict[str, list[str]] = defaultdict(list)
    for title, why in whys.items():
        if why:
            titles[why].append(title)
    return "; ".join(f"{', '.join(sets)}: {why}" for why, sets in titles.items())


def compare_sets(
    pairs: Mapping[str, tuple[Sequence[Evaluation], Sequence[Evaluation]]],
) -> tuple[Estimate | None, dict[str, Estimate], str]:
    """The difference of two rows over sets.

    Args:
        pairs: The tests of each row by the set's title.

    Returns:
        Over all sets, or None; by set; and why there is none.
    """
    whys = {title: apart(*both) for title, both in pairs.items()}
    differences = {}
    for title, both in pairs.items():
        one, other = (scores(tests) if tests else None for tests in both)
        if not whys[title] and one is not None and other is not None:
            differences[title] = one - other
    by_set = {title: estimate([scored]) for title, scored in differences.items()}
    if refused := by_reason(whys):
        return None, by_set, refused
    seeds = {title: tuple(e.seed for e in one) for title, (one, _) in pairs.items()}
    if len(set(seeds.values())) > 1:
        return None, by_set, "seeds differ by set: " + "; ".join(f"{t} {listed(s)}" for t, s in seeds.items())
    return estimate(list(differences.values())), by_set, ""


def _cell(experiment: Experiment, tests: Mapping[Key, Sequence[Evaluation]], paper: Reported | None, key: Key) -> Cell:
    reported = paper.cell(*key[1:]) if paper else None
    found = tests.get(key, [])
    if not found:
        whys = dict.fromkeys(m.why for m in experiment.missing if (m.row, m.set, m.protocol) == key)
        return Cell(None, None, (), (), None, reported, "; ".join(whys) or "not measured, and nothing says why")
    return Cell(
        top1=statistics.fmean(e.top1 for e in found),
        interval=interval(found),
        seeds=tuple(e.seed for e in found),
        n=tuple(sorted({e.n for e in found})),
        chance=1 / found[0].classes,
        reported=reported,
    )


def _mean(
    experiment: Experiment,
    cells: Mapping[Key, Cell],
    tests: Mapping[Key, Sequence[Evaluation]],
    paper: Reported | None,
    row: str,
    protocol: str,
) -> RowMean:
    names = [one.name for one in experiment.sets]
    found = [cells[row, name, protocol].top1 for name in names]
    missing = tuple(s.title for s, top1 in zip(experiment.sets, found, strict=True) if top1 is None)
    known = [top1 for top1 in found if top1 is not None]
    ends = None
    if not missing and len({cells[row, name, protocol].seeds for name in names}) == 1:
        scored = [scores(tests[row, name, protocol]) for name in names]
        if all(s is not None for s in scored):
            over = estimate([s for s in scored if s is not None], share=True)
            ends = (over.low, over.high)
    return RowMean(
        top1=None if missing else statistics.fmean(known),
        interval=ends,
        missing=missing,
        reported=paper.mean(names, protocol) if paper else None,
        misprint=paper.misprinted(names, protocol) if paper else None,
    )


def _compared(
    experiment: Experiment,
    tests: Mapping[Key, Sequence[Evaluation]],
    paper: Mapping[str, Reported | None],
    first: str,
    second: str,
    protocol: str,
) -> Comparison:
    pairs = {
        s.title: (tests.get((first, s.name, protocol), []), tests.get((second, s.name, protocol), []))
        for s in experiment.sets
    }
    found, by_set, why = compare_sets(pairs)
    names, theirs, other = [s.name for s in experiment.sets], paper[first], paper[second]
    return Comparison(
        first=first,
        second=second,
        protocol=protocol,
        found=found,
        by_set=by_set,
        p=None,
        verdict=f"not comparable: {why}" if found is None else "",
        reported=theirs.difference(other, names, protocol) if theirs and other else None,
        misprint=theirs.delta_misprinted(other, names, protocol) if theirs and other else None,
    )
