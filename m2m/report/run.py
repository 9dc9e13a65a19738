"""The page of a whole run: data sets, sample clips, audits, results, learning curves. One file, nothing fetched."""

import base64
import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from m2m import __version__, shards
from m2m.augment.licences import trials
from m2m.checkout import manifest
from m2m.clips import MANIFEST, Clip, DatasetCard, read_card, read_manifest
from m2m.files import write_atomic
from m2m.report.figures import Rows, confusion, curves
from m2m.report.means import by_class, means
from m2m.report.pages import render
from m2m.report.results import Result, lines, read_result
from m2m.store import data_store

MOST_SAMPLES = 6
SHARDS = 2
"""Shards that samples come from: fetching all of a big data set for six clips would take hours."""
CURVES = (
    ("pretrain", "loss", "pre-training loss"),
    ("align", "loss", "alignment loss"),
    ("align", "val_top1", "alignment, held-out top-1"),
    ("evaluate", "val_top1", "fine-tuning, held-out top-1"),
)


@dataclass(frozen=True)
class SetReport:
    """One data set of the page.

    Attributes:
        card: What it is.
        labels: Clips by label.
        held: Refused clips: id, reason, sentence.
        audit: Checks by name: passed, failed, not done.
        failed: Clips that failed the audit and why.
        trials: Backends that ran on random weights.
        samples: Video as a data address by clip id; none of a set that shows people.
    """

    card: DatasetCard
    labels: dict[str, int]
    held: tuple[tuple[str, str, str], ...]
    audit: dict[str, tuple[int, int, int]]
    failed: tuple[tuple[str, str], ...]
    trials: tuple[str, ...]
    samples: dict[str, str]


def write_run_report(out: Path, datasets: Sequence[str | Path], evaluations: Sequence[Path], title: str = "") -> None:
    """Writes the page.

    Args:
        out: The file.
        datasets: Folders, or hashes of published data sets; one that is there twice is shown once.
        evaluations: Folders that `evaluate` wrote.
        title: Its heading.

    Raises:
        InputError: A data set or an evaluation is not one.
        InfrastructureError: A store cannot be reached, or the file cannot be written.
    """
    sets = {found.card.hash: found for found in (_read_set(dataset) for dataset in datasets)}
    results = [read_result(folder) for folder in evaluations]
    table = lines(results)
    text = render(
        "run.html",
        title=title or (f"{next(iter(sets.values())).card.name}" if sets else "Results"),
        version=__version__,
        sets=list(sets.values()),
        samples=_side_by_side(list(sets.values())),
        lines=table,
        means=means(results),
        classes=[
            (found, [(arm, confusion(counts, found.labels, arm)) for arm, counts in found.confusions.items()])
            for found in by_class(results)
        ],
        any_reported=any(line.reported is not None for line in table),
        figures=_figures(results),
    )
    write_atomic(out, text.encode())


def _read_set(dataset: str | Path) -> SetReport:
    with manifest(dataset) as folder:
        rows, card = read_manifest(folder / MANIFEST), read_card(folder)
        reasons = (_json(folder / "held.json") or {}).get("clips", {})
        audit, failed = _audit(_json(folder / "audit.json") or {})
        held = tuple(
            (c.clip_id, c.reason, str((reasons.get(c.clip_id) or {}).get("what", ""))) for c in rows if c.status != "ok"
        )
        labels = Counter(c.label or "(none)" for c in rows if c.status == "ok")
        samples = _samples(folder, rows) if card.private else {}
    return SetReport(card, dict(sorted(labels.items())), held, audit, failed, trials(card.parameters), samples)


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _audit(audit: dict[str, Any]) -> tuple[dict[str, tuple[int, int, int]], tuple[tuple[str, str], ...]]:
    counts: dict[str, list[int]] = {}
    failed = []
    for row in audit.get("rows", []):
        for name, check in row["checks"].items():
            counts.setdefault(name, [0, 0, 0])[(True, False, None).index(check["ok"])] += 1
        if row["verdict"] != "pass":
            wrong = {n: c["figures"].get("why", "failed") for n, c in row["checks"].items() if c["ok"] is False}
            failed.append((row["clip_id"], "; ".join(f"{n}: {why}" for n, why in wrong.items())))
    return {name: (p, f, u) for name, (p, f, u) in counts.items()}, tuple(failed)


def _samples(folder: Path, rows: Sequence[Clip]) -> dict[str, str]:
    """A clip a label, from the first shards: the same clips in every variant of a data set."""
    with tempfile.TemporaryDirectory(prefix="m2m-") as scratch:
        if (folder / shards.FILE).is_file():
            ids = shards.shard_ids(folder)[:SHARDS]
            source = Path(scratch) / "dataset"
            rows = shards.fetch(folder, data_store(), source, ids) if ids else []
        else:
            source = folder
        chosen: dict[str, Clip] = {}
        for clip in rows:
            if clip.status == "ok":
                chosen.setdefault(clip.label, clip)
        return {
            clip.clip_id: "data:video/mp4;base64," + base64.b64encode((source / clip.path).read_bytes()).decode()
            for clip in list(chosen.values())[:MOST_SAMPLES]
        }


def _side_by_side(sets: Sequence[SetReport]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Samples by clip, one video a variant that has it."""
    ids = sorted({clip_id for found in sets for clip_id in found.samples})
    return [(i, [(s.card.variant, s.samples[i]) for s in sets if i in s.samples]) for i in ids]


def _figures(results: Sequence[Result]) -> list[tuple[str, str]]:
    drawn = []
    for stage, field, label in CURVES:
        runs: dict[str, list[Rows]] = {}
        for r in results:
            if stage == "evaluate" and r.protocol == "ft":
                runs.setdefault(f"{r.arm}, {r.name}", []).append(r.curves[stage])
            elif stage != "evaluate" and stage in r.curves:
                runs[r.arm] = [r.curves[stage]]  # all tests of an arm start from the same
        if picture := curves(runs, field, label):
            drawn.append((label, picture))
    return drawn
