"""Recover as a stage: people to bodies."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from m2m.augment import versions
from m2m.augment.bodies import FrameBodies
from m2m.augment.body import make_body
from m2m.augment.clip_files import Decoded, Format, Outputs
from m2m.augment.compose import MESHED
from m2m.augment.intermediates import PeopleWindow, read_people, write_bodies
from m2m.augment.recover import make_recoverer
from m2m.augment.stages.shard import (
    Job,
    Originals,
    StageSummary,
    clips_of,
    fetched,
    jobs_after,
    records_of,
    run_stage,
    scratch,
    sections,
)
from m2m.augment.stages.walk import walk
from m2m.augment.steps import embody
from m2m.augment.tally import Tally
from m2m.fingerprints import fingerprint
from m2m.params import AugmentParams
from m2m.store import Store, work_store
from m2m.work import Item, Record


def recover_shard(
    manifest: Path, people: Path, shard: int, out: Path, params: AugmentParams, *, workers: int = 1
) -> StageSummary:
    """Turns the people of a shard into bodies; into none where the variant draws none.

    Args:
        manifest: The manifest folder that `detect_shard` was given; originals are only fetched for a recoverer that
            looks at them.
        people: Results of `detect_shard`.
        shard: The shard's number.
        out: Folder of the results; the bodies are in the work store.
        params: Parameters of `augment`.
        workers: Processes.

    Raises:
        InputError: An input or the work store cannot be used.
        InfrastructureError: The machine, the store or a model's package fails.
    """
    found, store = records_of(people, "detect", shard), work_store()
    clips = {clip.clip_id: clip for clip in clips_of(manifest, shard)}
    with scratch("recover") as folder:
        originals = Originals(manifest, shard, folder / "originals")
        items = [
            Item(job.name, _fingerprint(job.before[0], params), job)
            for job in jobs_after(found, clips, originals, manifest)
        ]
        carried = [record for record in found.values() if record.status != "ok"]
        made = folder / "made"
        task = partial(RecoverTask, params, originals, made, store)
        return run_stage("recover", shard, out, task, items, carried, made=made, store=store, workers=workers)


def _fingerprint(people: Record, params: AugmentParams) -> str:
    meshed = params.compose.variant in MESHED
    return fingerprint(people.fingerprint, sections(params, "recover", "body"), meshed, versions.RECOVER)


class RecoverTask:
    """Recovers the bodies of one clip after the other.

    Args:
        params: Parameters of `augment`.
        originals: The shard's videos.
        out: Where to write.
        store: The work store, with the people.
    """

    def __init__(self, params: AugmentParams, originals: Originals, out: Path, store: Store) -> None:
        self._params = params
        self._out = out
        self._store = store
        meshed = params.compose.variant in MESHED
        self._recoverer = make_recoverer(params.recover, make_body(params.body)) if meshed else None
        self._looks = self._recoverer is not None and self._recoverer.needs_frames
        if self._looks:
            originals.fetch()

    def __call__(self, job: Job) -> dict[str, Any]:
        """Writes the bodies.

        Returns:
            `outputs`, the format, and the tally of this stage alone.

        Raises:
            QuarantineError: `unreadable`, or `error`: the frames are not those in which people were sought.
            InfrastructureError: The people are gone from the store.
        """
        [found] = job.before
        form, tally = Format.of(found.result), Tally()
        camera = form.camera
        bodies: list[tuple[int, FrameBodies]] = []
        if self._recoverer is not None:
            with fetched(found, "people", self._store) as file:
                for frames, window in self._windows(job, form, file):
                    there = embody(window.people, window.core, camera, self._recoverer, tally, frames)
                    bodies += [(window.first + t - window.start, there[t]) for t in window.core]
                    del frames, window  # or two would be in memory at once
        with Outputs(self._out) as outputs:
            write_bodies(outputs.file("bodies", f"bodies/{job.name}.npz"), bodies, camera)
        frames = found.result["n_frames"]
        return {"outputs": outputs.paths, "n_frames": frames, "tally": tally.plain(), **form.plain()}

    def _windows(self, job: Job, form: Format, file: Path) -> Iterator[tuple[np.ndarray | None, PeopleWindow]]:
        """The people of a clip window by window, with the originals where the recoverer looks at them."""
        known = read_people(file)
        if not self._looks:
            for people in known:
                yield None, people
                del people
            return
        [found] = job.before
        images = Decoded(job.source, form.size, Tally()).images()  # the tally is of this stage: frames are counted once
        for window, people in walk(job.name, images, found.result, known, self._params.window):
            yield window.frames, people
            del window, people
