"""A small audited data set: moving blocks, rows as they are asked for, and answers to a review of it."""

import json
from dataclasses import replace
from pathlib import Path

from m2m.audit.params import AuditParams
from m2m.audit.review.build import ReviewSummary, build
from m2m.audit.review.sample import ReviewParams
from m2m.audit.rows import Check, Row, write_audit
from m2m.clips import MANIFEST, Clip, read_card, read_manifest, write_card
from tests.sets import write_set

NAMES = ("bytes", "file", "names", "timing", "copies", "faces")
FACE = {"frame": 3, "kind": "face", "source": "centerface", "box": [10.0, 8.0, 30.0, 28.0], "score": 0.8}
SEEN = Check(False, {"why": "1 sighting(s)", "sightings": [FACE], "highest": 0.8})
ALIEN = "<script>alert(1)</script>"


def row(clip: Clip, **checks: Check) -> Row:
    """A row that passes, but for the given checks."""
    return Row(clip.clip_id, clip.sha256, {**{name: Check(True, {"highest": 0.1}) for name in NAMES}, **checks})


def audited(folder: Path, clips: int = 3, changed: dict[str, dict[str, Check]] | None = None, held: int = 0) -> Path:
    """A data set of `class0_0` and so on, of which some checks are as asked."""
    write_set(folder, classes=1, clips=clips, held=held)
    write_card(replace(read_card(folder), name=ALIEN), folder)
    ok = [c for c in read_manifest(folder / MANIFEST) if c.status == "ok"]
    write_audit(folder, [row(c, **(changed or {}).get(c.clip_id, {})) for c in ok], {"code_version": "test"})
    return folder


def reviewed(folder: Path, sample: int = 0, plants: int | None = None, **more: int) -> ReviewSummary:
    """The page of a review without originals."""
    return build(folder, None, ReviewParams(sample, plants=plants, **more), AuditParams())


def saved(
    path: Path, done: ReviewSummary, verdicts: dict[str, str], reviewer: str = "R. Ott", note: str = "", **over: object
) -> Path:
    """The file that the page would save: verdicts by item."""
    about = {"schema": 1, "review": done.key.review, "dataset": done.key.dataset, "page": done.key.page}
    answers = [
        {
            "item": i,
            "verdict": v,
            "seen": ["face"] if v == "somebody" else [],
            "note": note,
            "at": "2026-01-02T03:04:05Z",
        }
        for i, v in verdicts.items()
    ]
    path.write_text(json.dumps({**about, "reviewer": reviewer, "answers": answers, **over}))
    return path


def truth(done: ReviewSummary) -> dict[str, str]:
    """Right answers: somebody in every plant, nobody in the sample."""
    return {
        item.item: "somebody" if item.part == "plant" else "nothing"
        for item in done.key.items
        if item.part != "doubtful"
    }


def doubted(done: ReviewSummary, clip_id: str) -> str:
    """The item that asks about a doubtful clip."""
    return next(i.item for i in done.key.items if i.part == "doubtful" and i.clip_id == clip_id)
