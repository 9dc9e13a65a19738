"""Figures of trainings, drawn by matplotlib as SVG that is the same for the same numbers."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

# Text stays text, and ids do not change from run to run.
STYLE: Any = {"svg.hashsalt": "m2m", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9}


def _svg(figure: Figure) -> str:
    data = io.StringIO()
    figure.savefig(data, format="svg", metadata={"Date": None, "Creator": None})
    text = data.getvalue()
    return text[text.index("<svg") :]


def curves(runs: Mapping[str, Sequence[Mapping[str, float]]], field: str, label: str) -> str:
    """Learning curves.

    Args:
        runs: Rows of epochs by the name of the run.
        field: Which figure of a row.
        label: What it is called on the axis.

    Returns:
        SVG, or an empty string where no run has the figure.
    """
    known = {name: [row[field] for row in rows if field in row] for name, rows in runs.items()}
    known = {name: values for name, values in known.items() if values}
    if not known:
        return ""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.4, 2.8), layout="constrained")
        axes = figure.subplots()
        for name, values in known.items():
            marker = "o" if len(values) == 1 else ""
            axes.plot(range(1, len(values) + 1), values, label=name, linewidth=1.4, marker=marker)
        axes.set(xlabel="epoch", ylabel=label)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(fontsize=8, frameon=False)
        return _svg(figure)


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
        return _svg(figure)
