"""Purge: what is personal is gone and proved to be, what is released stays whole, whatever goes wrong in between."""

import hashlib
import json
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from m2m.checkout import checkout
from m2m.cli import main
from m2m.clips import Clip, DatasetCard, data_hash, file_sha256, read_manifest, write_card, write_manifest
from m2m.errors import Exit, InfrastructureError, InputError
from m2m.published import fetch_published, publish, published
from m2m.purge import purge_folder, purge_published
from m2m.shards import fetch, push, read_folder, write_folder
from m2m.store import FolderStore, blob_key, open_store, put_blob
from m2m.work import locked
from tests.audit.runs import write_clip
from tests.purge.made import everything, finished, leave, purge, still_whole


def test_a_look_ahead_deletes_nothing_and_says_what_would_go(run):
    before = everything(run.store), everything(run.work)
    proof = purge(run, yes=False)
    assert (everything(run.store), everything(run.work)) == before
    assert not proof.done and proof.deleted == 0 and proof.things
    assert "would be deleted" in str(proof)
    assert purge(run).things == proof.things


def test_originals_people_and_previews_are_gone_and_the_data_set_is_whole(run, tmp_path):
    shards = [s.key for s in read_folder(run.manifest)[2].values()]
    proof = purge(run)
    assert proof.done and not proof.failed and proof.deleted == len(proof.things)
    left = everything(run.store) | everything(run.work)
    assert not set(shards) & set(left)
    originals = [p.read_bytes() for p in (run.root / "real" / "videos").iterdir()]
    for data in left.values():
        assert not any(o in data for o in originals)
        assert b" of walk__secret" not in data and b"alice" not in data and data != b"vectors"
    assert published(run.store) == [run.card.hash]
    assert not list(run.work.keys("records/"))
    still_whole(run, tmp_path)


def test_the_proof_lists_every_object_with_its_hash_and_size(run):
    before = {run.store.uri: everything(run.store), run.work.uri: everything(run.work)}
    purge(run)
    after = {run.store.uri: everything(run.store), run.work.uri: everything(run.work)}
    proof = json.loads((run.root / "proof.json").read_text())
    assert proof["done"] is True and proof["deleted"] == len(proof["things"])
    listed = {(t["place"], t["key"]): t for t in proof["things"]}
    assert set(listed) == {(p, k) for p in before for k in before[p].keys() - after[p].keys()}
    for (place, key), thing in listed.items():
        data = before[place][key]
        assert (thing["sha256"], thing["size"]) == (hashlib.sha256(data).hexdigest(), len(data))
    kinds = {t["kind"] for t in proof["things"]}
    assert {"shard", "manifest", "record", "people", "plates", "previews", "embeddings", "file names"} <= kinds
    why = {left["key"]: left["why"] for left in proof["remains"]}
    assert "models" in why["checkpoints/*"] and "request" in why["release.key"]
    assert f"4 blob(s) are clips of the data set {run.card.hash}" in why["blobs/*"]


def test_objects_on_a_real_s3_server_are_gone(s3, tmp_path, monkeypatch):
    run = finished(tmp_path / "run", monkeypatch, s3.uri)
    shards = [s.key for s in read_folder(run.manifest)[2].values()]
    proof = purge(run)
    assert proof.deleted > 20 and all(t.place.startswith("s3://") for t in proof.things)
    fresh = open_store(run.store.uri), open_store(run.work.uri)
    keys = {(s.uri, k) for s in fresh for k in s.keys("")}
    assert keys and not keys & {(t.place, t.key) for t in proof.things}
    assert set(shards) <= {t.key for t in proof.things}
    assert sum("backups are out of reach" in left.why for left in proof.remains) == 2
    assert not any("older version" in left.why for left in proof.remains)  # the bucket says that it keeps none
    still_whole(run, tmp_path)
    assert purge(run).things == ()


def test_a_second_purge_finds_nothing_and_a_reader_is_told(run, tmp_path):
    purge(run)
    before = everything(run.store), everything(run.work)
    proof = purge(run)
    assert proof.done and proof.things == ()
    assert (everything(run.store), everything(run.work)) == before
    assert not any("not known" in left.why for left in proof.remains)
    with pytest.raises(InputError, match="was purged"):
        fetch_published(run.real, run.store, tmp_path / "m")
    with pytest.raises(InputError, match="was purged"):  # who has the manifest asks for the shards
        fetch(run.manifest, run.store, tmp_path / "v")
    with pytest.raises(InputError, match="was purged"), checkout(run.real):
        pass


def test_the_secret_goes_only_on_request(run):
    purge(run)
    assert run.work.exists("release.key")
    assert [t.kind for t in purge(run, key=True).things] == ["secret"]
    assert not run.work.exists("release.key")


class Stubborn(FolderStore):
    """Refuses to delete some keys, or says that it has and has not, or dies after so many."""

    refuse, pretend, die_after = "\0", "\0", 10**9

    def delete(self, key):
        self.die_after -= 1
        if self.die_after < 0:
            raise KeyboardInterrupt
        if self.refuse in key:
            raise InputError(f"{key} is under a retention lock")
        if self.pretend not in key:
            super().delete(key)


def stubborn(store, **about) -> Stubborn:
    made = Stubborn(Path(store.uri))
    for name, value in about.items():
        setattr(made, name, value)
    return made


def test_a_store_that_refuses_is_reported_and_what_tells_of_the_rest_stays(run, tmp_path):
    shard = next(iter(read_folder(run.manifest)[2].values()))
    with pytest.raises(InfrastructureError, match="retention lock") as error:
        purge_published(run.card.hash, tmp_path / "p.json", yes=True, store=stubborn(run.store, refuse=shard.key))
    assert error.value.code == Exit.INFRASTRUCTURE
    proof = json.loads((tmp_path / "p.json").read_text())
    failed = {left["key"]: left["why"] for left in proof["failed"]}
    assert "retention lock" in failed[shard.key]
    assert all(run.store.exists(key) for key in failed)
    gone = {t["key"] for t in proof["things"]}
    assert gone and not any(run.store.exists(key) or run.work.exists(key) for key in gone)
    assert fetch_published(run.real, run.store, tmp_path / "m")  # it still tells where the shard is
    assert shard.key in {t.key for t in purge(run).things}
    still_whole(run, tmp_path / "after")


def test_a_store_that_only_says_that_it_deletes_is_found_out(run, tmp_path):
    with pytest.raises(InfrastructureError, match="could not be deleted"):
        purge_published(run.card.hash, tmp_path / "p.json", yes=True, work=stubborn(run.work, pretend="blobs/"))
    proof = json.loads((tmp_path / "p.json").read_text())
    blobs = {left["key"] for left in proof["failed"] if left["key"].startswith("blobs/")}
    assert len(blobs) == 12
    records = [left for left in proof["failed"] if left["key"].startswith("records/")]
    assert records and all("could not be deleted" in left["why"] for left in records)
    assert blobs <= {t.key for t in purge(run).things}


@pytest.mark.parametrize("where", ["store", "work"])
@pytest.mark.parametrize("after", [0, 1, 3, 5])
def test_a_purge_that_was_cut_off_is_finished_by_the_next(run, tmp_path, where, after):
    with pytest.raises(KeyboardInterrupt):
        stores = {"store": run.store, "work": run.work}
        stores[where] = stubborn(stores[where], die_after=after)
        purge_published(run.card.hash, tmp_path / "p.json", yes=True, **stores)
    purge(run)
    assert published(run.store) == [run.card.hash]
    assert not list(run.work.keys("records/"))
    shards = {s.key for s in read_folder(run.root / "merged")[2].values()}
    assert set(run.store.keys("shards/")) == shards
    still_whole(run, tmp_path)


def test_blobs_that_another_clips_record_names_stay(run):
    same = leave(run, "other__clip", "detect", "people/other__clip.jsonl.gz", b"detect of walk__secret_0")
    proof = purge(run)
    assert run.work.exists(blob_key(same))
    assert len(list(run.work.keys("records/"))) == 1
    assert any("records of other clips" in left.why for left in proof.remains)


def test_what_nobody_names_is_reported_and_goes_on_request(run, tmp_path):
    (tmp_path / "x").write_bytes(b"orphan")
    orphan = put_blob(run.work, tmp_path / "x")
    run.store.put(tmp_path / "x", f"shards/{orphan}.tar")
    proof = purge(run)
    assert any("1 blob(s) that no record names" in left.why for left in proof.remains)
    assert any("1 shard(s) that no published" in left.why for left in proof.remains)
    assert run.work.exists(blob_key(orphan))
    purge(run, orphans=True)
    assert not run.work.exists(blob_key(orphan)) and not run.store.exists(f"shards/{orphan}.tar")


def test_what_killed_puts_left_goes_too(run):
    old, young = (Path(run.work.uri) / "blobs" / "ab" / f".{n}.m2m-part" for n in ("old", "young"))
    for part in (old, young):
        part.parent.mkdir(exist_ok=True)
        part.write_bytes(b"half a face")
    os.utime(old, (0, 0))
    assert purge(run).unfinished == 1
    assert young.exists() and not old.exists()
    assert purge(run, orphans=True).unfinished == 1 and not young.exists()


def derived(run, folder: Path, parent: str, variant: str, rows=None) -> str:
    """Publishes a data set of the same originals' shards that shows people."""
    source, card, shards = read_folder(run.manifest)
    rows = rows or source
    ok = sum(c.status == "ok" for c in rows)
    card = DatasetCard("x", variant, False, {}, "1", (), parent, ok, len(rows) - ok, data_hash(rows))
    folder.mkdir()
    write_folder(rows, card, list(shards.values()), folder)
    return publish(folder, run.store)


def test_variants_that_show_the_same_people_go_too(run, tmp_path):
    videos = tmp_path / "mesh" / "videos"
    path = write_clip(videos / "walk__secret_0.mp4", 55)
    rows = [Clip("walk__secret_0", "videos/walk__secret_0.mp4", sha256=file_sha256(path))]
    write_manifest(rows, tmp_path / "mesh" / "clips.parquet")
    card = DatasetCard("x", "mesh_on_real", False, {}, "1", (), run.real, 1, 0, data_hash(rows))
    write_card(card, tmp_path / "mesh")
    shards = push(tmp_path / "mesh", run.store, tmp_path / "mesh_manifest", 1)
    mesh = publish(tmp_path / "mesh_manifest", run.store)
    proof = purge(run)
    assert published(run.store) == [run.card.hash]
    assert shards[0].key in {t.key for t in proof.things} and not run.store.exists(shards[0].key)
    with pytest.raises(InputError, match="was purged"):
        fetch_published(mesh, run.store, tmp_path / "m")


def test_a_selection_of_all_clips_is_its_own_parent(run, tmp_path):
    """m2m curate that leaves nothing out gives the rows that it got, so their hash."""
    folder = fetch_published(run.real, run.store, tmp_path / "selection")
    write_card(replace(read_folder(folder)[1], parent=run.real), folder)
    assert publish(folder, run.store) == run.real
    purge(run)
    assert published(run.store) == [run.card.hash]
    still_whole(run, tmp_path)


def test_another_selection_of_the_same_originals_keeps_what_it_needs(run, tmp_path):
    """Ingested -> curated -> M2M; a second selection was made of what was ingested."""
    rows, _, shards = read_folder(run.manifest)
    mine = next(c for c in rows if c.status == "ok" and c.shard == 0)
    ingested = read_folder(run.manifest)[1].parent
    other = derived(run, tmp_path / "other", ingested, "real", [mine])
    proof = purge(run)
    assert run.store.exists(shards[0].key) and not run.store.exists(shards[1].key)
    assert any(left.key == shards[0].key and other in left.why for left in proof.remains)
    assert published(run.store) == sorted([run.card.hash, other])
    names = {json.loads(run.work.read(k))["name"] for k in run.work.keys("records/")}
    assert names == {mine.clip_id}
    assert run.work.exists(blob_key(hashlib.sha256(f"detect of {mine.clip_id}".encode()).hexdigest()))


def test_a_data_set_that_is_to_be_kept_stays(run):
    proof = purge(run, keep=[run.real])
    assert run.real in published(run.store)
    assert all(run.store.exists(s.key) for s in read_folder(run.manifest)[2].values())
    assert any("is to be kept" in left.why for left in proof.remains)


def test_originals_that_were_never_published_are_said_to_be_out_of_reach(run):
    for key in list(run.store.keys(f"datasets/{run.real}/")):
        run.store.delete(key)
    proof = purge(run)
    assert any(run.real in left.key and "not published" in left.why for left in proof.remains)
    assert not list(run.work.keys("records/"))  # but their intermediates are known by the clips' ids


def test_wrong_data_sets_are_refused(run):
    with pytest.raises(InputError, match="shows people"):
        purge_published(run.real, run.root / "p.json", yes=True)
    with pytest.raises(InputError, match="is published"):
        purge_published("0" * 64, run.root / "p.json", yes=True)
    with pytest.raises(InputError, match="is published"):
        purge(run, keep=["1" * 64])
    assert run.store.exists(next(run.store.keys("shards/")))


def test_nothing_is_deleted_where_another_data_set_cannot_be_read(run, tmp_path):
    index = json.loads(run.store.read(f"datasets/{run.card.hash}/index.json"))
    run.store.write(f"datasets/{run.card.hash}/{index['files']['shards.json']}/shards.json", b"[]")
    before = everything(run.work)
    with pytest.raises(InputError):
        purge(run)
    assert everything(run.work) == before


def test_a_damaged_record_is_left_and_said(run):
    run.work.write(f"records/{'e' * 64}.json", b"{half")
    proof = purge(run)
    assert any(left.key.endswith(f"{'e' * 64}.json") and "nobody knows whose" in left.why for left in proof.remains)


@pytest.fixture
def folder(tmp_path):
    """A working data set with everything that m2m augment may leave."""
    made = tmp_path / "made"
    path = write_clip(made / "videos" / "walk__secret_0.mp4", 1)
    rows = [Clip("walk__secret_0", "videos/walk__secret_0.mp4", sha256=file_sha256(path))]
    write_manifest(rows, made / "clips.parquet")
    write_card(DatasetCard("x", "m2m", True, {}, "1", (), "", 1, 0, data_hash(rows)), made)
    for name in ("plates/a b.mkv", "people/a.jsonl.gz", "bodies/a.npz", ".m2m/previews/a.mp4", ".m2m/records/1.json"):
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_bytes(name.encode())
    (made / "report.html").write_text("shown")
    (made / ".m2m" / "release.key").write_bytes(b"k" * 32)
    return made


def test_a_folder_keeps_its_clips_and_nothing_personal(folder, tmp_path):
    ahead = purge_folder(folder, tmp_path / "p.json")
    assert not ahead.done and (folder / "report.html").exists()
    proof = purge_folder(folder, tmp_path / "p.json", yes=True)
    assert proof.things == ahead.things and len(proof.things) == 6
    left = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    kept = {"videos/walk__secret_0.mp4", "clips.parquet", "dataset.json", ".m2m/release.key", ".m2m/lock"}
    assert left == kept | {"PURGED.json"}
    clip = read_manifest(folder / "clips.parquet")[0]
    assert file_sha256(folder / clip.path) == clip.sha256
    assert purge_folder(folder, tmp_path / "p.json", yes=True).things == ()
    assert [t.key for t in purge_folder(folder, tmp_path / "p.json", yes=True, key=True).things] == [".m2m/release.key"]


def test_a_folder_in_use_or_that_shows_people_is_refused(folder, tmp_path):
    card = DatasetCard("x", "mesh_on_real", False, {}, "1", (), "", 1, 0, "")
    write_card(replace(card, hash=data_hash(read_manifest(folder / "clips.parquet"))), folder)
    with pytest.raises(InputError, match="shows people"):
        purge_folder(folder, tmp_path / "p.json", yes=True)
    write_card(replace(card, private=True, variant="m2m"), folder)
    with pytest.raises(InputError, match="do not belong together"):
        purge_folder(folder, tmp_path / "p.json", yes=True)
    assert (folder / "report.html").exists()


def test_a_folder_where_a_run_is_working_is_refused(folder, tmp_path):
    failures = []

    def other():
        try:
            purge_folder(folder, tmp_path / "p.json", yes=True)
        except InputError as error:
            failures.append(str(error))

    with locked(folder):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert failures and "another run" in failures[0]
    assert (folder / "report.html").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nowhere"], Exit.BAD_INPUT, "nowhere is not a data set"),
        (["0" * 64], Exit.BAD_INPUT, "no data set 0000"),
        (["0" * 64, "--originals", "videos"], Exit.USAGE, "--originals is for the folder"),
        (["nowhere", "--runs", "runs"], Exit.USAGE, "are for published data sets"),
    ],
)
def test_the_command_line_says_what_is_wrong(run, tmp_path, monkeypatch, capsys, arguments, code, said):
    monkeypatch.chdir(tmp_path)
    assert main(["purge", arguments[0], "p.json", *arguments[1:]]) == code
    error = capsys.readouterr().err
    assert said in error and "Traceback" not in error and not (tmp_path / "p.json").exists()
