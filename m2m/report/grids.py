"""The tables of a reproduced table as text, cell by cell."""

from m2m.report.experiment import Experiment
from m2m.report.numbers import ends, listed, named, percent, points, signed
from m2m.report.sheet import CellText, Grid, Line
from m2m.report.tables import Cell, Comparison, RowMean, Table


def grid(experiment: Experiment, table: Table, protocol: str, usual: tuple[int, ...]) -> Grid:
    """The table of one protocol.

    Args:
        experiment: What was read.
        table: Its figures.
        protocol: Which.
        usual: The seeds that need no mention.
    """
    columns = []
    common: dict[str, tuple[tuple[int, ...] | None, float | None]] = {}
    for one in experiment.sets:
        cells = [table.cells[row.name, one.name, protocol] for row in experiment.rows]
        sizes = {cell.n for cell in cells if cell.n}
        chances = {cell.chance for cell in cells if cell.chance}
        common[one.name] = (sizes.pop() if len(sizes) == 1 else None, chances.pop() if len(chances) == 1 else None)
        columns.append((one.title, _about(*common[one.name])))
    several = len(experiment.sets) > 1
    if several:
        columns.append(("Mean", "each set counts the same"))
    if experiment.baseline:
        columns.append(("Mean less baseline", experiment.row(experiment.baseline).title))
    lines = []
    for row in experiment.rows:
        texts = [_cell(table.cells[row.name, one.name, protocol], *common[one.name], usual) for one in experiment.sets]
        if several:
            texts.append(_mean(table.means[row.name, protocol]))
        if experiment.baseline:
            texts.append(_delta(table.deltas.get((row.name, protocol))))
        kind = "private" if row.private else "not private"
        lines.append(Line(row.title, kind, row.note, tuple(texts)))
    return Grid(named(protocol), tuple(columns), tuple(lines))


def _about(n: tuple[int, ...] | None, chance: float | None) -> str:
    """What holds for a whole column."""
    parts = [f"n {listed(n)}"] if n else []
    return ", ".join(parts + ([f"chance {percent(chance)}"] if chance else []))


def _cell(cell: Cell, n: tuple[int, ...] | None, chance: float | None, usual: tuple[int, ...]) -> CellText:
    more = [cell.why] if cell.why else []
    if cell.top1 is not None:
        more += [f"seeds {listed(cell.seeds)}"] if cell.seeds != usual else []
        more += [f"n {listed(cell.n)}"] if cell.n != n else []
        more += [f"chance {percent(cell.chance)}"] if cell.chance is not None and cell.chance != chance else []
        more += ["no interval: the seeds' clips are not the same"] if cell.interval is None else []
    return CellText(
        measured="" if cell.top1 is None else percent(cell.top1),
        interval=ends(cell.interval),
        reported="" if cell.reported is None else percent(cell.reported),
        difference=points(cell.difference),
        more=tuple(more),
    )


def _mean(mean: RowMean) -> CellText:
    more = []
    if mean.missing:
        more.append(f"no mean: {', '.join(mean.missing)} missing")
    elif mean.interval is None:
        more.append("no interval: seeds or clips differ")
    if mean.misprint is not None:
        more.append(f"misprint: printed {percent(mean.misprint)}")
    return CellText(
        measured="" if mean.top1 is None else percent(mean.top1),
        interval=ends(mean.interval),
        reported="" if mean.reported is None else percent(mean.reported, 2),
        difference=points(mean.difference),
        more=tuple(more),
    )


def _delta(delta: Comparison | None) -> CellText:
    if delta is None:
        return CellText("", "", "", "", ("the baseline",))
    found = delta.found
    more = [delta.verdict] if found is None else []
    if delta.misprint is not None:
        more.append(f"misprint: printed {percent(delta.misprint)}")
    return CellText(
        measured="" if found is None else points(found.value),
        interval="" if found is None else signed(found),
        reported=points(delta.reported, 2),
        difference="" if found is None or delta.reported is None else points(found.value - delta.reported),
        more=tuple(more),
    )
