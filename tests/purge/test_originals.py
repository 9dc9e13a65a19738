"""Originals of a folder: those that the data set was made from go, others stay; whoever comes later is told."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from m2m import records, shards
from m2m.audit import audit
from m2m.audit.params import AuditParams
from m2m.augment import versions
from m2m.augment.dataset import augment
from m2m.clips import Clip, DatasetCard, data_hash, file_sha256, read_card, scan, write_card, write_manifest
from m2m.errors import InfrastructureError, InputError
from m2m.purge import purge_folder
from m2m.records import Record
from m2m.tombstone import FILE
from tests.audit.runs import write_clip

PARAMETERS = {"size": "96x64"}


@pytest.fixture
def source(tmp_path):
    """Originals in folders of classes, and a file that is none."""
    root = tmp_path / "videos"
    for i, name in enumerate(("walk/alice.mp4", "walk/bob.mp4", "wave/carol.mp4")):
        write_clip(root / name, i)
    (root / "notes.txt").write_text("not a video")
    return root


@pytest.fixture
def made(source, tmp_path):
    return make(source, tmp_path / "made")


def make(source, folder):
    """What m2m augment leaves of these originals, but for the pictures."""
    rows = []
    for i, clip in enumerate(scan(source)):
        path = write_clip(folder / "videos" / f"{clip.clip_id}.mp4", 50 + i)
        rows.append(Clip(clip.clip_id, f"videos/{path.name}", clip.label, sha256=file_sha256(path)))
        identity = versions.mark(digest(clip.path), PARAMETERS, i % 2 == 1, "9")
        records.save(Record(clip.clip_id, identity, "ok"), folder / ".m2m")
    write_manifest(rows, folder / "clips.parquet")
    card = DatasetCard("x", "m2m", True, PARAMETERS, "9", (), "", len(rows), 0, data_hash(rows))
    write_card(card, folder)
    return folder


def digest(path) -> str:
    return file_sha256(Path(path))


def files(folder) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_a_look_ahead_touches_nothing(made, source, tmp_path):
    before = files(made), files(source)
    proof = purge_folder(made, tmp_path / "p.json", originals=source)
    assert (files(made) - {".m2m/lock"}, files(source)) == before
    assert sum(thing.kind == "original" for thing in proof.things) == 3


def test_the_originals_go_and_whoever_comes_later_is_told(made, source, tmp_path):
    hashes = {digest(clip.path) for clip in scan(source)}
    proof = purge_folder(made, tmp_path / "p.json", yes=True, originals=source)
    assert {thing.sha256 for thing in proof.things if thing.kind == "original"} == hashes
    assert files(source) == {"notes.txt", FILE}
    assert FILE in files(made) and not any(name.startswith(".m2m/records") for name in files(made))
    for late in (
        lambda: scan(source),
        lambda: scan(source / "walk" / "alice.mp4"),
        lambda: augment(source, tmp_path / "other"),
        lambda: audit(made, source, tmp_path / "audited", AuditParams()),
    ):
        with pytest.raises(InputError, match="were purged") as error:
            late()
        assert read_card(made).hash[:12] in str(error.value)
    write_clip(tmp_path / "new" / "dave.mp4", 9)
    with pytest.raises(InputError, match=r"intermediates and records of .* were purged"):
        augment(tmp_path / "new", made)
    again = purge_folder(made, tmp_path / "p.json", yes=True, originals=source)
    assert again.things == () and any("purged before" in left.why for left in again.remains)


def test_other_bytes_stay_and_are_named(made, source, tmp_path):
    write_clip(source / "walk" / "bob.mp4", 77)  # another video under the name
    write_clip(source / "walk" / "eve.mp4", 78)  # not of the data set
    proof = purge_folder(made, tmp_path / "p.json", yes=True, originals=source)
    assert files(source) == {"walk/bob.mp4", "walk/eve.mp4", "notes.txt", FILE}
    stay = {left.key for left in proof.remains if "not made from these bytes" in left.why}
    assert stay == {"walk/bob.mp4", "walk/eve.mp4"}
    assert len(scan(source)) == 2  # what is left can still be read


def test_links_are_no_originals(made, source, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    shutil.move(source / "walk" / "alice.mp4", tmp_path / "elsewhere" / "alice.mp4")
    (source / "walk" / "alice.mp4").symlink_to(tmp_path / "elsewhere" / "alice.mp4")
    os.link(source / "walk" / "bob.mp4", tmp_path / "elsewhere" / "bob.mp4")
    proof = purge_folder(made, tmp_path / "p.json", yes=True, originals=source)
    whys = {left.key: left.why for left in proof.remains}
    assert "elsewhere/alice.mp4" in whys["walk/alice.mp4"] and (tmp_path / "elsewhere" / "alice.mp4").exists()
    assert "1 other name" in whys["walk/bob.mp4"] and not (source / "walk" / "bob.mp4").exists()


def test_originals_of_a_data_set_folder_and_of_a_packed_one(source, tmp_path):
    rows = []
    for clip in scan(source):
        path = tmp_path / "real" / "videos" / f"{clip.clip_id}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(clip.path, path)
        rows.append(replace(clip, path=f"videos/{path.name}", sha256=digest(path)))
    write_manifest(rows, tmp_path / "real" / "clips.parquet")
    write_card(DatasetCard("home", "real", False, {}, "1", (), "", 3, 0, data_hash(rows)), tmp_path / "real")
    shards.pack(tmp_path / "real", tmp_path / "packed", 2)
    made = make(tmp_path / "real", tmp_path / "made")
    (tmp_path / "real" / rows[0].path).unlink()  # a purge that was cut off
    shutil.copytree(made, tmp_path / "twin")
    purge_folder(made, tmp_path / "p.json", yes=True, originals=tmp_path / "real")
    assert files(tmp_path / "real") == {"clips.parquet", "dataset.json", FILE}
    with pytest.raises(InputError, match=r"the videos of .*real were purged"):
        scan(tmp_path / "real")
    proof = purge_folder(tmp_path / "twin", tmp_path / "p.json", yes=True, originals=tmp_path / "packed")
    assert any(thing.key.endswith(".tar") for thing in proof.things)
    assert not list((tmp_path / "packed" / "shards").iterdir())
    with pytest.raises(InputError, match="were purged"):
        shards.unpack(tmp_path / "packed", tmp_path / "unpacked")


def test_a_purge_of_listed_originals_that_was_cut_off_goes_on(made, source, tmp_path):
    (source / "list.csv").write_text("path,label\nwalk/alice.mp4,walk\nwalk/bob.mp4,walk\nwave/carol.mp4,wave\n")
    (source / FILE).write_text(json.dumps({"what": "the videos", "when": "yesterday", "dataset": "d" * 64}))
    (source / "walk" / "alice.mp4").unlink()
    with pytest.raises(InputError, match="purged on yesterday"):
        scan(source / "list.csv")
    proof = purge_folder(made, tmp_path / "p.json", yes=True, originals=source / "list.csv")
    assert {thing.key for thing in proof.things if thing.kind == "original"} == {"walk/bob.mp4", "wave/carol.mp4"}
    assert files(source) == {"notes.txt", "list.csv", FILE}


def test_what_cannot_be_deleted_keeps_the_records(made, source, tmp_path, monkeypatch):
    monkeypatch.setattr("m2m.purge.proof.Folder.delete", refusing(source / "wave"))
    with pytest.raises(InfrastructureError, match="could not be deleted"):
        purge_folder(made, tmp_path / "p.json", yes=True, originals=source)
    proof = json.loads((tmp_path / "p.json").read_text())
    failed = {left["key"]: left["why"] for left in proof["failed"]}
    assert "read-only" in failed["wave/carol.mp4"]
    assert sum("tells of" in why for why in failed.values()) == 3
    monkeypatch.undo()
    proof = purge_folder(made, tmp_path / "p.json", yes=True, originals=source)
    assert {thing.key for thing in proof.things} >= {"wave/carol.mp4"}
    assert files(source) == {"notes.txt", FILE}


def refusing(under):
    def delete(place, key):
        if (place.root / key).is_relative_to(under):
            raise InfrastructureError(f"{key}: the file system is read-only")
        (place.root / key).unlink()

    return delete


def test_without_records_nobody_guesses(made, source, tmp_path):
    shutil.rmtree(made / ".m2m")
    with pytest.raises(InputError, match="nobody knows any more"):
        purge_folder(made, tmp_path / "p.json", yes=True, originals=source)
    assert len(scan(source)) == 3
