"""Figures of trainings, drawn by matplotlib as SVG that is the same for the same numbers."""

import io
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

# Text stays text, a name with $ is no formula, and ids do not change from run to run.
STYLE: Any = {
    "svg.hashsalt": "m2m",
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.size": 9,
}


def svg(figure: Figure) -> str:
    """A figure as SVG that begins with its tag."""
    data = io.StringIO()
    figure.savefig(data, format="svg", metadata={"Date": None, "Creator": None})
    text = data.getvalue()
    return text[text.index("<svg") :]


Rows = Sequence[Mapping[str, float]]
"""A row an epoch."""


def curves(runs: Mapping[str, Sequence[Rows]], field: str, label: str) -> str:
    """Learning curves: a line each for the mean of runs that differ by seed, a band from the least to the most.

    Args:
        runs: Rows of epochs of one or more runs, by the name of the line.
        field: Which figure of a row; epochs without it are left out.
        label: What it is called on the axis.

    Returns:
        SVG, or an empty string where no run has the figure.
    """
    lines = {name: points for name, seeds in runs.items() if (points := _by_epoch(seeds, field))}
    if not lines:
        return ""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.4, 2.8), layout="constrained")
        axes = figure.subplots()
        for name, points in lines.items():
            epochs = list(points)
            marker = "o" if len(epochs) < 10 else ""
            axes.plot(epochs, [np.mean(v) for v in points.values()], label=name, linewidth=1.4, marker=marker, ms=3)
            if any(len(v) > 1 for v in points.values()):
                least, most = ([end(v) for v in points.values()] for end in (min, max))
                axes.fill_between(epochs, least, most, alpha=0.15)
        axes.set(xlabel="epoch", ylabel=label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(fontsize=8, frameon=False)
        return svg(figure)


def epochs(lines: Mapping[str, Rows], title: str = "", chance: float | None = None) -> str:
    """Top-1 against the epochs of pretraining, the paper's figure 3: intervals as bars, the gap of two lines shaded.

    Args:
        lines: Rows with `epoch`, `top1`, `low` and `high` (0 to 1) in order of epochs, by the name of the line.
        title: Above it.
        chance: Top-1 of guessing, 0 to 1; a dotted line.

    Returns:
        SVG. What is shaded lies between the first two lines, where both have been measured or lie between two measures.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.4, 3.2), layout="constrained")
        axes = figure.subplots()
        found = {
            name: [[100 * row[k] for row in rows] for k in ("top1", "low", "high")] for name, rows in lines.items()
        }
        places = {name: [row["epoch"] for row in rows] for name, rows in lines.items()}
        for name, (top1, low, high) in found.items():
            below, above = np.subtract(top1, low), np.subtract(high, top1)
            axes.errorbar(
                places[name], top1, (below, above), label=name, marker="o", ms=3, linewidth=1.4, elinewidth=0.6
            )
        if len(lines) > 1:
            (one, two), common = list(lines)[:2], np.unique(np.concatenate(list(places.values())[:2]))
            common = common[(common >= max(p[0] for p in (places[one], places[two])))]
            common = common[(common <= min(p[-1] for p in (places[one], places[two])))]
            ends = [np.interp(common, places[name], found[name][0]) for name in (one, two)]
            axes.fill_between(common, *ends, alpha=0.15, color="#5b6675", linewidth=0, label="gap")
        if chance is not None:
            axes.axhline(100 * chance, color="#5b6675", linewidth=0.9, linestyle=":", label="chance")
        axes.set(xlabel="epoch of pretraining", ylabel="top-1, %", title=title)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        columns = 1 if max(map(len, lines), default=0) > 28 else 2
        figure.legend(loc="outside lower center", fontsize=8, frameon=False, ncols=columns)
        return svg(figure)


def _by_epoch(seeds: Sequence[Rows], field: str) -> dict[float, list[float]]:
    """A figure of each run by epoch."""
    found: dict[float, list[float]] = {}
    for row in (row for rows in seeds for row in rows if field in row):
        found.setdefault(row["epoch"], []).append(row[field])
    return dict(sorted(found.items()))


def confusion(counts: Sequence[Sequence[int]], classes: Sequence[str], title: str = "") -> str:
    """A confusion matrix: rows are what clips show, columns what they were taken for.

    Args:
        counts: (C, C) clips.
        classes: Names of the C classes.
        title: Above it.

    Returns:
        SVG.
    """
    table = np.asarray(counts, float)
    shares = table / np.maximum(table.sum(1, keepdims=True), 1)
    side = 1.6 + 0.34 * len(classes)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(side, side), layout="constrained")
        axes = figure.subplots()
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        axes.set_xticks(range(len(classes)), classes, rotation=90)
        axes.set_yticks(range(len(classes)), classes)
        axes.set(xlabel="taken for", ylabel="shows", title=title)
        if len(classes) <= 20:
            for (row, column), n in np.ndenumerate(table):
                if n:
                    colour = "white" if shares[row, column] > 0.6 else "black"
                    axes.text(column, row, f"{n:.0f}", ha="center", va="center", color=colour, fontsize=8)
        return svg(figure)


def space(
    places: np.ndarray,
    classes: Sequence[str],
    clusters: Sequence[int | None],
    selected: Collection[str],
    title: str = "",
) -> str:
    """Classes on a map: selected ones are named, and joined to the members of their clusters.

    Args:
        places: (C, 2) where each class lies.
        classes: Names of the C classes.
        clusters: Cluster of each, None where there is none.
        selected: Names of the selected ones.
        title: Above it.

    Returns:
        SVG.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.6, 7.2), layout="constrained")
        axes = figure.subplots()
        colours = mpl.colormaps["tab20"]
        heads = {c: places[i] for i, c in enumerate(clusters) if c is not None and classes[i] in selected}
        for place, name, number in zip(places, classes, clusters, strict=True):
            colour = "#9aa6b4" if number is None else colours(number % 20)
            if number in heads and name not in selected:
                axes.plot(*zip(place, heads[number], strict=True), color=colour, linewidth=0.8, alpha=0.6, zorder=1)
            if name in selected:
                axes.scatter(place[0], place[1], s=46, color=colour, edgecolors="black", linewidths=0.9, zorder=3)
                axes.annotate(name, place, (4, 4), textcoords="offset points", fontsize=6 if len(classes) > 60 else 8)
            else:
                axes.scatter(place[0], place[1], s=16, color=colour, alpha=0.8, zorder=2)
        axes.set(xticks=[], yticks=[], title=title)
        axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
        return svg(figure)
