"""A snapshot tells whether a source has changed, wherever it lies, and reads nothing twice."""

import json
import os
import shutil

import pytest

from m2m.clips import Clip, write_manifest
from m2m.datasets import digest
from m2m.datasets.digest import digests
from m2m.datasets.snapshot import snapshot
from m2m.errors import InputError
from m2m.files import file_sha256
from m2m.store import FolderStore

LONG_AGO = 1_500_000_000


@pytest.fixture
def source(tmp_path):
    """A tree of files that are no videos: a snapshot does not look into them."""
    root = tmp_path / "source"
    for name in ("walk/a.mp4", "walk/b.mp4", "Training/wave/c.avi", "wave/d.mp4"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
        os.utime(root / name, (LONG_AGO, LONG_AGO))
    return root


@pytest.fixture
def hashed(monkeypatch):
    """Names of the files that are read."""
    seen = []
    monkeypatch.setattr(digest, "file_sha256", lambda path: seen.append(path.name) or file_sha256(path))
    return seen


def test_the_same_content_has_the_same_hash_anywhere(source, tmp_path):
    first = snapshot(str(source))
    assert (first.clips, first.bytes) == (4, sum(p.stat().st_size for p in source.rglob("*.*")))
    shutil.copytree(source, tmp_path / "elsewhere" / "copy")
    assert snapshot(str(tmp_path / "elsewhere" / "copy")) == first
    lines = [
        f"{p.relative_to(source)},{p.parent.name},{'train' if 'Training' in p.parts else ''}"
        for p in source.rglob("*.*")
    ]
    (source / "list.csv").write_text("path,label,split\n" + "\n".join(lines))
    assert snapshot(str(source / "list.csv")) == first


@pytest.mark.parametrize("change", ["bytes", "name", "class", "split", "more", "less"])
def test_any_change_is_another_hash(source, change):
    before = snapshot(str(source))
    if change == "bytes":
        (source / "walk/a.mp4").write_bytes(b"walk/A.mp4")
    elif change == "less":
        (source / "walk/a.mp4").unlink()
    elif change == "more":
        shutil.copy(source / "walk/a.mp4", source / "walk/e.mp4")
    else:
        target = {"name": "walk/aa.mp4", "class": "wave/a.mp4", "split": "val/walk/a.mp4"}[change]
        (source / target).parent.mkdir(parents=True, exist_ok=True)
        (source / "walk/a.mp4").rename(source / target)
    assert snapshot(str(source)).hash != before.hash


def test_a_quarantined_row_counts_for_the_hash_and_not_as_a_clip(source):
    good = [Clip("a", "walk/a.mp4", "walk"), Clip("b", "walk/b.mp4", "walk")]
    write_manifest(good, source / "clips.parquet")
    before = snapshot(str(source))
    write_manifest([*good, Clip("c", "", "walk", status="quarantined", reason="nobody")], source / "clips.parquet")
    after = snapshot(str(source))
    assert after.hash != before.hash and after.clips == before.clips == 2


def test_what_is_remembered_is_not_read_again(source, tmp_path, hashed):
    store = FolderStore(tmp_path / "work")
    first = snapshot(str(source), cache=store)
    assert sorted(hashed) == ["a.mp4", "b.mp4", "c.avi", "d.mp4"]
    assert snapshot(str(source), cache=store) == first and len(hashed) == 4
    (source / "walk/a.mp4").write_bytes(b"walk/X.mp4")  # as long as before
    assert snapshot(str(source), cache=store) != first
    assert hashed[4:] == ["a.mp4"]


@pytest.mark.parametrize("when", [LONG_AGO, 4_000_000_000])
def test_a_file_whose_time_was_put_back_is_read_again(source, tmp_path, hashed, when):
    store, file = FolderStore(tmp_path / "work"), source / "walk/a.mp4"
    os.utime(file, (when, when))
    first = snapshot(str(source), cache=store)
    file.write_bytes(b"walk/X.mp4")  # as long as before
    os.utime(file, (when, when))
    assert snapshot(str(source), cache=store) != first


def test_a_file_to_which_a_data_set_links_is_not_read_again(source, tmp_path, hashed):
    store = FolderStore(tmp_path / "work")
    first = snapshot(str(source), cache=store)
    (tmp_path / "link.mp4").hardlink_to(source / "walk/a.mp4")
    assert [snapshot(str(source), cache=store) for _ in range(2)] == [first] * 2 and len(hashed) == 4


def test_a_file_that_has_just_been_written_is_not_remembered(source, tmp_path, hashed):
    store = FolderStore(tmp_path / "work")
    (source / "walk/a.mp4").write_bytes(b"just now")
    snapshot(str(source), cache=store)
    snapshot(str(source), cache=store)
    assert hashed.count("a.mp4") == 2 and hashed.count("b.mp4") == 1


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"a": 1}', b"\xff\xfe"])
def test_a_damaged_memory_is_no_memory(source, tmp_path, hashed, damage):
    store = FolderStore(tmp_path / "work")
    first = snapshot(str(source), cache=store)
    (key,) = store.keys("digests/")
    store.write(key, damage)
    assert snapshot(str(source), cache=store) == first and len(hashed) == 8
    assert len(json.loads(store.read(key))) == 4


def test_a_file_that_is_gone_has_no_hash(source):
    found = digests([source / "walk/a.mp4", source / "gone.mp4"], "root", None)
    assert found[0].sha256 == file_sha256(source / "walk/a.mp4")
    assert found[1].sha256 == "unreadable: No such file or directory" and found[1].size == 0


def test_no_source_and_no_video_are_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        snapshot(str(tmp_path / "none"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no video"):
        snapshot(str(tmp_path / "empty"))
