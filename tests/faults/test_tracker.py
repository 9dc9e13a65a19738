"""A tracker that is dead, hangs or dies in the middle costs a run nothing, and gets everything later."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from m2m import spool, tracking
from m2m.sender import replay
from m2m.tracker import Tracker
from m2m.tracking import open_run
from tests.trackers import database, history, runs

F = "ab" * 32


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in ("MLFLOW_RUN_ID", "M2M_PARENT_RUN", "M2M_PIPELINE_RUN", "M2M_WORK", "M2M_TRACKING", "RANK"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def port():
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.05)


@pytest.mark.slow
def test_a_tracker_that_is_not_there_costs_nothing_and_the_next_run_tells_it(tmp_path, port, capsys):
    folder = tmp_path / "s"
    with open_run("pretrain", "x", F, spool=folder, uri=f"http://127.0.0.1:{port}") as run:
        for step in range(5):
            run.metrics({"loss": float(step)}, step)
    assert run.id == "" and "the next run sends what is kept in" in capsys.readouterr().err
    assert len(spool.pending(folder)) == 1
    uri = database(tmp_path)
    with open_run("align", "y", F, spool=folder, uri=uri) as run:
        wait_until(lambda: len(spool.pending(folder)) == 1)  # the one that waited has arrived while this one goes on
    before, after = sorted(runs(uri), key=lambda r: r.info.run_name)
    assert before.info.status == "FINISHED" and after.info.run_id == run.id
    assert history(uri, before.info.run_id, "loss") == [(i, float(i)) for i in range(5)]
    assert not spool.pending(folder)


@pytest.mark.slow
def test_a_tracker_that_hangs_is_given_up_when_the_run_has_ended(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tracking, "HTTP", {**tracking.HTTP, "MLFLOW_HTTP_REQUEST_TIMEOUT": "1"})
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()  # it takes connections and never answers
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with open_run("pretrain", "x", F, spool=tmp_path / "s", uri=uri) as run:
            run.metrics({"loss": 1.0}, 0)
    assert "not tracked yet" in capsys.readouterr().err
    (path,) = spool.pending(tmp_path / "s")
    assert [e["event"] for e, _ in spool.read(path)] == ["open", "params", "artifact", "metrics", "close"]


def test_what_a_killed_run_logged_last_is_sent_after_it(tmp_path):
    uri, folder = database(tmp_path), tmp_path / "s"
    code = f"""
        import os, signal
        from pathlib import Path
        from m2m.tracking import open_run
        with open_run("pretrain", "x", {F!r}, spool=Path({str(folder)!r}), uri={uri!r}) as run:
            for step in range(5):
                run.metrics({{"loss": float(step)}}, step)
            os.kill(os.getpid(), signal.SIGKILL)
    """
    died = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False)
    assert died.returncode == -signal.SIGKILL
    wait_until(lambda: not spool.pending(folder))
    (found,) = runs(uri)
    assert found.info.status == "RUNNING"  # nobody said how it ended; a retry goes on with it
    assert history(uri, found.info.run_id, "loss") == [(i, float(i)) for i in range(5)]


def server(uri: str, port: int, log: Path) -> subprocess.Popen:
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri, "--port", str(port)]
    command += ["--workers", "1", "--artifacts-destination", str(log.parent / "artifacts")]
    with log.open("ab") as out:
        quick = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        return subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True, env=quick)


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1) as reply:
            return reply.status == 200
    except (urllib.error.URLError, OSError):
        return False


@pytest.mark.slow
def test_a_server_killed_in_mid_run_gets_every_step_once_after_it_is_back(tmp_path, port):
    backend, address = database(tmp_path), f"http://127.0.0.1:{port}"
    folder, log = tmp_path / "s", tmp_path / "server.log"
    first = server(backend, port, log)
    try:
        wait_until(lambda: answers(port), 120)
        with open_run("pretrain", "x", F, spool=folder, uri=address) as run:
            for step in range(10):
                run.metrics({"loss": float(step)}, step)
            wait_until(lambda: runs(backend) and len(history(backend, runs(backend)[0].info.run_id, "loss")) == 10)
            os.killpg(first.pid, signal.SIGKILL)
            first.wait()
            for step in range(10, 20):
                run.metrics({"loss": float(step)}, step)
        assert run.id == runs(backend)[0].info.run_id and len(spool.pending(folder)) == 1
    finally:
        if first.poll() is None:
            os.killpg(first.pid, signal.SIGKILL)
    second = server(backend, port, log)
    try:
        wait_until(lambda: answers(port), 120)
        assert replay(folder, Tracker(address)).arrived == 1
        assert not spool.pending(folder)
    finally:
        os.killpg(second.pid, signal.SIGKILL)
        second.wait()
    (found,) = runs(backend)
    assert found.info.status == "FINISHED"
    assert history(backend, run.id, "loss") == [(i, float(i)) for i in range(20)]
