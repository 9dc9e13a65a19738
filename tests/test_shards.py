"""Packing, pushing, fetching and unpacking: the same bytes for the same clips, and nothing unverified comes out."""

import dataclasses
import hashlib
import io
import json
import random
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m2m.clips import (
    Clip,
    DatasetCard,
    data_hash,
    file_sha256,
    read_card,
    read_manifest,
    scan,
    write_card,
    write_manifest,
)
from m2m.errors import InputError
from m2m.shards import fetch, new_folder, pack, push, read_shards, shard_ids, shard_of, unpack, write_shards
from m2m.store import open_store


def dataset(folder: Path, videos: dict[str, bytes], quarantined: tuple[str, ...] = ()) -> Path:
    """A data set of files that only need bytes."""
    (folder / "videos").mkdir(parents=True)
    rows = [Clip(name, "", status="quarantined", reason="nobody") for name in quarantined]
    for name, data in videos.items():
        (folder / "videos" / f"{name}.mp4").write_bytes(data)
        rows.append(Clip(name, f"videos/{name}.mp4", label="yoga", sha256=hashlib.sha256(data).hexdigest(), n_frames=9))
    describe(folder, rows)
    return folder


def describe(folder: Path, rows: list[Clip]) -> None:
    ok = sum(c.status == "ok" for c in rows)
    card = DatasetCard("toys", "real", False, {"a": 1}, "1", ("CC0",), "", ok, len(rows) - ok, data_hash(rows))
    write_card(card, folder)
    write_manifest(rows, folder / "clips.parquet")


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


VIDEOS = {f"clip{i}": bytes([i]) * (700 * i + 1) for i in range(12)}


@pytest.fixture
def toys(tmp_path):
    return dataset(tmp_path / "toys", VIDEOS, ("nobody_here",))


def test_pack_and_unpack_give_back_the_same_folder(toys, tmp_path):
    shards = pack(toys, tmp_path / "packed", 3)
    assert [s.name for s in shards] == ["shards/00000.tar", "shards/00001.tar", "shards/00002.tar"]
    assert set(files(tmp_path / "packed")) == {
        "clips.parquet",
        "dataset.json",
        "shards.json",
        *(s.name for s in shards),
    }
    assert sum(s.clips for s in shards) == 12
    clips = unpack(tmp_path / "packed", tmp_path / "again")
    assert files(tmp_path / "again") == files(toys) and len(clips) == 13


def test_push_and_fetch_give_back_the_same_folder(toys, tmp_path):
    store = open_store(tmp_path / "store")
    shards = push(toys, store, tmp_path / "manifest", 3)
    assert set(files(tmp_path / "manifest")) == {"clips.parquet", "dataset.json", "shards.json"}
    assert list(store.keys("")) == sorted(f"shards/{s.sha256}.tar" for s in shards)
    fetch(tmp_path / "manifest", store, tmp_path / "again")
    assert files(tmp_path / "again") == files(toys)


def test_packing_and_pushing_are_one_format(toys, tmp_path):
    pack(toys, tmp_path / "packed", 3)
    stores = [open_store(tmp_path / "store1"), open_store(tmp_path / "store2")]
    push(toys, stores[0], tmp_path / "1", 3)
    push(tmp_path / "packed", stores[1], tmp_path / "2")
    assert files(tmp_path / "1") == files(tmp_path / "2") and files(tmp_path / "store1") == files(tmp_path / "store2")
    assert read_shards(tmp_path / "packed") == read_shards(tmp_path / "1")


def test_what_is_in_the_store_is_not_sent_again_unless_it_is_cut(toys, tmp_path):
    store = open_store(tmp_path / "store")
    shards = push(toys, store, tmp_path / "1", 3)
    whole, cut = (tmp_path / "store" / s.key for s in shards[:2])
    before = whole.stat().st_mtime_ns
    cut.write_bytes(b"cut")
    push(toys, store, tmp_path / "2", 3)
    assert whole.stat().st_mtime_ns == before and file_sha256(cut) == shards[1].sha256


def test_one_shard_alone_is_a_data_set(toys, tmp_path):
    store = open_store(tmp_path / "store")
    push(toys, store, tmp_path / "manifest", 3)
    assert shard_ids(tmp_path / "manifest") == [0, 1, 2]
    parts = []
    for index in shard_ids(tmp_path / "manifest"):
        clips = fetch(tmp_path / "manifest", store, tmp_path / f"part{index}", [index])
        assert clips == read_manifest(tmp_path / f"part{index}" / "clips.parquet")
        assert {shard_of(c.clip_id, 3) for c in clips} == {index} and {c.shard for c in clips} == {-1}
        card = read_card(tmp_path / f"part{index}")
        assert card.hash == data_hash(clips) and card.clips == len(clips) and card.parent == read_card(toys).hash
        assert len(scan(tmp_path / f"part{index}")) == len(clips)
        parts += clips
    assert sorted(c.clip_id for c in parts) == sorted(VIDEOS)


def test_a_manifest_with_fewer_rows_fetches_fewer_clips_of_the_same_shards(toys, tmp_path):
    store = open_store(tmp_path / "store")
    push(toys, store, tmp_path / "manifest", 3)
    rows = [c for c in read_manifest(tmp_path / "manifest" / "clips.parquet") if c.clip_id in ("clip1", "clip2")]
    describe(tmp_path / "manifest", rows)
    fetch(tmp_path / "manifest", store, tmp_path / "few")
    assert {n for n in files(tmp_path / "few") if n.startswith("videos")} == {"videos/clip1.mp4", "videos/clip2.mp4"}
    (other,) = {0, 1, 2} - set(shard_ids(tmp_path / "manifest")) or {9}
    with pytest.raises(InputError, match=f"no clip in shard {other}"):
        fetch(tmp_path / "manifest", store, tmp_path / "none", [other])


NAMES = st.text("abcXYZ019._-", min_size=1, max_size=20).map(lambda s: "c" + s)


@settings(max_examples=25, deadline=None)
@given(
    videos=st.dictionaries(NAMES, st.binary(max_size=1500), min_size=1, max_size=8),
    n=st.integers(1, 5),
    seed=st.integers(0, 2**16),
    new=st.tuples(NAMES, st.binary(max_size=1500)),
)
def test_bytes_depend_on_the_clips_alone(tmp_path_factory, videos, n, seed, new):
    root = tmp_path_factory.mktemp("packs")
    first = pack(dataset(root / "a", videos), root / "packed_a", n)
    shuffled = dataset(root / "b", dict(random.Random(seed).sample(sorted(videos.items()), len(videos))))
    for file in (root / "b/videos").iterdir():
        file.chmod(0o600)  # neither modes nor times count
    assert pack(shuffled, root / "packed_b", n) == first
    assert files(root / "packed_a") == files(root / "packed_b")
    for clip in read_manifest(root / "packed_a/clips.parquet"):  # the offset is where the bytes are, without any tar
        data = (root / "packed_a" / f"shards/{clip.shard:05}.tar").read_bytes()
        assert data[clip.offset :].startswith(videos[clip.clip_id]) and clip.shard == shard_of(clip.clip_id, n)
    grown = {s.index: s for s in pack(dataset(root / "c", {**videos, new[0]: new[1]}), root / "packed_c", n)}
    others = [s for s in first if s.index != shard_of(new[0], n)]
    assert all(grown[s.index] == s for s in others)


def test_shard_numbers_are_the_same_everywhere():
    assert [shard_of(f"clip{i}", 7) for i in range(6)] == [4, 6, 5, 3, 1, 0]
    counts = [0] * 5
    for i in range(5000):
        counts[shard_of(str(i), 5)] += 1
    assert min(counts) > 900
    with pytest.raises(ValueError, match="1 or more"):
        shard_of("a", 0)


def test_videos_from_anywhere_get_safe_names(tmp_path):
    source = tmp_path / "elsewhere"
    source.mkdir()
    (source / "ein Tänzer.AVI").write_bytes(b"video")
    long = "x" * 120
    rows = [
        Clip("dancer", str(source / "ein Tänzer.AVI"), sha256=file_sha256(source / "ein Tänzer.AVI")),
        Clip(long, "../elsewhere/ein Tänzer.AVI", sha256=file_sha256(source / "ein Tänzer.AVI")),
    ]
    (tmp_path / "ingested").mkdir()
    describe(tmp_path / "ingested", rows)
    store = open_store(tmp_path / "store")
    push(tmp_path / "ingested", store, tmp_path / "manifest", 1)
    fetch(tmp_path / "manifest", store, tmp_path / "out")
    assert (tmp_path / "out/videos/dancer.AVI").read_bytes() == b"video"
    assert (tmp_path / f"out/videos/{long}.AVI").read_bytes() == b"video"


@pytest.fixture
def pushed(toys, tmp_path):
    store = open_store(tmp_path / "store")
    push(toys, store, tmp_path / "manifest", 3)
    return tmp_path / "manifest", store


def test_a_missing_or_changed_shard_is_refused_and_nothing_comes_out(pushed, tmp_path):
    manifest, store = pushed
    shard = read_shards(manifest)[1]
    path = tmp_path / "store" / shard.key
    data = path.read_bytes()
    path.write_bytes(data[:-1] + b"!")
    with pytest.raises(InputError, match=f"{shard.key} has other bytes.*expected {shard.sha256}"):
        fetch(manifest, store, tmp_path / "out")
    path.unlink()
    with pytest.raises(InputError, match=r"shard 1 of .* is missing: .*push the data set"):
        fetch(manifest, store, tmp_path / "out", [1])
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob(".*"))
    fetch(manifest, store, tmp_path / "out", [0])  # the others are not touched
    for ids in ([7], []):
        with pytest.raises(InputError, match=r"has clips in|no shard is named"):
            fetch(manifest, store, tmp_path / "none", ids)


def forge(manifest: Path, root: Path, entries: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    """Puts a tar of one's own in place of shard 1, with the right hash."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for info, data in entries:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    data = file.getvalue()
    shards = read_shards(manifest)
    shards[1] = dataclasses.replace(shards[1], sha256=hashlib.sha256(data).hexdigest(), size=len(data))
    write_shards(list(shards.values()), manifest)
    (root / "store" / shards[1].key).write_bytes(data)


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def in_shard(n: int) -> list[tuple[tarfile.TarInfo, bytes]]:
    return [(entry(f"videos/{c}.mp4"), VIDEOS[c]) for c in sorted(VIDEOS) if shard_of(c, 3) == n]


FORGERIES = {
    "one is missing": (lambda good: good[:-1], "lacks 1 of"),
    "one is extra": (lambda good: [*good, (entry("videos/extra.mp4"), b"x")], "holds .* videos and should hold"),
    "one twice": (lambda good: [*good, good[0]], "no video of a shard"),
    "other bytes": (lambda good: [*good[:-1], (good[-1][0], good[-1][1][:-1] + b"!")], "other bytes than the manifest"),
    "other order": (lambda good: good[::-1], "not [0-9]+"),
    "climbing": (lambda good: [*good, (entry("videos/../../evil.mp4"), b"x")], "no video of a shard"),
    "absolute": (lambda good: [*good, (entry("/tmp/evil.mp4"), b"x")], "no video of a shard"),
    "a link": (
        lambda good: [*good, (entry("videos/l.mp4", tarfile.SYMTYPE, "/etc/passwd"), b"")],
        "no video of a shard",
    ),
    "a folder": (lambda good: [*good, (entry("videos/d", tarfile.DIRTYPE), b"")], "no video of a shard"),
    "a device": (lambda good: [*good, (entry("videos/d.mp4", tarfile.CHRTYPE), b"")], "no video of a shard"),
    "a hard link": (lambda good: [*good, (entry("videos/h.mp4", tarfile.LNKTYPE, "/etc/passwd"), b"")], "no video of"),
    "a pipe": (lambda good: [*good, (entry("videos/p.mp4", tarfile.FIFOTYPE), b"")], "no video of a shard"),
    "a sparse file": (
        lambda good: [*good, (entry("videos/s.mp4", tarfile.GNUTYPE_SPARSE), b"")],
        "no video of|is no tar",
    ),
    "nothing": (lambda good: [], "lacks"),
}


@pytest.mark.parametrize("how", FORGERIES)
def test_a_tar_with_the_right_hash_and_odd_contents_is_refused(pushed, tmp_path, how):
    manifest, store = pushed
    forge(manifest, tmp_path, in_shard(1))
    fetch(manifest, store, tmp_path / "good", [1])  # the forger's honest tar is taken
    change, said = FORGERIES[how]
    forge(manifest, tmp_path, change(in_shard(1)))
    with pytest.raises(InputError, match=said):
        fetch(manifest, store, tmp_path / "out", [1])
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.rglob("*evil*")) and not Path("/tmp/evil.mp4").exists()


def test_no_tar_at_all_is_refused(pushed, tmp_path):
    manifest, store = pushed
    shards = read_shards(manifest)
    for data in (b"", b"no tar" * 1000):
        shards[1] = dataclasses.replace(shards[1], sha256=hashlib.sha256(data).hexdigest())
        write_shards(list(shards.values()), manifest)
        (tmp_path / "store" / shards[1].key).write_bytes(data)
        with pytest.raises(InputError, match=r"is no tar|lacks"):
            fetch(manifest, store, tmp_path / "out", [1])


CLIMBING = json.dumps([{"index": "../../evil", "sha256": "0" * 64, "size": 1, "clips": 1}])
"""Its file would be shards/../../evil.tar."""


def test_manifests_that_do_not_fit_are_refused(toys, pushed, tmp_path):
    manifest, store = pushed
    rows = read_manifest(manifest / "clips.parquet")
    with pytest.raises(InputError, match="lie in shards"):
        scan(manifest)
    (tmp_path / "bare").mkdir()
    with pytest.raises(InputError, match="is not a manifest"):
        shard_ids(tmp_path / "bare")
    for change, said in (
        ({"path": "videos/../../evil.mp4"}, "which no packed clip has"),
        ({"path": "videos/other.mp4"}, "which no packed clip has"),
        ({"shard": 7}, "in shard 7, which shards.json does not list"),
        ({"offset": 3}, "not 3"),
    ):
        describe(manifest, [dataclasses.replace(rows[0], **change), *rows[1:]])
        with pytest.raises(InputError, match=said):
            fetch(manifest, store, tmp_path / "out")
    write_manifest(rows[1:], manifest / "clips.parquet")
    with pytest.raises(InputError, match="do not belong together"):
        fetch(manifest, store, tmp_path / "out")
    describe(manifest, [c for c in rows if c.status != "ok"])
    with pytest.raises(InputError, match="has no clip"):
        fetch(manifest, store, tmp_path / "out")
    for text in ("{", '[{"index": 1}]', '[{"index": 1, "sha256": "../x", "size": 1, "clips": 1}]', CLIMBING):
        (manifest / "shards.json").write_text(text)
        with pytest.raises(InputError, match="does not list shards"):
            read_shards(manifest)
    (manifest / "shards.json").unlink()
    with pytest.raises(InputError, match="m2m pack it first"):
        read_shards(manifest)
    with pytest.raises(InputError, match="over how many shards"):
        push(toys, store, tmp_path / "out")


def test_packing_checks_what_it_packs(toys, tmp_path):
    (toys / "videos/clip3.mp4").write_bytes(b"changed")
    with pytest.raises(InputError, match=r"clip3\.mp4 has other bytes than the manifest says"):
        pack(toys, tmp_path / "packed", 3)
    (toys / "videos/clip3.mp4").unlink()
    with pytest.raises(InputError, match=r"cannot read .*clip3\.mp4"):
        pack(toys, tmp_path / "packed", 3)
    assert not (tmp_path / "packed").exists() and not list(tmp_path.glob(".*"))
    with pytest.raises(InputError, match="not an empty folder"):
        pack(toys, toys, 3)


def test_a_packed_folder_is_verified(toys, tmp_path):
    pack(toys, tmp_path / "packed", 3)
    tar = tmp_path / "packed/shards/00002.tar"
    data = tar.read_bytes()
    tar.write_bytes(data + b"x")
    with pytest.raises(InputError, match=r"00002\.tar has other bytes than shards\.json says"):
        unpack(tmp_path / "packed", tmp_path / "out")
    with pytest.raises(InputError, match=r"00002\.tar has other bytes than shards\.json says"):
        push(tmp_path / "packed", open_store(tmp_path / "store"), tmp_path / "manifest")
    tar.unlink()
    with pytest.raises(InputError, match="shard 2 is missing"):
        unpack(tmp_path / "packed", tmp_path / "out")


def test_two_runs_do_not_fill_one_folder(tmp_path):
    with new_folder(tmp_path / "out") as building:
        (building / "a").write_text("a")
        with pytest.raises(InputError, match="another run is writing"), new_folder(tmp_path / "out"):
            pass
    assert [p.name for p in tmp_path.rglob("*")] == ["out", "a"]


def test_what_a_killed_run_left_of_a_folder_is_not_in_it(tmp_path):
    (tmp_path / ".out.part/videos").mkdir(parents=True)
    (tmp_path / ".out.part/videos/half").write_text("half")
    with new_folder(tmp_path / "out") as building:
        (building / "a").write_text("a")
    assert [p.name for p in tmp_path.rglob("*")] == ["out", "a"]


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    with pytest.raises(RuntimeError), new_folder(tmp_path / "out") as building:
        (building / "half").write_text("x")
        raise RuntimeError
    assert not list(tmp_path.iterdir())
    (tmp_path / ".out.part").mkdir()
    (tmp_path / ".out.part/of a killed run").write_text("x")
    (tmp_path / "out").mkdir()
    with new_folder(tmp_path / "out") as building:
        (building / "all").write_text(json.dumps(1))
    assert files(tmp_path) == {"out/all": b"1"}
