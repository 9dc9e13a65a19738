"""What runs left outside of the stores, and what they took from one another, goes too."""

import json
import uuid

import boto3
import pytest

from m2m import work
from m2m.errors import InputError
from m2m.records import Item
from m2m.shards import read_folder
from m2m.store import blob_key
from tests.purge.made import finished, purge


def one_output(out):
    def task(name):
        (out / "people").mkdir(parents=True, exist_ok=True)
        (out / "people" / f"{name}.txt").write_text(f"a person of {name}")
        return {"outputs": {"people": f"people/{name}.txt"}}

    return task


def leave_runs(run, put):
    """Artifacts of four runs; `put(key, bytes)` writes one. Returns the keys that are to go."""
    manifest = (run.manifest / "clips.parquet").read_bytes()
    blob = next(iter(run.work.keys("blobs/"))).rpartition("/")[2]
    mine = {
        "m2m-dataset-1/ingest/dataset/clips.parquet": manifest,
        "m2m-dataset-1/ingest/executor-logs": b"probing /home/alice/secret_0.mp4",
        "m2m-dataset-1/describe/page": b"<html>",
        # All that would name the originals came out of a cache: only what detect made is here.
        "m2m-dataset-2/detect/people/records.json": json.dumps({"outputs": {"p": detected(run)}}).encode(),
        "m2m-dataset-2/detect/executor-logs": b"secret_1",
        "m2m-dataset-2.log": b"task wrote to /runs/m2m-dataset-2/detect",
    }
    others = {
        "m2m-dataset-3/ingest/dataset/clips.parquet": b"PAR1 no manifest",
        "m2m-dataset-3/ingest/executor-logs": b"f" * 64 + b" other clips",
        "m2m-purge-1/purge/proof": json.dumps(
            {"things": [{"key": f"blobs/{blob}"}], "remains": [], "unfinished": 0}
        ).encode(),
        "m2m-dataset-3.log": b"m2m-dataset-3",
    }
    for key, data in (mine | others).items():
        put(key, data)
    return set(mine), set(others)


def detected(run) -> str:
    """The hash of an output of detect."""
    records = (json.loads(run.work.read(key)) for key in run.work.keys("records/"))
    return next(d for record in records for path, d in record["outputs"].items() if path.startswith("people/"))


def test_runs_that_know_of_the_clips_go_from_a_folder(run, tmp_path):
    root = tmp_path / "runs"

    def put(key, data):
        (root / key).parent.mkdir(parents=True, exist_ok=True)
        (root / key).write_bytes(data)

    mine, others = leave_runs(run, put)
    ahead = purge(run, yes=False, runs=[str(root)])
    assert {t.key for t in ahead.things if t.place == str(root)} == mine
    proof = purge(run, runs=[str(root)])
    assert {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()} == others
    assert {t.key for t in proof.things if t.place == str(root) and t.kind == "of a run"} == mine
    assert any("2 run(s) in which nothing" in left.why for left in proof.remains)


def test_runs_that_know_of_the_clips_go_from_a_bucket_with_versions(s3, tmp_path, monkeypatch):
    run = finished(tmp_path / "run", monkeypatch)
    client = boto3.session.Session().client("s3")
    client.put_bucket_versioning(Bucket=s3.bucket, VersioningConfiguration={"Status": "Enabled"})
    ids: dict[str, str] = {}

    def put(key, data):  # as KFP names them: the pipeline, then the run
        name, slash, rest = key.partition("/")
        if slash:
            folder = ids.setdefault(name, f"{name.rstrip('-0123456789')}/{uuid.uuid4()}")
            client.put_object(Bucket=s3.bucket, Key=f"kfp/{folder}/{rest} (1)", Body=data)

    leave_runs(run, put)
    client.put_object(Bucket=s3.bucket, Key="argo/private/run-1/main.log", Body=b"secret_2")
    client.delete_object(Bucket=s3.bucket, Key="argo/private/run-1/main.log")
    roots = {"runs": [f"s3://{s3.bucket}/kfp"], "also": [f"s3://{s3.bucket}/argo/private/run-1"]}
    proof = purge(run, **roots)
    listed = client.list_object_versions(Bucket=s3.bucket)
    left = {entry["Key"] for entry in listed.get("Versions", []) + listed.get("DeleteMarkers", [])}
    gone = {ids["m2m-dataset-1"], ids["m2m-dataset-2"], "argo"}
    assert left and not any(folder in key for key in left for folder in gone)
    assert any(ids["m2m-purge-1"] in key for key in left) and any(ids["m2m-dataset-3"] in key for key in left)
    assert all(thing.version for thing in proof.things if thing.place.startswith("s3://"))


def test_a_place_that_holds_a_store_is_refused(run):
    for place in (run.root, run.root / "store" / "shards"):
        with pytest.raises(InputError, match="lie in one another"):
            purge(run, also=[str(place)])
    with pytest.raises(InputError, match="is not a folder"):
        purge(run, runs=[str(run.root / "nowhere")])
    assert list(run.work.keys("records/"))


def test_what_a_later_run_took_from_an_earlier_one_goes(run, tmp_path):
    """Records are found by item and not by run: both runs have the same one."""
    name = next(c.clip_id for c in read_folder(run.manifest)[0] if c.status == "ok")
    items = [Item(name, "detect, other parameters", name)]
    made = [
        work.run(lambda out=out: one_output(out), items, out=out, store=run.work, materialise=False, progress=False)[0]
        for out in (tmp_path / "first", tmp_path / "second")
    ]
    assert made[0] == made[1]
    assert not (tmp_path / "second" / "people").exists()  # the second took it
    blob = blob_key(next(iter(made[0].outputs.values())))
    proof = purge(run)
    assert {blob, f"records/{made[0].key}.json"} <= {thing.key for thing in proof.things}
    assert not run.work.exists(blob)


def test_what_was_not_looked_at_is_said(run):
    where = {left.place for left in purge(run, yes=False).remains}
    assert {"runs", "versions", "volumes", "tracker", "logs", "sources"} <= where
    assert "runs" not in {left.place for left in purge(run, yes=False, also=[str(run.root / "merged")]).remains}
