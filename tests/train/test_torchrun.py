"""Several processes train the model that one trains, are stopped and go on, on one machine and on two."""

import json
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from m2m.errors import InputError
from m2m.store import open_store
from m2m.train import align as aligning
from m2m.train.align import align
from m2m.train.checkpoints import read
from m2m.train.processes import check_share, processes
from m2m.train.watch import BAD
from tests.train import torchrun
from tests.train.test_engine import felt, figures, weights
from tests.train.toysets import ALIGN, MODEL

# Of 8 clips 4 steps an epoch; nothing in it depends on how a batch is divided.
PARAMS = replace(ALIGN, epochs=3, batch=2, drop_path=0.0, mixup=0.0, clip_grad=1.0, ema=0.9)


def changed(change) -> None:
    """Does something to what a step gives: in this process, which ends with the training."""
    plain = aligning.classify

    def classify(*args, **kwargs):
        step = plain(*args, **kwargs)
        return lambda model, batch: change(step(model, batch))

    aligning.classify = classify


def train(toys: Path, out: Path, params=PARAMS, store: Path | None = None, slow: float = 0.0) -> None:
    """What each process does."""
    torch.set_num_threads(1)
    if slow:
        changed(lambda values: time.sleep(slow) or values)
    align(toys, None, out, params, MODEL, store=None if store is None else open_store(store))


def spoil(toys: Path, out: Path) -> None:
    """The second of two processes gets a loss that is no number in its third step."""
    if os.environ["RANK"] == "1":
        steps = iter(range(100))
        changed(lambda values: {**values, "loss": values["loss"] * (torch.nan if next(steps) == 2 else 1)})
    with pytest.raises(InputError, match="loss of align is nan in epoch 1, step 3"):
        train(toys, out)


@pytest.fixture(scope="module")
def alone(toys, tmp_path_factory):
    """What one process makes of it."""
    out = tmp_path_factory.mktemp("alone")
    train(toys, out)
    return out


def same(one: Path, other: Path) -> None:
    a, b = weights(one), weights(other)
    for name in a:
        torch.testing.assert_close(felt(name, a[name]), felt(name, b[name]), rtol=0, atol=1e-5)
    for left, right in zip(figures(one), figures(other), strict=True):
        assert left == pytest.approx(right, rel=1e-4)


def environment(out: Path) -> dict:
    return json.loads((out / "metrics.json").read_text())["environment"]


def test_two_processes_give_the_same_model_as_one(toys, alone, tmp_path):
    larger = replace(PARAMS, batch=4)
    train(toys, tmp_path / "one", larger)
    assert torchrun.finished(torchrun.start(train, toys, tmp_path / "two", replace(larger, micro_batch=1))) == [0]
    same(tmp_path / "one", tmp_path / "two")
    assert environment(tmp_path / "two")["processes"] == 2


def test_two_nodes_give_the_same_model_as_one(toys, alone, tmp_path):
    """Their disks are their own: what is found and written, the first finds and writes."""
    outs = tmp_path / "first", tmp_path / "second"
    assert torchrun.finished(torchrun.start(train, toys, outs, each=1, nodes=2)) == [0, 0]
    same(alone, outs[0])
    assert environment(outs[0])["processes"] == 2 and not (outs[1] / "checkpoint.pt").exists()


@pytest.mark.parametrize("how", ["SIGTERM", "kill"])
def test_two_processes_are_stopped_in_an_epoch_and_one_goes_on(toys, alone, tmp_path, how):
    store = tmp_path / "store"
    often = replace(PARAMS, checkpoint_minutes=1e-9 if how == "kill" else 0.0)
    (launcher,) = torchrun.start(train, toys, tmp_path / "lost", often, store, 0.15)
    until = time.monotonic() + 60
    while not list(store.rglob("epoch-00001-*.pt" if how == "SIGTERM" else "epoch-00001-0000001-*.pt")):
        assert time.monotonic() < until and launcher.is_alive()
        time.sleep(0.01)
    if how == "SIGTERM":
        os.kill(launcher.pid, signal.SIGTERM)
        assert torchrun.finished([launcher]) != [0]
    else:
        torchrun.kill(launcher)
    last = read(sorted(store.rglob("epoch-*.pt"))[-1])
    assert len(last["history"]) == 1 and 1 <= last["step"] <= 4
    train(toys, tmp_path / "out", PARAMS, store)
    same(alone, tmp_path / "out")


def test_what_one_process_began_two_end(toys, alone, tmp_path):
    store = tmp_path / "store"
    train(toys, tmp_path / "lost", replace(PARAMS, checkpoint_minutes=1e-9), store)
    for later in store.rglob("epoch-00003-*.pt"):
        later.unlink()  # as if it had been lost before
    (left,) = store.rglob("*.pt")
    assert "epoch-00002-0000003" in left.name
    assert torchrun.finished(torchrun.start(train, toys, tmp_path / "out", PARAMS, store)) == [0]
    same(alone, tmp_path / "out")


def test_a_bad_loss_of_one_process_stops_all_and_names_the_clips_of_all(toys, tmp_path):
    assert torchrun.finished(torchrun.start(spoil, toys, tmp_path)) == [0]
    report = json.loads((tmp_path / BAD).read_text())
    assert (report["epoch"], report["step"], report["loss"], len(report["clips"])) == (1, 3, "nan", 2)


@pytest.mark.parametrize(
    ("batch", "samples", "count", "said"),
    [
        (
            128,
            1,
            3,
            "128 samples cannot be shared evenly by 3 processes; start 2 processes, or set batch to 126 or 129",
        ),
        (128, 4, 12, "128 samples of 32 clips cannot .* start 8 processes, or set batch to 96 or 144"),
        (5, 1, 2, "start 1 process, or set batch to 4 or 6"),
        (2, 1, 3, "start 2 processes, or set batch to 3 "),
    ],
)
def test_a_batch_that_processes_cannot_share_is_refused(batch, samples, count, said):
    with pytest.raises(InputError, match=said):
        check_share(batch, samples, count)


@pytest.mark.parametrize(("batch", "samples", "count"), [(128, 4, 32), (2, 1, 2), (7, 1, 1), (2, 4, 1)])
def test_a_batch_that_processes_can_share_is_not(batch, samples, count):
    check_share(batch, samples, count)


def buffers(out: Path) -> None:
    """Each process has seen other clips."""
    with processes("cpu") as group:
        norm = nn.BatchNorm1d(1)
        norm(torch.full((2, 1), float(group.rank + 1)))
        group.share_buffers(norm)
        (out / str(group.rank)).write_text(str(norm.running_mean.item()))


def test_running_means_are_those_of_the_first_process(tmp_path):
    assert torchrun.finished(torchrun.start(buffers, tmp_path)) == [0]
    first, second = ((tmp_path / rank).read_text() for rank in "01")
    assert first == second
    assert float(first) == pytest.approx(0.1)
