"""A finished run with everything that a purge is about, and what must hold after one."""

from pathlib import Path

from m2m.audit import audit_shard
from m2m.audit.params import AuditParams
from m2m.clips import file_sha256, read_manifest
from m2m.merge import merge
from m2m.params import AugmentParams
from m2m.published import fetch_published
from m2m.purge import purge_published
from m2m.records import Record, share
from m2m.shards import fetch
from m2m.store import put_blob
from tests.audit.runs import start, use


def finished(root: Path, monkeypatch, stores=None):
    run = start(root, n=4, stores=stores)
    use(monkeypatch, run)
    for shard in run.shards:
        audit_shard(run.manifest, run.composed(shard), shard, run.audited(shard), AuditParams())
    for name in run.made:
        leave(run, name, "detect", f"people/{name}.jsonl.gz")
        leave(run, name, "inpaint", f"plates/{name}.mkv")
        leave(run, name, "preview", f".m2m/previews/{name}.mp4")
    run.work.write("embeddings/abc/def.npz", b"vectors")
    run.work.write("digests/abc.json", b'{"/home/alice/secret_0.mp4": []}')
    run.work.write("release.key", b"k" * 32)
    run.work.write("checkpoints/abc/model-1.pt", b"weights")
    run.card = merge([run.audited(s) for s in run.shards], run.manifest, run.root / "merged", AugmentParams(), 2)
    return run


def leave(run, name, stage, path, data=None) -> str:
    """A record of a stage with one output; the output's hash."""
    file = run.root / "scratch" / "file"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(data or f"{stage} of {name}".encode())
    digest = put_blob(run.work, file)
    share(Record(name, f"{stage} of {name}", "ok", outputs={path: digest}, result={"outputs": {stage: path}}), run.work)
    return digest


def purge(run, **more):
    more = {"yes": True, **more}
    return purge_published(run.card.hash, run.root / "proof.json", store=run.store, work=run.work, **more)


def everything(store) -> dict[str, bytes]:
    return {key: store.read(key) for key in store.keys("")}


def still_whole(run, folder: Path) -> None:
    fetch_published(run.card.hash, run.store, folder / "manifest")
    fetch(folder / "manifest", run.store, folder / "videos")
    for clip in read_manifest(folder / "videos" / "clips.parquet"):
        if clip.status == "ok":
            assert file_sha256(folder / "videos" / clip.path) == clip.sha256
