"""The figures of a reproduced table or figure."""

from m2m.report import privacy
from m2m.report.experiment import Experiment
from m2m.report.figures import epochs
from m2m.report.learning import Curves
from m2m.report.numbers import named
from m2m.report.scatter import Point, points
from m2m.report.sentences import headed
from m2m.report.tables import Table

Drawn = list[tuple[str, str]]
"""A caption and an SVG each."""


def panels(curves: Curves) -> Drawn:
    """Learning curves, a panel a set and protocol, as the paper's figure 3."""
    return [(headed(panel), epochs(panel.lines, chance=panel.chance)) for panel in curves.panels if panel.lines]


def gaps(experiment: Experiment, curves: Curves) -> Drawn:
    """The early gap of each set against its bias, where there are biases."""
    bias = {one.title: one.bias for one in experiment.sets}
    drawn = []
    for gap in (one for one in curves.gaps if one.what == "early"):
        found = [
            Point(title, place, 100 * e.value, 100 * e.low, 100 * e.high)
            for title, e in gap.by_set.items()
            if (place := bias[title]) is not None
        ]
        if picture := points(found, "scene bias of the set", "early gap, points", zero=True):
            first, second = experiment.row(gap.first).title, experiment.row(gap.second).title
            drawn.append((f"{first} less {second}, {named(gap.protocol)}, mean of the first third", picture))
    return drawn


def trade_off(experiment: Experiment, table: Table) -> Drawn:
    """Mean top-1 against a figure of privacy, a point a row, by protocol."""
    rows = {name: privacy.figures(given) for name, given in experiment.privacy.items()}
    name = privacy.drawn(rows)
    known = {row: found[name] for row, found in rows.items() if name in found and found[name].share is not None}
    chances = {figure.chance for figure in known.values()}
    at = chances.pop() if len(chances) == 1 else None
    drawn = []
    for protocol in experiment.protocols:
        found = []
        for row in experiment.rows:
            mean = table.means[row.name, protocol]
            share = known[row.name].share if row.name in known else None
            if share is not None and mean.top1 is not None:
                low, high = (None, None) if mean.interval is None else (100 * end for end in mean.interval)
                found.append(Point(row.title, 100 * share, 100 * mean.top1, low, high))
        picture = points(found, f"{name}, %", "mean top-1, %", at=None if at is None else 100 * at, shares=True)
        if picture:
            drawn.append((f"{named(protocol)}: mean top-1 against {name}", picture))
    return drawn
