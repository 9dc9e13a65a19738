"""Several variants of the same clips from one detection, as data sets side by side: what comparisons are made on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from m2m import clips, work
from m2m.augment import versions
from m2m.augment.bodies import Camera, FrameBodies
from m2m.augment.build import chain_params, make_chain
from m2m.augment.chain import Chain
from m2m.augment.clip_files import Decoded, Format, Outputs, clip_result, stop_if_changed
from m2m.augment.compose import MESHED, NOT_PRIVATE, PAINTED, VARIANTS, ComposeParams
from m2m.augment.dataset import Job, clip_row
from m2m.augment.detect.shots import ShotDetector
from m2m.augment.intermediates import people_line, write_bodies
from m2m.augment.licences import licence_texts
from m2m.augment.people import FramePeople
from m2m.augment.steps import Drawer, Finder, Painter, embody
from m2m.augment.tally import Tally
from m2m.augment.window import windows
from m2m.clips import DatasetCard
from m2m.errors import InputError
from m2m.files import file_sha256
from m2m.params import AugmentParams, to_dict

REAL = "real"
"""The source itself, at the size and in the encoding of the others."""
CODE_VERSION = f"{versions.AUGMENT}+variants/1"


@dataclass(frozen=True)
class Shown:
    """One frame in all variants.

    Attributes:
        images: (H, W, 3) uint8 RGB by variant.
        people: Who was found.
        bodies: Who is drawn.
    """

    images: dict[str, np.ndarray]
    people: FramePeople
    bodies: FrameBodies


class VariantsChain:
    """The chain with several ends.

    Args:
        chain: A chain of any variant.
        params: Its parameters; what they compose is `variants`.
        variants: `real` or those of `ComposeParams`.
    """

    def __init__(self, chain: Chain, params: AugmentParams, variants: Sequence[str]) -> None:
        models = chain.models

        def of(variant: str) -> ComposeParams:
            return replace(params.compose, variant=variant)

        steps = chain_params(params)
        self._models, self._window, self._variants = models, params.window, variants
        self._painter = Painter(models.inpainter, models.verifier, replace(steps, compose=of("m2m")))
        self._coverer = Painter(models.inpainter, models.verifier, replace(steps, compose=of("blackout")))
        self._drawers = {v: Drawer(models.body, models.renderer, of(v)) for v in variants if v != REAL}

    def run(self, frames: Iterator[np.ndarray], tally: Tally, stretch: float = 1.0) -> Iterator[Shown]:
        """Composes a clip; as `Chain.run`."""
        camera: Camera | None = None
        finder = Finder(self._models.detector, self._window, stretch)
        for window in windows(frames, ShotDetector(), self._window):
            height, width = window.frames.shape[1:3]
            camera = camera or Camera.default(width, height, stretch)
            people = finder.find(window, tally)
            hits = self._painter.look(window, tally)
            plate, black = self._painter.paint(window, people, hits, tally)
            covered, _ = self._coverer.paint(window, people, hits, Tally())
            core = range(window.start, window.stop)
            bodies = embody(people, core, camera, self._models.recoverer, tally, window.frames)
            for t in core:
                images = {}
                for variant in self._variants:
                    source = window.frames[t].copy()
                    if variant == REAL:
                        images[variant] = source
                        continue
                    painted = variant in PAINTED
                    base = plate.frames[t] if painted else source
                    front = plate.front[t] if painted and plate.front is not None else None
                    hidden = bool(black[t]) and variant not in NOT_PRIVATE
                    images[variant] = self._drawers[variant].draw(
                        base, covered.region[t], bodies[t], hidden, camera, front
                    )
                yield Shown(images, people[t], bodies[t])
        self._painter.judge(tally)


class VariantsAugmenter:
    """Writes all variants of one clip after the other; models are loaded once.

    Args:
        params: Parameters of the run.
        out: Folder of the data sets.
        variants: Which.
    """

    def __init__(self, params: AugmentParams, out: Path, variants: tuple[str, ...]) -> None:
        self._params, self._out, self._variants = params, out, variants
        self._chain = VariantsChain(make_chain(params), params, variants)

    def __call__(self, job: Job) -> dict[str, Any]:
        """Writes `<variant>/videos/<clip_id>.mp4`, and people and bodies beside those variants that draw bodies.

        Raises:
            QuarantineError: The clip cannot be released; nothing of it is left behind.
        """
        form, tally, name = Format.read(job.source, self._params.pixels), Tally(), job.clip.clip_id
        stop_if_changed(job.source, job.clip.sha256)
        decoded = Decoded(job.source, form.size, tally)
        bodies: list[tuple[int, FrameBodies]] = []
        keepers = [v for v in self._variants if v in MESHED]
        with Outputs(self._out) as outputs:
            writers = {v: outputs.video(v, f"{v}/videos/{name}.mp4", form, self._params.video) for v in self._variants}
            lines = [outputs.lines(f"people/{v}", f"{v}/people/{name}.jsonl.gz") for v in keepers]
            for at, frame in enumerate(self._chain.run(decoded.images(), tally, form.stretch)):
                pts = decoded.pts.popleft()
                for variant, writer in writers.items():
                    writer.write(frame.images[variant], pts)
                for write in lines:
                    write(people_line(at, frame.people))
                bodies.append((at, frame.bodies))
            for variant in keepers:
                write_bodies(outputs.file(f"bodies/{variant}", f"{variant}/bodies/{name}.npz"), bodies, form.camera)
            stop_if_changed(job.source, job.clip.sha256)
        return clip_result(outputs, form, tally)


def augment_variants(
    source: Path,
    out: Path,
    variants: Sequence[str],
    params: AugmentParams | None = None,
    *,
    workers: int = 1,
    resume: bool = True,
) -> dict[str, Path]:
    """Turns videos into data sets of several variants, `out/<variant>`, with people and bodies kept.

    They hold the same clips: one that cannot be released as `m2m` is in none. A second run goes on where the first
    stopped.

    Args:
        source: A video, a folder of videos, or a manifest.
        out: Folder of the data sets.
        variants: `real` or what `--variant` takes; different.
        params: Parameters of `augment`; None: the defaults.
        workers: Processes; their number changes no byte.
        resume: Skip what an earlier run has finished.

    Returns:
        The data sets' folders by variant.

    Raises:
        InputError: A variant is unknown, or the input or output cannot be used.
        InfrastructureError: The disk is full or a model is missing.
    """
    params, chosen = params or AugmentParams(), tuple(variants)
    unknown = sorted(set(chosen) - {REAL, *VARIANTS})
    if unknown or len(set(chosen)) < len(chosen) or not chosen:
        raise InputError(f"variants are different ones of {', '.join((REAL, *VARIANTS))}, not {', '.join(chosen)}")
    found = [clip for clip in clips.scan(source) if clip.status == "ok"]
    items = []
    for clip in found:
        digest = file_sha256(Path(clip.path))
        mark = clips.fingerprint(digest, to_dict(params), list(chosen), CODE_VERSION)
        items.append(work.Item(clip.clip_id, mark, Job(replace(clip, sha256=digest), Path(clip.path))))
    task = partial(VariantsAugmenter, params, out, chosen)
    records = work.run(task, items, out=out, workers=workers, resume=resume)
    for variant in chosen:
        rows = [
            clip_row(clip, replace(r, result=_of(r.result, variant), outputs=_under(r.outputs, variant)))
            for clip, r in zip(found, records, strict=True)
        ]
        clips.write_manifest(rows, out / variant / clips.MANIFEST)
        card = DatasetCard(
            name=clips.title(source),
            variant=variant,
            private=variant not in NOT_PRIVATE | {REAL},
            parameters=to_dict(replace(params, compose=replace(params.compose, variant=variant)))
            if variant != REAL
            else {},
            code_version=CODE_VERSION,
            licences=licence_texts(params),
            parent=clips.fingerprint(sorted(r.fingerprint for r in records)),
            clips=sum(r.status == "ok" for r in rows),
            quarantined=sum(r.status != "ok" for r in rows),
            hash=clips.data_hash(rows),
        )
        clips.write_card(card, out / variant)
    return {variant: out / variant for variant in chosen}


def _of(result: dict[str, Any], variant: str) -> dict[str, Any]:
    """A record's result as that of one variant's clip."""
    if not result:
        return result
    path = result["outputs"][variant].removeprefix(f"{variant}/")
    return {**result, "outputs": {"video": path}}


def _under(outputs: dict[str, str], variant: str) -> dict[str, str]:
    """Hashes of one variant's files, by paths relative to its folder."""
    return {p.removeprefix(f"{variant}/"): h for p, h in outputs.items() if p.startswith(f"{variant}/")}
