"""From a source of videos to a data set: every clip probed, hashed and in a split; broken ones quarantined."""

import csv
import io
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from m2m import __version__, clips, shards, video, work
from m2m.clips import MANIFEST, Clip, DatasetCard, file_sha256
from m2m.datasets.official import MISSING, Official
from m2m.datasets.params import IngestParams
from m2m.datasets.place import keep_apart, place, sweep, video_path
from m2m.datasets.snapshot import of
from m2m.datasets.source import Entry, Found, look
from m2m.datasets.split import assign, cap
from m2m.errors import InputError
from m2m.files import discard, disk_errors, temporary, write_atomic
from m2m.fingerprints import fingerprint
from m2m.store import FolderStore, Store, any_work_store, data_store
from m2m.wording import cell

CODE_VERSION = f"{__version__}+ingest.1"
"""Part of every fingerprint: raised when what is recorded of a clip changes."""

MISSING_FILE = "missing.csv"
"""The listed videos that are not there, if any: label, split, path."""

FETCHES = 8
"""Videos brought from a bucket at a time."""


@dataclass(frozen=True)
class IngestSummary:
    """What an ingest came to.

    Attributes:
        output: The data set's folder, or its manifest folder.
        hash: The data set's hash.
        snapshot: Hash of the source, all of it.
        clips: Clips with status ok.
        frames: Their frames.
        classes: Labels among them.
        quarantined: Reason by clip id; not of videos that are missing.
        left_out: Clips beyond `max_per_class`.
        shards: Tars, 0 in a plain folder.
        missing: By class, where any is missing: how many videos, and how many are listed.
        notes: What else to know about the source, in sentences.
    """

    output: Path
    hash: str
    snapshot: str
    clips: int
    frames: int
    classes: int
    quarantined: dict[str, str]
    left_out: int
    shards: int
    missing: dict[str, tuple[int, int]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        packed = f" in {self.shards} shards" if self.shards else ""
        lines = [f"{self.clips} clips of {self.classes} classes ({self.frames} frames){packed}: {self.output}"]
        if self.left_out:
            lines.append(f"  {self.left_out} left out: their classes have enough")
        lines += [f"  {note}" for note in self.notes]
        lines += [f"  quarantined {name}: {why}" for name, why in self.quarantined.items()]
        return "\n".join(lines + self._table())

    def _table(self) -> list[str]:
        """The missing videos of each class, most of them first."""
        if not self.missing:
            return []
        gone, wanted = (sum(n[i] for n in self.missing.values()) for i in (0, 1))
        wide = max(len(label) for label in (*self.missing, "class"))
        ordered = sorted(self.missing.items(), key=lambda item: (-item[1][0], item[0]))
        return [
            f"  missing: {gone} of the {wanted} listed videos of {len(ordered)} classes; names in "
            f"{self.output / MISSING_FILE}",
            f"    {'class':{wide}}  missing  listed",
            *(f"    {label:{wide}}  {n:7}  {of:6}" for label, (n, of) in ordered),
        ]


def ingest(
    source: str | Official,
    out: Path,
    params: IngestParams,
    *,
    workers: int = 1,
    packed: bool = False,
    expected: str = "",
    store: Store | None = None,
    cache: Store | None = None,
    resume: bool = True,
    progress: bool = True,
    limit: float | None = None,
) -> IngestSummary:
    """Makes a data set of a source.

    Args:
        source: A path, as `m2m.clips.scan` takes it; s3://bucket/prefix; a public set in its official format, or the
            YAML file that describes one. Listed videos that are not there become quarantined rows, and a table.
        out: The data set's folder, with its videos as hard links where possible; a second run into it does what is
            missing. With `packed` a new manifest folder.
        params: Split, shards, most clips a class.
        workers: Processes that decode.
        packed: Put the videos into the data store, in shards, and not into `out`.
        expected: The snapshot's hash that the source must have, or empty.
        store: The data store, by default the one that M2M_STORE names.
        cache: The work store, by default the one that M2M_WORK names if it is set: hashes and verdicts of clips are
            found there by a run that starts from an empty disk.
        resume: Keep what earlier runs found out.
        progress: Tell on stderr what is done.
        limit: Seconds that one clip may take, with its download; one that needs more is quarantined. None: an hour, and
            a minute for every MB.

    Raises:
        InputError: The source is missing, has changed, holds no video that can be read, or overlaps `out`.
        InfrastructureError: The disk is full, or a store cannot be reached.
    """
    name = source if isinstance(source, str) else source.videos
    if not name.startswith("s3://"):
        keep_apart(Path(name), out, "the source")
    cache = cache or any_work_store()
    hashes = cache or (FolderStore(out.absolute() / work.FOLDER / "hashes") if resume and not packed else None)
    found = look(source, hashes, max(4, workers), progress)
    snapshot = of(found.entries).hash
    if expected not in ("", snapshot):
        raise InputError(
            f"{name} has changed since it was looked at: snapshot {snapshot}, expected {expected}", "run again"
        )
    gather = partial(
        _gather,
        name,
        found,
        snapshot,
        params=params,
        workers=workers,
        cache=cache,
        resume=resume,
        progress=progress,
        limit=limit,
    )
    if not packed:
        return gather(out, out)
    store = store or data_store()
    with tempfile.TemporaryDirectory(prefix="m2m-ingest-") as scratch:
        summary = gather(Path(scratch), out, link=_symlink)
        tars = shards.push(Path(scratch), store, out, params.shards)
        _write_missing(found.entries, params, out)
        return replace(summary, shards=len(tars))


def _symlink(source: Path, target: Path) -> None:
    target.symlink_to(source)


def _gather(
    source: str,
    found: Found,
    snapshot: str,
    folder: Path,
    out: Path,
    *,
    params: IngestParams,
    workers: int,
    cache: Store | None,
    resume: bool,
    progress: bool,
    limit: float | None,
    link: Callable[[Path, Path], None] = place,
) -> IngestSummary:
    """Makes the data set's folder; `out` is where the user will find it."""
    chosen = _choose(found.entries, params)
    gone = [e.clip for e in chosen if e.clip.reason == MISSING]
    here = [e for e in chosen if e.clip.status == "ok"]
    for entry in here:
        if not entry.bucket and Path(entry.clip.path).resolve().is_relative_to(out.resolve()):
            raise InputError(f"{entry.clip.path} of the source lies inside {out}", "name another folder for the result")
    with work.locked(folder):
        items = [
            work.Item(e.clip.clip_id, fingerprint(CODE_VERSION, e.identity), e, limit or _patience(e)) for e in here
        ]
        records = work.run(
            Prober, items, out=folder, workers=workers, resume=resume, progress=progress, store=cache, materialise=False
        )
        already = "was quarantined in the source already"
        rows, reasons = [], {e.clip.clip_id: already for e in chosen if e.clip.status != "ok" and e.clip not in gone}
        rows += [replace(e.clip, path="", sha256="") for e in chosen if e.clip.status != "ok"]
        good: list[tuple[Entry, Clip]] = []
        for entry, record in zip(here, records, strict=True):
            if record.status == "ok":
                path = video_path(entry.clip, PurePosixPath(entry.clip.path).suffix)
                good.append((entry, replace(entry.clip, path=path, **record.result["clip"])))
            else:
                reasons[entry.clip.clip_id] = f"{record.reason}: {record.what}"
                rows.append(replace(entry.clip, path="", status=record.status, reason=record.reason))
        if not good:
            name, why = min(reasons.items(), default=("", f"{len(gone)} listed videos, none of them is there"))
            raise InputError(f"no clip of {source} can be used; first {name}: {why}" if name else f"{source}: {why}")
        _bring(good, folder, link)
        rows += assign([clip for _, clip in good], params.val_share, params.seed)
        card = _card(source, rows, params, snapshot, found.licences)
        sweep(folder, {r.path for r in rows})
        clips.write_manifest(rows, folder / MANIFEST)
        clips.write_card(card, folder)
        _write_missing(found.entries, params, folder)
    listed = Counter(e.clip.label for e in chosen)
    return IngestSummary(
        output=out,
        hash=card.hash,
        snapshot=snapshot,
        clips=card.clips,
        frames=sum(clip.n_frames for _, clip in good),
        classes=len({clip.label for _, clip in good}),
        quarantined=dict(sorted(reasons.items())),
        left_out=len(found.entries) - len(chosen),
        shards=0,
        missing={label: (n, listed[label]) for label, n in sorted(Counter(c.label for c in gone).items())},
        notes=found.notes,
    )


def _write_missing(found: Sequence[Entry], params: IngestParams, out: Path) -> None:
    """Writes the names of the missing videos, if there are any, as the source lists them."""
    gone = [e.clip for e in _choose(found, params) if e.clip.reason == MISSING]
    if not gone:
        (out / MISSING_FILE).unlink(missing_ok=True)
        return
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("label", "split", "path"))
    table.writerows(sorted((cell(c.label), cell(c.split), cell(c.path)) for c in gone))
    write_atomic(out / MISSING_FILE, text.getvalue().encode())


class Prober:
    """Looks at one clip after the other: what it is, and whether all of it can be decoded."""

    def __call__(self, entry: Entry) -> dict[str, Any]:
        """The columns of the manifest that only the video knows.

        Raises:
            QuarantineError: `unreadable`: it is not a video, or not a whole one.
        """
        with tempfile.TemporaryDirectory(prefix="m2m-probe-") as scratch, entry.file(Path(scratch)) as file:
            info = video.probe(file, count=True)
            sha256 = file_sha256(file) if entry.bucket else entry.identity
        return {
            "clip": {
                "sha256": sha256,
                "width": info.width,
                "height": info.height,
                "fps_num": info.fps.numerator,
                "fps_den": info.fps.denominator,
                "n_frames": info.n_frames,
            }
        }


def _patience(entry: Entry) -> float:
    """Seconds after which a decoder is taken to be stuck: many times what the slowest of them needs."""
    return 3600 + 60 * entry.size / 1e6


def _choose(found: Sequence[Entry], params: IngestParams) -> list[Entry]:
    """At most `max_per_class` clips of each class and split; what the source has quarantined comes along.

    A missing video counts as one of them: no other takes its place.
    """
    kept = cap([e.clip for e in found if _counts(e.clip)], params.max_per_class, params.seed)
    names = {clip.clip_id for clip in kept}
    return [e for e in found if not _counts(e.clip) or e.clip.clip_id in names]


def _counts(clip: Clip) -> bool:
    return clip.status == "ok" or clip.reason == MISSING


def _bring(good: Sequence[tuple[Entry, Clip]], folder: Path, link: Callable[[Path, Path], None]) -> None:
    """Puts the videos into the data set's folder; those that are there and whole stay.

    Raises:
        InputError: A video has changed since it was hashed.
    """

    def one(pair: tuple[Entry, Clip]) -> None:
        entry, clip = pair
        target = folder / clip.path
        if target.is_file() and (entry.is_at(target) or file_sha256(target) == clip.sha256):
            return
        part = temporary(target)
        try:
            entry.bring(part, link)
            if not entry.is_at(part) and file_sha256(part) != clip.sha256:
                raise InputError(f"{entry.clip.path} has changed while it was ingested", "run again")
            part.replace(target)
        except FileNotFoundError as error:
            raise InputError(f"{entry.clip.path} went away while it was ingested", "run again") from error
        finally:
            discard(part)

    (folder / "videos").mkdir(parents=True, exist_ok=True)
    with disk_errors(folder), ThreadPoolExecutor(FETCHES) as pool:
        for _ in pool.map(one, good):
            pass


def _card(
    source: str, rows: Sequence[Clip], params: IngestParams, snapshot: str, licences: tuple[str, ...]
) -> DatasetCard:
    name = PurePosixPath(source).name if source.startswith("s3://") else clips.title(Path(source))
    return DatasetCard(
        name=name,
        variant="real",
        private=False,
        parameters=asdict(params),
        code_version=CODE_VERSION,
        licences=licences,
        parent=snapshot,
        clips=sum(r.status == "ok" for r in rows),
        quarantined=sum(r.status != "ok" for r in rows),
        hash=clips.data_hash(rows),
    )
