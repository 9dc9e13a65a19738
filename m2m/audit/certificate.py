"""The certificate of an audit: what was checked, what passed, what was not checked, what people saw, what remains.

It is written twice, for readers as `audit.html` and for programs into `audit.json`, of the same values. What was not
done is told of as such, never as passed.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import yaml

from m2m import __version__
from m2m.audit.decisions import REVIEW, Reviews, objection, read_reviews
from m2m.audit.evidence import ATTACK, attack, recall
from m2m.audit.gate import ABOUT_PEOPLE, HELD
from m2m.audit.params import REQUIRED
from m2m.audit.rows import AUDIT, Row, read_audit, write_audit
from m2m.clips import CARD, MANIFEST, Clip, DatasetCard, data_hash, read_card, read_manifest
from m2m.errors import InputError
from m2m.files import file_sha256, write_atomic
from m2m.fingerprints import canonical
from m2m.report.pages import render
from m2m.shards import FILE as SHARDS

PAGE = "audit.html"
RELEASED = "released"
"""The name of a data set whose ids say nothing."""


@dataclass(frozen=True)
class Certified:
    """What was written.

    Attributes:
        page: The page.
        verdict: `passed`, `incomplete` or `failed`.
        why: In words.
        bound: In words.
        signed: The signature's file; None: it is not signed.
    """

    page: Path
    verdict: str
    why: tuple[str, ...]
    bound: str
    signed: Path | None = None

    def __str__(self) -> str:
        signed = f", signed: {self.signed}" if self.signed else ", not signed"
        return f"{self.verdict}: {'; '.join(self.why)}; {self.bound}\n{self.page}{signed}"


def certify(dataset: Path, decisions: Sequence[Path] = (), key: Path | None = None) -> Certified:
    """Writes the certificate of an audited data set again, with what was decided and attacked since, and signs it.

    Args:
        dataset: Its folder, with `audit.json`.
        decisions: Files that the page of a review saved; they are recorded first.
        key: File of an Ed25519 private key; None: the certificate is not signed, and an older signature is removed.

    Raises:
        InputError: It is not audited, its parts do not belong together, a file is damaged, or the key is none.
        InfrastructureError: It cannot be written, or the package that signs is missing.
    """
    from m2m.audit.review.settle import decide
    from m2m.audit.signature import SIGNATURE, read_private, sign

    secret = read_private(key) if key is not None else None
    for saved in decisions:
        decide(dataset, saved)
    done = write_certificate(dataset, dataset)
    if secret is None:
        (dataset / SIGNATURE).unlink(missing_ok=True)
        return done
    return Certified(done.page, done.verdict, done.why, done.bound, sign(dataset, secret))


def write_certificate(dataset: Path, out: Path, *, strict: bool = True) -> Certified:
    """Writes `audit.html`, and the same values as `certificate` into `audit.json`.

    Args:
        dataset: A data set: its manifest and card.
        out: The folder of `audit.json`.
        strict: Refuse a review that cannot be used; else the certificate says that it does not count.

    Raises:
        InputError: It is not audited, its parts do not belong together, or a file is damaged.
        InfrastructureError: It cannot be written.
    """
    card, clips = read_card(dataset), read_manifest(dataset / MANIFEST)
    if data_hash(clips) != card.hash:
        raise InputError(f"manifest and card of {dataset} do not belong together", "run what wrote them again")
    rows, about = read_audit(out)
    about.pop("certificate", None)
    reviews, unused = Reviews(card.hash), ""
    try:
        reviews = read_reviews(out, card.hash)
    except InputError as error:
        if strict:
            raise
        unused = str(error)
    files = {n: file_sha256(dataset / n) for n in (MANIFEST, CARD, HELD, SHARDS) if (dataset / n).is_file()}
    values = {
        **certificate(card, clips, rows, about, reviews, attack(out / ATTACK, card.hash), unused),
        "files": {**files, **{n: file_sha256(out / n) for n in (REVIEW, ATTACK) if (out / n).is_file()}},
    }
    write_audit(out, rows, {**about, "certificate": values})
    page = out / PAGE
    text = render("audit.html", c=values, words=words(), params=about.get("params", {}), audit=file_sha256(out / AUDIT))
    write_atomic(page, text.encode())
    bound = values["bound"]
    said = f"no bound: {bound['why']}" if bound["bound"] is None else f"bound {bound['bound']:.1%}"
    return Certified(page, values["verdict"], tuple(values["why"]), said)


def certificate(
    card: DatasetCard,
    clips: Sequence[Clip],
    rows: Sequence[Row],
    about: Mapping[str, Any],
    reviews: Reviews,
    attacked: Mapping[str, Any],
    unused: str = "",
) -> dict[str, Any]:
    """All that the certificate says, as JSON values; the same inputs give the same.

    Args:
        card: The data set.
        clips: Its manifest.
        rows: Its audit.
        about: What the audit was made with.
        reviews: What people decided.
        attacked: `rows` of attackers' figures, `why` there are none.
        unused: Why there is a review that does not count, if there is one.
    """
    audited = {row.clip_id: row for row in rows}
    released = [c for c in clips if c.status == "ok"]
    own = {c.clip_id: audited[c.clip_id] for c in released if c.clip_id in audited}
    required = [n for n in REQUIRED if card.private or n not in ABOUT_PEOPLE]
    bad = {c.clip_id: said for c in released if (said := objection(own.get(c.clip_id), c, reviews))}
    cleared = {
        name: {check: _who(decision) for check, decision in found.items()}
        for name, row in own.items()
        if name not in bad and (found := reviews.cleared(row))
    }
    missed = {name: m for name, row in own.items() if name not in bad and (m := _missed(row, required))}
    whole = [n for n, row in own.items() if n not in bad and n not in cleared and not row.unchecked]
    verdict, why = _verdict(card, released, bad, missed, len(cleared))
    if unused:
        verdict = "failed" if verdict == "failed" else "incomplete"
        why = [*why, f"a review does not count: {unused}"]
    looked = _checks(own.values(), reviews)
    return {
        "schema": 1,
        "m2m": __version__,
        "dataset": {
            "hash": card.hash,
            "name": card.name,
            "variant": card.variant,
            "private": card.private,
            "parent": card.parent,
            "made_by": card.code_version,
            "licences": list(card.licences),
            "names_sources": card.name != RELEASED,
        },
        "made_with": {"code_version": about.get("code_version", ""), "packages": dict(about.get("packages", {}))},
        "verdict": verdict,
        "why": why,
        "counts": {
            "clips": len(clips),
            "released": len(released),
            "passed": len(whole),
            "not_all_done": len(own) - len(whole) - len(cleared) - sum(name in own for name in bad),
            "cleared": len(cleared),
            "failed": len(bad),
            "left_out": sum(row.verdict != "pass" for name, row in audited.items() if name not in own),
            "quarantined": dict(sorted(Counter(c.reason for c in clips if c.status != "ok").items())),
        },
        "checks": looked,
        "required": required,
        "failed": bad,
        "cleared": cleared,
        "flagged": {
            n: f for n, r in sorted(own.items()) if (f := [k for k, c in r.checks.items() if c.figures.get("flags")])
        },
        "reviews": [{**canonical(t), "bound": asdict(t.bound)} for t in reviews.tallies],
        "bound": asdict(reviews.bound),
        "attack": dict(attacked),
        "recall": recall(),
        "not_checked": _not_checked(looked, required),
        "remains": words()["remains"],
    }


def words() -> dict[str, Any]:
    """What the certificate says in words, `certificate.yaml`."""
    return yaml.safe_load(resources.files("m2m.audit").joinpath("certificate.yaml").read_text(encoding="utf-8"))


def packages() -> dict[str, str]:
    """Versions of the packages that look, as they are installed here; what is not is left out."""
    found = {}
    for name in words()["packages"]:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _who(decision: Any) -> dict[str, str]:
    return {"reviewer": decision.reviewer, "at": decision.at, "review": decision.review, "page": decision.page}


def _missed(row: Row, required: Sequence[str]) -> list[str]:
    return [name for name in required if name not in row.checks or row.checks[name].ok is None]


def _verdict(
    card: DatasetCard,
    released: Sequence[Clip],
    bad: Mapping[str, str],
    missed: Mapping[str, Sequence[str]],
    cleared: int,
) -> tuple[str, list[str]]:
    if not released:
        return "failed", ["nothing was released"]
    if bad:
        return "failed", [f"{len(bad)} of {len(released)} released clips may not be used"]
    if missed:
        names = Counter(name for each in missed.values() for name in each)
        return "incomplete", [
            f"{name} was not done of {n} of {len(released)} clips" for name, n in sorted(names.items())
        ]
    if not card.private:
        return "incomplete", [
            f"the variant {card.variant} shows the original people on purpose: only files were checked"
        ]
    by_hand = f", or a person found it to be a false alarm ({cleared} clips)" if cleared else ""
    return "passed", [f"no check failed on {len(released)} released clips{by_hand}"]


def _checks(rows: Any, reviews: Reviews) -> dict[str, dict[str, Any]]:
    """By check: how many clips passed, failed, were cleared, flagged, not done, and why not."""
    out: dict[str, dict[str, Any]] = {}
    rows = list(rows)
    for name in dict.fromkeys([*REQUIRED, *(n for row in rows for n in row.checks)]):
        have = [(row, row.checks[name]) for row in rows if name in row.checks]
        undone = Counter(str(c.figures.get("why", "no reason is given")) for _, c in have if c.ok is None)
        if absent := len(rows) - len(have):
            undone["the audit has no such row"] += absent
        cleared = sum(name in reviews.cleared(row) for row, c in have if c.ok is False)
        out[name] = {
            "passed": sum(c.ok is True for _, c in have),
            "failed": sum(c.ok is False for _, c in have) - cleared,
            "cleared": cleared,
            "flagged": sum(bool(c.figures.get("flags")) for _, c in have),
            "not_done": sum(undone.values()),
            "reasons": dict(sorted(undone.items())),
        }
    return out


def _not_checked(checks: Mapping[str, Mapping[str, Any]], required: Sequence[str]) -> list[str]:
    """What nobody looked at, in sentences: checks that were not done, and what no check looks for."""
    out = []
    for name, counts in checks.items():
        for reason, n in counts["reasons"].items():
            must = " The gate asks for it." if name in required else ""
            out.append(f"{name}, of {n} clip(s): {reason}.{must}")
    done = {name for name, counts in checks.items() if counts["passed"] + counts["failed"] + counts["cleared"]}
    return out + [entry["what"] for entry in words()["unlooked"] if entry.get("unless") not in done]
