"""An object store that refuses, is busy, is cut off or is not there: retried where that helps, told where not."""

import hashlib
import os
import socket

import pytest

from m2m.errors import Exit, InfrastructureError, InputError
from m2m.s3 import S3Store
from m2m.store import MissingError, open_store
from tests.faulty_proxy import FaultyProxy, First

PART = 5 << 20
BIG = os.urandom(2 * PART + 1000)


@pytest.fixture
def proxy(s3, monkeypatch):
    """A proxy before the server; boto3 goes through it."""
    between = FaultyProxy(s3.endpoint)
    monkeypatch.setenv("AWS_ENDPOINT_URL", between.url)
    yield between
    between.close()


@pytest.fixture
def big(tmp_path):
    path = tmp_path / "big"
    path.write_bytes(BIG)
    return path


def operations(store, tmp_path):
    """All that a store can do, by name; each meets the server."""
    (tmp_path / "small").write_bytes(b"x")
    return {
        "put": lambda: store.put(tmp_path / "small", "a"),
        "get": lambda: store.get("a", tmp_path / "got", "0" * 64),
        "write": lambda: store.write("a", b"x"),
        "read": lambda: store.read("a"),
        "exists": lambda: store.exists("a"),
        "size": lambda: store.size("a"),
        "keys": lambda: list(store.keys("a")),
        "delete": lambda: store.delete("a"),
    }


def test_a_wrong_secret_is_an_input_error_everywhere(s3, tmp_path, monkeypatch):
    open_store(s3.uri).write("a", b"x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    for name, call in operations(open_store(s3.uri), tmp_path).items():
        with pytest.raises(InputError, match=r"is refused: .* 403 .*check AWS_ACCESS_KEY_ID") as caught:
            call()
        assert caught.value.code == Exit.BAD_INPUT and not isinstance(caught.value, MissingError), name
    assert not (tmp_path / "got").exists()


def test_an_unknown_user_and_no_user_are_input_errors(s3, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    with pytest.raises(InputError, match=r"is refused: .* 403 .*(InvalidAccessKeyId|SignatureDoesNotMatch)"):
        open_store(s3.uri).read("a")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    for call in operations(open_store(s3.uri), tmp_path).values():
        with pytest.raises(InputError, match=r"no credentials for s3://.*set AWS_ACCESS_KEY_ID"):
            call()
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(InputError, match="no credentials"):
        open_store(s3.uri).read("a")


def test_a_missing_bucket_is_told_apart_from_a_missing_key(s3, tmp_path):
    for name, call in operations(open_store("s3://no-such-bucket/x"), tmp_path).items():
        with pytest.raises(InputError, match=f"no bucket no-such-bucket at {s3.endpoint}; make it") as caught:
            call()
        assert not isinstance(caught.value, MissingError), name
    assert not open_store(s3.uri).exists("a")


def test_an_endpoint_that_is_down_is_the_machine_s_fault(s3, tmp_path, monkeypatch):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{unused.getsockname()[1]}")
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        for name, call in operations(open_store(s3.uri), tmp_path).items():
            with pytest.raises(InfrastructureError, match=r"Could not connect .*check AWS_ENDPOINT_URL") as caught:
                call()
            assert caught.value.code == Exit.INFRASTRUCTURE, name


@pytest.mark.parametrize("address", ["localhost:9000", "http://", "ftp://host"])
def test_an_endpoint_that_is_no_address(s3, monkeypatch, address):
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises((InputError, InfrastructureError), match="AWS_ENDPOINT_URL"):
        open_store(s3.uri).read("a")


@pytest.mark.parametrize("method", ["PUT", "GET", "HEAD"])
def test_a_busy_server_is_asked_again(s3, proxy, tmp_path, method):
    store = open_store(s3.uri)
    store.write("a", b"hello")
    proxy.fault = First("busy", 2, method)
    (tmp_path / "b").write_bytes(b"again")
    if method == "PUT":
        store.put(tmp_path / "b", "b")
        assert store.read("b") == b"again"
    elif method == "GET":
        assert store.read("a") == b"hello"
    else:
        assert store.exists("a")
    assert [fault for m, _, fault in proxy.seen if m == method and fault] == ["busy", "busy"]


def test_a_server_that_stays_busy_is_the_machine_s_fault(s3, proxy, tmp_path, monkeypatch):
    store = open_store(s3.uri)
    store.write("a", b"hello")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    proxy.fault = lambda *_: "busy"
    for name, call in operations(open_store(s3.uri), tmp_path).items():
        proxy.seen.clear()
        with pytest.raises(InfrastructureError, match=r"answers 503 .*run again when the server has recovered"):
            call()
        assert len(proxy.seen) == 2, name
    proxy.fault = lambda *_: ""
    assert store.read("a") == b"hello" and list(store.keys("")) == ["a"]


def test_a_download_that_is_cut_goes_on(s3, proxy, big, tmp_path):
    store = S3Store(s3.uri, part=PART)
    digest = store.put(big, "big")
    proxy.fault = First("cut answer", 2, "GET")
    store.get("big", tmp_path / "back", digest)
    assert (tmp_path / "back").read_bytes() == BIG
    assert sum(fault == "cut answer" for *_, fault in proxy.seen) == 2
    proxy.fault = First("cut answer", 2, "GET")
    assert store.read("big") == BIG


def test_a_download_that_is_always_cut_leaves_no_file(s3, proxy, tmp_path):
    store = open_store(s3.uri)
    store.write("a", b"hello" * 1000)
    proxy.fault = lambda method, *_: "cut answer" if method == "GET" else ""
    with pytest.raises(InfrastructureError, match="check AWS_ENDPOINT_URL and the network"):
        store.get("a", tmp_path / "back/a", hashlib.sha256(b"hello" * 1000).hexdigest())
    assert not list((tmp_path / "back").iterdir())


def test_an_upload_that_is_cut_is_sent_again(s3, proxy, big, tmp_path):
    store = S3Store(s3.uri, part=PART)
    proxy.fault = First("cut request", 2, "PUT", at_least=PART)
    digest = store.put(big, "big")
    assert sum(fault == "cut request" for *_, fault in proxy.seen) == 2
    store.get("big", tmp_path / "back", digest)
    assert (tmp_path / "back").read_bytes() == BIG


def test_an_upload_that_is_always_cut_leaves_the_old_value(s3, proxy, big, monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    store = S3Store(s3.uri, part=PART)
    store.write("big", b"old")
    proxy.fault = lambda method, _, length: "cut request" if method == "PUT" and length > 1000 else ""
    with pytest.raises(InfrastructureError, match="check AWS_ENDPOINT_URL and the network"):
        store.put(big, "big")
    proxy.fault = lambda *_: ""
    assert store.read("big") == b"old" and list(store.keys("")) == ["big"]
    assert "Uploads" not in store._client.list_multipart_uploads(Bucket=s3.bucket), "parts were left behind"


def test_bytes_that_change_on_the_way_up_are_refused_by_the_server(s3, tmp_path, monkeypatch):
    """The signature covers the body: what arrives is what was sent, without any checksum of S3's own."""
    store = open_store(s3.uri)
    store.write("a", b"hello")
    proxy = FaultyProxy(s3.endpoint)
    proxy.spoil = True
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    (tmp_path / "b").write_bytes(b"world")
    try:
        with pytest.raises(InfrastructureError, match=r"XAmzContentSHA256Mismatch|BadDigest"):
            open_store(s3.uri).put(tmp_path / "b", "a")
    finally:
        proxy.close()
    assert store.read("a") == b"hello"
