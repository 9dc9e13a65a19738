"""Audits of many clips: of a shard in a pipeline, of a data set in a folder."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from m2m import __version__, clips, work
from m2m.audit.certificate import packages, write_certificate
from m2m.audit.clip import ClipAuditor, Subject
from m2m.audit.params import AuditParams
from m2m.audit.rows import Check, Row, row_dict, row_from, write_audit
from m2m.augment.compose import MESHED, NOT_PRIVATE, PAINTED
from m2m.augment.stages import rows_of
from m2m.augment.stages.shard import Originals, clips_of, fetched, original_of, records_of, scratch
from m2m.clips import MANIFEST, Clip, data_hash, read_card, read_manifest
from m2m.errors import InputError
from m2m.files import file_sha256
from m2m.fingerprints import fingerprint
from m2m.params import AugmentParams, section, to_dict
from m2m.records import Item, Record
from m2m.results import read_results, write_results
from m2m.store import Store, work_store

CODE_VERSION = f"{__version__}+audit.6"
"""Part of every fingerprint: raised when a check changes."""
KEPT = {"video": "video", "plates": "plate", "people": "people", "regions": "regions", "bodies": "bodies"}
"""Outputs of stages that are looked at, and what a subject calls them."""
SUFFIXES = {"plates": ".mkv", "people": ".jsonl.gz", "bodies": ".npz"}
"""The same in the folder of a working data set, without the clip itself."""


@dataclass(frozen=True)
class AuditSummary:
    """What an audit came to.

    Attributes:
        audited: Clips looked at.
        failed: Clips of which a check failed.
        unchecked: Checks that could not be done, summed over clips.
        quarantined: Clips that earlier stages had refused; there is nothing to look at.
        frames: Frames of the clips looked at.
    """

    audited: int
    failed: int
    unchecked: int
    quarantined: int
    frames: int

    def __str__(self) -> str:
        return (
            f"{self.audited} clips audited ({self.frames} frames), {self.failed} failed, {self.unchecked} checks not "
            f"done, {self.quarantined} quarantined before"
        )


@dataclass(frozen=True)
class Job:
    """One clip to audit, in whatever process.

    Attributes:
        subject: The clip; its files are in the work store where there are records.
        kept: Records that have its outputs and intermediates, by the words of `KEPT`.
    """

    subject: Subject
    kept: Mapping[str, Record] = field(default_factory=dict)


class AuditTask:
    """Audits one clip after the other.

    Args:
        params: Parameters of the audit.
        originals: The shard's videos, to be fetched; None where files are there.
        store: The work store with outputs and intermediates; None where files are there.
    """

    def __init__(self, params: AuditParams, originals: Originals | None = None, store: Store | None = None) -> None:
        if originals is not None:
            originals.fetch()
        self._auditor = ClipAuditor(params)
        self._store = store

    def __call__(self, job: Job) -> dict[str, Any]:
        """The row of the clip, as JSON.

        Raises:
            InfrastructureError: The store has lost the clip or what was kept of its making.
        """
        with ExitStack() as files:
            got = {}
            if self._store is not None:
                for word, record in job.kept.items():
                    got[KEPT[word]] = files.enter_context(fetched(record, word, self._store))
            return row_dict(self._auditor(job.subject.having(got)))


def audit_shard(
    manifest: Path,
    composed: Path,
    shard: int,
    out: Path,
    params: AuditParams,
    *,
    workers: int = 1,
    made_with: AugmentParams | None = None,
    plates: Path | None = None,
    people: Path | None = None,
    bodies: Path | None = None,
) -> AuditSummary:
    """Audits the finished clips of a shard. A clip that fails is a result, not an error.

    Args:
        manifest: The manifest folder from which the clips were made; the originals are in the data store.
        composed: Results of `compose_shard` or `augment_shard`.
        shard: The shard's number.
        out: Folder of the results: the records of `composed` as they were, and `audit.json`.
        params: Parameters of the audit.
        workers: Processes.
        made_with: Parameters of `augment`; by default its defaults.
        plates: Results of `inpaint_shard`, where plates are kept apart from the finished clips.
        people: Results of `detect_shard`, likewise.
        bodies: Results of `recover_shard`, likewise.

    Raises:
        InputError: An input or a store cannot be used, or they are not of the same clips.
        InfrastructureError: The machine, a store or a model's package fails.
    """
    made_with = made_with or AugmentParams()
    results = read_results(composed, "compose")
    originals = {clip.clip_id: clip for clip in clips_of(manifest, shard)}
    made = records_of(composed, "compose", shard)
    apart = {"inpaint": plates, "detect": people, "recover": bodies}
    others = [records_of(at, stage, shard) for stage, at in apart.items() if at is not None]
    with scratch("audit") as folder:
        source = Originals(manifest, shard, folder / "originals")
        store = work_store()
        items = []
        for clip in rows_of(results):
            original = original_of(originals, clip.clip_id, manifest)
            if clip.status == "ok":
                record = made[clip.clip_id]
                job = Job(_subject(clip, source.path(original), made_with), _kept(record, others))
                items.append(_item(job, params, original.sha256))
        task = partial(AuditTask, params, source, store)
        records = work.run(task, items, out=folder / "work", workers=workers, store=store, materialise=False)
        rows = _rows(items, records)
        write_results(out, results.stage, shard, results.records, results.licences)
    _write(out, rows, params)
    return _summary(rows, held=len(results.records) - len(rows))


def audit(
    dataset: Path,
    originals: Path | None,
    out: Path,
    params: AuditParams,
    *,
    workers: int = 1,
    resume: bool = True,
    limit: float | None = None,
) -> AuditSummary:
    """Audits a working data set and writes `audit.json` and the certificate, `audit.html`.

    Args:
        dataset: The folder that `m2m augment` wrote.
        originals: What it was made from, as `m2m augment` was given it; None: checks that need originals are not done.
        out: Where `audit.json` goes; may be the data set's folder.
        params: Parameters of the audit.
        workers: Processes.
        resume: Keep what an earlier audit of the same files found.
        limit: Seconds that one clip may take; one that needs more has failed. None: as long as it takes.

    Raises:
        InputError: It is no data set, its manifest is of another run, or `originals` are those of another data set.
        InfrastructureError: The machine or a model's package fails.
    """
    card, rows = read_card(dataset), read_manifest(dataset / MANIFEST)
    if data_hash(rows) != card.hash:
        raise InputError(f"manifest and card of {dataset} do not belong together", "run m2m augment again, to the end")
    made_with = section("augment", card.parameters) if card.private else None
    sources = {c.clip_id: Path(c.path) for c in clips.scan(originals)} if originals is not None else {}
    finished = [clip for clip in rows if clip.status == "ok"]
    if originals is not None and not any(clip.clip_id in sources for clip in finished):
        raise InputError(f"no clip of {dataset} was made from {originals}", "name what m2m augment was given")
    items = []
    for clip in finished:
        source = sources.get(clip.clip_id)
        subject = _subject(clip, source, made_with)
        kept = {word: dataset / word / f"{clip.clip_id}{suffix}" for word, suffix in SUFFIXES.items()}
        there = {KEPT[word]: path for word, path in kept.items() if path.is_file()}
        subject = subject.having({"video": dataset / clip.path, **there})
        digests = map(_digest, (subject.video, source, *there.values()))
        items.append(replace(_item(Job(subject), params, *digests, *there), limit=limit))
    scratch_folder = out / ".m2m" / "audit"  # apart from the records of the augmentation
    records = work.run(partial(AuditTask, params), items, out=scratch_folder, workers=workers, resume=resume)
    done = _rows(items, records)
    _write(out, done, params)
    write_certificate(dataset, out, strict=False)
    return _summary(done, held=len(rows) - len(finished))


def _subject(clip: Clip, original: Path | None, made_with: AugmentParams | None) -> Subject:
    """What is audited of a clip, but for its files.

    Args:
        clip: Its row.
        original: Its original.
        made_with: Parameters of `augment`; None for a data set that shows the original people.
    """
    private = made_with is not None and made_with.compose.variant not in NOT_PRIVATE
    # An id says which folders a source was in; what it was called is the last part.
    names = {clip.clip_id, clip.clip_id.rpartition("__")[2]} | ({original.stem} if original is not None else set())
    meshed = made_with is not None and made_with.compose.variant in MESHED
    return Subject(
        clip=clip,
        video=Path(clip.path),
        original=original,
        names=tuple(sorted(names)),
        colour=made_with.render.colour if made_with is not None and meshed else None,
        body=made_with.body if made_with is not None and meshed else None,
        occlude=made_with is None or made_with.compose.occlude,
        painted=made_with is None or made_with.compose.variant in PAINTED,
        private=private,
        expect_people=made_with is not None and not made_with.allow_empty,
    )


def _kept(made: Record, others: Sequence[Mapping[str, Record]]) -> dict[str, Record]:
    """The records that have what was kept of a clip: its own, else that of the stage that made it."""
    out: dict[str, Record] = {}
    for found in (made, *(stage[made.name] for stage in others if made.name in stage)):
        if found.status == "ok":
            out = {word: found for word in KEPT if word in found.result["outputs"]} | out
    return out


def _item(job: Job, params: AuditParams, *digests: str) -> Item:
    """The item of a job.

    Args:
        job: What to do.
        params: Parameters of the audit.
        digests: Hashes of files that are not in the job's records.
    """
    subject, outputs = job.subject, {word: record.outputs for word, record in job.kept.items()}
    about = (
        subject.names,
        subject.colour,
        subject.painted,
        subject.private,
        subject.expect_people,
        subject.body,
        subject.occlude,
        replace(subject.clip, path="", label="", split=""),
    )
    identity = fingerprint(about, outputs, digests, to_dict(params), CODE_VERSION)
    return Item(subject.clip.clip_id, identity, job)


def _digest(path: Path | None) -> str:
    """Hash of a file; what is missing or cannot be read is left for the checks to say."""
    try:
        return "" if path is None else file_sha256(path)
    except OSError as error:
        return f"unreadable: {error.strerror}"


def _rows(items: Sequence[Item], records: Sequence[Record]) -> list[Row]:
    """Rows of an audit; a clip at which the audit itself broke has failed."""
    rows = []
    for item, record in zip(items, records, strict=True):
        if record.status == "ok":
            rows.append(row_from(record.result))
        else:
            broken = Check(False, {"why": f"the audit broke: {record.what}"})
            rows.append(Row(record.name, item.payload.subject.clip.sha256, {"audit": broken}))
    return rows


def _write(out: Path, rows: Sequence[Row], params: AuditParams) -> None:
    write_audit(out, rows, {"params": to_dict(params), "code_version": CODE_VERSION, "packages": packages()})


def _summary(rows: Sequence[Row], held: int) -> AuditSummary:
    return AuditSummary(
        audited=len(rows),
        failed=sum(row.verdict != "pass" for row in rows),
        unchecked=sum(len(row.unchecked) for row in rows),
        quarantined=held,
        frames=sum(row.checks["timing"].figures.get("frames", 0) for row in rows if "timing" in row.checks),
    )
