"""Figures of points with intervals: accuracy against privacy, a gap against bias."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from m2m.report.figures import STYLE, svg

LEAST = 5.0
"""Least width of an axis of percent."""
MARKERS = "osD^vP*X<>hpd8"


@dataclass(frozen=True)
class Point:
    """A point.

    Attributes:
        name: In the legend.
        x: Where.
        y: Its height.
        low: Lower end of its interval, or None.
        high: Upper end.
    """

    name: str
    x: float
    y: float
    low: float | None = None
    high: float | None = None


def points(
    found: Sequence[Point], x: str, y: str, *, at: float | None = None, zero: bool = False, shares: bool = False
) -> str:
    """Points with their intervals, each with a marker of its own that the legend below names.

    Args:
        found: The points, in the order of the legend.
        x: What the axis is called.
        y: The same.
        at: Where a dotted upright line says what guessing reaches, or None.
        zero: Whether a line is drawn at height 0.
        shares: Whether x is percent: its axis begins at 0 and is never narrower than LEAST.

    Returns:
        SVG, or an empty string where there is no point.
    """
    if not found:
        return ""
    with mpl.rc_context(STYLE):
        below = 0.19 * (len(found) + (at is not None)) + 0.15
        figure = Figure(figsize=(4.4, 2.9 + below), layout="constrained")
        axes = figure.subplots()
        colours = mpl.colormaps["tab10"]
        for i, one in enumerate(found):
            ends = None if one.low is None or one.high is None else ([one.y - one.low], [one.high - one.y])
            look: Any = {"marker": MARKERS[i % len(MARKERS)], "ms": 6, "mec": "#1c2430", "mew": 0.6, "elinewidth": 0.9}
            axes.errorbar(
                [one.x], [one.y], ends, fmt="", linestyle="none", color=colours(i % 10), label=one.name, **look
            )
        if at is not None:
            axes.axvline(at, color="#5b6675", linewidth=0.9, linestyle=":", label="chance")
        if zero:
            axes.axhline(0, color="#5b6675", linewidth=0.7)
        axes.margins(x=0.08, y=0.08)
        axes.set(xlabel=x, ylabel=y)
        if shares:
            right = max(LEAST, 1.05 * max(one.x for one in found))
            axes.set_xlim(-0.03 * right, right)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(loc="outside lower left", fontsize=8, frameon=False, numpoints=1)
        return svg(figure)
