"""Inpaint as a stage: originals and people to plates that the verifier has looked at."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from m2m.augment import versions
from m2m.augment.build import make_painter
from m2m.augment.clip_files import Decoded, Format, Outputs
from m2m.augment.compose import NOT_PRIVATE, PAINTED
from m2m.augment.intermediates import painting_line, read_people
from m2m.augment.plate import Plate
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
from m2m.augment.tally import Tally
from m2m.augment.threads import behind
from m2m.fingerprints import fingerprint
from m2m.params import AugmentParams
from m2m.store import Store, work_store
from m2m.work import Item, Record


def inpaint_shard(
    manifest: Path, people: Path, shard: int, out: Path, params: AugmentParams, *, workers: int = 1
) -> StageSummary:
    """Paints the people of a shard out; clips that may not be released are quarantined here.

    Args:
        manifest: The manifest folder that `detect_shard` was given.
        people: Results of `detect_shard`.
        shard: The shard's number.
        out: Folder of the results; the plates are in the work store.
        params: Parameters of `augment`.
        workers: Processes.

    Raises:
        InputError: An input or a store cannot be used.
        InfrastructureError: The machine, a store or a model's package fails.
    """
    clips, store = {clip.clip_id: clip for clip in clips_of(manifest, shard)}, work_store()
    found = records_of(people, "detect", shard)
    with scratch("inpaint") as folder:
        originals = Originals(manifest, shard, folder / "originals")
        items = [
            Item(job.name, _fingerprint(job.before[0], params), job)
            for job in jobs_after(found, clips, originals, manifest)
        ]
        carried = [record for record in found.values() if record.status != "ok"]
        made = folder / "made"
        task = partial(InpaintTask, params, originals, made, store)
        return run_stage("inpaint", shard, out, task, items, carried, made=made, store=store, workers=workers)


def _fingerprint(people: Record, params: AugmentParams) -> str:
    """Variants that paint alike share their plates."""
    variant = params.compose.variant
    treatment = "painted" if variant in PAINTED else "shown" if variant in NOT_PRIVATE else "obscured"
    own = sections(params, "region", "inpaint", "verify", "allow_empty")
    return fingerprint(people.fingerprint, own, treatment, versions.INPAINT)


class InpaintTask:
    """Paints the people out of one clip after the other.

    Args:
        params: Parameters of `augment`.
        originals: The shard's videos.
        out: Where to write.
        store: The work store, with the people.
    """

    def __init__(self, params: AugmentParams, originals: Originals, out: Path, store: Store) -> None:
        originals.fetch()
        self._params = params
        self._out = out
        self._store = store
        self._painter = make_painter(params)

    def __call__(self, job: Job) -> dict[str, Any]:
        """Writes the plate, where there is one, and what was painted out or is to be obscured.

        Returns:
            `outputs`, the format, and the tally of both stages.

        Raises:
            QuarantineError: `verifier`, `nobody` or `no_background`.
            InfrastructureError: The people are gone from the store.
        """
        [found] = job.before
        form, tally = Format.of(found.result), Tally.of(found.result["tally"])
        decoded = Decoded(job.source, form.size, tally)
        frame = 0
        with fetched(found, "people", self._store) as file, Outputs(self._out) as outputs:
            plates = None
            if self._params.compose.variant in PAINTED:
                plates = outputs.video("plates", f"plates/{job.name}.mkv", form)
            write = outputs.lines("regions", f"regions/{job.name}.jsonl.gz")
            images, known, wait = decoded.images(), read_people(file), self._params.window.ahead

            def write_core(core: range, plate: Plate, black: np.ndarray) -> None:
                nonlocal frame
                borrowed = plate.borrowed
                with tally.timed("encode"):
                    for t in core:
                        pts = decoded.pts.popleft()
                        front = None if plate.front is None else plate.front[t]
                        write(painting_line(frame, plate.region[t], float(borrowed[t]), bool(black[t]), pts, front))
                        if plates is not None:
                            plates.write(plate.frames[t], pts)
                        frame += 1

            with behind(write_core, wait) as hand:
                for window, people in walk(job.name, images, found.result, known, self._params.window):
                    with tally.timed("wait"):  # there is nothing beside which the look could run
                        seen = self._painter.look(window, tally)
                    hand(people.core, *self._painter.paint(window, people.people, seen, tally))
                    del window, people, seen  # or two windows would be in memory at once
            self._painter.judge(tally)
        return {"outputs": outputs.paths, "n_frames": frame, "tally": tally.plain(), **form.plain()}
