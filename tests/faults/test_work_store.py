"""Machines that are lost with their disk: the work store holds all they had finished."""

import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time

import pytest

from m2m import records
from m2m.errors import Exit, InfrastructureError
from m2m.store import open_store
from m2m.work import run
from tests import toys
from tests.faults.test_kill import PAYLOADS, alive, results, starts, wait_until, worker_pids
from tests.faulty_proxy import FaultyProxy
from tests.toys import content, factory, items


def recorded(store) -> set[str]:
    """Payloads whose records are in the store."""
    names = {json.loads(store.read(key))["name"] for key in store.keys("records/")}
    return {p for p in PAYLOADS if p.replace(":", "_") in names}


@pytest.mark.parametrize(("kind", "kills"), [("folder", 3), ("s3", 1)])
def test_kill_9_and_the_loss_of_the_disk_cost_only_what_was_in_hand(tmp_path, kind, kills, request):
    store = open_store(tmp_path / "store" if kind == "folder" else request.getfixturevalue("s3").uri)
    run(factory(tmp_path / "calm", tmp_path / "calm.log"), items(PAYLOADS), out=tmp_path / "calm")
    out, log = tmp_path / "out", tmp_path / "log"
    rng = random.Random(1)
    for _ in range(kills):
        begun, before = len(starts(log)), recorded(store)
        command = [sys.executable, toys.__file__, str(out), str(log), "2", "0.02", *PAYLOADS]
        environment = {**os.environ, "TOYS_STORE": store.uri}
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True, env=environment)
        wait_until(lambda n=begun + 3, p=process: p.poll() is not None or len(starts(log)) >= n)
        time.sleep(rng.uniform(0, 0.1))
        process.kill()
        process.wait()
        wait_until(lambda: not any(alive(p) for p in worker_pids(log)), 10)
        assert not before & set(starts(log)[begun:]), "a finished item was done again"
        assert len(recorded(store)) >= min(len(PAYLOADS), len(before) + len(starts(log)[begun:]) - 4), (
            "too much is lost"
        )
        shutil.rmtree(out)
    run(factory(out, log), items(PAYLOADS), out=out, workers=2, store=store)
    assert results(out) == results(tmp_path / "calm") and recorded(store) == set(PAYLOADS)
    assert len(starts(log)) <= len(PAYLOADS) + kills * 4


class Watched:
    """A store in a folder that notes which processes write records, and lets nobody read before so many want to."""

    def __init__(self, folder, log, at_once=1):
        self.uri, self._store, self._log, self._at_once = str(folder), open_store(folder), log, at_once
        self._barrier = threading.Barrier(at_once)

    def __reduce__(self):
        return Watched, (self.uri, self._log, self._at_once)

    def __getattr__(self, name):
        return getattr(self._store, name)

    def write(self, key, data):
        with self._log.open("a") as log:
            log.write(f"{os.getpid()}\n")
        self._store.write(key, data)

    def read(self, key):
        self._barrier.wait(20)
        return self._store.read(key)


def test_a_store_that_answers_slowly_does_not_hold_up_the_run_itself(tmp_path):
    store = Watched(tmp_path / "store", tmp_path / "pids")
    run(factory(tmp_path / "out", tmp_path / "log"), items(PAYLOADS), out=tmp_path / "out", workers=2, store=store)
    pids = set(map(int, (tmp_path / "pids").read_text().split()))
    assert pids == worker_pids(tmp_path / "log"), "every worker writes its records, and the run writes none"
    many = items([f"a:{i}" for i in range(32)])
    store = Watched(tmp_path / "store", tmp_path / "pids", at_once=32)
    found = records.join(many, {}, tmp_path / "new", tmp_path / "new/.m2m", store, materialise=True)
    assert len(found) == len(PAYLOADS)


def test_a_server_that_goes_down_in_the_middle_stops_the_run_and_the_next_goes_on(s3, tmp_path, monkeypatch):
    proxy = FaultyProxy(s3.endpoint)
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    blobs = 0

    def busy_after_three(method, path, _):
        nonlocal blobs
        blobs += method == "PUT" and "/blobs/" in path
        return "busy" if blobs > 3 else ""

    proxy.fault = busy_after_three
    out, log = tmp_path / "out", tmp_path / "log"
    try:
        with pytest.raises(InfrastructureError, match="answers 503") as caught:
            run(factory(out, log), items(PAYLOADS), out=out, store=open_store(s3.uri))
        assert caught.value.code == Exit.INFRASTRUCTURE
        proxy.fault = lambda *_: ""
        shutil.rmtree(out)
        log.unlink()
        run(factory(out, log), items(PAYLOADS), out=out, store=open_store(s3.uri))
    finally:
        proxy.close()
    assert starts(log) == PAYLOADS[3:]
    assert all((out / f"videos/a_{i}.bin").read_bytes() == content(f"a:{i}") for i in range(8))


class Storm:
    """Faults of requests by chance, so many of a hundred."""

    def __init__(self, seed: int, share: float) -> None:
        self._random, self._share = random.Random(seed), share

    def __call__(self, method, _path, length):
        if self._random.random() >= self._share:
            return ""
        cut = ["cut request"] * bool(length) + ["cut answer"] * (method != "HEAD")  # where there is a body
        return self._random.choice(["busy", *cut])


@pytest.mark.parametrize("seed", range(int(os.environ.get("M2M_STORMS", "2"))))
def test_a_store_that_fails_by_chance_loses_nothing(s3, tmp_path, monkeypatch, seed):
    proxy = FaultyProxy(s3.endpoint)
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "3")
    out, log = tmp_path / "out", tmp_path / "log"
    proxy.fault = Storm(seed, 0.4 + 0.1 * (seed % 3))
    stopped = 0
    try:
        for _ in range(60):
            try:
                run(factory(out, log), items(PAYLOADS), out=out, workers=2, store=open_store(s3.uri), progress=False)
                break
            except InfrastructureError as error:
                stopped += 1
                assert error.code == Exit.INFRASTRUCTURE and not list(out.rglob(".*.m2m-part"))
        else:
            pytest.fail(f"stopped {stopped} times, and never done")
        proxy.fault = lambda *_: ""
        met = [fault for _, _, fault in proxy.seen if fault]
        print(f"storm {seed}: {len(met)} faults in {len(proxy.seen)} requests, stopped {stopped} times")
        shutil.rmtree(out)
        log.unlink()
        run(factory(out, log), items(PAYLOADS), out=out, store=open_store(s3.uri), progress=False)
    finally:
        proxy.close()
    assert not log.exists(), "something had not reached the store"
    assert all((out / f"videos/a_{i}.bin").read_bytes() == content(f"a:{i}") for i in range(len(PAYLOADS)))
    assert len(met) >= 3, "which requests come, and in what order, is not the same every time"
