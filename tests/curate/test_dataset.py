"""Curating leaves rows out and nothing else; the same on a plain folder and on shards; clips are described once."""

import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from m2m import shards, video
from m2m.clips import Clip, DatasetCard, data_hash, file_sha256, read_card, read_manifest, write_card, write_manifest
from m2m.curate.dataset import curate
from m2m.curate.frame import entropy_frame, random_frame
from m2m.curate.params import CurateParams
from m2m.curate.select import read_selection
from m2m.errors import InputError
from m2m.store import FolderStore

PARAMS = CurateParams(classes=2)
SIZES = {"kick": 2, "walk": 4, "wave": 3}


def rewrite(folder, rows):
    """A data set's manifest and card with these rows."""
    write_manifest(rows, folder / "clips.parquet")
    card = DatasetCard("set", "real", False, {}, "0", (), "", len(rows), 0, data_hash(rows))
    write_card(card, folder)


@pytest.fixture
def dataset(tmp_path, make_video):
    """A plain data set of three classes, one clip of them quarantined and one for validation."""
    rows = []
    for label, n in SIZES.items():
        for i in range(n):
            name = f"{label}_{i}"
            file = make_video(f"set/videos/{name}.mp4", n=4, seed=i + 10 * n)
            split = "val" if name == "wave_2" else "train"
            rows.append(Clip(name, f"videos/{name}.mp4", label, split, file_sha256(file), 96, 64, 30, 1, 4))
    rows.append(Clip("walk_x", "", "walk", "train", status="quarantined", reason="unreadable"))
    rewrite(tmp_path / "set", rows)
    return tmp_path / "set"


@pytest.fixture(autouse=True)
def decoded(monkeypatch):
    """Names of the clips that are decoded."""
    seen, picture = [], video.picture
    monkeypatch.setattr(video, "picture", lambda path, *rest: seen.append(Path(path).stem) or picture(path, *rest))
    return seen


def test_the_subset_holds_the_rows_of_the_selected_classes(dataset, tmp_path):
    before = {p: p.read_bytes() for p in dataset.rglob("*.*")}
    done = curate(dataset, tmp_path / "out", PARAMS, selection=tmp_path / "why.json")
    selection = done.selection
    assert len(selection.selected) == 2 and {r.label: r.clips for r in selection.classes} == {**SIZES, "wave": 2}
    rows = read_manifest(tmp_path / "out/clips.parquet")
    assert rows == [r for r in read_manifest(dataset / "clips.parquet") if r.label in selection.selected]
    for row in rows:
        if row.status == "ok":
            assert file_sha256(tmp_path / "out" / row.path) == row.sha256
    assert len(list((tmp_path / "out/videos").iterdir())) == sum(r.status == "ok" for r in rows)
    card = read_card(tmp_path / "out")
    assert (card.name, card.parent, card.private) == ("set-2", read_card(dataset).hash, False)
    assert card.hash == data_hash(rows) and card.quarantined == ("walk" in selection.selected)
    assert (done.hash, done.clips, done.quarantined, done.shards) == (card.hash, card.clips, card.quarantined, ())
    assert read_selection(tmp_path / "out/selection.json") == selection
    sheet = (tmp_path / "out/DATASHEET.md").read_text()
    assert card.hash in sheet and card.parent in sheet and "bias-aug" in sheet and "seed 0" in sheet
    for label in selection.selected:
        kept = Counter(r.split for r in rows if r.label == label and r.status == "ok")
        splits = sorted({r.split for r in rows if r.status == "ok"})
        assert f"| {label} | {' | '.join(str(kept[s]) for s in splits)} |" in sheet
    assert not any(row.clip_id in sheet for row in rows), "no clip is named"
    assert (tmp_path / "why.json").read_bytes() == (tmp_path / "out/selection.json").read_bytes()
    assert {p: p.read_bytes() for p in dataset.rglob("*.*")} == before


def test_shards_stay_what_they_are(dataset, tmp_path, decoded):
    data, work = FolderStore(tmp_path / "data"), FolderStore(tmp_path / "work")
    shards.push(dataset, data, tmp_path / "manifest", 3)
    packed = curate(tmp_path / "manifest", tmp_path / "out", PARAMS, store=data, cache=work)
    plain = curate(dataset, tmp_path / "plain", PARAMS)
    assert packed.selection == plain.selection
    assert packed.shards == tuple(shards.shard_ids(tmp_path / "out"))
    assert (tmp_path / "out/shards.json").read_bytes() == (tmp_path / "manifest/shards.json").read_bytes()
    wanted = [r for r in read_manifest(tmp_path / "manifest/clips.parquet") if r.label in packed.classes]
    assert read_manifest(tmp_path / "out/clips.parquet") == wanted
    shards.fetch(tmp_path / "out", data, tmp_path / "back")
    assert read_manifest(tmp_path / "back/clips.parquet") == read_manifest(tmp_path / "plain/clips.parquet")
    # What is described is neither fetched nor decoded again.
    decoded.clear()
    shutil.rmtree(tmp_path / "data")
    curate(tmp_path / "manifest", tmp_path / "again", replace(PARAMS, weight=0.1), store=data, cache=work)
    assert decoded == []
    for name in ("clips.parquet", "shards.json"):
        assert (tmp_path / "again" / name).is_file()


def test_only_new_clips_are_described_and_a_damaged_page_is_made_again(dataset, tmp_path, decoded, make_video):
    work = FolderStore(tmp_path / "work")
    first = curate(dataset, tmp_path / "1", PARAMS, cache=work).selection
    assert sorted(decoded) == sorted(f"{c}_{i}" for c, n in SIZES.items() for i in range(n) if (c, i) != ("wave", 2))
    decoded.clear()
    file = make_video("set/videos/kick_9.mp4", n=4, seed=77)
    rows = read_manifest(dataset / "clips.parquet")
    new = Clip("kick_9", "videos/kick_9.mp4", "kick", "train", file_sha256(file), 96, 64, 30, 1, 4)
    rewrite(dataset, [*rows, new])
    curate(dataset, tmp_path / "2", PARAMS, cache=work)
    assert decoded == ["kick_9"]
    for key in list(work.keys("embeddings/")):
        work.write(key, b"PK\3\4 cut off")
    rewrite(dataset, rows)
    assert curate(dataset, tmp_path / "3", PARAMS, cache=work).selection.classes == first.classes
    assert len(decoded) == 1 + first.classes[0].clips + first.classes[1].clips + first.classes[2].clips


def test_the_order_of_rows_and_the_number_of_threads_change_no_byte(dataset, tmp_path):
    curate(dataset, tmp_path / "1", PARAMS)
    rewrite(dataset, read_manifest(dataset / "clips.parquet")[::-1])
    curate(dataset, tmp_path / "2", PARAMS, workers=3)
    for name in ("selection.json", "clips.parquet"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_all_classes_may_be_selected(dataset, tmp_path):
    assert curate(dataset, tmp_path / "out", replace(PARAMS, classes=3)).classes == tuple(SIZES)
    assert data_hash(read_manifest(tmp_path / "out/clips.parquet")) == read_card(dataset).hash


def test_a_list_needs_no_look_at_the_clips(dataset, tmp_path, decoded):
    data = FolderStore(tmp_path / "data")
    shards.push(dataset, data, tmp_path / "manifest", 2)
    (tmp_path / "list.txt").write_text("wave\n")
    params = CurateParams(method="list", list=str(tmp_path / "list.txt"))
    assert curate(tmp_path / "manifest", tmp_path / "out", params).classes == ("wave",)
    assert decoded == [] and len(read_manifest(tmp_path / "out/clips.parquet")) == 3


def test_the_frame_is_drawn_by_seed_and_content():
    made = [Clip(f"c{i}", "", sha256=f"{i:064}", n_frames=10) for i in range(300)]
    drawn = [random_frame(c, 0) for c in made]
    assert np.bincount(drawn, minlength=10).min() > 10 and max(drawn) == 9
    assert drawn == [random_frame(replace(c, clip_id="x", label="y"), 0) for c in made]
    assert drawn != [random_frame(c, 1) for c in made]


@pytest.mark.parametrize("frame", ["random", "entropy"])
def test_the_frame_that_the_parameters_name_is_looked_at(dataset, tmp_path, monkeypatch, frame):
    seen, picture = {}, video.picture
    monkeypatch.setattr(
        video, "picture", lambda path, index, size: seen.update({Path(path).stem: index}) or picture(path, index, size)
    )
    rows = [r for r in read_manifest(dataset / "clips.parquet") if r.status == "ok" and r.split == "train"]
    expected = {r.clip_id: random_frame(r, 0) for r in rows}
    if frame == "entropy":
        expected = {r.clip_id: entropy_frame(dataset / r.path) for r in rows}
    work = FolderStore(tmp_path / "work")
    curate(dataset, tmp_path / "out", replace(PARAMS, frame=frame), cache=work)
    assert seen == expected and "frame " + frame in (tmp_path / "out/DATASHEET.md").read_text()
    # Another frame of the same clips is another vector.
    seen.clear()
    curate(dataset, tmp_path / "other", replace(PARAMS, frame={"random": "entropy"}.get(frame, "random")), cache=work)
    assert set(seen) == set(expected)


def test_what_cannot_be_curated_is_refused(dataset, tmp_path):
    out = tmp_path / "out"
    rows = read_manifest(dataset / "clips.parquet")

    def refused(message, params=PARAMS, **options):
        with pytest.raises(InputError, match=message):
            curate(dataset, out, params, **options)
        assert not out.exists()

    refused(r"has 3 classes and 150 are to be selected; set curate\.classes to 3 or less", CurateParams())
    rewrite(dataset, [replace(r, label="") if r.clip_id == "walk_1" else r for r in rows])
    refused("1 of 9 clips have no label, first walk_1")
    rewrite(dataset, [replace(r, split="val") if r.label == "kick" else r for r in rows])
    refused("the class 'kick' has no clip to be judged by")
    rewrite(dataset, rows)
    file = dataset / "videos/walk_1.mp4"
    file.write_bytes(file.read_bytes() + b"x")
    refused("walk_1.mp4 has other bytes than the manifest says")
    file.unlink()
    refused("cannot read .*walk_1.mp4")
    write_manifest(rows[1:], dataset / "clips.parquet")
    refused("do not belong together")
    with pytest.raises(InputError, match="overlap"):
        curate(dataset, dataset / "out", PARAMS)
    with pytest.raises(InputError, match="not a manifest"):
        curate(tmp_path / "none", out, PARAMS)


def test_shards_without_a_store_or_without_a_tar_are_refused(dataset, tmp_path):
    data = FolderStore(tmp_path / "data")
    shards.push(dataset, data, tmp_path / "manifest", 1)
    with pytest.raises(InputError, match="M2M_STORE is not set"):
        curate(tmp_path / "manifest", tmp_path / "out", PARAMS)
    (key,) = data.keys("shards/")
    data.delete(key)
    with pytest.raises(InputError, match=r"shard 0 .*missing"):
        curate(tmp_path / "manifest", tmp_path / "out", PARAMS, store=data)
