"""Buckets that keep versions: a purge leaves none of what it deletes, says what it could not delete, and no more."""

import json
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from m2m.errors import InfrastructureError, InputError
from m2m.shards import read_folder
from m2m.store import open_store, put_blob
from tests.faulty_proxy import FaultyProxy
from tests.purge.made import finished, purge, still_whole


@pytest.fixture(params=["swift", "moto"])
def bucket(request):
    """Name of a bucket that keeps versions, of each server."""
    if request.param == "swift":
        name = request.getfixturevalue("s3").bucket
    else:
        request.getfixturevalue("moto")
        name = f"m2m-{uuid.uuid4().hex[:12]}"
        boto3.session.Session().client("s3").create_bucket(Bucket=name)
    keep_versions(name)
    return name


def keep_versions(bucket: str) -> None:
    boto3.session.Session().client("s3").put_bucket_versioning(
        Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
    )


def versions(bucket: str) -> dict[tuple[str, str], str]:
    """Whether it holds something, by key and version: a listing of our own, by another client."""
    found = {}
    for page in boto3.session.Session().client("s3").get_paginator("list_object_versions").paginate(Bucket=bucket):
        found |= {(entry["Key"], entry["VersionId"]): "version" for entry in page.get("Versions", ())}
        found |= {(entry["Key"], entry["VersionId"]): "marker" for entry in page.get("DeleteMarkers", ())}
    return found


@contextmanager
def through(s3, run, monkeypatch, fault):
    """A run whose stores are reached through a proxy."""
    proxy = FaultyProxy(s3.endpoint)
    proxy.fault = fault
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    run.store, run.work = open_store(run.store.uri), open_store(run.work.uri)
    try:
        yield
    finally:
        proxy.close()
        monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint)


def test_no_version_of_what_goes_is_left(bucket, tmp_path, monkeypatch):
    run = finished(tmp_path / "run", monkeypatch, f"s3://{bucket}")
    record, cache = next(run.work.keys("records/")), "embeddings/abc/def.npz"
    run.work.write(record, run.work.read(record) + b"\n")  # an older version, under a key that goes
    (tmp_path / "x").write_bytes(b"a face that was deleted, so that a marker hides it")
    run.work.delete(f"blobs/{put_blob(run.work, tmp_path / 'x')[:2]}/" + put_blob(run.work, tmp_path / "x"))
    run.work.delete(cache)
    boto3.session.Session().client("s3").put_object(Bucket=bucket, Key="others/face", Body=b"another's")
    boto3.session.Session().client("s3").create_multipart_upload(Bucket=bucket, Key=f"work/{record}")
    before = versions(bucket)

    ahead = purge(run, yes=False)
    assert versions(bucket) == before
    proof = purge(run, orphans=True)
    after = versions(bucket)
    assert set(ahead.things) <= set(proof.things) and not proof.failed
    named = {(f"{thing.place}/{thing.key}".removeprefix(f"s3://{bucket}/"), thing.version) for thing in proof.things}
    assert named == set(before) - set(after)
    left = {key for key, _ in after}
    assert "others/face" in left and "work/release.key" in left
    assert not any(key.startswith(("work/records/", "work/embeddings/", "work/digests/")) for key in left)
    assert not any(f"store/{s.key}" in left for s in read_folder(run.manifest)[2].values())
    kinds = {thing.kind for thing in proof.things}
    assert {"older version of record", "delete marker", "older version of what was hidden", "shard"} <= kinds
    assert not boto3.session.Session().client("s3").list_multipart_uploads(Bucket=bucket).get("Uploads")
    assert proof.unfinished == 1
    still_whole(run, tmp_path)
    assert purge(run).things == ()


def test_what_an_earlier_purge_only_hid_goes(bucket, tmp_path, monkeypatch):
    run = finished(tmp_path / "run", monkeypatch, f"s3://{bucket}")
    for store, prefix in ((run.work, "records/"), (run.store, f"datasets/{run.real}/")):
        for key in list(store.keys(prefix)):
            store.delete(key)
    hidden = {at for at, kind in versions(bucket).items() if "records/" in at[0] or run.real in at[0]}
    assert len(hidden) > 20
    purge(run)
    assert not hidden & set(versions(bucket))


def test_older_versions_of_what_stays_are_counted(bucket, tmp_path, monkeypatch):
    run = finished(tmp_path / "run", monkeypatch, f"s3://{bucket}")
    run.work.write("release.key", b"n" * 32)
    proof = purge(run)
    whys = [left.why for left in proof.remains if left.place == run.work.uri]
    assert "1 older version(s) of objects that stay" in whys
    assert sum("release.key" in key for key, _ in versions(bucket)) == 2
    purge(run, key=True)
    assert not any("release.key" in key for key, _ in versions(bucket))


def test_a_lock_is_reported_with_the_servers_words(moto, tmp_path, monkeypatch):
    client = boto3.session.Session().client("s3")
    client.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    run = finished(tmp_path / "run", monkeypatch, "s3://locked")
    shard = f"store/{next(iter(read_folder(run.manifest)[2].values())).key}"
    until = datetime.now(UTC) + timedelta(days=30)
    client.put_object_retention(Bucket="locked", Key=shard, Retention={"Mode": "COMPLIANCE", "RetainUntilDate": until})
    with pytest.raises(InfrastructureError, match="could not be deleted") as error:
        purge(run)
    assert error.value.code == 5
    proof = json.loads((run.root / "proof.json").read_text())
    held = {left["key"]: left["why"] for left in proof["failed"]}
    (name,) = (key for key in held if key.startswith("shards/"))
    assert "AccessDenied" in held[name] and "versionId=" in name
    assert {f"store/{name.partition('?')[0]}"} == {key for key, _ in versions("locked")} & {shard}


def test_without_the_right_to_ask_older_versions_stay_out_of_reach(s3, tmp_path, monkeypatch):
    run = finished(tmp_path / "run", monkeypatch, s3.uri)
    with through(s3, run, monkeypatch, lambda method, path, _: "denied" if "versioning" in path else ""):
        proof = purge(run)
    whys = [left.why for left in proof.remains if "cannot be asked" in left.why]
    assert len(whys) == 2 and all("AccessDenied" in why for why in whys)
    assert proof.deleted > 20


def test_without_the_right_to_delete_all_is_reported(s3, tmp_path, monkeypatch):
    run = finished(tmp_path / "run", monkeypatch, s3.uri)
    keep_versions(s3.bucket)
    before = versions(s3.bucket)
    refuse = through(s3, run, monkeypatch, lambda method, path, _: "denied" if method == "DELETE" else "")
    with refuse, pytest.raises(InfrastructureError, match="is refused"):
        purge(run)
    proof = json.loads((run.root / "proof.json").read_text())
    assert proof["deleted"] == 0 and len(proof["failed"]) > 20
    assert set(before) <= set(versions(s3.bucket))


def test_without_the_right_to_list_versions_nothing_is_deleted(s3, tmp_path, monkeypatch):
    run = finished(tmp_path / "run", monkeypatch, s3.uri)
    keep_versions(s3.bucket)
    before = versions(s3.bucket)
    refuse = through(s3, run, monkeypatch, lambda method, path, _: "denied" if "versions" in path else "")
    with refuse, pytest.raises(InputError, match="is refused"):
        purge(run)
    assert versions(s3.bucket) == before
