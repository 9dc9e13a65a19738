"""Measures selections of a data set's classes and writes the page: curation, training and report at one table."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from m2m.checkout import checkout, manifest
from m2m.curate.params import CurateParams
from m2m.curate.worth import LEAST_SUBSETS, Scores, Study, study
from m2m.report.curation import PAGE, write_curation_report

if TYPE_CHECKING:
    from m2m.train.params import EvaluateParams, ModelParams


@dataclass(frozen=True)
class Reported:
    """What was measured, and where the page is."""

    study: Study
    page: Path

    def __str__(self) -> str:
        lines = []
        for worth in self.study.worths:
            lines.append(f"{worth.name}: {len(worth.selection.selected)} classes")
            lines += [
                f"  {m.name}: {m.value:.3f}, random {m.mean:.3f} +- {m.spread:.3f}, percentile {m.percentile:.0f} "
                f"of {m.subsets}"
                for m in worth.measures
            ]
        return "\n".join([*lines, f"report: {self.page}"])


def report_selections(
    dataset: str | Path,
    selections: Sequence[str],
    out: Path,
    params: CurateParams,
    *,
    subsets: int = LEAST_SUBSETS,
    workers: int = 1,
    model: "tuple[Path, EvaluateParams, ModelParams] | None" = None,
) -> Reported:
    """Measures selections and writes the page.

    Args:
        dataset: The data set that was selected from: a folder, or the hash of a published one.
        selections: As `m2m.curate.worth.read_any` takes them.
        out: Folder of the page.
        params: Encoder, frame and seed.
        subsets: Random selections to compare with.
        workers: Threads that decode.
        model: A classifier of all the classes (what `m2m evaluate` wrote), how clips are read for it, and its size; for
            the figure of what all frames add to one.

    Raises:
        InputError: As `m2m.curate.worth.study` and `m2m.train.gap.frame_gap`.
        InfrastructureError: A store cannot be reached, or the page cannot be written.
    """
    if model is None:
        with manifest(dataset) as folder:
            found = study(folder, selections, params, subsets=subsets, workers=workers)
    else:
        with checkout(dataset) as folder:
            found = study(
                folder, selections, params, subsets=subsets, workers=workers, model=lambda: _scores(folder, *model)
            )
    write_curation_report(found, out)
    return Reported(found, out / PAGE)


def _scores(folder: Path, checkpoint: Path, params: "EvaluateParams", size: "ModelParams") -> Scores:
    from m2m.train.gap import frame_gap

    gap = frame_gap(folder, checkpoint, params, size)
    return gap.classes, {c: np.stack([a, b]) for c, a, b in zip(gap.clips, gap.one, gap.all, strict=True)}
