"""The page is served to this machine alone, to who knows its address, and every answer is on the disk at once."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading

import pytest

from m2m.audit.review.answers import read_answers
from m2m.audit.review.serve import HEADERS, MOST, Server
from tests.audit.audited import audited, reviewed


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = audited(tmp_path_factory.mktemp("served") / "set")
    done = reviewed(folder, sample=2, plants=1)
    with Server(folder, done.key, done.page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(server, path=None, method="GET", body=None, **headers):
    """Status and text of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    path = f"/{server.token}/" if path is None else path
    headers = {name.replace("_", "-"): value for name, value in headers.items() if value is not None}
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, text, response


def post(server, values, path=None, **headers):
    body = values if isinstance(values, bytes) else json.dumps(values).encode()
    path = f"/{server.token}/answer" if path is None else path
    return ask(server, path, "POST", body, **{"Content_Type": "application/json", **headers})[:2]


def answer(server, **over):
    return {"reviewer": "R. Ott", "item": server.key.items[0].item, "verdict": "nothing", **over}


def test_the_page_comes_with_its_token_and_is_not_kept(server):
    status, text, response = ask(server)
    assert status == 200 and text == server.page.decode()
    assert response.headers["Cache-Control"] == "no-store" and response.headers["Referrer-Policy"] == "no-referrer"
    assert ask(server, Host=f"localhost:{server.server_port}")[0] == 200
    assert server.server_address[0] == "127.0.0.1"


def test_every_answer_says_what_a_browser_may_do_with_it(server):
    own = re.search(r'Content-Security-Policy" content="([^"]+)"', server.page.decode())[1]
    assert "'unsafe-inline'" not in own.replace("style-src 'unsafe-inline'", "") and "script-src 'sha256-" in own
    for path, policy in ((None, own), (f"/{server.token}/answers", "default-src 'none'"), ("/", "default-src 'none'")):
        headers = ask(server, path)[2].headers
        assert headers["Content-Security-Policy"] == f"{policy}; frame-ancestors 'none'"
        for name, value in HEADERS.items():
            assert headers[name] == value
        assert "Access-Control-Allow-Origin" not in headers and "Set-Cookie" not in headers


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "X" * 100])
def test_no_other_method_does_anything(server, method):
    status, text, response = ask(server, method=method)
    assert status == 501 and server.token not in text + str(response.headers)


@pytest.mark.parametrize(
    "path", ["../", "..%2f", "%2e%2e/", "review.json", ".m2m/", "//etc/passwd", "?a=1", "answers/"]
)
def test_no_path_leads_to_a_file(server, path):
    assert ask(server, f"/{server.token}/{path}")[0] == 404


@pytest.mark.parametrize("path", ["/", "/answers", "/wrong/", "//", "/%00/"])
def test_without_the_token_nothing_comes(server, path):
    status, text, _ = ask(server, path)
    assert status == 403 and "<html" not in text
    assert ask(server, f"/{server.token}")[0] == 403


def test_another_host_or_origin_is_refused(server):
    for headers in (
        {"Host": "evil.example"},
        {"Host": f"evil.example:{server.server_port}"},
        {"Host": "127.0.0.1"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
    ):
        assert ask(server, **headers)[0] == 403
        assert post(server, answer(server), **headers)[0] == 403
    assert post(server, answer(server), path="/wrong/answer")[0] == 403
    assert not read_answers(server.key, server.dataset)


def test_an_answer_is_on_the_disk_when_it_is_acknowledged(server):
    origin = f"http://127.0.0.1:{server.server_port}"
    for verdict in ("nothing", "somebody"):
        assert post(server, answer(server, verdict=verdict, seen=["face"]), Origin=origin) == (200, "recorded")
        assert read_answers(server.key, server.dataset)[-1].verdict == verdict
    assert (server.dataset / "review.json").is_file()
    said = json.loads(ask(server, f"/{server.token}/answers")[1])
    assert [a["verdict"] for a in said][-2:] == ["nothing", "somebody"]
    assert "1 review(s)" in server.said()


def test_what_is_no_answer_is_refused(server):
    before = read_answers(server.key, server.dataset)
    assert post(server, b"x" * (MOST + 1))[0] == 413
    assert post(server, b"[1")[0] == 400
    assert post(server, [1])[0] == 400
    assert post(server, b"[" * 50000)[0] == 400
    assert post(server, answer(server), Content_Type="text/plain")[0] == 415
    assert post(server, answer(server), Transfer_Encoding="chunked")[0] == 411
    assert post(server, answer(server, item="nope"))[0] == 400
    assert post(server, answer(server, reviewer=" "))[0] == 400
    assert post(server, answer(server, verdict={}))[0] == 400
    assert post(server, answer(server), path=f"/{server.token}/other")[0] == 404
    assert ask(server, f"/{server.token}/other")[0] == 404
    assert ask(server, method="PUT")[0] == 501
    assert read_answers(server.key, server.dataset) == before


def test_ctrl_c_ends_it_cleanly(server):
    command = [
        sys.executable,
        "-m",
        "m2m",
        "audit",
        "review",
        str(server.dataset),
        "--sample",
        "2",
        "--plants",
        "1",
        "--serve",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    lines = [process.stdout.readline(), process.stdout.readline()]
    assert "drawn by chance" in lines[0] and "http://127.0.0.1:" in lines[1]
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0 and "recorded" in out and not err
