"""Compose as a stage: plates and bodies to the clips that are released; and the whole chain as one stage."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from m2m.augment import versions
from m2m.augment.bodies import FrameBodies
from m2m.augment.body import make_body
from m2m.augment.clip_files import ClipWriter, Decoded, Format, Outputs, clip_result, preview_panes
from m2m.augment.compose import PAINTED
from m2m.augment.dataset import ClipAugmenter, augment_item, clip_row
from m2m.augment.intermediates import read_bodies, read_paintings
from m2m.augment.licences import licence_texts
from m2m.augment.render import make_renderer
from m2m.augment.stages.shard import (
    Job,
    Originals,
    StageSummary,
    clips_of,
    fetched,
    held,
    original_of,
    records_of,
    run_stage,
    scratch,
    sections,
)
from m2m.augment.steps import Drawer
from m2m.augment.tally import Tally
from m2m.augment.threads import ahead, behind
from m2m.clips import Clip
from m2m.errors import InputError
from m2m.fingerprints import fingerprint
from m2m.params import AugmentParams
from m2m.results import Results
from m2m.store import Store, work_store
from m2m.work import Item, Record

NOBODY = FrameBodies(())


def compose_shard(
    manifest: Path, plates: Path, bodies: Path, shard: int, out: Path, params: AugmentParams, *, workers: int = 1
) -> StageSummary:
    """Draws the bodies of a shard on its plates.

    Args:
        manifest: The manifest folder that `detect_shard` was given; originals are only fetched for variants without a
            plate.
        plates: Results of `inpaint_shard`.
        bodies: Results of `recover_shard`.
        shard: The shard's number.
        out: Folder of the results; the clips and their previews are in the work store.
        params: Parameters of `augment`.
        workers: Processes.

    Raises:
        InputError: An input or a store cannot be used, or plates and bodies are not of the same clips.
        InfrastructureError: The machine, a store or a model's package fails.
    """
    clips, store = {clip.clip_id: clip for clip in clips_of(manifest, shard)}, work_store()
    painted, embodied = records_of(plates, "inpaint", shard), records_of(bodies, "recover", shard)
    if painted.keys() != embodied.keys():
        other = min(painted.keys() ^ embodied.keys())
        raise InputError(f"{plates} and {bodies} are not of the same clips, for one {other}", "check the wiring")
    with scratch("compose") as folder:
        originals = Originals(manifest, shard, folder / "originals")
        items, carried = [], []
        for name, plate in painted.items():
            source, body = originals.path(original_of(clips, name, manifest)), embodied[name]
            refused = next((record for record in (plate, body) if record.status != "ok"), None)
            if refused is not None:
                carried.append(refused)
            else:
                items.append(Item(name, _fingerprint(plate, body, params), Job(name, source, (plate, body))))
        made = folder / "made"
        task = partial(ComposeTask, params, originals, made, store)
        return run_stage(
            "compose",
            shard,
            out,
            task,
            items,
            carried,
            made=made,
            store=store,
            workers=workers,
            finish=_labelled(clips),
            licences=licence_texts(params),
        )


def _fingerprint(plate: Record, body: Record, params: AugmentParams) -> str:
    own = sections(params, "body", "render", "compose", "video")
    return fingerprint(plate.fingerprint, body.fingerprint, own, versions.COMPOSE)


class ComposeTask:
    """Composes one clip after the other.

    Args:
        params: Parameters of `augment`.
        originals: The shard's videos.
        out: Where to write.
        store: The work store, with plates and bodies.
    """

    def __init__(self, params: AugmentParams, originals: Originals, out: Path, store: Store) -> None:
        self._painted = params.compose.variant in PAINTED
        if not self._painted:
            originals.fetch()
        self._params = params
        self._out = out
        self._store = store
        self._drawer = Drawer(make_body(params.body), make_renderer(params.render), params.compose)
        self._panes = preview_panes(params.compose.variant, False)

    def __call__(self, job: Job) -> dict[str, Any]:
        """Writes the clip and its preview.

        Returns:
            As `ClipAugmenter`.

        Raises:
            InfrastructureError: Plate or bodies are gone from the store.
        """
        plate, body = job.before
        with fetched(body, "bodies", self._store) as file:
            bodies = read_bodies(file)
        with fetched(plate, "regions", self._store) as regions:
            if not self._painted:
                return self._compose(job, job.source, regions, bodies)
            with fetched(plate, "plates", self._store) as base:
                return self._compose(job, base, regions, bodies)

    def _compose(self, job: Job, base: Path, regions: Path, bodies: dict[int, FrameBodies]) -> dict[str, Any]:
        plate, body = (record.result for record in job.before)
        form, tally = Format.of(plate), Tally.of(plate["tally"]) + Tally.of(body["tally"])
        camera = form.camera
        images = Decoded(base, form.size, tally).images()
        with Outputs(self._out) as outputs:
            clip = ClipWriter(outputs, job.name, form, self._params.video, self._panes)

            def write(image: np.ndarray, pts: Fraction, under: np.ndarray) -> None:
                with tally.timed("encode"):
                    clip.write(image, pts, {"plate": under})

            wait = self._params.window.frames_behind
            read = zip(ahead(images, wait), read_paintings(regions), strict=True)
            with behind(write, wait) as hand:
                for i, (under, painting) in enumerate(read):
                    with tally.timed("compose"):
                        there = bodies.get(i, NOBODY)
                        image = self._drawer.draw(under, painting.region, there, painting.black, camera, painting.front)
                    hand(image, painting.pts, under)
        return clip_result(outputs, form, tally)


def augment_shard(manifest: Path, shard: int, out: Path, params: AugmentParams, *, workers: int = 1) -> StageSummary:
    """All stages of a shard in memory, where one image holds all backends; the results are those of `compose_shard`.

    Args:
        manifest: A manifest folder; the videos are in the data store.
        shard: The shard's number.
        out: Folder of the results; the clips and their previews are in the work store.
        params: Parameters of `augment`.
        workers: Processes.

    Raises:
        InputError: An input or a store cannot be used.
        InfrastructureError: The machine, a store or a model's package fails.
    """
    clips, store = clips_of(manifest, shard), work_store()
    with scratch("augment") as folder:
        originals = Originals(manifest, shard, folder / "originals")
        items = [augment_item(c, originals.path(c), params) for c in clips if c.status == "ok"]
        made = folder / "made"
        return run_stage(
            "compose",
            shard,
            out,
            _WithOriginals(originals, partial(ClipAugmenter, params, made)),
            items,
            held(clips),
            made=made,
            store=store,
            workers=workers,
            finish=_labelled({clip.clip_id: clip for clip in clips}),
            licences=licence_texts(params),
        )


@dataclass(frozen=True)
class _WithOriginals:
    """Makes an augmenter once the originals are there."""

    originals: Originals
    make: Callable[[], ClipAugmenter]

    def __call__(self) -> ClipAugmenter:
        self.originals.fetch()
        return self.make()


def _labelled(clips: dict[str, Clip]) -> Callable[[Record], Record]:
    """Adds label and split to the results; the store's records have none, so that another label redoes nothing."""

    def add(record: Record) -> Record:
        clip = clips[record.name]
        return replace(record, result={**record.result, "label": clip.label, "split": clip.split})

    return add


def rows_of(results: Results) -> list[Clip]:
    """The manifest's rows of a shard that `compose_shard` or `augment_shard` has finished.

    Args:
        results: Their results.

    Returns:
        Clips sorted by id; `path` is that of the output in the record, and the hash its blob's in the work store.
    """
    return [
        clip_row(Clip(record.name, "", record.result["label"], record.result["split"]), record)
        for record in results.records
    ]
