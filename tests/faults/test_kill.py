"""Runs that are killed, interrupted or out of disk leave nothing half-written, and the next run completes them."""

import os
import random
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from m2m.errors import InfrastructureError, InputError
from m2m.files import write_atomic
from m2m.records import load
from m2m.video import VideoParams, Writer
from m2m.work import locked, run
from tests import toys
from tests.toys import content, factory, items

PAYLOADS = [f"a:{i}" for i in range(8)]


def start(out: Path, log: Path, payloads: list[str], workers: int = 2, step: float = 0.02) -> subprocess.Popen:
    command = [sys.executable, toys.__file__, str(out), str(log), str(workers), str(step), *payloads]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)


def wait_until(condition, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def starts(log: Path) -> list[str]:
    """Payloads in the order in which work on them began."""
    return [line.split()[0] for line in log.read_text().splitlines()] if log.exists() else []


def worker_pids(log: Path) -> set[int]:
    return {int(line.split()[1]) for line in log.read_text().splitlines()} if log.exists() else set()


def parts(out: Path) -> list[Path]:
    return list(out.rglob(".*.m2m-part"))


def results(out: Path) -> dict[str, bytes]:
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}


def test_kill_9_at_random_moments_then_a_rerun_gives_the_same_bytes(tmp_path):
    run(factory(tmp_path / "calm", tmp_path / "calm.log"), items(PAYLOADS), out=tmp_path / "calm")
    out, log = tmp_path / "out", tmp_path / "log"
    rng = random.Random(0)
    finished_before: set[str] = set()
    for _ in range(5):
        begun = len(starts(log))
        process = start(out, log, PAYLOADS)
        more = begun + rng.randint(1, 3)
        wait_until(lambda n=more, p=process: p.poll() is not None or len(starts(log)) >= n)
        time.sleep(rng.uniform(0, 0.15))
        process.kill()
        process.wait()
        wait_until(lambda: not any(alive(p) for p in worker_pids(log)), 10)  # no orphan goes on writing
        assert not finished_before & set(starts(log)[begun:]), "a finished item was done again"
        for path in (out / "videos").glob("*"):  # whatever has its name is whole
            if path.suffix == ".bin":
                assert path.read_bytes() == content(path.stem.replace("_", ":"))
        finished_before = {r.name.replace("_", ":") for r in load(out / ".m2m")}
    run(factory(out, log), items(PAYLOADS), out=out, workers=2)
    assert results(out) == results(tmp_path / "calm")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_stop_at_once_and_leave_nothing_half_written(tmp_path, number):
    out, log = tmp_path / "out", tmp_path / "log"
    process = start(out, log, ["a:1", "hang:2", "a:3"], workers=1)
    wait_until(lambda: parts(out) and "hang" in log.read_text())
    began = time.monotonic()
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does: to all processes
    else:
        process.send_signal(number)
    assert process.wait(20) != 0
    assert time.monotonic() - began < 20, "the task sleeps for 60 s"
    assert not parts(out) and [p.name for p in (out / "videos").iterdir()] == ["a_1.bin"]
    assert not any(alive(p) for p in worker_pids(log))
    run(factory(out, log), items(["a:1", "a:3"]), out=out)
    assert starts(log) == ["a:1", "hang:2", "a:3"]


def test_a_run_in_another_process_holds_the_lock_until_it_is_killed(tmp_path):
    out, log = tmp_path / "out", tmp_path / "log"
    process = start(out, log, ["hang:1"], workers=1)
    wait_until(lambda: parts(out))
    with pytest.raises(InputError, match="another run is working in"):
        run(factory(out, log), items(["a:1"]), out=out)
    assert parts(out), "the other run's files were touched"
    (worker,) = worker_pids(log)
    process.kill()
    process.wait()
    wait_until(lambda: not alive(worker), 10)  # it would have slept for 60 s
    with locked(out):
        pass


def test_a_full_disk_stops_the_run_says_where_and_leaves_nothing_half_written(small_disk, tmp_path):
    payloads = [f"a:{i}" for i in range(100)]  # 16 kB each, and records
    with pytest.raises(InfrastructureError, match=r"No space left on device \(0\.\d MiB free\)") as caught:
        run(factory(small_disk, tmp_path / "log"), items(payloads), out=small_disk, progress=False)
    assert caught.value.code == 5 and str(small_disk) in caught.value.what
    assert not parts(small_disk)
    done = sorted((small_disk / "videos").iterdir())
    assert 5 < len(done) < 100
    for path in done:
        assert path.read_bytes() == content(path.stem.replace("_", ":"))
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    recorded = len(load(small_disk / ".m2m"))
    (tmp_path / "log").write_text("")
    run(factory(small_disk, tmp_path / "log"), items(payloads), out=small_disk, progress=False)
    assert len(starts(tmp_path / "log")) == 100 - recorded


@pytest.mark.parametrize("lossless", [False, True])
def test_a_video_on_a_full_disk(small_disk, lossless):
    rng = np.random.default_rng(0)
    with (
        pytest.raises(InfrastructureError, match="No space left on device") as caught,
        Writer(small_disk / "a", (128, 128), Fraction(30), VideoParams(crf=0), lossless=lossless) as writer,
    ):
        for _ in range(100):
            writer.write(rng.integers(0, 256, (128, 128, 3)).astype(np.uint8))
    assert str(small_disk) in caught.value.what
    assert not list(small_disk.iterdir())


def test_a_read_only_disk(small_disk, tmp_path):
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(InputError, match=r"cannot write in .*Read-only file system"):
        run(factory(small_disk / "out", tmp_path / "log"), items(["a:1"]), out=small_disk / "out")
    with pytest.raises(InfrastructureError, match="Read-only file system"):
        write_atomic(small_disk / "a.json", b"x")
    with pytest.raises(InfrastructureError, match="Read-only file system"):
        Writer(small_disk / "a.mp4", (64, 64), Fraction(30))
