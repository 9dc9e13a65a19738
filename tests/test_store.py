"""Stores, in a folder and on a real S3 server: what goes in comes out, verified, and errors say what to do."""

import hashlib
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2m.errors import Exit, InfrastructureError, InputError
from m2m.store import (
    DamagedError,
    MissingError,
    blob_key,
    checked,
    data_store,
    get_blob,
    open_store,
    put_blob,
    work_store,
)


@pytest.fixture(params=["folder", "s3"])
def store(request, tmp_path):
    if request.param == "folder":
        return open_store(str(tmp_path / "store"))
    return open_store(f"{request.getfixturevalue('s3').uri}/some/prefix")


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_files_and_bytes_go_in_and_come_out(store, tmp_path):
    (tmp_path / "a").write_bytes(b"hello")
    assert store.put(tmp_path / "a", "x/a.bin") == sha(b"hello")
    store.write("x/empty", b"")
    store.get("x/a.bin", tmp_path / "new/folder/a", sha(b"hello"))
    assert (tmp_path / "new/folder/a").read_bytes() == b"hello" == store.read("x/a.bin")
    store.get("x/empty", tmp_path / "empty", sha(b""))
    assert (tmp_path / "empty").read_bytes() == b"" == store.read("x/empty")
    assert (store.size("x/a.bin"), store.size("x/empty")) == (5, 0)
    store.write("x/a.bin", b"other")
    assert store.read("x/a.bin") == b"other"
    store.get("x/a.bin", tmp_path / "a", sha(b"other"))  # in place of what was there
    assert (tmp_path / "a").read_bytes() == b"other"


def test_keys_are_listed_sorted_and_deleted(store):
    names = ["b/2", "b/10", "b.x", "a", "b/c/d", "bc"]
    for name in names:
        store.write(name, name.encode())
    assert list(store.keys("")) == sorted(names)
    assert list(store.keys("b/")) == ["b/10", "b/2", "b/c/d"]
    assert list(store.keys("b")) == ["b.x", "b/10", "b/2", "b/c/d", "bc"]
    assert list(store.keys("b/c/d")) == ["b/c/d"] and list(store.keys("nothing/here")) == []
    store.delete("b/2")
    store.delete("b/2")
    assert not store.exists("b/2") and store.exists("b/10") and not store.exists("b")


def test_what_is_missing_is_told(store, tmp_path):
    for call in (
        lambda: store.read("no/thing"),
        lambda: store.size("no/thing"),
        lambda: store.get("no/thing", tmp_path / "x", sha(b"")),
    ):
        with pytest.raises(MissingError, match="/no/thing is missing") as caught:
            call()
        assert caught.value.code == Exit.BAD_INPUT and store.uri in str(caught.value)
    with pytest.raises(InputError, match=r"cannot read .*nowhere"):
        store.put(tmp_path / "nowhere", "x")
    assert not (tmp_path / "x").exists() and list(store.keys("")) == []


def test_wrong_bytes_never_come_out(store, tmp_path):
    store.write("a", b"hello")
    (tmp_path / "mine").write_bytes(b"mine")
    with pytest.raises(DamagedError, match=f"a has other bytes .*sha256 {sha(b'hello')}, expected {sha(b'HELLO')}"):
        store.get("a", tmp_path / "mine", sha(b"HELLO"))
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir() if p.is_file()] == [("mine", b"mine")]


def test_blobs_are_found_by_their_hash_and_damage_is_mended_by_putting_again(store, tmp_path):
    (tmp_path / "a").write_bytes(b"hello")
    digest = put_blob(store, tmp_path / "a")
    assert digest == sha(b"hello") and list(store.keys("")) == [f"blobs/{digest[:2]}/{digest}"]
    store.write(blob_key(digest), b"hell")
    with pytest.raises(DamagedError):
        get_blob(store, digest, tmp_path / "b")
    put_blob(store, tmp_path / "a")
    get_blob(store, digest, tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"hello"
    with pytest.raises(MissingError):
        get_blob(store, sha(b"other"), tmp_path / "b")
    with pytest.raises(InputError, match="is not a sha256"):
        get_blob(store, "../../etc/passwd", tmp_path / "b")


def test_two_who_write_one_key_at_once_leave_one_whole_value(store, tmp_path):
    values = [bytes([i]) * 300_000 for i in range(4)]

    def write(value: bytes) -> None:
        for _ in range(3):
            store.write("a", value)

    threads = [threading.Thread(target=write, args=(v,)) for v in values]
    for thread in threads:
        thread.start()
    while any(t.is_alive() for t in threads):
        assert not store.exists("a") or store.read("a") in values
    for thread in threads:
        thread.join()
    assert store.read("a") in values and list(store.keys("")) == ["a"]


def test_a_store_goes_to_another_process_and_opens_again_by_its_address(store):
    store.write("a", b"hello")
    assert pickle.loads(pickle.dumps(store)).read("a") == b"hello" == open_store(store.uri).read("a")
    assert open_store(store.uri).uri == store.uri


BAD_KEYS = [
    "",
    "/",
    "/a",
    "a/",
    "a//b",
    "..",
    "a/../b",
    "a/..",
    ".a",
    "a/.b",
    "a b",
    "ä",
    "a\n",
    "a\\b",
    "~",
    "a" * 901,
]


@pytest.mark.parametrize("key", BAD_KEYS)
def test_keys_that_lead_elsewhere_are_refused(tmp_path, key):
    store = open_store(tmp_path / "store")
    for call in (store.read, store.exists, store.delete, store.size, lambda k: store.write(k, b"x")):
        with pytest.raises(InputError, match="is not a key of a store"):
            call(key)
    assert not (tmp_path / "store").exists()


@given(st.text(max_size=30))
def test_no_key_leaves_the_store(key):
    try:
        checked(key)
    except InputError:
        return
    assert Path("/root", key).resolve().is_relative_to("/root") and Path("/root", key) != Path("/root")


def test_stores_are_found_in_the_environment(monkeypatch, tmp_path):
    for find, name in ((data_store, "M2M_STORE"), (work_store, "M2M_WORK")):
        monkeypatch.delenv(name, raising=False)
        with pytest.raises(InputError, match=f"{name} is not set; set it to a folder or to s3://"):
            find()
        monkeypatch.setenv(name, str(tmp_path / name))
        find().write("a", b"x")
        assert (tmp_path / name / "a").read_bytes() == b"x"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("M2M_WORK", "beside")
    assert work_store().uri == str(tmp_path / "beside")


@pytest.mark.parametrize(
    "uri", ["", " ", "gs://bucket/x", "http://host/bucket", "s3://", "s3:///x", "s3://b ucket/x", "s3://bucket/../x"]
)
def test_addresses_that_are_no_store(uri):
    with pytest.raises(InputError, match=r"is not a store|is not an address on S3|is not a key"):
        open_store(uri)


def test_a_folder_that_cannot_be_written_is_the_machine_s_fault(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InfrastructureError, match=r"cannot write in .*file"):
        open_store(tmp_path / "file").write("a", b"x")
    assert not open_store(tmp_path / "file").exists("a")


def test_what_a_killed_put_leaves_is_not_in_the_store_and_can_be_cleaned(tmp_path):
    store = open_store(tmp_path / "store")
    store.write("a", b"x")
    part = tmp_path / "store/.b.0123.m2m-part"
    part.write_bytes(b"half")
    assert list(store.keys("")) == ["a"]
    assert store.clean(3600) == 0 and part.exists()  # somebody may be writing it
    os.utime(part, (1, 1))
    assert store.clean(3600) == 1 and not part.exists() and store.read("a") == b"x"


def test_parts_that_a_killed_put_leaves_on_s3_can_be_cleaned(s3):
    store = open_store(f"{s3.uri}/p")
    store.write("a", b"x")
    for key in ("p/b", "elsewhere/b"):
        store._client.create_multipart_upload(Bucket=s3.bucket, Key=key)
    assert list(store.keys("")) == ["a"]
    assert store.clean(3600) == 0 and store.clean(-60) == 1 and store.clean(-60) == 0
    assert store.read("a") == b"x"


def test_without_boto3_the_error_says_what_to_install():
    code = (
        "import sys; sys.modules['boto3'] = None\n"
        "from m2m.store import open_store\n"
        "open_store('/tmp'); assert 'botocore' not in sys.modules\n"
        "try: open_store('s3://bucket')\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ})
    assert done.stdout.startswith("InfrastructureError s3://bucket needs boto3") and "m2m[pipelines]" in done.stdout


def test_a_file_in_parts_arrives_whole(s3, tmp_path):
    from m2m.s3 import S3Store

    store = S3Store(s3.uri, part=5 << 20)
    data = os.urandom((11 << 20) + 7)
    (tmp_path / "big").write_bytes(data)
    digest = store.put(tmp_path / "big", "big")
    store.get("big", tmp_path / "back", digest)
    assert digest == sha(data) and (tmp_path / "back").read_bytes() == data
    assert store.size("big") == len(data) and list(store.keys("")) == ["big"]
    parts = store._client.head_object(Bucket=s3.bucket, Key="big")["ETag"]
    assert parts.strip('"').endswith("-3"), "it was not sent in parts"
