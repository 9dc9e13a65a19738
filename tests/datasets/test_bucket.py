"""Sources on S3: names that are no keys of a store, snapshots without reading, ingest as from a folder."""

import boto3
import pytest

from m2m.clips import read_manifest
from m2m.datasets.ingest import ingest
from m2m.datasets.params import IngestParams
from m2m.datasets.snapshot import snapshot
from m2m.datasets.source import open_bucket
from m2m.errors import InputError
from m2m.store import FolderStore


@pytest.fixture
def bucket(moto):
    """A bucket of the mock server."""
    open_bucket.cache_clear()
    client = boto3.session.Session().client("s3")
    client.create_bucket(Bucket="videos")
    yield client
    open_bucket.cache_clear()


def test_a_bucket_is_ingested_like_a_folder(bucket, tmp_path, make_video):
    root = tmp_path / "source"
    for name in ("train/apply cream/é b.mp4", "train/walk/a.mp4", "val/walk/c.MP4"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        video = make_video(f"{len(name)}.mp4", n=3, seed=len(name))
        video.rename(root / name)
        bucket.upload_file(str(root / name), "videos", f"set/{name}")
    bucket.put_object(Bucket="videos", Key="set/.hidden/walk/x.mp4", Body=b"hidden")
    bucket.put_object(Bucket="videos", Key="set/readme.txt", Body=b"no video")
    before = snapshot("s3://videos/set")
    assert before.clips == 3 and before.bytes == sum(p.stat().st_size for p in root.rglob("*.[mM]*4"))
    bucket.put_object(Bucket="videos", Key="set/train/walk/cut.mp4", Body=b"no video")
    assert snapshot("s3://videos/set").hash != before.hash

    work = FolderStore(tmp_path / "work")
    there = ingest("s3://videos/set", tmp_path / "there", IngestParams(), cache=work, progress=False)
    here = ingest(str(root), tmp_path / "here", IngestParams(), progress=False)
    assert list(there.quarantined) == ["train__walk__cut"]
    good = [r for r in read_manifest(tmp_path / "there/clips.parquet") if r.status == "ok"]
    assert good == read_manifest(tmp_path / "here/clips.parquet")
    assert {(r.label, r.split) for r in good} == {("apply cream", "train"), ("walk", "train"), ("walk", "val")}
    assert all((tmp_path / "there" / r.path).is_file() for r in good) and here.clips == 3
    assert len(list((tmp_path / "there/videos").iterdir())) == 3


def test_an_empty_prefix_a_data_set_and_a_missing_bucket_are_refused(bucket):
    with pytest.raises(InputError, match="no video under s3://videos/none"):
        snapshot("s3://videos/none")
    bucket.put_object(Bucket="videos", Key="made/clips.parquet", Body=b"PAR1")
    with pytest.raises(InputError, match="is a data set"):
        snapshot("s3://videos/made")
    with pytest.raises(InputError, match="no bucket absent"):
        snapshot("s3://absent/x")
