"""Builds a review: what is doubtful, a random sample, plants among it, one page, and the key that is not on it."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from m2m import clips
from m2m.audit.params import AuditParams
from m2m.audit.review.answers import CHECKLIST
from m2m.audit.review.doubts import doubtful
from m2m.audit.review.items import PAGE, Builder, Places
from m2m.audit.review.key import FOLDER, Key, private_folder, read_key, write_key
from m2m.audit.review.sample import ReviewParams
from m2m.audit.rows import AUDIT, read_audit, row_dict
from m2m.checkout import HASH, checkout
from m2m.clips import MANIFEST, Clip, data_hash, read_card, read_manifest
from m2m.errors import InputError
from m2m.files import write_atomic
from m2m.fingerprints import fingerprint
from m2m.published import fetch_published
from m2m.release import keyed
from m2m.release import read_key as read_secret
from m2m.report.pages import render
from m2m.store import data_store

MOST_DOUBTFUL = 200
"""Clips of the doubtful part; more would not open."""


@dataclass(frozen=True)
class ReviewSummary:
    """What was written.

    Attributes:
        key: The review.
        page: The page.
        left_out: Doubtful clips that are not on it.
        again: Whether it was there already.
    """

    key: Key
    page: Path
    left_out: int
    again: bool

    def __str__(self) -> str:
        asked = self.key.count("sample") + self.key.count("plant")
        text = f"{self.key.count('doubtful')} doubtful clips"
        text += f" ({self.left_out} more are only in {AUDIT})" if self.left_out else ""
        if asked:
            text += f", {asked} drawn by chance with plants among them"
        else:
            text += "; no sample, so no bound on what remains follows from this review (--sample)"
        return f"{text}: {self.page}"


def build(dataset: Path, originals: Path | None, params: ReviewParams, eyes: AuditParams) -> ReviewSummary:
    """Writes the page of a review and its key. The same question about the same data is the same review.

    Args:
        dataset: An audited data set: a working folder, a packed one, or a manifest folder.
        originals: What it was made from; None: nothing is shown beside the doubtful frames, plants are drawn.
        params: What to ask.
        eyes: How people are found on originals, to put them back.

    Raises:
        InputError: It is not audited, holds no clip, a video is not the one that was audited or cannot be read, or
            `originals` are those of another data set.
        InfrastructureError: The machine, a store or a model's package fails.
    """
    card, rows = read_card(dataset), read_manifest(dataset / MANIFEST)
    if data_hash(rows) != card.hash:
        raise InputError(f"manifest and card of {dataset} do not belong together", "run what wrote them again")
    audit, _ = read_audit(dataset)
    released = sorted((c for c in rows if c.status == "ok"), key=lambda c: c.clip_id)
    if not released:
        raise InputError(f"{dataset} has no clip to look at", "see the reasons of its quarantined ones")
    sources = _sources(originals, released, dataset)
    secret = read_secret(private_folder(dataset) / "secret")
    question = fingerprint(card.hash, [row_dict(r) for r in audit], asdict(params), str(originals), PAGE)
    review = keyed(secret, "review", question)
    page = dataset / FOLDER / f"{review}.html"
    doubts = doubtful(audit, rows, params.near)
    left_out = max(0, len(doubts) - MOST_DOUBTFUL)
    if page.is_file() and page.with_suffix(".json").is_file():
        return ReviewSummary(read_key(review, dataset), page, left_out, True)
    chance = np.random.default_rng(int.from_bytes(hmac.digest(secret, review.encode(), hashlib.sha256)))
    places = _finder(sources, params, len(released), eyes)
    with checkout(dataset) as folder:
        builder = Builder(folder, dataset / "plates", sources, places, chance, lambda i: keyed(secret, review, i))
        key = builder.key(review, card.hash, params, released, doubts[:MOST_DOUBTFUL])
        data = builder.page(key, doubts[:MOST_DOUBTFUL])
    about = {"review": review, "dataset": card.hash, "page": PAGE, "schema": 1}
    text = render(
        "review.html",
        name=card.name,
        variant=card.variant,
        hash=card.hash,
        originals=originals is not None,
        left_out=left_out,
        about=about,
        checklist=list(CHECKLIST.items()),
        data=data,
        seed=params.seed,
        population=len(released),
    )
    write_atomic(page, text.encode(), private=True)
    write_key(key, dataset)  # last: a review that has a key is whole
    return ReviewSummary(key, page, left_out, False)


def copied(summary: ReviewSummary, out: Path) -> Path:
    """A copy of the page in another folder, `review.html`.

    Raises:
        InfrastructureError: It cannot be written.
    """
    path = out / "review.html"
    write_atomic(path, summary.page.read_bytes(), private=True)
    return path


def _sources(originals: Path | None, released: Sequence[Clip], dataset: Path) -> dict[str, Path]:
    if originals is None:
        return {}
    found = {c.clip_id: Path(c.path) for c in clips.scan(originals) if c.status == "ok"}
    own = {c.clip_id for c in released}
    if not own & found.keys():
        raise InputError(f"no clip of {dataset} was made from {originals}", "name what m2m augment was given")
    return {name: path for name, path in found.items() if name in own}


def _finder(sources: Mapping[str, Path], params: ReviewParams, n: int, eyes: AuditParams) -> Places | None:
    """How people are found on originals; the models are loaded only where plants are made of them."""
    if not sources or not params.planted(min(params.sample, n)):
        return None
    from m2m.audit.copies import places
    from m2m.audit.eyes import Eyes

    models, seen = Eyes(eyes), eyes.seen

    def find(frame: np.ndarray) -> list[tuple[str, tuple[float, float, float, float]]]:
        found = places(models.faces(frame, seen), models.everybody(frame, seen), seen)
        return [(place.kind, place.box) for place in found]

    return find


def open_dataset(dataset: str, out: Path | None) -> Path:
    """The folder of a data set to review; of a published one the manifest folder, written to `out`.

    Raises:
        InputError: There is no such data set, or a published one has no folder to go to.
        InfrastructureError: The store cannot be reached.
    """
    if not HASH.fullmatch(dataset):
        if not Path(dataset).is_dir():
            raise InputError(f"{dataset} is not a data set", "name its folder, or the hash of a published one")
        return Path(dataset)
    if out is None:
        raise InputError("a published data set needs --out", "its manifest, the page and the decisions go there")
    if (out / MANIFEST).is_file() and read_card(out).hash == dataset:
        return out
    return fetch_published(dataset, data_store(), out)
