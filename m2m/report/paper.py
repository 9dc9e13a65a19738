"""What the paper prints, its tables 1 to 4: 'reported', never 'measured'. Means and differences are computed anew."""

import csv
import functools
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

from m2m.errors import InputError

TABLES = ("table1", "table2", "table3", "table4")
ROUNDED = 0.0005 + 1e-9
"""What rounding to a tenth of a point may change, as a share."""


@dataclass(frozen=True)
class Reported:
    """A row of one of the paper's tables; all figures as shares, 0 to 1.

    Attributes:
        cells: Top-1 by set (letters and digits alone) and protocol.
        means: The printed mean over the sets by protocol.
        deltas: The printed difference from the row aligned on real video by protocol, without its sign; table 4 alone.
    """

    cells: Mapping[tuple[str, str], float]
    means: Mapping[str, float]
    deltas: Mapping[str, float]

    def cell(self, name: str, protocol: str) -> float | None:
        """Top-1 on a set in any spelling, `UCF-101` being `ucf101`; None where the paper has none."""
        return self.cells.get((plain(name), protocol))

    def mean(self, names: Sequence[str], protocol: str) -> float | None:
        """The mean over sets, computed; None where the paper lacks one of them."""
        found = [self.cell(name, protocol) for name in names]
        known = [value for value in found if value is not None]
        return statistics.fmean(known) if known and len(known) == len(found) else None

    def complete(self, names: Sequence[str], protocol: str) -> bool:
        """Whether these are the sets of the printed mean."""
        return {plain(name) for name in names} == {name for name, how in self.cells if how == protocol}

    def misprinted(self, names: Sequence[str], protocol: str) -> float | None:
        """The printed mean, if it is of these sets and is not what they come to; else None."""
        mean, printed = self.mean(names, protocol), self.means.get(protocol)
        if mean is None or printed is None or not self.complete(names, protocol):
            return None
        return printed if abs(printed - mean) > ROUNDED else None

    def difference(self, other: "Reported", names: Sequence[str], protocol: str) -> float | None:
        """The mean less another row's, computed; None where the paper lacks one of them."""
        one, two = self.mean(names, protocol), other.mean(names, protocol)
        return None if one is None or two is None else one - two

    def delta_misprinted(self, other: "Reported", names: Sequence[str], protocol: str) -> float | None:
        """The printed difference, without its sign, if it is not what the rows come to; else None."""
        found, printed = self.difference(other, names, protocol), self.deltas.get(protocol)
        if found is None or printed is None or not self.complete(names, protocol):
            return None
        return printed if abs(printed - abs(found)) > ROUNDED else None


def plain(name: str) -> str:
    """A set's name without case, spaces and signs."""
    return re.sub("[^a-z0-9]", "", name.lower())


@functools.cache
def reported_rows(table: str) -> Mapping[str, Reported]:
    """The rows of `table1` to `table4`, by the names that M2M gives them; none of any other table."""
    if table not in TABLES:
        return {}
    text = resources.files("m2m.report").joinpath("reported", f"{table}.csv").read_text(encoding="utf-8")
    return {row["row"]: _reported(row) for row in csv.DictReader(text.splitlines())}


def reported_row(table: str, name: str) -> Reported | None:
    """A row of a table; None for an empty name.

    Raises:
        InputError: The table has no such row.
    """
    if not name:
        return None
    rows = reported_rows(table)
    if name not in rows:
        raise InputError(
            f"the paper's {table} has no row {name!r}",
            f"its rows are {', '.join(rows)}" if rows else "leave reported empty: nothing is reported for it",
        )
    return rows[name]


def _reported(row: Mapping[str, str]) -> Reported:
    cells: dict[tuple[str, str], float] = {}
    printed: dict[str, dict[str, float]] = {"mean": {}, "delta": {}}
    for column, text in row.items():
        if found := re.fullmatch(r"(mean|delta)_(ft|lp)_printed", column):
            printed[found[1]][found[2]] = float(text) / 100
        elif column.endswith(("_ft", "_lp")):
            cells[plain(column[:-3]), column[-2:]] = float(text) / 100
    return Reported(cells, printed["mean"], printed["delta"])
