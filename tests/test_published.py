"""Publishing a data set under its hash, and getting exactly that back."""

import dataclasses
import json

import pytest

from m2m.clips import read_card, read_manifest, write_card
from m2m.errors import InputError
from m2m.published import fetch_published, publish, published
from m2m.shards import fetch, push, read_shards
from m2m.store import open_store
from tests.test_shards import VIDEOS, dataset, describe, files


@pytest.fixture(params=["folder", "s3"])
def store(request, tmp_path):
    """Both kinds for the round trip, a folder for the rest."""
    if request.param == "s3":
        return open_store(request.getfixturevalue("s3").uri)
    return open_store(tmp_path / "store")


folder_only = pytest.mark.parametrize("store", ["folder"], indirect=True)


@pytest.fixture
def manifest(store, tmp_path):
    push(dataset(tmp_path / "toys", VIDEOS), store, tmp_path / "manifest", 2)
    (tmp_path / "manifest/audit.json").write_text('{"rows": []}')
    return tmp_path / "manifest"


def test_a_published_data_set_comes_back_whole(manifest, store, tmp_path):
    assert published(store) == []
    identity = publish(manifest, store)
    assert identity == read_card(manifest).hash and published(store) == [identity]
    assert fetch_published(identity, store, tmp_path / "again") == tmp_path / "again"
    assert files(tmp_path / "again") == files(manifest)
    fetch(tmp_path / "again", store, tmp_path / "videos")
    assert files(tmp_path / "videos") == files(tmp_path / "toys")


@folder_only
def test_publishing_again_replaces_the_card_and_keeps_the_hash(manifest, store, tmp_path):
    first = publish(manifest, store)
    write_card(dataclasses.replace(read_card(manifest), name="renamed"), manifest)
    assert publish(manifest, store) == first == published(store)[0]
    assert read_card(fetch_published(first, store, tmp_path / "again")).name == "renamed"


@folder_only
def test_another_data_set_has_another_hash(manifest, store, tmp_path):
    first = publish(manifest, store)
    describe(manifest, read_manifest(manifest / "clips.parquet")[1:])
    second = publish(manifest, store)
    assert published(store) == sorted([first, second]) and first != second
    assert len(read_manifest(fetch_published(first, store, tmp_path / "1") / "clips.parquet")) == 12
    assert len(read_manifest(fetch_published(second, store, tmp_path / "2") / "clips.parquet")) == 11


@folder_only
def test_what_cannot_be_published(manifest, store, tmp_path):
    with pytest.raises(InputError, match=r"has no shards.*m2m pack it first"):
        publish(tmp_path / "toys", store)
    (tmp_path / "manifest/ein name.txt").write_text("x")
    with pytest.raises(InputError, match="is not a key of a store"):
        publish(manifest, store)
    assert published(store) == []
    (tmp_path / "manifest/ein name.txt").unlink()
    store.delete(read_shards(manifest)[1].key)
    with pytest.raises(InputError, match=r"shard 1 of .*manifest is not in .*push the data set first"):
        publish(manifest, store)


@folder_only
@pytest.mark.parametrize("file", ["clips.parquet", "dataset.json", "shards.json", "audit.json"])
def test_damage_is_told(manifest, store, tmp_path, file):
    identity = publish(manifest, store)
    (key,) = (k for k in store.keys("datasets/") if k.endswith(file))
    store.write(key, store.read(key)[:-1])
    with pytest.raises(InputError, match=f"{file} has other bytes than it should"):
        fetch_published(identity, store, tmp_path / "again")
    store.delete(key)
    with pytest.raises(InputError, match=f"{file} is missing"):
        fetch_published(identity, store, tmp_path / "again")
    assert not (tmp_path / "again").exists()


@folder_only
def test_a_wrong_hash_never_gives_a_data_set(manifest, store, tmp_path):
    identity = publish(manifest, store)
    other = "0" * 64
    with pytest.raises(InputError, match=f"no data set {other} is published in .*check the hash"):
        fetch_published(other, store, tmp_path / "again")
    with pytest.raises(InputError, match="is not the hash of a data set"):
        fetch_published("../x", store, tmp_path / "again")
    for key in list(store.keys(f"datasets/{identity}/")):  # somebody copies one data set over another
        store.write(key.replace(identity, other), store.read(key))
    with pytest.raises(InputError, match=f"is the data set {identity}"):
        fetch_published(other, store, tmp_path / "again")
    for index in ("{", "[]", json.dumps({"files": {"../evil": "0" * 64}}), json.dumps({"files": {"a/b": "0" * 64}})):
        store.write(f"datasets/{identity}/index.json", index.encode())
        with pytest.raises(InputError, match=r"is damaged|is not a key|is not the name"):
            fetch_published(identity, store, tmp_path / "again")
    assert not (tmp_path / "again").exists() and not (tmp_path / "evil").exists()
