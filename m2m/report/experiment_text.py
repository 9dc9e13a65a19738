"""The page of a reproduced table or figure as Markdown."""

from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote

from m2m.report.sheet import CellText, Entry, Sheet, Words
from m2m.wording import markdown

Figures = Sequence[tuple[str, str]]
"""A caption and the name of a file each."""


def experiment_text(shown: Sheet, words: Words, version: str, figures: Mapping[str, Figures]) -> str:
    """The Markdown of one experiment.

    Args:
        shown: What it says.
        words: How it is to be read.
        version: Of M2M.
        figures: `curves`, `gaps` and `trade_off`.
    """
    experiment = shown.experiment
    lines = [f"# {markdown(experiment.title)}", "", markdown(experiment.question), ""]
    lines += [f"{markdown(shown.about)} M2M {version}.", "", *(f"- {markdown(note)}" for note in words.notes), ""]
    for grid in shown.grids:
        heads = [f"{title} ({what})" if what else title for title, what in grid.columns]
        rows = [[_title(line.title, line.kind, line.note), *map(_cell, line.cells)] for line in grid.lines]
        lines += [f"## {markdown(grid.title)}", "", *table(["trained on", *heads], rows), ""]
    lines += _pictures(figures.get("curves", ()))
    for title, drawn, points in shown.panels:
        lines += [f"## {markdown(title)}", "", *table(["epoch", *drawn], points), ""]
    if shown.compared:
        rows = [
            [c.what, c.how, c.difference, c.interval, c.p, c.corrected, c.verdict, c.reported] for c in shown.compared
        ]
        heads = ["rows", "protocol", "difference", "95 % interval", "p", "p, Holm", "verdict", "reported"]
        lines += ["## Comparisons", "", markdown(words.compared), "", *table(heads, rows), ""]
        if by_set := [[c.what, c.how, *one] for c in shown.compared for one in c.by_set]:
            lines += ["By set, not corrected:", ""]
            lines += [*table(["rows", "protocol", "set", "difference", "95 % interval"], by_set), ""]
    lines += _list("Gap and bias", shown.trends) + _pictures(figures.get("gaps", ()))
    names, rows_of = shown.privacy
    if names:
        heads = [f"mean top-1, {p}" for p in shown.protocols if shown.grids]  # of curves there is no one mean
        rows = [[title, *means[: len(heads)], *figures] for title, means, figures in rows_of]
        heads = ["trained on", *heads, *names]
        lines += ["## Privacy beside accuracy", "", *table(heads, rows), ""]
        lines += [f"- {markdown(sentence)}" for sentence in words.privacy] + [""] * bool(words.privacy)
        lines += _pictures(figures.get("trade_off", ()))
    lines += _list("Misprints in the paper", shown.misprints)
    if shown.missing:
        heads = ["trained on", "tested on", "protocol", "seed", "why"]
        lines += ["## Missing", "", *table(heads, shown.missing), ""]
    rows = [[*t.where, _seeds(t.seeds), t.n, t.chance, t.data, t.test, t.code] for t in shown.tested]
    heads = ["trained on", "tested on", "protocol", "epoch", "top-1 by seed", "n", "chance", "data", "test", "code"]
    return "\n".join([*lines, "## Every test", "", *table(heads, rows)]) + "\n"


def _pictures(figures: Figures) -> list[str]:
    return [line for caption, name in figures for line in (f"![{_alone(caption)}]({quote(name)})", "")]


def _alone(caption: str) -> str:
    """Text that ends no link."""
    return markdown(caption).replace("]", "&#93;")


def index_text(entries: Sequence[Entry]) -> str:
    """The Markdown of the list of experiments."""
    lines = ["# Reproduced tables and figures", ""]
    for entry in entries:
        lines += [
            f"## [{_alone(entry.title)}]({entry.name}.md)",
            "",
            markdown(entry.question),
            "",
        ]
        lines += [f"{markdown(entry.about)}", "", *(f"- {markdown(verdict)}" for verdict in entry.verdicts), ""]
    return "\n".join(lines).rstrip() + "\n"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table's lines; an empty cell is a dash."""

    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(markdown(cell) or '–' for cell in cells)} |"

    return [line(heads), f"|{'---|' * len(heads)}", *map(line, rows)]


def _list(title: str, sentences: Sequence[str]) -> list[str]:
    return [f"## {title}", "", *(f"- {markdown(one)}" for one in sentences), ""] if sentences else []


def _title(title: str, kind: str, note: str) -> str:
    return f"{title} ({kind}{': ' + note if note else ''})"


def _cell(cell: CellText) -> str:
    parts = [cell.measured + (f" ({cell.interval})" if cell.interval else "")] if cell.measured else []
    if cell.reported:
        parts.append(f"reported {cell.reported}" + (f", difference {cell.difference}" if cell.difference else ""))
    return "; ".join([*parts, *cell.more])


def _seeds(seeds: Sequence[tuple[int, str, str, str]]) -> str:
    return "; ".join(f"{seed}: {top1}" + (f" ({link or run})" if run else "") for seed, top1, run, link in seeds)
