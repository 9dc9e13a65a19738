"""Several processes started from Python: one model, one checkout, and errors that arrive as what they are."""

import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from m2m.errors import InfrastructureError, InputError
from m2m.launch import Machines, launch, machines, processes
from m2m.params import to_dict
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


def test_two_processes_train_the_model_of_one(toys, tmp_path, monkeypatch):
    one = launch("pretrain_set", toys, tmp_path / "one", PARAMS, MODEL, count=1, seed=3)
    monkeypatch.setenv("M2M_WORK", str(tmp_path / "other"))
    two = launch("pretrain_set", toys, tmp_path / "two", PARAMS, MODEL, count=2, seed=3)
    assert one.figures["environment"]["processes"] == 1 and two.figures["environment"]["processes"] == 2
    assert two.metrics["loss"] == pytest.approx(one.metrics["loss"], rel=1e-3)
    assert two.about["fingerprint"] == one.about["fingerprint"]
    alike(weights(tmp_path / "one"), weights(tmp_path / "two"))


def test_an_error_of_a_process_is_the_users_error(toys, tmp_path):
    with pytest.raises(InputError, match="is not a checkpoint"):
        (tmp_path / "checkpoint.pt").write_bytes(b"nothing")
        (tmp_path / "metrics.json").write_text('{"fingerprint": "f", "stage": "pretrain"}')
        launch("align_set", toys, tmp_path, tmp_path / "out", ALIGN, MODEL, count=2)


def test_a_process_that_dies_is_named(toys, tmp_path):
    with pytest.raises(InfrastructureError, match="process . of the training ended with 1"):
        launch("pretrain_set", toys, tmp_path / "out", "no parameters", MODEL, count=2, seed=1)


def test_two_machines_with_disks_of_their_own_train_one_model(toys, tmp_path, monkeypatch):
    """As Kubeflow's Trainer starts them; only the first writes results, and both read the same data set."""
    launch("pretrain_set", toys, tmp_path / "alone", PARAMS, MODEL, count=1, seed=3)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    monkeypatch.setenv("M2M_WORK", str(tmp_path / "shared"))
    given = {"PET_NNODES": "2", "PET_MASTER_ADDR": "127.0.0.1", "PET_MASTER_PORT": port}
    params = tmp_path / "params.yaml"
    params.write_text(str({"pretrain": to_dict(PARAMS), "model": to_dict(MODEL)}))
    running = []
    for rank in (1, 0):
        command = [sys.executable, "-m", "m2m", "pretrain", str(toys), str(tmp_path / f"disk{rank}")]
        command += ["--params", str(params), "--seed", "3"]
        environment = {**os.environ, **given, "PET_NODE_RANK": str(rank)}
        running.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE))
    said = [process.communicate(timeout=120) for process in running]
    assert [process.returncode for process in running] == [0, 0], said
    assert not (tmp_path / "disk1" / "checkpoint.pt").exists()
    alike(weights(tmp_path / "alone"), weights(tmp_path / "disk0"))


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


@pytest.mark.parametrize("wrong", ["0", "-1", "many", ""])
def test_processes_are_a_number_or_one_on_each_gpu(wrong):
    assert processes("3") == 3 and processes("gpu") == max(1, torch.cuda.device_count())
    with pytest.raises(InputError, match="processes"):
        processes(wrong)
