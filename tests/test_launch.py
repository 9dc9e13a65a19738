"""Several processes started from Python: one model, one checkout, and errors that arrive as what they are."""

import json
import multiprocessing
import os
import signal
import socket
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.distributed.elastic.multiprocessing.api import SignalException

from m2m import experiment
from m2m import launch as launching
from m2m.errors import InfrastructureError, InputError
from m2m.launch import Machines, launch, machines, processes
from m2m.train.checkpoints import read
from tests.train.toysets import ALIGN, MODEL, PRETRAIN, make_set

PARAMS = replace(PRETRAIN, epochs=2, micro_batch=2)


@pytest.fixture(scope="module")
def toys(tmp_path_factory) -> Path:
    return make_set(tmp_path_factory.mktemp("toys") / "set")


@pytest.fixture(autouse=True)
def quiet(monkeypatch, tmp_path):
    monkeypatch.setenv("M2M_TRACKING", "off")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("M2M_WORK", str(tmp_path / "work"))


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return read(folder / "checkpoint.pt")["model"]


def alike(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> None:
    for name, value in one.items():
        if not name.endswith("qkv.bias"):  # a key's bias moves by rounding alone
            torch.testing.assert_close(value, two[name], rtol=1e-3, atol=1e-5)


@pytest.fixture
def alone(toys, tmp_path) -> Path:
    """What one process makes of it."""
    out = tmp_path / "alone"
    assert launch("pretrain_set", toys, out, PARAMS, MODEL, count=1, seed=3).figures["environment"]["processes"] == 1
    return out


def test_two_processes_train_the_model_of_one(toys, alone, tmp_path, monkeypatch):
    monkeypatch.setenv("M2M_WORK", str(tmp_path / "other"))
    two = launch("pretrain_set", toys, tmp_path / "two", PARAMS, MODEL, count=2, seed=3)
    assert two.figures["environment"]["processes"] == 2
    one = json.loads((alone / "metrics.json").read_text())
    assert two.metrics["loss"] == pytest.approx(one["history"][-1]["loss"], rel=1e-3)
    assert two.about["fingerprint"] == one["fingerprint"]
    alike(weights(alone), weights(tmp_path / "two"))


def test_an_error_of_a_process_is_the_users_error(toys, tmp_path):
    with pytest.raises(InputError, match="is not a checkpoint"):
        (tmp_path / "checkpoint.pt").write_bytes(b"nothing")
        (tmp_path / "metrics.json").write_text('{"fingerprint": "f", "stage": "pretrain"}')
        launch("align_set", toys, tmp_path, tmp_path / "out", ALIGN, MODEL, count=2)


def test_a_process_that_dies_is_named(toys, tmp_path, monkeypatch):
    """And nothing is left in the folder of temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(InfrastructureError, match=r"process \d of the training ended with 1"):
        launch("pretrain_set", toys, tmp_path / "out", "no parameters", MODEL, count=2, seed=1)
    assert not list(tmp_path.glob("m2m-*"))


def test_sigterm_to_the_launcher_has_its_usual_effect():
    """The program's own handler deals with it, now and afterwards."""
    came = []

    def note(number, _):
        came.append(number)

    before = signal.signal(signal.SIGTERM, note)
    try:
        with pytest.raises(KeyboardInterrupt), launching._signals_handed_on():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # as torch's launcher takes it for itself
            raise SignalException("stopped", signal.SIGTERM)
        assert came == [signal.SIGTERM] and signal.getsignal(signal.SIGTERM) is note
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_process_that_was_told_to_stop_ends_as_one(tmp_path, monkeypatch):
    """With a result of None the launcher would take it for done and wait for the others for ever."""

    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(experiment, "pretrain_set", stopped)
    with pytest.raises(SystemExit) as ended:
        launching._take_part(tmp_path, ("pretrain_set",), {})
    assert ended.value.code == 143


def test_both_data_sets_are_fetched_once(tmp_path, monkeypatch):
    fetched = []

    @contextmanager
    def fetch(dataset):
        fetched.append(dataset)
        yield tmp_path / dataset

    monkeypatch.setattr(launching, "checkout", fetch)
    monkeypatch.setattr(launching, "_spread", lambda among, count, notes, args, named: (args, named))
    args, named = launch("align_set", "one", "model", count=2, also="other")
    assert fetched == ["one", "other"]
    assert args == ("align_set", tmp_path / "one", "model")
    assert named == {"also": tmp_path / "other", "address": "one"}


def machine(rank: int, port: str, toys: Path, disk: Path) -> None:
    """What one of two machines does, as Kubeflow's Trainer starts it."""
    given = {"PET_NNODES": "2", "PET_MASTER_ADDR": "127.0.0.1", "PET_MASTER_PORT": port, "PET_NODE_RANK": str(rank)}
    os.environ.update(given)
    trained = launch("pretrain_set", toys, disk, PARAMS, MODEL, count=1, seed=3)
    assert trained.figures["environment"]["processes"] == 2


def test_two_machines_with_disks_of_their_own_train_one_model(toys, alone, tmp_path):
    """Only the first writes results."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    spawn = multiprocessing.get_context("spawn")
    both = [spawn.Process(target=machine, args=(n, port, toys, tmp_path / f"disk{n}")) for n in (1, 0)]
    for one in both:
        one.start()
    for one in both:
        one.join(300)
    assert [one.exitcode for one in both] == [0, 0]
    assert not (tmp_path / "disk1" / "checkpoint.pt").exists()
    alike(weights(alone), weights(tmp_path / "disk0"))


@pytest.mark.parametrize(
    "environment",
    [
        {"PET_NNODES": "two"},
        {"PET_NNODES": "2", "PET_NODE_RANK": "0"},
        {"PET_NNODES": "2", "PET_NODE_RANK": "2", "PET_MASTER_ADDR": "first"},
    ],
)
def test_machines_that_cannot_be_are_said(environment):
    with pytest.raises(InputError):
        machines(environment)


def test_machines_are_what_trainer_says():
    assert machines({}) == Machines()
    environment = {"PET_NNODES": "3", "PET_NODE_RANK": "2", "PET_MASTER_ADDR": "first", "PET_MASTER_PORT": "99"}
    assert machines(environment) == Machines(3, 2, "first:99")


@pytest.mark.parametrize("wrong", ["0", "-1", "many", "", "²"])
def test_processes_are_a_number_or_one_on_each_gpu(wrong):
    assert processes("3") == 3 and processes("gpu") == max(1, torch.cuda.device_count())
    with pytest.raises(InputError, match="processes"):
        processes(wrong)


def test_what_processes_leave_for_the_launcher_only_their_user_may_write(monkeypatch, tmp_path):
    """It is unpickled: whoever could write there could run code."""
    folders = []
    monkeypatch.setattr(launching, "_spread", lambda among, count, notes, *_: folders.append((notes, notes.stat())))
    before = os.umask(0)
    try:
        for _ in range(2):
            launch("pretrain_set", tmp_path, tmp_path / "out", count=2)
    finally:
        os.umask(before)
    (one, about), (other, _) = folders
    assert about.st_mode & 0o777 == 0o700 and about.st_uid == os.getuid()
    assert one != other and not one.exists()
