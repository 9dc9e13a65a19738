"""Purge of what is personal in the folder of a working data set, and of the originals it was made from."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from m2m import records, work
from m2m.clips import MANIFEST, data_hash, read_card, read_manifest
from m2m.errors import InputError
from m2m.files import file_sha256
from m2m.purge.intermediates import KEY
from m2m.purge.originals import Originals
from m2m.purge.proof import Folder, Left, Proof, Thing, delete, finished, in_order, prove
from m2m.purge.runs import elsewhere
from m2m.tombstone import leave

PERSONAL = ("plates", "people", "bodies", ".m2m", "report.html", "review.html")
"""Files and folders that are personal; reports show previews."""
RECORDS = ".m2m/records/"


def purge_folder(
    dataset: Path,
    report: Path,
    *,
    yes: bool = False,
    key: bool = False,
    originals: Path | None = None,
    also: Sequence[str] = (),
) -> Proof:
    """Deletes what is personal in the folder of a working data set: intermediates, previews, reports, records.

    Args:
        dataset: A folder that `m2m augment` wrote. Its clips stay, with the names of their sources.
        report: File of the proof, JSON.
        yes: Really delete; without it the proof says what would be deleted.
        key: Delete the secret of released names too.
        originals: What `m2m augment` was given, whose videos are to go too: those with the bytes that the data set was
            made from.
        also: Folders and prefixes on S3 that go as a whole: artifacts and logs of runs.

    Returns:
        The proof, as it was written.

    Raises:
        InputError: It is no such data set, shows people, a run is working there, or the originals cannot be told.
        InfrastructureError: Something could not be deleted. The proof says what; run it again.
    """
    card, rows = read_card(dataset), read_manifest(dataset / MANIFEST)
    if not card.private:
        raise InputError(f"{dataset} is the variant {card.variant}, which shows people", "remove the whole folder")
    if data_hash(rows) != card.hash:
        raise InputError(f"manifest and card of {dataset} do not belong together", "run m2m augment again, to the end")
    secret = f".m2m/{KEY}"
    with work.locked(dataset):
        folder = Folder(dataset)
        stays = {".m2m/lock"} if key else {".m2m/lock", secret}
        personal = [name for name in folder.keys("") if name.split("/")[0] in PERSONAL and name not in stays]
        things = []
        for name in personal:
            kind = name.split("/")[1] if name.startswith(".m2m/") else name.split("/")[0]
            things.append(Thing(folder.uri, name, kind, file_sha256(dataset / name), folder.size(name)))
        remains = [Left(folder.uri, "*", "the finished clips; they and their manifest are named after their sources")]
        sources = None
        if originals is None:
            remains.append(Left("sources", "*", "the original videos were not touched: --originals names them"))
        else:
            sources = Originals(originals, card, records.load(dataset / work.FOLDER))
            remains += sources.remains
        if folder.exists(secret) and not key:
            remains.append(Left(folder.uri, secret, "finds the source of a released clip; deleted only on request"))
        places = elsewhere(also, (), set(), (folder,), remains)
        outside = [thing for _, groups in places for group in groups for thing in group]
        planned = [*(sources.things if sources else ()), *outside, *things]
        proof = Proof(card.hash, False, tuple(planned), (), tuple(remains))
        if yes:
            proof.write(report)  # before anything goes: a proof that cannot be written is none
            _leave_word(dataset, card.hash, things, sources)
            done = [in_order(place, *groups) for place, groups in places]
            done.append(_delete(folder, things, sources))
            gone, failed = [t for group, _ in done for t in group], [f for _, group in done for f in group]
            proof = prove(proof, gone, failed, remains)
    return finished(proof, report)


def _delete(folder: Folder, things: Sequence[Thing], sources: Originals | None) -> tuple[list[Thing], list[Left]]:
    """Deletes originals, then intermediates, then the records: these tell which videos were the originals."""
    gone, failed = delete(sources.place, sources.things) if sources else ([], [])
    records = [thing for thing in things if thing.key.startswith(RECORDS)]
    rest = [thing for thing in things if not thing.key.startswith(RECORDS)]
    done, stuck = delete(folder, rest)
    if failed:
        told = [Left(thing.place, thing.key, "tells of things that could not be deleted") for thing in records]
        return [*gone, *done], [*failed, *stuck, *told]
    last, kept = delete(folder, records)
    return [*gone, *done, *last], [*stuck, *kept]


def _leave_word(dataset: Path, identity: str, things: Sequence[Thing], sources: Originals | None) -> None:
    """Before anything goes, so that a purge that is cut off leaves word as well."""
    about = {"dataset": identity, "when": f"{datetime.now(UTC):%Y-%m-%d}"}
    if things:
        leave(dataset, {"what": "the intermediates and records", **about})
    if sources is not None and sources.tombstone is not None:
        leave(sources.tombstone, {"what": "the videos", **about})
