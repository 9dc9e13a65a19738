"""Learning curves: what every model that pretraining kept is worth downstream (the paper's figure 3)."""

import json
import os
import re
import shutil
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from m2m.checkout import checkout
from m2m.errors import InputError
from m2m.files import write_atomic
from m2m.launch import launch, machines
from m2m.report.figures import epochs
from m2m.report.results import Result, read_result
from m2m.train.checkpoints import NAME
from m2m.train.evaluate import evaluation
from m2m.train.params import EvaluateParams, ModelParams
from m2m.train.stage import METRICS, MODELS

FIGURES, PICTURE = "curve.json", "curve.svg"
SCHEMA = 1
KEPT = re.compile(r"epoch-(\d+)\.pt")


@dataclass(frozen=True)
class Pretrained:
    """One pretraining and its models.

    Attributes:
        name: What its line is called.
        fingerprint: Its identity.
        models: Its models by epoch, the last one among them.
    """

    name: str
    fingerprint: str
    models: dict[int, Path]


@dataclass(frozen=True)
class Curve:
    """What was drawn.

    Attributes:
        out: Its folder.
        figures: What is in `curve.json`.
        done: Evaluations that were made.
        found: Evaluations that an earlier run had made.
    """

    out: Path
    figures: dict[str, Any]
    done: int
    found: int

    def __str__(self) -> str:
        rows = [f"{self.done} evaluations" + (f" ({self.found} earlier)" if self.found else "")]
        for line in self.figures["lines"]:
            points = (f"epoch {p['epoch']} {100 * p['top1']:.1f} %" for p in line["points"])
            rows.append(f"{line['name']}: {', '.join(points)}")
        return "\n".join([*rows, str(self.out / PICTURE)])


def learning_curve(
    dataset: str | Path,
    pretrained: Sequence[Path],
    out: Path,
    params: EvaluateParams,
    model: ModelParams,
    *,
    protocol: str = "ft",
    scratch: bool = False,
    name: str = "",
    count: int = 1,
) -> Curve:
    """Evaluates every model that one or more pretrainings kept, and the last one of each.

    Each is an evaluation of its own in a folder of its own, tracked and resumed like any other; what lies there already
    with the same fingerprint is not done again. Its model is not kept.

    Args:
        dataset: The downstream set: a folder, or the hash of a published one.
        pretrained: Folders that `pretrain` wrote, one line each; the gap is that of the first two.
        out: Folder of `curve.json`, `curve.svg` and the evaluations.
        params: How to evaluate; one evaluation of every model by each of its `seeds`.
        model: The size of the models.
        protocol: `ft` or `lp`.
        scratch: Evaluate a model without pretraining too, as epoch 0 of every line.
        name: What figures call the data set; empty: its own name.
        count: Processes that train one model together.

    Raises:
        InputError: A folder is no pretraining or is there twice, or the data set or a model cannot be used.
        InfrastructureError: A store or the disk failed.
    """
    if "RANK" in os.environ or machines(os.environ).count > 1:
        raise InputError("m2m curve is not started by torchrun", "let it start processes itself: --processes gpu")
    trained = _named([read_pretrained(folder) for folder in pretrained])
    counts = {"done": 0, "found": 0}
    with checkout(dataset) as folder:

        def point(epoch: int, file: Path | None, place: Path) -> dict[str, Any]:
            found = []
            for seed in params.seeds:
                where = place / f"{protocol}-{seed}"
                identity = evaluation(folder, file, params, model, protocol=protocol, seed=seed).fingerprint
                known = _finished(where, identity)
                counts["found" if known else "done"] += 1
                if not known:
                    launch(
                        "evaluate_set",
                        folder,
                        file,
                        where,
                        params,
                        model,
                        name=name,
                        protocol=protocol,
                        seed=seed,
                        keep_model=False,
                        address=str(dataset),
                        count=count,
                    )
                    # Of use to nobody once it is tested, and as large as three models.
                    shutil.rmtree(where / ".m2m" / "checkpoints", ignore_errors=True)
                found.append(read_result(where))
            return _point(epoch, found)

        start = [point(0, None, out / "scratch")] if scratch else []
        drawn: list[dict[str, Any]] = [
            {
                "name": one.name,
                "pretrained": one.fingerprint,
                "points": start
                + [
                    point(epoch, file, out / one.fingerprint[:12] / f"epoch-{epoch:05d}")
                    for epoch, file in sorted(one.models.items())
                ],
            }
            for one in trained
        ]
        stage = evaluation(folder, None, params, model, protocol=protocol)
        about, classes = stage.describe(), len(stage.data.classes)
    figures = {
        "schema": SCHEMA,
        "name": name or about["dataset"],
        **{key: about[key] for key in ("dataset", "variant", "data_hash", "protocol", "views", "params", "model")},
        "classes": classes,
        "lines": drawn,
        "gap": _gap(drawn),
    }
    title = f"{figures['name']}, {protocol.upper()}"
    rows = {line["name"]: line["points"] for line in drawn}
    write_atomic(out / PICTURE, epochs(rows, title, 1 / classes).encode())
    write_atomic(out / FIGURES, (json.dumps(figures, indent=1, allow_nan=False) + "\n").encode())
    return Curve(out, figures, **counts)


def read_pretrained(folder: Path) -> Pretrained:
    """The models of a pretraining; its line is named after what it was trained on.

    Raises:
        InputError: It is no finished pretraining, or it kept no model but the last.
    """
    try:
        figures = json.loads((folder / METRICS).read_text(encoding="utf-8"))
        stage, name, identity = figures["stage"], str(figures["variant"]), str(figures["fingerprint"])
        last = len(figures["history"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder} is not a finished pretraining: {error}", "name what m2m pretrain wrote") from error
    if stage != "pretrain":
        raise InputError(f"{folder} is what m2m {stage} wrote", "name what m2m pretrain wrote")
    kept = {int(m[1]): path for path in (folder / MODELS).glob("*.pt") if (m := KEPT.fullmatch(path.name))}
    if not kept.keys() - {last}:
        raise InputError(f"{folder} kept no model but the last", "pretrain with keep_every: 10 or so")
    return Pretrained(name, identity, {**kept, last: folder / NAME})


def _named(found: Sequence[Pretrained]) -> list[Pretrained]:
    """Pretrainings whose lines have names of their own.

    Raises:
        InputError: One is there twice.
    """
    if len({one.fingerprint for one in found}) < len(found):
        raise InputError("a pretraining is there twice", "name each folder once")
    names = [one.name for one in found]
    return [replace(o, name=f"{o.name} {o.fingerprint[:6]}") if names.count(o.name) > 1 else o for o in found]


def _finished(folder: Path, identity: str) -> bool:
    """Whether an evaluation with this fingerprint lies in a folder, with the name that is added last."""
    try:
        figures = json.loads((folder / METRICS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return figures.get("fingerprint") == identity and "name" in figures


def _point(epoch: int, found: Sequence[Result]) -> dict[str, Any]:
    """Means over seeds, and each of them; the interval is over clips, the mean of those of the seeds."""
    means = {key: statistics.fmean(getattr(r, key) for r in found) for key in ("top1", "low", "high")}
    keys = ("seed", "top1", "low", "high", "fingerprint")
    return {"epoch": epoch, **means, "n": found[0].n, "seeds": [{k: getattr(r, k) for k in keys} for r in found]}


def _gap(drawn: Sequence[dict[str, Any]]) -> list[dict[str, float]]:
    """First line less second, where both were measured."""
    if len(drawn) < 2:
        return []
    one, two = ({p["epoch"]: p["top1"] for p in line["points"]} for line in drawn[:2])
    return [{"epoch": epoch, "top1": one[epoch] - two[epoch]} for epoch in sorted(one.keys() & two.keys())]
