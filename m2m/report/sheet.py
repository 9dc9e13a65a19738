"""What the page of a reproduced table or figure says, as text: HTML and Markdown are made from the same."""

from dataclasses import dataclass

from m2m.report.experiment import Experiment
from m2m.report.numbers import NONE, counted


@dataclass(frozen=True)
class CellText:
    """A cell, in points of a hundred.

    Attributes:
        measured: Mean over seeds, or a difference; empty where there is none.
        interval: Its 95 % interval, or empty.
        reported: The paper's, or empty.
        difference: Measured less reported, or empty.
        more: What sets it apart from the others: seeds, clips, a misprint, why it is missing.
    """

    measured: str
    interval: str
    reported: str
    difference: str
    more: tuple[str, ...] = ()


@dataclass(frozen=True)
class Line:
    """A row of a grid.

    Attributes:
        title: What people call it.
        kind: `private` or `not private`.
        note: What is to be known of it.
        cells: As many as the grid has columns.
    """

    title: str
    kind: str
    note: str
    cells: tuple[CellText, ...]


@dataclass(frozen=True)
class Grid:
    """The table of one protocol.

    Attributes:
        title: The protocol.
        columns: Titles, and what holds for all cells of the column.
        lines: The rows.
    """

    title: str
    columns: tuple[tuple[str, str], ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Compared:
    """A comparison.

    Attributes:
        what: The two rows.
        how: The protocol, and of curves the part.
        difference: In points, with its sign.
        interval: Its 95 % interval.
        p: Of it alone.
        corrected: With the other comparisons.
        verdict: In words.
        reported: The paper's difference, or empty.
        by_set: Set, difference, interval.
    """

    what: str
    how: str
    difference: str
    interval: str
    p: str
    corrected: str
    verdict: str
    reported: str
    by_set: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Tested:
    """The tests of one cell, of a curve at one checkpoint.

    Attributes:
        where: Row, set, protocol, epoch (empty in a table).
        seeds: Of each seed: its number, top-1, MLflow's id of the run or empty, and the run's address or empty.
        n: Clips.
        chance: 1 / classes.
        data: Version of the training data.
        test: Version of the clips.
        code: Version of M2M.
    """

    where: tuple[str, str, str, str]
    seeds: tuple[tuple[int, str, str, str], ...]
    n: str
    chance: str
    data: str
    test: str
    code: str


@dataclass(frozen=True)
class Sheet:
    """All of it.

    Attributes:
        experiment: What was read.
        seeds: The seeds that most cells have.
        grids: By protocol; none of curves.
        panels: Of curves by set and protocol: title, lines, and a row a checkpoint.
        compared: Pairs of rows.
        trends: How early gaps go with bias, a sentence each.
        misprints: What the paper prints and its own figures do not come to, a sentence each.
        privacy: Names of the figures, and rows: title, mean top-1 by protocol, figures.
        missing: Row, set, protocol, seed, why.
        tested: Every test.
        code: Versions of M2M.
    """

    experiment: Experiment
    seeds: str
    grids: tuple[Grid, ...]
    panels: tuple[tuple[str, tuple[str, ...], tuple[tuple[str, ...], ...]], ...]
    compared: tuple[Compared, ...]
    trends: tuple[str, ...]
    misprints: tuple[str, ...]
    privacy: tuple[tuple[str, ...], tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]]
    missing: tuple[tuple[str, str, str, str, str], ...]
    tested: tuple[Tested, ...]
    code: tuple[str, ...]

    @property
    def protocols(self) -> tuple[str, ...]:
        """The protocols as heads of columns."""
        return tuple(protocol.upper() for protocol in self.experiment.protocols)

    @property
    def about(self) -> str:
        """What was done, in a sentence."""
        done = f"{counted(len(self.experiment.evaluations), 'evaluation')} at the scale {self.experiment.scale!r}"
        seeds = f", seed{'s' if ',' in self.seeds else ''} {self.seeds}" if self.seeds else ""
        gone = f"; {len(self.experiment.missing)} missing" if self.experiment.missing else ""
        return f"{done}{seeds}{gone}; code {', '.join(self.code) or NONE}."


@dataclass(frozen=True)
class Words:
    """How the page is to be read.

    Attributes:
        notes: Sentences above the tables.
        compared: What the comparisons are.
        privacy: Sentences above the figures of privacy.
    """

    notes: tuple[str, ...]
    compared: str
    privacy: tuple[str, ...]


@dataclass(frozen=True)
class Entry:
    """An experiment in the list of several.

    Attributes:
        name: Of the experiment; its pages are called so.
        title: Its title.
        question: What it answers.
        about: What was done.
        verdicts: What its comparisons showed, a sentence each.
    """

    name: str
    title: str
    question: str
    about: str
    verdicts: tuple[str, ...]
