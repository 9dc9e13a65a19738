"""Recover as a stage: people to bodies."""

from functools import partial
from pathlib import Path
from typing import Any

from m2m.augment import versions
from m2m.augment.bodies import FrameBodies
from m2m.augment.body import make_body
from m2m.augment.clip_files import Format, Outputs
from m2m.augment.compose import MESHED
from m2m.augment.intermediates import read_people, write_bodies
from m2m.augment.recover import make_recoverer
from m2m.augment.stages.shard import Job, StageSummary, fetched, records_of, run_stage, scratch, sections
from m2m.augment.steps import embody
from m2m.augment.tally import Tally
from m2m.fingerprints import fingerprint
from m2m.params import AugmentParams
from m2m.store import Store, work_store
from m2m.work import Item, Record


def recover_shard(people: Path, shard: int, out: Path, params: AugmentParams, *, workers: int = 1) -> StageSummary:
    """Turns the people of a shard into bodies; into none where the variant draws none.

    Args:
        people: Results of `detect_shard`.
        shard: The shard's number.
        out: Folder of the results; the bodies are in the work store.
        params: Parameters of `augment`.
        workers: Processes.

    Raises:
        InputError: An input or the work store cannot be used.
        InfrastructureError: The machine, the store or a model's package fails.
    """
    store, found = work_store(), records_of(people, "detect", shard)
    items = [
        Item(name, _fingerprint(record, params), Job(name, Path(), (record,)))
        for name, record in found.items()
        if record.status == "ok"
    ]
    carried = [record for record in found.values() if record.status != "ok"]
    with scratch("recover") as made:
        task = partial(RecoverTask, params, made, store)
        return run_stage("recover", shard, out, task, items, carried, made=made, store=store, workers=workers)


def _fingerprint(people: Record, params: AugmentParams) -> str:
    meshed = params.compose.variant in MESHED
    return fingerprint(people.fingerprint, sections(params, "recover", "body"), meshed, versions.RECOVER)


class RecoverTask:
    """Recovers the bodies of one clip after the other.

    Args:
        params: Parameters of `augment`.
        out: Where to write.
        store: The work store, with the people.
    """

    def __init__(self, params: AugmentParams, out: Path, store: Store) -> None:
        self._out = out
        self._store = store
        meshed = params.compose.variant in MESHED
        self._recoverer = make_recoverer(params.recover, make_body(params.body)) if meshed else None

    def __call__(self, job: Job) -> dict[str, Any]:
        """Writes the bodies.

        Returns:
            `outputs`, the format, and the tally of this stage alone.

        Raises:
            InfrastructureError: The people are gone from the store.
        """
        [found] = job.before
        form, tally = Format.of(found.result), Tally()
        camera = form.camera
        bodies: list[tuple[int, FrameBodies]] = []
        if self._recoverer is not None:
            with fetched(found, "people", self._store) as file:
                for window in read_people(file):
                    there = embody(window.people, window.core, camera, self._recoverer, tally)
                    bodies += [(window.first + t - window.start, there[t]) for t in window.core]
                    del window  # or two would be in memory at once
        with Outputs(self._out) as outputs:
            write_bodies(outputs.file("bodies", f"bodies/{job.name}.npz"), bodies, camera)
        frames = found.result["n_frames"]
        return {"outputs": outputs.paths, "n_frames": frames, "tally": tally.plain(), **form.plain()}
