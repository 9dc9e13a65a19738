"""Results of evaluations: joined over seeds, and set against what the paper reports."""

import json
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from m2m.errors import InputError
from m2m.report.paper import reported_rows

METRICS = "metrics.json"

REPORTED = {"real": "videomae_align_real", "m2m": "smply_private"}
"""Rows of the paper's table 1 by the variant that was trained on."""


@dataclass(frozen=True)
class Result:
    """One evaluation.

    Attributes:
        arm: What was pre-trained and aligned on, as `m2m` or `m2m > real` where the two differ.
        name: The downstream set.
        variant: What its clips show.
        protocol: `ft` or `lp`.
        seed: Seed of the evaluation.
        top1: Share of clips, 0 to 1.
        top5: The same, among the five highest scores.
        low: Lower end of top-1's 95 % interval over clips (Wilson).
        high: Upper end.
        n: Clips.
        classes: Classes.
        fingerprint: Identity of the evaluation.
        curves: Rows of epochs by stage.
        features: Of linear probing: epochs whose features were kept and learnt from; 0: every epoch had its own.
        labels: Names of the classes.
        confusion: Clips by what they show (rows) and what they were taken for (columns).
    """

    arm: str
    name: str
    variant: str
    protocol: str
    seed: int
    top1: float
    top5: float
    low: float
    high: float
    n: int
    classes: int
    fingerprint: str
    curves: dict[str, list[dict[str, float]]]
    features: int = 0
    labels: tuple[str, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()

    @property
    def how(self) -> str:
        """The protocol as tables name it."""
        return self.protocol.upper() + (f", features of {self.features} epochs" if self.features else "")


@dataclass(frozen=True)
class Line:
    """One line of the table: an arm on a downstream set by one protocol, over seeds.

    Attributes:
        arm: As in `Result`.
        name: As in `Result`.
        protocol: As in `Result`.
        how: As in `Result`.
        seeds: The seeds.
        top1: Mean over seeds.
        low: Mean lower end of the intervals over clips.
        high: Mean upper end.
        least: Lowest of the seeds.
        most: Highest.
        n: Clips of the test.
        chance: 1 / classes.
        reported: The paper's figure for this arm and set, or None.
    """

    arm: str
    name: str
    protocol: str
    how: str
    seeds: tuple[int, ...]
    top1: float
    low: float
    high: float
    least: float
    most: float
    n: int
    chance: float
    reported: float | None

    @property
    def difference(self) -> float | None:
        """Measured minus reported."""
        return None if self.reported is None else self.top1 - self.reported


def read_result(folder: Path) -> Result:
    """What an evaluation wrote.

    Raises:
        InputError: It is no evaluation.
    """
    try:
        figures = json.loads((folder / METRICS).read_text(encoding="utf-8"))
        lineage = {
            p.stem: json.loads(p.read_text(encoding="utf-8")) for p in sorted((folder / "lineage").glob("*.json"))
        }
        trained = [_trained(lineage[stage]) for stage in ("pretrain", "align") if stage in lineage]
        top1 = figures["top1"]
        return Result(
            arm=" > ".join(dict.fromkeys(trained)) or "from scratch",
            name=figures.get("name") or figures["dataset"],
            variant=figures["variant"],
            protocol=figures["protocol"],
            seed=int(figures["seed"]),
            top1=top1["value"],
            top5=figures["top5"]["value"],
            low=top1["low"],
            high=top1["high"],
            n=int(top1["n"]),
            classes=len(figures["classes"]),
            fingerprint=figures["fingerprint"],
            curves={**{stage: v["history"] for stage, v in lineage.items()}, "evaluate": figures["history"]},
            features=int(figures.get("features", {}).get("epochs", 0)),
            labels=tuple(figures["classes"]),
            confusion=tuple(tuple(row) for row in figures["confusion"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{folder} is not an evaluation: {error}", "name the folder that m2m evaluate wrote"
        ) from error


def lines(results: Sequence[Result]) -> list[Line]:
    """The table: one line for every arm, downstream set and protocol; an evaluation that is there twice counts once."""
    table = []
    for (name, how, arm), found in _joined(results).items():
        scores = [r.top1 for r in found]
        table.append(
            Line(
                arm=arm,
                name=name,
                protocol=found[0].protocol,
                how=how,
                seeds=tuple(r.seed for r in found),
                top1=statistics.fmean(scores),
                low=statistics.fmean(r.low for r in found),
                high=statistics.fmean(r.high for r in found),
                least=min(scores),
                most=max(scores),
                n=found[0].n,
                chance=1 / found[0].classes,
                reported=reported(arm, name, found[0].protocol),
            )
        )
    return table


def _joined(results: Sequence[Result]) -> dict[tuple[str, str, str], list[Result]]:
    """Results of one downstream set, way of evaluation and arm, by seed; one that is there twice counts once."""
    grouped: defaultdict[tuple[str, str, str], dict[str, Result]] = defaultdict(dict)
    for result in results:
        grouped[result.name, result.how, result.arm][result.fingerprint] = result
    return {
        key: sorted(found.values(), key=lambda r: (r.seed, r.fingerprint)) for key, found in sorted(grouped.items())
    }


def _trained(figures: dict[str, Any]) -> str:
    """What a stage was trained on, and for how long if a model from before its end was taken."""
    return str(figures["variant"]) + (f" (epoch {figures['kept']})" if "kept" in figures else "")


def reported(arm: str, name: str, protocol: str) -> float | None:
    """The paper's figure (its table 1), 0 to 1, for a model trained on one variant; None where it has none.

    Args:
        arm: The variant.
        name: The downstream set, in any spelling: `UCF-101` is `ucf101`.
        protocol: `ft` or `lp`.
    """
    row = reported_rows("table1").get(REPORTED.get(arm, ""))
    return row.cell(name, protocol) if row else None
