"""What people decided about clips, beside the audit that doubts them: `review.json`.

A decision holds for one file of one data set. That a doubt is a false alarm holds for what the check had measured then,
and never for a check that is not about pictures.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from m2m.audit.bound import Bound, residual
from m2m.audit.rows import AUDIT, Check, Row, read_audit
from m2m.clips import Clip
from m2m.errors import GateError, InputError
from m2m.files import write_atomic
from m2m.fingerprints import canonical, fingerprint
from m2m.parsing import parse_json, typed

REVIEW = "review.json"
SCHEMA = 1
NOTHING, SOMEBODY = "nothing", "somebody"
SHOWN = 10
NOT_SEEN = frozenset({"bytes", "file", "names", "timing", "audit"})
"""Checks that nobody can settle by looking: of bytes, tags and times, and an audit that broke."""


@dataclass(frozen=True)
class Decision:
    """What a person said of a clip.

    Attributes:
        clip_id: The clip.
        sha256: Hash of the file that was looked at.
        dataset: Hash of the data set that it was in.
        verdict: `nothing` of a person is to be seen, or `somebody` is.
        seen: Which items of the check list.
        note: In the reviewer's words.
        reviewer: Name or pseudonym.
        at: When.
        review: Id of the review.
        page: Version of its page.
        doubts: Checks that the person was shown as failed, each with the hash of what it had measured; empty for a clip
            that was drawn by chance.
    """

    clip_id: str
    sha256: str
    dataset: str
    verdict: str
    seen: tuple[str, ...]
    note: str
    reviewer: str
    at: str
    review: str
    page: str
    doubts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Tally:
    """What one reviewer's answers to one review come to.

    Attributes:
        review: Its id.
        page: Version of the page.
        reviewer: Name or pseudonym.
        seed: Of the sample.
        population: Clips from which it was drawn.
        sample: Clips of the sample.
        answered: Of sample and plants together, those that were answered.
        found: Clips of the sample in which somebody was seen.
        plants: Clips that somebody was put into.
        seen: Plants that were seen.
        kinds: By kind of plant: seen, put in.
        shared: Plants made of clips that are in the sample too.
        changed: Answers that were changed afterwards.
        first: When the first answer came.
        last: When the last one did.
    """

    review: str
    page: str
    reviewer: str
    seed: int
    population: int
    sample: int
    answered: int
    found: int
    plants: int
    seen: int
    kinds: dict[str, tuple[int, int]]
    shared: int
    changed: int
    first: str
    last: str

    @property
    def bound(self) -> Bound:
        """The residual bound; none as long as an answer is missing, for who stops early may stop for a reason."""
        if not self.sample:
            return Bound()
        if missing := self.sample + self.plants - self.answered:
            return Bound(why=f"{missing} of {self.sample + self.plants} clips of the sample are not answered yet")
        return residual(self.sample, self.found, self.plants, self.seen)


@dataclass(frozen=True)
class Reviews:
    """All that people decided about a data set.

    Attributes:
        dataset: Its hash.
        tallies: One a review and reviewer.
        decisions: One a clip, review and reviewer.
    """

    dataset: str
    tallies: tuple[Tally, ...] = ()
    decisions: tuple[Decision, ...] = ()

    def somebody(self, clip: Clip) -> Decision | None:
        """Who saw somebody in this very file, if anybody did: one of several reviewers is enough."""
        own = (d for d in self.decisions if d.clip_id == clip.clip_id and d.sha256 == clip.sha256)
        return next((d for d in own if d.verdict == SOMEBODY), None)

    def cleared(self, row: Row) -> dict[str, Decision]:
        """The failed checks of a row that a person found to be false alarms."""
        found: dict[str, Decision] = {}
        for decision in self.decisions:
            same = (decision.clip_id, decision.sha256, decision.dataset) == (row.clip_id, row.sha256, self.dataset)
            if same and decision.verdict == NOTHING:
                for name in row.failed:
                    if name not in NOT_SEEN and decision.doubts.get(name) == measured(row.checks[name]):
                        found[name] = decision
        return found

    def __str__(self) -> str:
        shown = sum(d.verdict == SOMEBODY for d in self.decisions)
        cleared = sum(d.verdict == NOTHING and bool(d.doubts) for d in self.decisions)
        text = f"{len(self.tallies)} review(s): {shown} time(s) somebody seen, {cleared} false alarm(s); "
        if self.bound.bound is None:
            return text + f"no bound: {self.bound.why}"
        share = f"at most {self.bound.bound:.1%} of the clips still show somebody or something of somebody"
        return text + f"{share} (cautiously {self.bound.cautious:.1%}), 95 %"

    @property
    def headline(self) -> Tally | None:
        """The review that the bound is taken from: the largest finished sample, of equal ones the worst."""
        done = [t for t in self.tallies if t.bound.upper is not None]
        return max(done, key=lambda t: (t.sample, t.bound.cautious or 1.0, t.found, t.last), default=None)

    @property
    def bound(self) -> Bound:
        """The residual bound of the data set, or why there is none."""
        if self.headline is not None:
            return self.headline.bound
        started = [t for t in self.tallies if t.sample]
        return started[-1].bound if started else Bound()


def measured(check: Check) -> str:
    """A hash of what a check found."""
    return fingerprint(check)


def objection(row: Row | None, clip: Clip, reviews: Reviews) -> str:
    """Why a clip of an audited data set may not be used, by its checks and by what people saw; nothing if it may."""
    if (seen := reviews.somebody(clip)) is not None:
        return said(seen)
    if row is None:
        return "it was not audited"
    if row.sha256 != clip.sha256:
        return "another file was audited" if row.sha256 else row.why()
    if row.verdict == "pass":
        return ""
    left = [name for name in row.failed if name not in reviews.cleared(row)]
    return row.why() if left or not row.failed else ""


def left_out(dataset: Path, identity: str, clips: Iterable[Clip]) -> dict[str, str]:
    """Clips of a working data set that may not leave the house, and why: for an audited one those that did not pass.

    Args:
        dataset: The folder of `audit.json` and `review.json`, if they are there.
        identity: The data set's hash.
        clips: Its manifest.

    Raises:
        InputError: Audit or decisions are damaged, or of another data set.
    """
    reviews = read_reviews(dataset, identity)
    audited = {row.clip_id: row for row in read_audit(dataset)[0]} if (dataset / AUDIT).is_file() else None
    out = {}
    for clip in clips:
        if clip.status != "ok":
            continue
        if audited is not None:
            why = objection(audited.get(clip.clip_id), clip, reviews)
        else:
            seen = reviews.somebody(clip)
            why = said(seen) if seen is not None else ""
        if why:
            out[clip.clip_id] = why
    return out


def refuse_shown(dataset: Path, identity: str, clips: Iterable[Clip]) -> None:
    """Stops where a person saw somebody in a clip.

    Args:
        dataset: The folder of `review.json`, if there is one.
        identity: The data set's hash.
        clips: Its manifest.

    Raises:
        GateError: Somebody was seen; names the clips.
        InputError: What people decided is damaged, or of another data set.
    """
    reviews = read_reviews(dataset, identity)
    shown = {c.clip_id: said(seen) for c in clips if c.status == "ok" and (seen := reviews.somebody(c)) is not None}
    if shown:
        named = "; ".join(f"{name} ({why})" for name, why in sorted(shown.items())[:SHOWN])
        more = f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
        raise GateError(f"{len(shown)} clip(s) of {dataset} show somebody: {named}{more}", "leave them out")


def said(decision: Decision) -> str:
    """In words that somebody is to be seen."""
    what = ", ".join(decision.seen) or "somebody"
    note = f" ({decision.note})" if decision.note else ""
    return f"a person saw: {what}{note}, says {decision.reviewer}"


def read_reviews(folder: Path, dataset: str) -> Reviews:
    """What people decided about a data set; nothing where there is no review.

    Args:
        folder: The folder of `review.json`.
        dataset: The data set's hash.

    Raises:
        InputError: It is damaged, or of another data set.
    """
    path = folder / REVIEW
    if not path.is_file():
        return Reviews(dataset)
    found = _read(path)
    if found.dataset != dataset:
        raise InputError(
            f"{path} is of the data set {found.dataset[:12]}, this is {dataset[:12]}",
            "run m2m audit review again, and decide; or remove the file",
        )
    return found


def write_reviews(folder: Path, reviews: Reviews) -> None:
    """Writes `review.json`; the same decisions give the same bytes.

    Raises:
        InfrastructureError: It cannot be written.
    """
    text = json.dumps({"schema": SCHEMA, **canonical(reviews)}, indent=1, sort_keys=True, allow_nan=False)
    write_atomic(folder / REVIEW, (text + "\n").encode())


def updated(folder: Path, new: Reviews, clips: Iterable[Clip]) -> Reviews:
    """What is known after a review: its own tallies and decisions in place of older ones, and the rest as it was.

    Of a review of another data set only that somebody was seen is kept, for files that are still there.

    Args:
        folder: The folder of `review.json`.
        new: All that the answers to one review come to.
        clips: The clips of the data set.

    Raises:
        InputError: An older file is damaged.
    """
    if not (folder / REVIEW).is_file():
        return new
    old = _read(folder / REVIEW)
    again = {t.review for t in new.tallies}
    here = {(c.clip_id, c.sha256) for c in clips if c.status == "ok"}
    kept = [d for d in old.decisions if d.review not in again]
    if old.dataset != new.dataset:
        kept = [d for d in kept if d.verdict == SOMEBODY and (d.clip_id, d.sha256) in here]
    tallies = [t for t in old.tallies if t.review not in again and old.dataset == new.dataset]
    return Reviews(
        new.dataset,
        tuple(sorted((*tallies, *new.tallies), key=lambda t: (t.last, t.review, t.reviewer))),
        tuple(sorted((*kept, *new.decisions), key=lambda d: (d.clip_id, d.review, d.reviewer))),
    )


def _read(path: Path) -> Reviews:
    try:
        values = parse_json(path.read_bytes())
        if values["schema"] != SCHEMA:
            raise ValueError(f"schema {values['schema']}")
        tallies = tuple(typed(Tally, t) for t in values["tallies"])
        decisions = tuple(typed(Decision, d) for d in values["decisions"])
        if any(d.verdict not in (NOTHING, SOMEBODY) for d in decisions):
            raise ValueError("a verdict is unknown")
        return Reviews(str(values["dataset"]), tallies, decisions)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{path} is damaged: {error!r:.200}", "record the answers again: m2m audit decide") from error
