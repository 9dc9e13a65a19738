"""A source becomes a data set: probed, hashed, split, packed; broken clips are rows, and nothing is done twice."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace

import pytest

from m2m import shards
from m2m.clips import data_hash, file_sha256, read_card, read_manifest
from m2m.datasets.ingest import ingest
from m2m.datasets.params import IngestParams
from m2m.datasets.snapshot import snapshot
from m2m.errors import InputError
from m2m.store import FolderStore

PARAMS = IngestParams(shards=2, val_share=0.25, max_per_class=4)


@pytest.fixture
def source(tmp_path, make_video):
    """Two classes of 4 and 5 small clips, and one that is cut off."""
    root = tmp_path / "source"
    for label, n in (("walk", 4), ("wave", 5)):
        (root / label).mkdir(parents=True)
        for i in range(n):
            make_video(f"source/{label}/{label}_{i}.mp4", n=4 + i, seed=i + 10 * n)
    whole = (root / "wave/wave_0.mp4").read_bytes()
    (root / "walk" / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    return root


def test_a_plain_folder_holds_the_videos_and_what_they_are(source, tmp_path, capfd):
    out = tmp_path / "out"
    summary = ingest(str(source), out, PARAMS)
    rows = {r.clip_id: r for r in read_manifest(out / "clips.parquet")}
    assert Counter((r.label, r.split) for r in rows.values() if r.status == "ok") == {
        ("walk", "train"): 3 - ("walk__cut" in rows), ("walk", "val"): 1,
        ("wave", "train"): 3, ("wave", "val"): 1,
    }  # fmt: skip
    for row in (r for r in rows.values() if r.status == "ok"):
        index = int(row.clip_id[-1])
        assert (row.width, row.height, row.fps_num, row.fps_den, row.n_frames) == (96, 64, 30, 1, 4 + index)
        assert row.sha256 == file_sha256(out / row.path) == file_sha256(source / row.label / f"{row.label}_{index}.mp4")
        assert (out / row.path).samefile(source / row.label / f"{row.label}_{index}.mp4")
    card = read_card(out)
    assert (card.variant, card.private, card.hash) == ("real", False, data_hash(list(rows.values())))
    assert card.parent == summary.snapshot == snapshot(str(source)).hash
    assert summary.left_out == 2 and summary.clips + len(summary.quarantined) == 8
    again = ingest(str(source), out, PARAMS)
    assert again == summary
    assert "8 of 8 finished earlier" in capfd.readouterr().err


def test_a_killed_ingest_goes_on_where_it_was_and_comes_to_the_same(source, tmp_path):
    for index in range(60):
        os.link(source / "wave/wave_1.mp4", source / "wave" / f"more_{index:02}.mp4")
    out, records = tmp_path / "out", tmp_path / "out/.m2m/records"
    command = [sys.executable, "-m", "m2m", "ingest", str(source), str(out), "--workers", "2"]
    begun = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    end = time.monotonic() + 60
    while len(list(records.glob("*.json"))) < 5:
        assert begun.poll() is None and time.monotonic() < end
        time.sleep(0.005)
    os.killpg(begun.pid, signal.SIGKILL)
    begun.wait()
    kept = {path: path.stat().st_mtime_ns for path in records.glob("*.json")}
    assert 5 <= len(kept) < 70 and not (out / "clips.parquet").exists()
    again = subprocess.run(command, capture_output=True, text=True)
    assert again.returncode == 3, again.stderr  # one clip is cut off
    assert f"{len(kept)} of 70 finished earlier" in again.stderr
    assert all(path.stat().st_mtime_ns == when for path, when in kept.items())
    whole = ingest(str(source), tmp_path / "whole", IngestParams(), progress=False)
    assert read_card(out).hash == whole.hash and len(read_manifest(out / "clips.parquet")) == 70


def test_broken_clips_are_rows_with_a_reason_and_the_rest_goes_on(source, tmp_path):
    (source / "walk" / "text.mp4").write_text("no video")
    summary = ingest(str(source), tmp_path / "out", replace(PARAMS, max_per_class=100), progress=False)
    bad = {r.clip_id: r for r in read_manifest(tmp_path / "out" / "clips.parquet") if r.status != "ok"}
    assert sorted(bad) == sorted(summary.quarantined) == ["walk__cut", "walk__text"]
    assert {(r.reason, r.path, r.label) for r in bad.values()} == {("unreadable", "", "walk")}
    assert summary.quarantined["walk__cut"].startswith("unreadable: 'cut.mp4'") and summary.clips == 9
    assert not list((tmp_path / "out" / "videos").glob("*cut*"))
    # Mended and removed clips are seen by the next run.
    shutil.copy(source / "wave/wave_1.mp4", source / "walk/cut.mp4")
    (source / "walk/text.mp4").unlink()
    (source / "walk/walk_0.mp4").unlink()
    summary = ingest(str(source), tmp_path / "out", replace(PARAMS, max_per_class=100), progress=False)
    assert summary.quarantined == {} and summary.clips == 9
    assert sorted(p.stem for p in (tmp_path / "out/videos").iterdir()) == sorted(
        r.clip_id for r in read_manifest(tmp_path / "out" / "clips.parquet")
    )


def test_packed_the_rows_are_the_same_and_the_videos_lie_in_the_store(source, tmp_path, capfd):
    data, work = FolderStore(tmp_path / "data"), FolderStore(tmp_path / "work")
    packed = ingest(str(source), tmp_path / "manifest", PARAMS, packed=True, store=data, cache=work)
    plain = ingest(str(source), tmp_path / "plain", PARAMS, progress=False)
    assert (packed.hash, packed.clips, packed.shards) == (plain.hash, plain.clips, 2)
    assert {p.name for p in (tmp_path / "manifest").iterdir()} == {"clips.parquet", "dataset.json", "shards.json"}
    shards.fetch(tmp_path / "manifest", data, tmp_path / "back")
    assert read_manifest(tmp_path / "back/clips.parquet") == read_manifest(tmp_path / "plain/clips.parquet")
    assert not list(work.keys("blobs/")), "originals do not go to the work store"
    capfd.readouterr()
    again = ingest(str(source), tmp_path / "again", PARAMS, packed=True, store=data, cache=work)
    assert "8 of 8 finished earlier" in capfd.readouterr().err
    assert again == replace(packed, output=tmp_path / "again")
    for name in ("clips.parquet", "dataset.json", "shards.json"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "manifest" / name).read_bytes()


def test_a_new_clip_changes_one_shard(source, tmp_path, make_video):
    data, work = FolderStore(tmp_path / "data"), FolderStore(tmp_path / "work")
    params = replace(PARAMS, shards=4, max_per_class=100)
    ingest(str(source), tmp_path / "1", params, packed=True, store=data, cache=work, progress=False)
    make_video("source/wave/wave_9.mp4", n=3, seed=99)
    ingest(str(source), tmp_path / "2", params, packed=True, store=data, cache=work, progress=False)
    before, after = shards.read_shards(tmp_path / "1"), shards.read_shards(tmp_path / "2")
    assert [i for i in after if after[i] != before.get(i)] == [shards.shard_of("wave__wave_9", 4)]


def test_nothing_usable_an_overlap_and_no_source_are_refused(source, tmp_path):
    for out in (source, source / "out", source.parent):
        with pytest.raises(InputError, match="overlap"):
            ingest(str(source), out, PARAMS)
    (tmp_path / "list.csv").write_text("source/walk/walk_1.mp4,walk\n")
    with pytest.raises(InputError, match="lies inside"):
        ingest(str(tmp_path / "list.csv"), source, PARAMS)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/x.mp4").write_text("no video")
    with pytest.raises(InputError, match=r"no clip of .*bad can be used; first x: unreadable"):
        ingest(str(tmp_path / "bad"), tmp_path / "out", PARAMS, progress=False)
    with pytest.raises(InputError, match="has changed since it was looked at"):
        ingest(str(source), tmp_path / "out", PARAMS, expected="0" * 64)
    with pytest.raises(InputError, match="M2M_STORE is not set"):
        ingest(str(source), tmp_path / "out", PARAMS, packed=True, expected=snapshot(str(source)).hash)
    with pytest.raises(InputError, match="does not exist"):
        ingest(str(tmp_path / "none"), tmp_path / "out", PARAMS)


def test_where_links_are_impossible_videos_are_copied(source, tmp_path, monkeypatch):
    from m2m.datasets.place import place

    def refuse(*_, **__):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "link.mp4").symlink_to(source / "walk/walk_0.mp4")
    place(tmp_path / "link.mp4", tmp_path / "copy.mp4")
    assert not (tmp_path / "copy.mp4").is_symlink()
    assert (tmp_path / "copy.mp4").read_bytes() == (source / "walk/walk_0.mp4").read_bytes()
    assert not (tmp_path / "copy.mp4").samefile(source / "walk/walk_0.mp4")
