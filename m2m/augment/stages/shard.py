"""One stage over one shard: what all stages share."""

import fcntl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from m2m import shards, work
from m2m.clips import MANIFEST, Clip, read_manifest
from m2m.errors import InfrastructureError, InputError
from m2m.params import AugmentParams, to_dict
from m2m.results import Results, read_results, write_results
from m2m.store import DamagedError, MissingError, Store, data_store, get_blob
from m2m.work import Item, Record


@dataclass(frozen=True)
class StageSummary:
    """What a stage came to in a shard.

    Attributes:
        stage: `detect`, `inpaint`, `recover` or `compose`.
        shard: The shard's number.
        ok: Clips that go on.
        quarantined: Clips that do not, those of earlier stages among them.
        frames: Frames of the clips that go on.
    """

    stage: str
    shard: int
    ok: int
    quarantined: int
    frames: int


@dataclass(frozen=True)
class Job:
    """One clip of a shard, in whatever process.

    Attributes:
        name: Its id.
        source: Its original; only there in stages that fetch originals.
        before: Its records of the stages before.
    """

    name: str
    source: Path
    before: tuple[Record, ...] = ()


@dataclass(frozen=True)
class Originals:
    """The originals of a shard. The first worker that needs them fetches them: a run that finds all done needs none.

    Attributes:
        manifest: The manifest folder.
        shard: The shard's number.
        folder: Where to; its parent is there.
    """

    manifest: Path
    shard: int
    folder: Path

    def path(self, clip: Clip) -> Path:
        """Where the video of a clip is, once it was fetched."""
        return self.folder / clip.path

    def fetch(self) -> None:
        """Fetches the shard, unless another process has done so.

        Raises:
            InputError: The data store is not set, lacks the shard or has other bytes than it should.
            InfrastructureError: The store cannot be reached, or the disk is full.
        """
        with self.folder.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self.folder.exists():
                shards.fetch(self.manifest, data_store(), self.folder, [self.shard])


def clips_of(manifest: Path, shard: int) -> list[Clip]:
    """The rows of a shard in a manifest folder.

    Raises:
        InputError: It is no manifest, or has no clip in that shard.
    """
    rows = [clip for clip in read_manifest(manifest / MANIFEST) if clip.shard == shard]
    if not rows:
        raise InputError(f"{manifest} has no clip in shard {shard}", "check the shard's number")
    return rows


def held(clips: Sequence[Clip]) -> list[Record]:
    """Records of clips that the input has quarantined already."""
    what = "was quarantined in the input already"
    return [Record(c.clip_id, "", c.status, c.reason, what) for c in clips if c.status != "ok"]


def records_of(folder: Path, stage: str, shard: int) -> dict[str, Record]:
    """The records that a stage left of a shard, by name.

    Raises:
        InputError: They are missing, or of another stage or shard.
    """
    results = read_results(folder, stage)
    if results.shard != shard:
        raise InputError(f"{folder} is of shard {results.shard}, not {shard}", "check how the stages are wired")
    return {record.name: record for record in results.records}


def original_of(clips: dict[str, Clip], name: str, manifest: Path) -> Clip:
    """A clip's row in the manifest.

    Raises:
        InputError: There is none.
    """
    if name not in clips:
        raise InputError(f"{manifest} has no clip {name}", "give every stage the manifest that detect was given")
    return clips[name]


def sections(params: AugmentParams, *names: str) -> dict[str, Any]:
    """Some of the parameters as plain values, for a fingerprint."""
    plain = to_dict(params)
    return {name: plain[name] for name in names}


@contextmanager
def scratch(stage: str) -> Iterator[Path]:
    """A folder on the local disk for as long as a stage runs."""
    with TemporaryDirectory(prefix=f"m2m-{stage}-") as folder:
        yield Path(folder)


@contextmanager
def fetched(record: Record, word: str, store: Store) -> Iterator[Path]:
    """An output of an earlier stage on the local disk.

    Args:
        record: The clip's record of that stage.
        word: What the output is, as `people`.
        store: The work store.

    Raises:
        InfrastructureError: The store has lost or damaged it, or cannot be reached.
    """
    path = record.result["outputs"][word]
    with TemporaryDirectory(prefix=f"m2m-{word}-") as folder:
        file = Path(folder) / Path(path).name
        try:
            get_blob(store, record.outputs[path], file)
        except (MissingError, DamagedError) as error:
            raise InfrastructureError(error.what, "run the stage that wrote it again") from error
        yield file


def run_stage(
    stage: str,
    shard: int,
    out: Path,
    make_task: Callable[[], work.Task],
    items: Sequence[Item],
    carried: Sequence[Record],
    *,
    made: Path,
    store: Store,
    workers: int,
    finish: Callable[[Record], Record] = lambda record: record,
    licences: Sequence[str] = (),
) -> StageSummary:
    """Does what is not in the work store yet, and writes the results.

    Args:
        stage: The stage's name.
        shard: The shard's number.
        out: Folder of the results.
        make_task: Makes the task of a worker, which writes under `made`.
        items: Clips to do.
        carried: Records of clips that earlier stages have refused.
        made: Where outputs are before they go to the store.
        store: The work store.
        workers: Processes.
        finish: Completes a record for those who read the results.
        licences: Licences of whatever makes the outputs.

    Raises:
        InputError: An input or a store cannot be used.
        InfrastructureError: The machine or a store fails.
    """
    done = work.run(make_task, items, out=made, workers=workers, store=store, materialise=False)
    records: Results = write_results(out, stage, shard, [finish(r) for r in (*done, *carried)], licences)
    ok = [record for record in records.records if record.status == "ok"]
    frames = sum(record.result["n_frames"] for record in ok)
    return StageSummary(stage, shard, len(ok), len(records.records) - len(ok), frames)


def jobs_after(found: dict[str, Record], clips: dict[str, Clip], originals: Originals, manifest: Path) -> list[Job]:
    """A job for every clip that the stage before has finished, with its original and that stage's record.

    Args:
        found: The stage's records by clip id.
        clips: The shard's clips by id.
        originals: The shard's videos.
        manifest: The manifest folder, for messages.

    Raises:
        InputError: A clip is not in the manifest.
    """
    return [
        Job(name, originals.path(original_of(clips, name, manifest)), (record,))
        for name, record in found.items()
        if record.status == "ok"
    ]
