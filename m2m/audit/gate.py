"""The gate: whether a merged data set may be used."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from m2m.audit.decisions import Reviews, objection, read_reviews
from m2m.audit.params import GateParams
from m2m.audit.rows import Row, read_audit
from m2m.clips import MANIFEST, Clip, data_hash, read_card, read_manifest
from m2m.errors import GateError, InputError
from m2m.parsing import parse_json

HELD = "held.json"
SHOWN = 10
ABOUT_PEOPLE = frozenset({"copies", "coverage", "leakage", "faces", "people", "plate", "shape", "bodies"})
"""Checks that a data set which shows the original people is not asked for."""


@dataclass(frozen=True)
class GateReport:
    """What the gate counted.

    Attributes:
        clips: Clips of the data set.
        released: Clips with status ok.
        quarantined: Number of clips by reason.
        share_quarantined: Share of clips that are quarantined.
        max_quarantined: Share up to which that is allowed.
        audited: Released clips with an audit row that passed.
        unchecked: Checks that could not be done, by name.
        cleared: Released clips of which a check failed that a person found to be a false alarm.
    """

    clips: int
    released: int
    quarantined: dict[str, int]
    share_quarantined: float
    max_quarantined: float
    audited: int
    unchecked: dict[str, int]
    cleared: int = 0

    def __str__(self) -> str:
        reasons = ", ".join(f"{n} {reason}" for reason, n in sorted(self.quarantined.items()))
        text = f"{self.released} of {self.clips} clips released, {self.audited} audited; quarantined "
        text += f"{self.share_quarantined:.1%} (at most {self.max_quarantined:.1%})" + (
            f": {reasons}" if reasons else ""
        )
        missed = ", ".join(f"{name} of {n}" for name, n in sorted(self.unchecked.items()))
        text += f"; {self.cleared} cleared by a person" if self.cleared else ""
        return text + (f"; not checked: {missed}" if missed else "")


def gate(merged: Path, params: GateParams) -> GateReport:
    """Lets a data set through, or stops.

    Args:
        merged: A manifest folder that `merge` wrote, or an audited working data set; with `review.json`, where people
            decided, which the gate follows.
        params: When to stop.

    Returns:
        What was counted.

    Raises:
        GateError: Nothing was released, an audit failed or is missing, a clip was lost to a fault, or too many were
            quarantined, or a person saw somebody in a clip; names the clips and why.
        InputError: It is no data set, not audited, or what people decided is of another one.
    """
    card, rows = read_card(merged), read_manifest(merged / MANIFEST)
    if data_hash(rows) != card.hash:
        raise InputError(f"manifest and card of {merged} do not belong together", "run what wrote them again")
    audited = {row.clip_id: row for row in read_audit(merged)[0]}
    required = [name for name in params.required if card.private or name not in ABOUT_PEOPLE]
    reviews = read_reviews(merged, card.hash)
    released = [clip for clip in rows if clip.status == "ok"]
    held = [clip for clip in rows if clip.status != "ok"]
    bad = {clip.clip_id: why for clip in released if (why := _bad(clip, audited.get(clip.clip_id), required, reviews))}
    # What failed and was left out is no danger; too much of it says that the stages before missed what they look for.
    wrong = {i: row for i, row in audited.items() if row.verdict != "pass" and i not in bad}
    cleared = wrong.keys() & {clip.clip_id for clip in released}
    out = {i: row.why() for i, row in wrong.items() if i not in cleared}
    failed = bad | (out if len(out) > params.max_failed * len(audited) else {})
    what = _held(merged)
    faults = {
        c.clip_id: f"{c.reason}: {what.get(c.clip_id, '')}".rstrip(": ") for c in held if c.reason in params.faults
    }
    share = len(held) / max(len(rows), 1)
    complaints = []
    if failed:
        complaints.append(_complaint("failed the audit", failed))
    if faults:
        complaints.append(_complaint("were lost to faults", faults))
    if not released:
        complaints.append("nothing was released")
    elif share > params.max_quarantined:
        complaints.append(f"{share:.1%} of {len(rows)} clips are quarantined, more than {params.max_quarantined:.1%}")
    if complaints:
        raise GateError(
            f"{merged} does not pass: " + "; ".join(complaints),
            "see audit.json and held.json; leave the clips out or mend what is wrong, then run again",
        )
    return GateReport(
        clips=len(rows),
        released=len(released),
        quarantined=_counts(clip.reason for clip in held),
        share_quarantined=share,
        max_quarantined=params.max_quarantined,
        audited=len(released),
        unchecked=_counts(name for clip in released for name in audited[clip.clip_id].unchecked),
        cleared=len(cleared),
    )


def _bad(clip: Clip, row: Row | None, required: list[str], reviews: Reviews) -> str:
    """Why a released clip cannot be vouched for, or nothing."""
    if against := objection(row, clip, reviews):
        return against
    assert row is not None  # or there were an objection
    missed = [name for name in required if name not in row.checks or row.checks[name].ok is None]
    return f"not checked: {', '.join(missed)}" if missed else ""


def _held(merged: Path) -> Mapping[str, str]:
    """In words why clips were quarantined, by id; `merge` writes it, a working data set has none."""
    path = merged / HELD
    if not path.is_file():
        return {}
    try:
        return {str(name): str(about["what"]) for name, about in parse_json(path.read_bytes())["clips"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{path} is damaged: {error!r}", "merge again") from error


def _complaint(what: str, clips: Mapping[str, str]) -> str:
    shown = "; ".join(f"{name} ({why})" for name, why in sorted(clips.items())[:SHOWN])
    more = f" and {len(clips) - SHOWN} more" if len(clips) > SHOWN else ""
    return f"{len(clips)} clip(s) {what}: {shown}{more}"


def _counts(words: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(words).items()))
