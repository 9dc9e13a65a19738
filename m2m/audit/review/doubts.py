"""Which finished clips a person should look at, and where in them: by what checks measured, whatever their names."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from m2m.audit.decisions import NOT_SEEN, measured
from m2m.audit.rows import Check, Row
from m2m.clips import Clip

MARKS = 4
"""Places that are shown of one clip."""


@dataclass(frozen=True)
class Mark:
    """A place in a clip to look at.

    Attributes:
        check: The check that names it.
        frame: Number of the frame.
        box: x0, y0, x1, y1 in pixels; None for the whole frame.
        words: What was measured there.
        source: The original's frame that it is compared with; None: the same.
    """

    check: str
    frame: int
    box: tuple[float, float, float, float] | None
    words: str
    source: int | None = None


@dataclass(frozen=True)
class Doubtful:
    """A clip to look at.

    Attributes:
        clip: Its row in the manifest.
        why: `failed`, `flagged` or `near`: of all that passed it came nearest to failing.
        words: What the checks say, a sentence each.
        marks: Where to look.
        doubts: Failed checks that a person can settle, with the hash of what they measured.
        fixed: Failed checks that nobody can settle by looking.
    """

    clip: Clip
    why: str
    words: tuple[str, ...]
    marks: tuple[Mark, ...]
    doubts: Mapping[str, str]
    fixed: tuple[str, ...]


def doubtful(rows: Iterable[Row], clips: Sequence[Clip], near: int) -> list[Doubtful]:
    """The clips to look at: failed ones, flagged ones, and of each check those that came nearest to failing.

    Args:
        rows: The audit.
        clips: The manifest; only what is released can be shown.
        near: How many of each check that passed.
    """
    released = {c.clip_id: c for c in clips if c.status == "ok"}
    own = {r.clip_id: r for r in rows if r.clip_id in released}
    out: dict[str, Doubtful] = {}
    for row in sorted(own.values(), key=lambda r: r.clip_id):
        if row.failed:
            out[row.clip_id] = _doubtful(released[row.clip_id], row, "failed", row.failed)
    for row in sorted(own.values(), key=lambda r: r.clip_id):
        if row.clip_id not in out and (flagged := [n for n, c in row.checks.items() if c.figures.get("flags")]):
            out[row.clip_id] = _doubtful(released[row.clip_id], row, "flagged", flagged)
    for name, row in nearest(own.values(), near):
        if row.clip_id not in out:
            out[row.clip_id] = _doubtful(released[row.clip_id], row, "near", [name])
    return list(out.values())


def nearest(rows: Iterable[Row], count: int) -> list[tuple[str, Row]]:
    """Of each check that measures a `highest`, the clips that passed with the most of it."""
    by_check: dict[str, list[tuple[float, str, Row]]] = {}
    for row in rows:
        for name, check in row.checks.items():
            highest = check.figures.get("highest")
            if check.ok and isinstance(highest, int | float) and highest > 0:
                by_check.setdefault(name, []).append((-float(highest), row.clip_id, row))
    return [
        (name, found[2]) for name in sorted(by_check) for found in sorted(by_check[name], key=lambda f: f[:2])[:count]
    ]


def marks(name: str, check: Check) -> list[Mark]:
    """The places that a check names; what is not a place as checks write them is left out."""
    lists = [check.figures.get(kind) for kind in ("sightings", "copies", "flags")]
    entries = [e for entries in lists if isinstance(entries, list) for e in entries if isinstance(e, Mapping)]
    found = [
        Mark(name, e["frame"], _box(e.get("box")), _words(e), e["source"] if isinstance(e.get("source"), int) else None)
        for e in entries
        if isinstance(e.get("frame"), int)
    ]
    if not found and check.ok is False:
        dips = check.figures.get("dips")
        found = [Mark(name, t, None, "hardly differs from its original") for t in (dips or []) if isinstance(t, int)]
    return found


def _doubtful(clip: Clip, row: Row, why: str, names: Sequence[str]) -> Doubtful:
    places = [mark for name in names for mark in marks(name, row.checks[name])]
    return Doubtful(
        clip=clip,
        why=why,
        words=tuple(_sentence(name, row.checks[name]) for name in names),
        marks=tuple(_spread(places)),
        doubts={n: measured(row.checks[n]) for n in row.failed if n not in NOT_SEEN and row.sha256 == clip.sha256},
        fixed=tuple(name for name in row.failed if name in NOT_SEEN),
    )


def _spread(places: Sequence[Mark]) -> list[Mark]:
    """A few places, one a frame and check first."""
    first: dict[tuple[str, int], Mark] = {}
    for mark in places:
        first.setdefault((mark.check, mark.frame), mark)
    return list(first.values())[:MARKS]


def _sentence(name: str, check: Check) -> str:
    if why := check.figures.get("why"):
        return f"{name}: {why}"
    return f"{name}: passed; highest {check.figures.get('highest', 'not measured')}"


def _words(entry: Mapping[str, Any]) -> str:
    said = [str(entry["kind"])] if entry.get("kind") else []
    if "score" in entry:
        said.append(f"score {entry['score']}")
    if "share" in entry:
        said.append(f"{entry['share']} the original's, of frame {entry.get('source')}")
    elif entry.get("source"):
        said.append(f"by {entry['source']}")
    return ", ".join(said)


def _box(box: Any) -> tuple[float, float, float, float] | None:
    if isinstance(box, list) and len(box) == 4 and all(isinstance(v, int | float) for v in box):
        return float(box[0]), float(box[1]), float(box[2]), float(box[3])
    return None
