"""Results travel between tasks without the outputs, and only the right stage reads them."""

import json

import pytest

from m2m.errors import InputError
from m2m.records import Record
from m2m.results import fetch_outputs, read_results, write_results
from m2m.store import DamagedError, MissingError, blob_key, open_store, put_blob

RECORDS = [
    Record("b", "f2", "quarantined", "verifier", "somebody", {"frame": 7}),
    Record("a", "f1", "ok", outputs={"videos/a.mp4": "0" * 64}, result={"length": 3}),
]


def test_results_are_read_back_sorted(tmp_path):
    written = write_results(tmp_path / "new", "compose", 3, RECORDS, ["MIT", "CC0", "MIT"])
    read = read_results(tmp_path / "new", "compose")
    assert read == written and (read.stage, read.shard, read.licences) == ("compose", 3, ("CC0", "MIT"))
    assert read.records == tuple(RECORDS[::-1])
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["records.json"]


def test_the_order_of_records_changes_no_byte(tmp_path):
    write_results(tmp_path / "1", "compose", 3, RECORDS)
    write_results(tmp_path / "2", "compose", 3, RECORDS[::-1])
    assert (tmp_path / "1/records.json").read_bytes() == (tmp_path / "2/records.json").read_bytes()
    with pytest.raises(ValueError, match="unique"):
        write_results(tmp_path, "compose", 3, [*RECORDS, RECORDS[0]])


def test_other_stages_other_schemas_and_damage_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"holds no results.*No such file"):
        read_results(tmp_path, "compose")
    write_results(tmp_path, "detect", 3, RECORDS)
    with pytest.raises(InputError, match="results of detect, not of compose; check the wiring"):
        read_results(tmp_path, "compose")
    path = tmp_path / "records.json"
    values = json.loads(path.read_bytes())
    path.write_text(json.dumps({**values, "schema": 2}))
    with pytest.raises(InputError, match="has schema 2, not 1; run its stage again"):
        read_results(tmp_path, "detect")
    evil = {**values["records"][0], "outputs": {"../../etc/passwd": "0" * 64}}
    for damaged in (
        path.read_text()[:-9],
        "[]",
        json.dumps({**values, "records": [{"name": "a"}]}),
        json.dumps({**values, "records": None}),
        json.dumps({k: v for k, v in values.items() if k != "shard"}),
        json.dumps({**values, "records": [evil]}),
    ):
        path.write_text(damaged)
        with pytest.raises(InputError, match="is damaged"):
            read_results(tmp_path, "detect")


def test_outputs_are_fetched_from_the_work_store(tmp_path):
    store = open_store(tmp_path / "store")
    (tmp_path / "a").write_bytes(b"video")
    digest = put_blob(store, tmp_path / "a")
    record = Record("a", "f", "ok", outputs={"videos/a.mp4": digest})
    fetch_outputs(record, store, tmp_path / "out")
    assert (tmp_path / "out/videos/a.mp4").read_bytes() == b"video"
    store.write(blob_key(digest), b"vide")
    with pytest.raises(DamagedError):
        fetch_outputs(record, store, tmp_path / "out2")
    store.delete(blob_key(digest))
    with pytest.raises(MissingError):
        fetch_outputs(record, store, tmp_path / "out2")
    assert not list((tmp_path / "out2").rglob("*.mp4"))
