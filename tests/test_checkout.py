"""A data set is found wherever it is: as a folder, packed, as a manifest, or under its hash."""

import pytest

from m2m.checkout import checkout
from m2m.clips import read_card
from m2m.errors import InputError
from m2m.shards import pack
from m2m.store import DATA, open_store
from tests.sets import publish_set, write_set


@pytest.fixture
def working(tmp_path):
    card = write_set(tmp_path / "working", clips=2)
    return tmp_path / "working", card


def videos(folder):
    return {p.name: p.read_bytes() for p in (folder / "videos").iterdir()}


def test_a_working_folder_is_itself(working):
    folder, _ = working
    with checkout(folder) as found:
        assert found == folder


def test_packed_and_published_sets_come_back_with_the_same_bytes_and_are_gone_afterwards(
    working, tmp_path, monkeypatch
):
    folder, card = working
    monkeypatch.setenv(DATA, str(tmp_path / "store"))
    pack(folder, tmp_path / "packed", 2)
    identity = publish_set(folder, open_store(tmp_path / "store"), tmp_path)
    assert identity == card.hash
    for dataset in (tmp_path / "packed", tmp_path / "manifest", identity):
        with checkout(dataset) as found:
            assert videos(found) == videos(folder)
            assert read_card(found).hash == card.hash
        assert not found.exists()


def test_what_is_no_data_set_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv(DATA, str(tmp_path / "store"))
    with pytest.raises(InputError, match=r"nowhere is not a data set"), checkout("nowhere"):
        pass
    with pytest.raises(InputError, match=r"no data set 0{64} is published"), checkout("0" * 64):
        pass
    monkeypatch.delenv(DATA)
    with pytest.raises(InputError, match=DATA), checkout("0" * 64):
        pass
