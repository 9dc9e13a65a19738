"""From videos to an M2M data set: the chain over many clips, the manifest, the report."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from m2m import clips, work
from m2m.augment import versions
from m2m.augment.bodies import FrameBodies
from m2m.augment.chain import Chain, Composed
from m2m.augment.clip_files import ClipWriter, Decoded, Format, Outputs, clip_result, preview_panes, stop_if_changed
from m2m.augment.compose import NOT_PRIVATE
from m2m.augment.intermediates import painted, people_line, write_bodies
from m2m.augment.licences import licence_texts
from m2m.augment.tally import Tally
from m2m.augment.threads import behind
from m2m.clips import Clip, DatasetCard
from m2m.errors import InputError, QuarantineError
from m2m.files import file_sha256
from m2m.params import AugmentParams, to_dict
from m2m.report.augment import ClipReport, write_report
from m2m.tombstone import stop_if_purged

OUTPUTS = ("videos", "plates", "people", "bodies", ".m2m/previews")
CODE_VERSION = versions.AUGMENT


@dataclass(frozen=True)
class Summary:
    """What a run came to.

    Attributes:
        output: Folder of the data set.
        released: Clips with status ok.
        quarantined: Reason by clip id.
        frames: Frames released.
    """

    output: Path
    released: int
    quarantined: dict[str, str]
    frames: int

    def __str__(self) -> str:
        lines = [
            f"{self.released} clips released ({self.frames} frames), {len(self.quarantined)} quarantined: {self.output}"
        ]
        lines += [f"  quarantined {name}: {why}" for name, why in self.quarantined.items()]
        return "\n".join([*lines, f"report: {self.output / 'report.html'}"])


@dataclass(frozen=True)
class Job:
    """One clip to augment, in whatever process.

    Attributes:
        clip: The clip of the input, with the hash that its bytes must have.
        source: Its file.
    """

    clip: Clip
    source: Path


class ClipAugmenter:
    """Augments one clip after the other with models loaded once.

    Args:
        params: Parameters of the run.
        out: Folder of the data set.
        with_originals: Whether previews show the originals too.
    """

    def __init__(self, params: AugmentParams, out: Path, with_originals: bool = False) -> None:
        from m2m.augment.build import make_chain

        self.params = params
        self.out = out
        self.panes = preview_panes(params.compose.variant, with_originals)
        self.chain: Chain = make_chain(params)

    def __call__(self, job: Job) -> dict[str, Any]:
        """Writes the clip's files; they appear under their names only when the whole clip is released.

        Returns:
            `outputs`: paths relative to the data set; `summary`: the chain's figures; `n_frames` and the format.

        Raises:
            QuarantineError: The clip cannot be released; nothing of it is left behind.
        """
        form = Format.read(job.source, self.params.pixels)
        stop_if_changed(job.source, job.clip.sha256)
        tally = Tally()
        decoded = Decoded(job.source, form.size, tally)
        name, keep = job.clip.clip_id, self.params.keep
        bodies: list[tuple[int, FrameBodies]] = []
        with Outputs(self.out) as outputs:
            clip = ClipWriter(outputs, name, form, self.params.video, self.panes)
            plates = outputs.video("plates", f"plates/{name}.mkv", form) if "plates" in keep else None
            people = outputs.lines("people", f"people/{name}.jsonl.gz") if "people" in keep else None

            def write(at: int, frame: Composed) -> None:
                with tally.timed("encode"):
                    pts = decoded.pts.popleft()
                    clip.write(frame.image, pts, {"original": frame.source, "plate": frame.plate})
                    if plates is not None:
                        plates.write(frame.plate, pts)
                if people is not None:
                    people({**people_line(at, frame.people), **painted(frame.region, frame.front)})
                if "bodies" in keep:
                    bodies.append((at, frame.bodies))

            with behind(write, self.params.window.frames_behind) as hand:
                for i, frame in enumerate(self.chain.run(decoded.images(), tally, form.stretch)):
                    hand(i, frame)
            if decoded.pts:
                raise QuarantineError("error", f"{len(decoded.pts)} frames of {tally.frames} were never written")
            if "bodies" in keep:
                write_bodies(outputs.file("bodies", f"bodies/{name}.npz"), bodies, form.camera)
            stop_if_changed(job.source, job.clip.sha256)
        return clip_result(outputs, form, tally)


def augment(
    source: str | Path,
    output: str | Path,
    params: AugmentParams | None = None,
    *,
    workers: int = 1,
    resume: bool = True,
    limit: float | None = None,
    with_originals: bool = False,
) -> Summary:
    """Turns videos into an M2M data set.

    Args:
        source: A video, a folder of videos, or a manifest.
        output: Folder of the data set; made where absent. A second run on it goes on where the first one stopped.
        params: Parameters; None: the defaults.
        workers: Processes. Their number never changes a byte of the result.
        resume: Skip what an earlier run has finished.
        limit: Seconds that one clip may take; one that needs more is quarantined. None: as long as it takes.
        with_originals: Show the originals in the report.

    Returns:
        What the run came to.

    Raises:
        InputError: Nothing to do, or the input or output cannot be used, or was purged.
        InfrastructureError: The disk is full or a model is missing.
    """
    params = params or AugmentParams()
    source, output = Path(source), Path(output)
    stop_if_purged(output)
    found = clips.scan(source)
    taken = [clip for clip in found if clip.status == "ok"]
    _keep_apart(source, output, taken)
    items = [replace(_item(clip, params, with_originals), limit=limit) for clip in taken]
    make_task = partial(ClipAugmenter, params, output, with_originals)
    with work.locked(output):
        # A run that is cut off must not leave the card of another beside its videos.
        for name in (clips.CARD, "report.html"):
            (output / name).unlink(missing_ok=True)
        records = work.run(make_task, items, out=output, workers=workers, resume=resume)
        _sweep(output, records)
        held = [clip for clip in found if clip.status != "ok"]
        return _finish(source, output, params, with_originals, taken, held, records)


def augment_item(clip: Clip, source: Path, params: AugmentParams, with_originals: bool = False) -> work.Item:
    """A clip to augment.

    Args:
        clip: Its row, with the hash of its bytes.
        source: Its file.
        params: Parameters of the run.
        with_originals: Whether its preview shows the original too.
    """
    identity = versions.mark(clip.sha256, to_dict(params), with_originals, CODE_VERSION)
    return work.Item(clip.clip_id, identity, Job(clip, source))


def _item(clip: Clip, params: AugmentParams, with_originals: bool) -> work.Item:
    """A clip of an input, whose manifest may say which bytes it must have; it may have changed since."""
    found = _digest(clip)
    expected = clip.sha256 or found
    known = found if found == expected else clips.fingerprint(found, expected)  # no record of either holds
    item = augment_item(replace(clip, sha256=known), Path(clip.path), params, with_originals)
    return replace(item, payload=Job(replace(clip, sha256=expected), Path(clip.path)))


def _digest(clip: Clip) -> str:
    """Hash of a source; one that cannot be read is left for the task to quarantine."""
    try:
        return file_sha256(Path(clip.path))
    except OSError as error:
        return f"unreadable: {clip.clip_id}: {error.strerror}"


def _keep_apart(source: Path, output: Path, taken: list[Clip]) -> None:
    """Refuses an output that would be read as input, or written over it.

    Raises:
        InputError: They overlap.
    """
    out, root = output.resolve(), source.resolve()
    if out == root or (source.is_dir() and out.is_relative_to(root)):
        raise InputError(f"{output} is the input itself or lies inside of it", "name a folder outside for the result")
    for clip in taken:
        if Path(clip.path).resolve().is_relative_to(out):
            raise InputError(f"the input {clip.path} lies inside the output {output}", "name another folder")


def _sweep(output: Path, records: list[work.Record]) -> None:
    """Removes results that no clip of this run vouches for: of refused clips, and of clips that left the input."""
    wanted = {output / path for record in records for path in record.outputs}
    for folder in OUTPUTS:
        for path in sorted((output / folder).glob("*")):
            if path not in wanted:
                path.unlink()


def _finish(
    source: Path,
    output: Path,
    params: AugmentParams,
    with_originals: bool,
    taken: list[Clip],
    held: list[Clip],
    records: list[work.Record],
) -> Summary:
    """Writes manifest, card and report."""
    rows = [replace(clip, path="", sha256="") for clip in held]
    what = "was quarantined in the input already"
    reports = [ClipReport(c.clip_id, c.label, c.status, c.reason, what, {}, {}, None) for c in held]
    for taken_clip, record in zip(taken, records, strict=True):
        clip = clip_row(taken_clip, record)
        rows.append(clip)
        ok = record.status == "ok"
        summary = record.result["summary"] if ok else {}
        preview = output / record.result["outputs"]["preview"] if ok else None
        reports.append(
            ClipReport(
                clip.clip_id, clip.label, record.status, record.reason, record.what, record.evidence, summary, preview
            )
        )
    clips.write_manifest(rows, output / "clips.parquet")
    card = DatasetCard(
        name=clips.title(source),
        variant=params.compose.variant,
        private=params.compose.variant not in NOT_PRIVATE,
        parameters=to_dict(params),
        code_version=CODE_VERSION,
        licences=licence_texts(params),
        parent=clips.fingerprint(sorted(r.fingerprint for r in records)),
        clips=sum(r.status == "ok" for r in rows),
        quarantined=sum(r.status != "ok" for r in rows),
        hash=clips.data_hash(rows),
    )
    clips.write_card(card, output)
    panes = preview_panes(params.compose.variant, with_originals)
    write_report(output, card, reports, panes, params.size, params.body.gender)
    bad = {r.clip_id: f"{r.reason}: {r.what}" for r in reports if r.status != "ok"}
    frames = sum(r.n_frames for r in rows if r.status == "ok")
    return Summary(output, card.clips, bad, frames)


def clip_row(clip: Clip, record: work.Record) -> Clip:
    """The row of the result's manifest.

    Args:
        clip: The clip of the input.
        record: What became of it.
    """
    clip = replace(clip, path="", sha256="", status=record.status, reason=record.reason, shard=-1, offset=-1)
    if record.status != "ok":
        return clip
    result = record.result
    path = result["outputs"]["video"]
    return replace(
        clip,
        path=path,
        sha256=record.outputs[path],
        width=result["width"],
        height=result["height"],
        fps_num=result["fps"][0],
        fps_den=result["fps"][1],
        n_frames=result["n_frames"],
    )
