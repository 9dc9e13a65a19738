"""What the pages of reproduced tables say in sentences."""

from collections.abc import Iterable, Mapping

from m2m.report import privacy
from m2m.report.experiment import Experiment
from m2m.report.learning import Panel, Trend
from m2m.report.numbers import named, percent
from m2m.report.sheet import Sheet, Words
from m2m.report.tables import Table


def words(shown: Sheet) -> Words:
    """How the page of an experiment is to be read."""
    experiment, notes = shown.experiment, []
    if any(cell.reported for grid in shown.grids for line in grid.lines for cell in line.cells):
        notes.append(
            "Reported is the paper's own figure, on its data and at its scale, without seeds or intervals; its means "
            "are computed from its figures. The difference is measured less reported."
        )
    alone = len({e.seed for e in experiment.evaluations}) == 1
    notes.append(
        "Top-1 in percent, mean over seeds. Intervals are of 95 %: "
        + ("over clips alone, of this one training." if alone else "over seeds and clips (two-way random effects).")
        + " Clips count as drawn independently; where several come from one recording, intervals are too narrow."
    )
    if experiment.mixed_code or len({e.code_version for e in experiment.evaluations}) > 1:
        versions = sorted({*experiment.mixed_code, *(e.code_version for e in experiment.evaluations)})
        notes.append(f"Evaluations come from different versions of the code: {', '.join(versions)}.")
    compared = (
        "The same seeds and the same clips for both rows; differences in points, of the mean over the sets. A "
        "difference is said to be shown where p, corrected for all comparisons of this page (Holm), is below 0.05. "
        "No difference shown is not the same as none: the interval tells how large it may be."
    )
    return Words(tuple(notes), compared, tuple(_privacy(experiment)))


def _privacy(experiment: Experiment) -> Iterable[str]:
    """What the figures of privacy are, as far as there are any."""
    rows = {name: privacy.figures(given) for name, given in experiment.privacy.items()}
    if privacy.LEFT in privacy.names(rows):
        yield (
            "People left: the share of the people's pixels, known of drawn clips, that look as before; chance is that "
            "of the true backgrounds. It says how much of their looks is left, not whether anybody is recognised."
        )
    if passed := privacy.unfailed(rows):
        yield f"No clip failed the audit by: {', '.join(name.removeprefix(privacy.FAILED_BY) for name in passed)}."


def headed(panel: Panel) -> str:
    """The heading of a panel."""
    told = panel.set.bias is None or "bias" in panel.set.title
    bias = "" if told else f", scene bias {panel.set.bias:.2f}"
    return f"{panel.set.title}{bias}: {named(panel.protocol)}"


def trend_sentence(trend: Trend, titles: Mapping[str, str]) -> str:
    """Whether the early gap goes with bias."""
    p = f"exact p {trend.p:.3f}" if trend.p is not None else "no exact p of so many sets"
    if trend.p is None or trend.p >= 0.05:
        words = "that it goes with bias is not shown"
    else:
        words = f"it {'grows' if trend.rho > 0 else 'shrinks'} with bias"
    return (
        f"{titles[trend.first]} less {titles[trend.second]}, {named(trend.protocol)}: early gap against the set's "
        f"bias, rank correlation {trend.rho:+.2f} over {trend.sets} sets ({p}): {words}."
    )


def misprints(experiment: Experiment, table: Table, titles: Mapping[str, str]) -> Iterable[str]:
    """Where what the paper prints is not what its own figures come to, a sentence each."""
    for (row, protocol), mean in table.means.items():
        if mean.misprint is not None and mean.reported is not None:
            yield (
                f"{titles[row]}, {named(protocol)}: the paper prints a mean of {percent(mean.misprint)}; "
                f"its own figures come to {percent(mean.reported, 2)}."
            )
    for (row, protocol), delta in table.deltas.items():
        if delta.misprint is not None and delta.reported is not None:
            yield (
                f"{titles[row]} against {titles[experiment.baseline]}, {named(protocol)}: the paper prints a "
                f"difference of {percent(delta.misprint)}; its own figures come to {percent(abs(delta.reported), 2)}."
            )
