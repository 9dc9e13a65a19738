"""A stopped training goes on to the same weights from the store alone; processes and chunks change nothing."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from m2m.errors import InputError
from m2m.store import open_store
from m2m.train.align import align
from m2m.train.checkpoints import read
from m2m.train.pretrain import pretrain
from tests.train.toysets import ALIGN, INPUT, MODEL, PRETRAIN


class Stop(Exception):
    pass


class Notes:
    """A tracker that remembers, and can be told to end the training after an epoch."""

    def __init__(self, last: int | None = None) -> None:
        self.last = last
        self.parameters: dict = {}
        self.rows: dict[int, dict] = {}
        self.files: list[Path] = []

    def params(self, values) -> None:
        self.parameters |= values

    def metrics(self, values, step) -> None:
        if step == self.last:
            raise Stop
        self.rows[step] = dict(values)

    def artifact(self, path) -> None:
        self.files.append(Path(path))


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return read(folder / "checkpoint.pt")["model"]


def equal(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def figures(folder: Path) -> list[dict]:
    """The history without what depends on the clock."""
    history = json.loads((folder / "metrics.json").read_text())["history"]
    return [{k: v for k, v in row.items() if k != "seconds"} for row in history]


@pytest.mark.parametrize("stage", ["pretrain", "align"])
def test_a_stopped_training_goes_on_from_the_store_to_the_same_end(toys, tmp_path, stage):
    def train(out: Path, store, tracker=None):
        if stage == "pretrain":
            return pretrain(toys, out, PRETRAIN, MODEL, tracker=tracker, store=store)
        return align(toys, None, out, replace(ALIGN, drop_path=0.3), MODEL, tracker=tracker, store=store)

    straight = train(tmp_path / "straight", open_store(tmp_path / "a"))
    store = open_store(tmp_path / "b")
    with pytest.raises(Stop):
        train(tmp_path / "lost", store, Notes(last=3))
    shutil.rmtree(tmp_path / "lost", ignore_errors=True)
    notes = Notes()
    resumed = train(tmp_path / "resumed", store, notes)
    assert (straight.resumed, resumed.resumed, resumed.epochs) == (0, 2, 4)
    assert equal(weights(tmp_path / "straight"), weights(tmp_path / "resumed"))
    assert figures(tmp_path / "straight") == figures(tmp_path / "resumed")
    assert sorted(notes.rows) == [1, 2, 3, 4]  # also those that another process had computed
    assert notes.files and notes.parameters["fingerprint"] == resumed.fingerprint == straight.fingerprint


def test_a_finished_training_is_not_done_again_nor_what_follows(toys, tmp_path, monkeypatch):
    """The second process writes the same bytes as the first, so the next stage finds its own work too."""
    store = open_store(tmp_path / "store")
    done = {}
    for name in ("a", "b"):
        monkeypatch.setattr("m2m.files.os.getpid", lambda name=name: ord(name))
        first = pretrain(toys, tmp_path / name, PRETRAIN, MODEL, store=store)
        then = align(toys, first.checkpoint, tmp_path / f"{name} aligned", ALIGN, MODEL, store=store)
        done[name] = first, then
    assert [s.resumed for s in done["a"]] == [0, 0]
    assert [s.resumed for s in done["b"]] == [s.epochs for s in done["b"]]
    for a, b in zip(done["a"], done["b"], strict=True):
        assert a.checkpoint.read_bytes() == b.checkpoint.read_bytes()


def test_a_damaged_checkpoint_is_passed_over(toys, tmp_path):
    store = open_store(tmp_path / "store")
    with pytest.raises(Stop):
        pretrain(toys, tmp_path / "a", PRETRAIN, MODEL, store=store, tracker=Notes(last=4))
    last = sorted((tmp_path / "store").rglob("epoch-*.pt"))[-1]
    assert "epoch-00003" in last.name
    last.write_bytes(last.read_bytes()[:-100] + b"0" * 100)
    assert pretrain(toys, tmp_path / "a", PRETRAIN, MODEL, store=store).resumed == 2


def test_the_store_keeps_two_checkpoints_and_the_models_asked_for(toys, tmp_path):
    pretrain(toys, tmp_path / "out", replace(PRETRAIN, keep_every=2), MODEL, store=open_store(tmp_path / "store"))
    names = sorted(p.name.rsplit("-", 1)[0] for p in (tmp_path / "store").rglob("*.pt"))
    assert names == ["epoch-00003-0000000", "epoch-00004-0000000", "kept-00002", "kept-00004"]
    kept = sorted((tmp_path / "out" / "models").iterdir())
    assert [p.name for p in kept] == ["epoch-00002.pt", "epoch-00004.pt"]
    assert equal(read(kept[1])["model"], weights(tmp_path / "out"))
    assert not equal(read(kept[0])["model"], weights(tmp_path / "out"))
    assert align(toys, kept[0], tmp_path / "then", replace(ALIGN, epochs=1), MODEL).epochs == 1  # as any other model


def test_what_a_result_depends_on_is_in_the_fingerprint(toys, tmp_path):
    def of(params=PRETRAIN, model=MODEL) -> str:
        return pretrain(toys, tmp_path / "out", replace(params, epochs=1), model).fingerprint

    same = [
        replace(PRETRAIN, checkpoint_every=3, checkpoint_minutes=1.0),
        replace(PRETRAIN, device="auto"),
        replace(PRETRAIN, input=replace(INPUT, cache="none")),
    ]
    assert {of(p) for p in (PRETRAIN, *same)} == {of()}
    assert len({of(), of(replace(PRETRAIN, seed=1)), of(replace(PRETRAIN, input=replace(INPUT, crop=0.9)))}) == 3
    assert of(model=replace(MODEL, decoder_depth=2)) != of()


def test_pretraining_learns(toys, tmp_path):
    pretrain(toys, tmp_path / "out", replace(PRETRAIN, epochs=12, lr=5e-3, normalise=False), MODEL)
    losses = [row["loss"] for row in figures(tmp_path / "out")]
    assert losses[-1] < 0.5 * losses[0]


def test_small_chunks_give_the_same_model_as_large_ones(toys, tmp_path):
    for name, chunk in (("whole", 0), ("chunks", 2)):
        pretrain(toys, tmp_path / name, replace(PRETRAIN, micro_batch=chunk, epochs=2), MODEL)
    whole, chunks = weights(tmp_path / "whole"), weights(tmp_path / "chunks")
    for name in whole:
        torch.testing.assert_close(felt(name, whole[name]), felt(name, chunks[name]), rtol=1e-3, atol=1e-5)


def felt(name, weight):
    """The part of a weight that changes the loss.

    A bias of the keys adds the same to all scores of a query, which softmax takes away. Its gradient is rounding, and
    AdamW makes steps of full size of it.
    """
    if not name.endswith("qkv.bias"):
        return weight
    query, _, value = weight.chunk(3)
    return torch.cat([query, value])


def test_a_loss_that_is_no_number_stops_the_training(toys, tmp_path):
    with pytest.raises(InputError, match="loss of pretrain is"):
        pretrain(toys, tmp_path / "out", replace(PRETRAIN, lr=1e30, warmup=0), MODEL)
    assert not (tmp_path / "out" / "checkpoint.pt").exists()


def test_no_gpu_is_said(toys, tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(InputError, match="no GPU"):
        pretrain(toys, tmp_path / "out", replace(PRETRAIN, device="cuda"), MODEL)


def test_progress_is_a_line_an_epoch(toys, tmp_path, capfd):
    pretrain(toys, tmp_path / "out", replace(PRETRAIN, epochs=2), MODEL)
    lines = capfd.readouterr().err.splitlines()
    assert [line.split(" loss ")[0] for line in lines] == ["pretrain: epoch 1/2", "pretrain: epoch 2/2"]
