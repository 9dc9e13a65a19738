"""Inputs become clips with safe names; manifests and hashes do not depend on order, place or process."""

import dataclasses
import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from m2m import clips as module
from m2m.clips import (
    SCHEMA,
    Clip,
    DatasetCard,
    clip_ids,
    data_hash,
    file_sha256,
    fingerprint,
    read_card,
    read_manifest,
    scan,
    shard,
    title,
    write_card,
    write_manifest,
)
from m2m.errors import InfrastructureError, InputError

part = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=200)
paths = st.lists(st.builds("/".join, st.lists(part, min_size=1, max_size=3)), unique=True, max_size=8)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
clips = st.builds(
    Clip,
    clip_id=st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}", fullmatch=True),
    path=words,
    label=words,
    split=words,
    sha256=words,
    width=st.integers(0, 2**31 - 1),
    height=st.integers(0, 2**31 - 1),
    fps_num=st.integers(0, 2**40),
    fps_den=st.integers(1, 2**40),
    n_frames=st.integers(0, 2**40),
    status=st.sampled_from(["ok", "quarantined"]),
    reason=words,
)
manifests = st.lists(clips, unique_by=lambda c: c.clip_id, max_size=6)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode("utf-8", "surrogateescape"))


# --- names -----------------------------------------------------------------------------------------------------------


@given(paths)
@example(["a.mp4", "A.MP4", "a.avi", "a-c9d3ca1f.mp4", "b/../a.mp4"])
@example(
    [
        "-rf.mp4",
        "con.mp4",
        "con.x.mp4",
        "nul",
        "..",
        ".hidden.mp4",
        "x" * 300,
        "日本.mp4",
        "中国.mp4",
        "a\nb.mp4",
        "a b.mp4",
    ]
)
def test_ids_are_unique_and_safe_everywhere(names):
    ids = clip_ids(names)
    assert len({i.lower() for i in ids}) == len(names)
    for i in ids:
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}", i)
        assert not i.endswith(".")
        assert not re.fullmatch(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", i.lower())


@given(paths, st.randoms(use_true_random=False))
def test_ids_do_not_depend_on_the_order(names, rng: random.Random):
    ids = dict(zip(names, clip_ids(names), strict=True))
    shuffled = rng.sample(names, len(names))
    assert dict(zip(shuffled, clip_ids(shuffled), strict=True)) == ids


def test_plain_names_stay_readable():
    assert clip_ids(["wave/g24_c01.avi", "My clip (1).mp4", "café.mov", "v1.2.mp4"]) == [
        "wave__g24_c01",
        "My_clip_1",
        "cafe",
        "v1.2",
    ]
    assert clip_ids(["a/x.mp4", "b/x.mp4"]) == ["a__x", "b__x"]


def test_clashing_names_are_told_apart():
    one, two = clip_ids(["x.mp4", "x.avi"])
    assert one != two and one.startswith("x-") and two.startswith("x-")
    with pytest.raises(ValueError, match="unique"):
        clip_ids(["a", "a"])


# --- inputs ----------------------------------------------------------------------------------------------------------


def test_a_folder_of_classes_and_splits(tmp_path):
    touch(tmp_path, "train/wave/1.mp4", "test/wave/1.mp4", "jump/2.AVI", "loose.mov", "val/3.mkv", "a/b/c/4.webm")
    found = {Path(c.path).relative_to(tmp_path).as_posix(): (c.label, c.split) for c in scan(tmp_path)}
    assert found == {
        "train/wave/1.mp4": ("wave", "train"),
        "test/wave/1.mp4": ("wave", "test"),
        "jump/2.AVI": ("jump", ""),
        "loose.mov": ("", ""),
        "val/3.mkv": ("", "val"),
        "a/b/c/4.webm": ("c", ""),
    }
    ids = [c.clip_id for c in scan(tmp_path)]
    assert ids == sorted(ids) and len(set(ids)) == 6


def test_what_is_not_a_clip_is_left_out_and_broken_videos_are_not(tmp_path):
    touch(tmp_path, "ok.mp4", ".hidden.mp4", ".m2m/previews/ok.mp4", "notes.txt", "picture.jpg", "broken.mp4")
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "dangling.mp4").symlink_to(tmp_path / "nowhere.mp4")
    assert [c.clip_id for c in scan(tmp_path)] == ["broken", "ok"]


def test_links_to_folders_are_followed_once(tmp_path):
    touch(tmp_path, "data/wave/1.mp4", "elsewhere/2.mp4")
    (tmp_path / "data" / "loop").symlink_to(tmp_path / "data")
    (tmp_path / "data" / "jump").symlink_to(tmp_path / "elsewhere")
    assert [c.clip_id for c in scan(tmp_path / "data")] == ["jump__2", "wave__1"]


def test_one_file_whatever_its_name(tmp_path):
    touch(tmp_path, "-a b'\n.xyz")
    (clip,) = scan(tmp_path / "-a b'\n.xyz")
    assert clip.clip_id == "a_b" and Path(clip.path).is_absolute()


def test_inputs_without_a_clip_are_errors_that_name_them(tmp_path):
    with pytest.raises(InputError, match=r"none does not exist"):
        scan(tmp_path / "none")
    with pytest.raises(InputError, match="no video in"):
        scan(tmp_path)
    touch(tmp_path, "notes.txt")
    with pytest.raises(InputError, match="no video in"):
        scan(tmp_path)
    (tmp_path / "empty.csv").write_text("path,label\n")
    with pytest.raises(InputError, match="names no video"):
        scan(tmp_path / "empty.csv")


def test_names_that_are_not_utf8_are_refused_before_the_work(tmp_path):
    touch(tmp_path, os.fsdecode(b"caf\xe9/1.mp4"))
    with pytest.raises(InputError, match="not UTF-8"):
        scan(tmp_path)


def test_a_csv(tmp_path):
    touch(tmp_path, "v/1.mp4", 'v/2, "two".mp4', "3.mp4")
    (tmp_path / "list.csv").write_text(
        f'path,label,split\nv/1.mp4,wave,train\n"v/2, ""two"".mp4",jump\n{tmp_path}/3.mp4\n'
    )
    found = {Path(c.path).name: (c.label, c.split) for c in scan(tmp_path / "list.csv")}
    assert found == {"1.mp4": ("wave", "train"), '2, "two".mp4': ("jump", ""), "3.mp4": ("", "")}
    (tmp_path / "bare.csv").write_bytes(b"\xef\xbb\xbfv/1.mp4,wave\r\n\r\n")
    assert [(c.clip_id, c.label) for c in scan(tmp_path / "bare.csv")] == [("v__1", "wave")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("3.mp4,a\nnone.mp4,b\n", "1 of 2 files that are not there, first row 2: none.mp4"),
        ("3.mp4,a\n3.mp4,b\n", "row 2: '3.mp4' is there twice"),
        ("3.mp4,a,b,c\n", "row 1"),
        (",wave\n", "row 1"),
        ("3.mp4,\xe9\n", "cannot read"),
    ],
)
def test_a_wrong_csv_names_the_row(tmp_path, text, message):
    touch(tmp_path, "3.mp4")
    (tmp_path / "list.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=re.escape(message)):
        scan(tmp_path / "list.csv")


def test_a_data_set_as_input(tmp_path):
    touch(tmp_path, "videos/a.mp4")
    rows = [Clip("a", "videos/a.mp4", "wave"), Clip("b", "", status="quarantined", reason="nobody")]
    write_manifest(rows, tmp_path / "clips.parquet")
    for where in (tmp_path, tmp_path / "clips.parquet"):
        a, b = scan(where)
        assert (a.clip_id, a.label, Path(a.path)) == ("a", "wave", tmp_path / "videos" / "a.mp4")
        assert (b.path, b.status, b.reason) == ("", "quarantined", "nobody")
    (tmp_path / "videos" / "a.mp4").unlink()
    with pytest.raises(InputError, match="not there"):
        scan(tmp_path)


# --- manifests and hashes --------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(manifests, st.randoms(use_true_random=False))
def test_a_manifest_comes_back_and_its_bytes_do_not_depend_on_the_order(tmp_path_factory, rows, rng):
    folder = tmp_path_factory.mktemp("m")
    write_manifest(rows, folder / "a.parquet")
    write_manifest(rng.sample(rows, len(rows)), folder / "b.parquet")
    assert read_manifest(folder / "a.parquet") == sorted(rows, key=lambda c: c.clip_id)
    assert (folder / "a.parquet").read_bytes() == (folder / "b.parquet").read_bytes()
    assert data_hash(rows) == data_hash(rng.sample(rows, len(rows)))
    assert sorted(p.name for p in folder.iterdir()) == ["a.parquet", "b.parquet"]


@pytest.mark.parametrize("name", ["../../evil", "a/b", ".hidden", "-rf", "", "a b", "x" * 200])
def test_ids_that_are_no_file_names_are_refused(tmp_path, name):
    write_manifest([Clip("good", "videos/good.mp4")], tmp_path / "clips.parquet")
    table = pq.read_table(tmp_path / "clips.parquet").to_pylist()
    pq.write_table(pa.Table.from_pylist([{**table[0], "clip_id": name}], schema=SCHEMA), tmp_path / "clips.parquet")
    with pytest.raises(InputError, match="not safe as a file name"):
        read_manifest(tmp_path / "clips.parquet")


def test_other_tools_read_the_manifest(tmp_path):
    write_manifest([Clip("a", "videos/a.mp4", fps_num=30000, fps_den=1001)], tmp_path / "clips.parquet")
    names = "clip_id path label split sha256 width height fps_num fps_den n_frames status reason"
    assert pq.read_table(tmp_path / "clips.parquet").column_names == names.split()


@pytest.mark.parametrize("field", ["clip_id", "sha256", "status", "label", "split"])
def test_the_data_hash_sees_ids_bytes_verdicts_labels_and_splits(field):
    row = Clip("a", "p", "wave", "train", "00", 1, 1, 30, 1, 9, "ok", "")
    other = dataclasses.replace(row, **{field: "quarantined"})
    assert data_hash([row]) != data_hash([other])
    assert data_hash([row]) == data_hash([dataclasses.replace(row, path="elsewhere")])


def test_wrong_manifests_are_refused(tmp_path):
    path = tmp_path / "clips.parquet"
    with pytest.raises(InputError, match="twice"):
        write_manifest([Clip("a", "x"), Clip("a", "y")], path)
    with pytest.raises(InputError, match="status"):
        write_manifest([Clip("a", "x", status="fine")], path)
    assert not path.exists()
    path.write_bytes(b"")
    with pytest.raises(InputError, match="not a manifest"):
        read_manifest(path)
    with pytest.raises(InputError, match="not a manifest"):
        read_manifest(tmp_path / "none.parquet")
    pq.write_table(pq.read_table(_manifest(tmp_path)).drop_columns(["label"]), path)
    with pytest.raises(InputError, match="columns"):
        read_manifest(path)


def test_a_small_manifest_does_not_become_a_large_one_in_memory(tmp_path, monkeypatch):
    table = pq.read_table(_manifest(tmp_path))
    path, n = tmp_path / "clips.parquet", 5000
    for change, match in (({}, "names 5000 clips, 1000 are allowed"), ({"label": "x" * 2000}, "unpacks to more")):
        monkeypatch.setattr(module, "MOST_CLIPS", n if change else 1000)
        monkeypatch.setattr(module, "MOST_BYTES", 4 << 20)
        row = {**table.to_pylist()[0], **change}
        pq.write_table(pa.table({k: pa.repeat(v, n) for k, v in row.items()}, table.schema), path)
        assert path.stat().st_size < 1 << 20
        with pytest.raises(InputError, match=match):
            read_manifest(path)


def test_a_manifest_is_a_file_whatever_its_folder_is_called(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (os.fsdecode(b"a\xff"), "s3:", "a b#c?d%20", "x" * 250):
        path = Path(name, "clips.parquet")
        write_manifest([Clip("a", "x")], path)
        assert [c.clip_id for c in read_manifest(path)] == ["a"]


def test_a_data_set_has_a_name_that_can_be_written(tmp_path):
    for name, written in ((b"a\xff\x1b[31m", "a\\udcff\\x1b[31m"), (b"caf\xc3\xa9 \xe6\x97\xa5", "café 日")):
        folder = tmp_path / os.fsdecode(name)
        folder.mkdir()
        assert title(folder) == written


def _manifest(folder: Path) -> Path:
    write_manifest([Clip("a", "x")], folder / "good.parquet")
    return folder / "good.parquet"


def test_a_manifest_below_a_file_cannot_be_written(tmp_path):
    touch(tmp_path, "file")
    with pytest.raises(InfrastructureError, match="cannot write in"):
        write_manifest([Clip("a", "x")], tmp_path / "file" / "clips.parquet")


@given(values, values)
def test_fingerprints_are_equal_exactly_for_equal_values(one, two):
    same = json.dumps(one, sort_keys=True) == json.dumps(two, sort_keys=True)
    assert (fingerprint(one) == fingerprint(two)) == same


@dataclasses.dataclass(frozen=True)
class Params:
    size: tuple[int, int] = (432, 240)
    score: float = 0.5


def test_fingerprints_of_parameters():
    assert fingerprint(Params()) == fingerprint({"score": 0.5, "size": [432, 240]})
    assert fingerprint(Params()) != fingerprint(Params(score=0.51))
    assert fingerprint("a", "b") != fingerprint("ab")
    for wrong in ({1, 2}, Path("x"), b"x", float("nan"), {1: 2}, Params):
        with pytest.raises((TypeError, ValueError)):
            fingerprint(wrong)


def test_fingerprints_are_the_same_in_other_processes():
    code = "from m2m.clips import fingerprint; print(fingerprint({'b': 0.1, 'a': ['é', None]}))"
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert printed == {fingerprint({"a": ("é", None), "b": 0.1})}


def test_the_hash_of_a_file(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    assert file_sha256(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@given(manifests, st.integers(1, 9), st.randoms(use_true_random=False))
def test_shards_hold_every_clip_once_whatever_the_order(rows, n, rng):
    shards = shard(rows, n)
    assert len(shards) == n
    assert sorted(c.clip_id for s in shards for c in s) == sorted(c.clip_id for c in rows)
    assert max(map(len, shards)) - min(map(len, shards)) <= 1
    assert shard(rng.sample(rows, len(rows)), n) == shards


def test_cards(tmp_path):
    card = DatasetCard("é", "m2m", True, {"size": "432x240"}, "1", ("CC0",), "", 2, 1, "f" * 64)
    write_card(card, tmp_path)
    assert read_card(tmp_path) == card
    first = (tmp_path / "dataset.json").read_bytes()
    write_card(dataclasses.replace(card, parameters={"size": "432x240"}), tmp_path)
    assert (tmp_path / "dataset.json").read_bytes() == first
    (tmp_path / "dataset.json").write_text('{"name": 1}')
    with pytest.raises(InputError, match=r"dataset\.json"):
        read_card(tmp_path)
    with pytest.raises(InputError, match="not a data set"):
        read_card(tmp_path / "none")
