"""Puts the figures of an experiment into the words of its page."""

from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote

from m2m.report import privacy
from m2m.report.experiment import Evaluation, Experiment
from m2m.report.grids import grid
from m2m.report.learning import Curves, Panel
from m2m.report.numbers import NONE, counted, ends, listed, named, percent, points, shown_p, signed
from m2m.report.sentences import headed, misprints, trend_sentence
from m2m.report.sheet import Compared, Entry, Sheet, Tested
from m2m.report.tables import Comparison, Table

SHORT = 12
"""Characters of a hash that are shown."""


def sheet(experiment: Experiment, table: Table | None, curves: Curves | None, tracker: str = "") -> Sheet:
    """Puts an experiment's figures into words.

    Args:
        experiment: What was read.
        table: Of kind `table`.
        curves: Of kind `curve`.
        tracker: Address of MLflow's page, without a slash at its end; empty: runs have no address.
    """
    titles = {row.name: row.title for row in experiment.rows}
    usual = _usual(table, experiment)
    comparisons = [*(table.comparisons if table else ()), *(curves.gaps if curves else ())]
    return Sheet(
        experiment=experiment,
        seeds=listed(usual),
        grids=tuple(grid(experiment, table, p, usual) for p in experiment.protocols) if table else (),
        panels=tuple(_panel(p) for p in curves.panels if p.lines) if curves else (),
        compared=tuple(_compared(c, titles) for c in comparisons),
        trends=tuple(trend_sentence(t, titles) for t in curves.trends) if curves else (),
        misprints=tuple(misprints(experiment, table, titles)) if table else (),
        privacy=_privacy(experiment, table),
        missing=tuple(_missing(experiment)),
        tested=tuple(_tested(experiment, tracker.rstrip("/"))),
        code=tuple(sorted({e.code_version for e in experiment.evaluations})),
    )


def entry(shown: Sheet) -> Entry:
    """What the list of several experiments says of one."""
    one = shown.experiment
    verdicts = tuple(f"{c.what}, {c.how}: {c.verdict}" for c in shown.compared)
    return Entry(one.name, one.title, one.question, shown.about, verdicts + shown.trends)


def _usual(table: Table | None, experiment: Experiment) -> tuple[int, ...]:
    """The seeds that most cells have."""
    if table is None:
        return tuple(sorted({e.seed for e in experiment.evaluations}))
    found = [cell.seeds for cell in table.cells.values() if cell.seeds]
    return max(found, key=lambda seeds: (found.count(seeds), len(seeds)), default=())


def _panel(panel: Panel) -> tuple[str, tuple[str, ...], tuple[tuple[str, ...], ...]]:
    at = {title: {row["epoch"]: row for row in rows} for title, rows in panel.lines.items()}
    rows = []
    for epoch in sorted({epoch for found in at.values() for epoch in found}):
        cells = []
        for found in at.values():
            row = found.get(epoch)
            cells.append(
                f"{percent(row['top1'])} ({ends((row['low'], row['high']))}), n {row['n']:.0f}, "
                f"{counted(int(row['seeds']), 'seed')}"
                if row
                else NONE
            )
        rows.append((f"{epoch:.0f}", *cells))
    return headed(panel), tuple(at), tuple(rows)


def _compared(one: Comparison, titles: Mapping[str, str]) -> Compared:
    found, part = one.found, f", {one.what} third" if one.what else ""
    return Compared(
        what=f"{titles[one.first]} less {titles[one.second]}",
        how=named(one.protocol) + part,
        difference="" if found is None else points(found.value),
        interval="" if found is None else signed(found),
        p="" if found is None else shown_p(found.p),
        corrected="" if one.p is None else shown_p(one.p),
        verdict=one.verdict,
        reported=points(one.reported, 2),
        by_set=tuple((title, points(e.value), signed(e)) for title, e in one.by_set.items()),
    )


def _privacy(
    experiment: Experiment, table: Table | None
) -> tuple[tuple[str, ...], tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]]:
    rows = {name: privacy.figures(given) for name, given in experiment.privacy.items()}
    passed = privacy.unfailed(rows)
    columns = [name for name in privacy.names(rows) if name not in passed]
    lines = []
    for row in experiment.rows if columns else ():
        found = rows.get(row.name, {})
        means = [table.means[row.name, p].top1 if table else None for p in experiment.protocols]
        lines.append(
            (
                row.title,
                tuple(NONE if mean is None else percent(mean) for mean in means),
                tuple(found[name].text if name in found else NONE for name in columns),
            )
        )
    return tuple(columns), tuple(lines)


def _missing(experiment: Experiment) -> Iterable[tuple[str, str, str, str, str]]:
    titles = {row.name: row.title for row in experiment.rows}, {one.name: one.title for one in experiment.sets}
    for one in experiment.missing:
        seed = NONE if one.seed is None else str(one.seed)
        yield titles[0][one.row], titles[1][one.set], named(one.protocol), seed, one.why


def _tested(experiment: Experiment, tracker: str) -> Iterable[Tested]:
    groups: dict[tuple, list[Evaluation]] = {}
    for e in experiment.evaluations:
        groups.setdefault((e.row, e.set, e.protocol, e.epoch), []).append(e)
    rows = {row.name: (i, row.title) for i, row in enumerate(experiment.rows)}
    sets = {one.name: (i, one.title) for i, one in enumerate(experiment.sets)}

    def place(key: tuple) -> tuple:
        return experiment.protocols.index(key[2]), sets[key[1]][0], rows[key[0]][0], key[3] or 0

    for key in sorted(groups, key=place):
        found = sorted(groups[key], key=lambda e: e.seed)
        yield Tested(
            where=(rows[key[0]][1], sets[key[1]][1], named(key[2]), "" if key[3] is None else str(key[3])),
            seeds=tuple(
                (
                    e.seed,
                    percent(e.top1),
                    e.run,
                    f"{tracker}/#/runs/{quote(e.run, safe='')}" if tracker and e.run else "",
                )
                for e in found
            ),
            n=listed(sorted({e.n for e in found})),
            chance=percent(1 / found[0].classes),
            data=_hashes(e.data_hash for e in found),
            test=_hashes(e.test_hash for e in found),
            code=", ".join(sorted({e.code_version for e in found})),
        )


def _hashes(found: Iterable[str]) -> str:
    known: Sequence[str] = sorted({h[:SHORT] for h in found if h})
    return ", ".join(known) or NONE
