"""Model files of others: licences first, downloads that go on, and bytes that must not change."""

import functools
import hashlib
import http.server
import json
import os
import threading
from dataclasses import replace

import pytest

from m2m import weights
from m2m.cli import main
from m2m.errors import InfrastructureError, InputError, UsageError
from m2m.weights import registry
from m2m.weights.fetch import BLOCK

DATA = bytes(range(256)) * (3 * BLOCK // 256) + b"the end"
FREE = registry.Weight("free", "free.bin", "a test", "MIT", True, ("detect/none",), url="set by the fixture")


class Files(http.server.BaseHTTPRequestHandler):
    """Serves DATA as a range server does; `broken` cuts the first answer off, `page` answers with HTML."""

    def do_GET(self):
        server = self.server
        server.asked.append(self.headers.get("Range"))
        if server.page:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(b"<html>confirm</html>")
            return
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1]) if server.ranges else 0
        if start >= len(DATA):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(DATA)}")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(DATA) - start))
        self.end_headers()
        stop = BLOCK + 17 if server.broken and not start else len(DATA)
        self.wfile.write(DATA[start:stop])

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv("M2M_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("no_proxy", "*")
    made = http.server.HTTPServer(("127.0.0.1", 0), Files)
    made.asked, made.broken, made.page, made.ranges = [], False, False, True
    free = replace(FREE, url=f"http://127.0.0.1:{made.server_port}/free.bin", sha256=hashlib.sha256(DATA).hexdigest())
    bound = replace(free, name="bound", file="bound.bin", licence="CC-BY-NC-4.0", commercial=False, sha256="")
    by_hand = replace(bound, name="by-hand", file="hand.bin", url="", how="register there")
    for one in (free, bound, by_hand):
        monkeypatch.setitem(registry.REGISTRY, one.name, one)
    thread = threading.Thread(target=functools.partial(made.serve_forever, 0.01))
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def test_a_file_is_fetched_verified_and_found(server):
    assert weights.act("fetch", ["free"]).startswith("free: ")
    path = weights.find_weight("free")
    assert path.read_bytes() == DATA
    assert [p.name for p in path.parent.iterdir() if p.name != registry.NOTES] == ["free.bin"]
    weights.act("fetch", ["free"])
    assert len(server.asked) == 1  # it is there


def test_a_download_goes_on_where_it_was_cut_off(server):
    server.broken = True
    with pytest.raises(InfrastructureError, match=rf"it goes on from {BLOCK + 17} bytes"):
        weights.act("fetch", ["free"])
    weights.act("fetch", ["free"])
    assert server.asked == [None, f"bytes={BLOCK + 17}-"]
    assert weights.find_weight("free").read_bytes() == DATA


def test_a_server_without_ranges_begins_again(server):
    server.broken = True
    with pytest.raises(InfrastructureError):
        weights.act("fetch", ["free"])
    server.broken, server.ranges = False, False
    weights.act("fetch", ["free"])
    assert weights.find_weight("free").read_bytes() == DATA


def test_a_whole_part_is_taken_as_it_is(server):
    part = weights.folder() / "free.bin.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(DATA)
    weights.act("fetch", ["free"])
    assert weights.find_weight("free").read_bytes() == DATA and not part.exists()


def test_other_bytes_than_published_are_removed(server, monkeypatch):
    monkeypatch.setitem(registry.REGISTRY, "free", replace(registry.REGISTRY["free"], sha256="0123abcd"))
    with pytest.raises(InputError, match="0123abcd"):
        weights.act("fetch", ["free"])
    assert not (weights.folder() / "free.bin").exists()


def test_a_page_for_people_is_no_checkpoint(server):
    server.page = True
    with pytest.raises(InputError, match="page for people"):
        weights.act("fetch", ["free"])
    assert not list(weights.folder().glob("free*"))


def test_a_licence_comes_first(server):
    with pytest.raises(InputError, match=r"CC-BY-NC-4.0.*m2m weights accept bound"):
        weights.act("fetch", ["bound"])
    assert not server.asked
    weights.act("accept", ["bound"])
    weights.act("fetch", ["bound"])
    noted = json.loads((weights.folder() / registry.NOTES).read_text())["bound"]
    assert noted["licence"] == "CC-BY-NC-4.0" and noted["sha256"] == hashlib.sha256(DATA).hexdigest()
    assert weights.find_weight("bound").read_bytes() == DATA


def test_a_file_put_there_by_hand_needs_its_licence_too(server):
    weights.folder().mkdir(parents=True)
    (weights.folder() / "hand.bin").write_bytes(b"mine")
    with pytest.raises(InputError, match="m2m weights accept by-hand"):
        weights.find_weight("by-hand")
    weights.act("accept", ["by-hand"])
    assert weights.find_weight("by-hand").read_bytes() == b"mine"


def test_an_unpublished_file_must_stay_what_it_was(server):
    weights.act("accept", ["bound"])
    path = weights.folder() / "bound.bin"
    path.write_bytes(b"first")
    weights.find_weight("bound")
    path.write_bytes(b"second")
    with pytest.raises(InputError, match="as it was when it was first seen"):
        weights.find_weight("bound")
    weights.act("accept", ["bound"])  # the owner says so
    assert weights.find_weight("bound") == path


def test_a_check_reads_every_byte(server):
    weights.act("fetch", ["free"])
    path = weights.find_weight("free")
    stat = path.stat()
    path.write_bytes(b"x" + DATA[1:])
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    with pytest.raises(InputError, match="sha256"):
        weights.act("check", [])


def test_what_cannot_be_fetched_says_how_it_is_got(server):
    weights.act("accept", ["by-hand"])
    with pytest.raises(InputError, match=r"register there, and put it at .*hand\.bin"):
        weights.act("fetch", ["by-hand"])
    with pytest.raises(InfrastructureError, match="register there"):
        weights.find_weight("by-hand")


def test_a_file_of_ones_own_is_taken_as_it_is(server, tmp_path):
    own = tmp_path / "own.bin"
    with pytest.raises(InputError, match="no checkpoint at"):
        weights.find_weight("bound", str(own))
    own.write_bytes(b"own")
    assert weights.find_weight("bound", str(own)) == own


def test_a_dead_server_is_said(server, monkeypatch):
    gone = replace(registry.REGISTRY["free"], url="http://127.0.0.1:9/free.bin")
    monkeypatch.setitem(registry.REGISTRY, "free", gone)
    with pytest.raises(InfrastructureError, match=r"goes on from 0 bytes; or get the file"):
        weights.act("fetch", ["free"])


def test_nothing_is_downloaded_without_being_asked(server):
    for action in ("fetch", "accept"):
        with pytest.raises(UsageError):
            weights.act(action, [])
    with pytest.raises(InputError, match="there is no checkpoint 'other'"):
        weights.act("fetch", ["other"])
    assert not server.asked


def test_the_list_names_every_checkpoint_its_licence_and_the_way_to_it(server, capsys):
    weights.act("fetch", ["free"])
    assert main(["weights", "list"]) == 0
    told = capsys.readouterr().out
    for name, weight in registry.REGISTRY.items():
        assert f"{name}: " in told and weight.licence in told
    assert "free: there, sha256" in told
    assert "m2m weights accept e2fgvi && m2m weights fetch e2fgvi" in told
    assert "register at https://smpl-x.is.tue.mpg.de" in told


def test_every_entry_of_the_registry_can_be_got_and_is_used():
    for weight in registry._read().values():
        assert weight.url or weight.how, weight.name
        assert weight.used_by and all("/" in backend for backend in weight.used_by)
        assert not weight.url or weight.url.startswith("https://")
    assert len({w.file for w in registry._read().values()}) == len(registry._read())
