"""A training stopped at any step goes on as if nothing had been, and from its own checkpoints alone."""

import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from m2m.cli import main
from m2m.errors import InputError
from m2m.files import file_sha256
from m2m.params import to_dict
from m2m.store import FolderStore, open_store
from m2m.train import supervised
from m2m.train.align import align
from m2m.train.checkpoints import NAME, Shelf, read
from m2m.train.evaluate import evaluate
from m2m.train.pretrain import pretrain
from tests.train.test_engine import Stop, figures
from tests.train.toysets import ALIGN, EVALUATE, MODEL, PRETRAIN

EVERY_STEP = 1e-9
"""Minutes between checkpoints: one after each step."""


class Interrupting(FolderStore):
    """A store in which something happens after so many checkpoints."""

    def __init__(self, root: Path, count: int, happens) -> None:
        super().__init__(root)
        self.left, self.happens = count, happens

    def put(self, file: Path, key: str) -> str:
        done = super().put(file, key)
        self.left -= 1
        if self.left == 0:
            self.happens()
        return done


def stop() -> None:
    raise Stop


def sigterm() -> None:
    signal.raise_signal(signal.SIGTERM)


def train(stage: str, toys: Path, out: Path, store=None, **running):
    if stage == "pretrain":
        params = replace(PRETRAIN, epochs=3, samples=1, batch=3, micro_batch=2, clip_grad=0.05, **running)
        return pretrain(toys, out, params, MODEL, store=store)
    if stage == "align":  # all that is random inside a model, and an average of it
        params = replace(ALIGN, epochs=3, batch=2, drop_path=0.3, mixup=0.8, ema=0.9, **running)
        return align(toys, None, out, params, MODEL, store=store)
    params = replace(EVALUATE, ft=replace(EVALUATE.ft, epochs=2, drop_path=0.3), validate_every=1, **running)
    return evaluate(toys, None, out, params, MODEL, store=store)


@pytest.fixture(scope="module")
def straight(toys, tmp_path_factory):
    """Trainings that nothing stopped."""
    out = tmp_path_factory.mktemp("straight")
    for stage in ("pretrain", "align", "evaluate"):
        train(stage, toys, out / stage)
    return out


def last(store: FolderStore) -> dict:
    return read(sorted(store.root.rglob("epoch-*.pt"))[-1])


@pytest.mark.parametrize(
    ("stage", "count"), [("pretrain", 1), ("pretrain", 3), ("align", 2), ("align", 7), ("evaluate", 1)]
)
def test_a_training_killed_within_an_epoch_ends_with_the_same_bytes(toys, straight, tmp_path, stage, count):
    lost = Interrupting(tmp_path / "store", count, stop)
    with pytest.raises(Stop):
        train(stage, toys, tmp_path / "lost", lost, checkpoint_minutes=EVERY_STEP)
    assert last(lost)["step"] > 0
    train(stage, toys, tmp_path / "out", open_store(tmp_path / "store"))
    assert file_sha256(tmp_path / "out" / NAME) == file_sha256(straight / stage / NAME)
    assert figures(tmp_path / "out") == figures(straight / stage)


@pytest.mark.parametrize("count", [1, 4])
def test_sigterm_finishes_the_step_and_saves_it(toys, straight, tmp_path, count):
    """After the first checkpoint, at the second step of an epoch; after the fourth, at the first of the next."""
    before = signal.getsignal(signal.SIGTERM)
    store = Interrupting(tmp_path / "store", count, sigterm)
    with pytest.raises(KeyboardInterrupt):
        train("align", toys, tmp_path / "lost", store, checkpoint_minutes=EVERY_STEP)
    assert signal.getsignal(signal.SIGTERM) == before
    assert (len(last(store)["history"]), last(store)["step"]) == ((0, 2) if count == 1 else (1, 1))
    train("align", toys, tmp_path / "out", store)
    assert file_sha256(tmp_path / "out" / NAME) == file_sha256(straight / "align" / NAME)
    assert figures(tmp_path / "out") == figures(straight / "align")


def test_sigterm_during_a_validation_loses_no_step(toys, straight, tmp_path, monkeypatch):
    plain, store = supervised.score_clips, open_store(tmp_path / "store")

    def score(*args):
        sigterm()
        raise AssertionError("the validation went on")

    monkeypatch.setattr(supervised, "score_clips", score)
    with pytest.raises(KeyboardInterrupt):
        train("evaluate", toys, tmp_path / "lost", store)
    assert (last(store)["step"], last(store)["history"]) == (2, [])
    monkeypatch.setattr(supervised, "score_clips", plain)
    train("evaluate", toys, tmp_path / "out", store)
    assert file_sha256(tmp_path / "out" / NAME) == file_sha256(straight / "evaluate" / NAME)
    assert figures(tmp_path / "out") == figures(straight / "evaluate")


def test_the_command_ends_with_the_code_of_sigterm_and_goes_on(toys, tmp_path, monkeypatch, capfd):
    handler = signal.getsignal(signal.SIGTERM)
    monkeypatch.setenv("M2M_TRACKING", "off")
    monkeypatch.setenv("M2M_WORK", str(tmp_path / "work"))
    params = tmp_path / "params.yaml"
    recipe = replace(PRETRAIN, epochs=2, batch=4, checkpoint_minutes=EVERY_STEP)
    params.write_text(yaml.safe_dump({"pretrain": to_dict(recipe), "model": to_dict(MODEL)}))
    command = ["pretrain", str(toys), str(tmp_path / "out"), "--params", str(params)]
    plain = Shelf.save

    def save(self, state, epoch, step=0):
        plain(self, state, epoch, step)
        if (epoch, step) == (1, 1):
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Shelf, "save", save)
    try:
        assert main(command) == 128 + signal.SIGTERM
        assert "the same command goes on from here" in capfd.readouterr().err
        assert not (tmp_path / "out" / NAME).exists()
        assert main(command) == 0
    finally:
        signal.signal(signal.SIGTERM, handler)
    assert "goes on after epoch 1 and 2 steps of 2" in capfd.readouterr().err


def test_a_program_that_ignores_sigterm_trains_on(toys, straight, tmp_path):
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        store = Interrupting(tmp_path / "store", 1, sigterm)
        train("align", toys, tmp_path / "out", store, checkpoint_minutes=EVERY_STEP)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert file_sha256(tmp_path / "out" / NAME) == file_sha256(straight / "align" / NAME)


def test_sigterm_to_the_whole_group_does_not_take_the_loaders_workers_from_the_step(toys, tmp_path):
    """As torchrun and a terminal send it."""
    group = os.getpgid(0)
    out = tmp_path / "out"

    def children() -> set[int]:
        return {int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}

    others = children()  # of other tests: servers, a tracker of resources

    def everyone() -> None:
        groups = [os.getpgid(pid) for pid in children() - others]
        assert groups and group not in groups  # what is sent to the group does not reach them
        sigterm()

    store = Interrupting(tmp_path / "store", 1, everyone)
    loader = replace(PRETRAIN.input, workers=1)
    with pytest.raises(KeyboardInterrupt):
        params = replace(PRETRAIN, epochs=1, batch=4, input=loader, checkpoint_minutes=EVERY_STEP)
        pretrain(toys, out, params, MODEL, store=store)
    assert last(store)["step"] == 2


def test_a_checkpoint_of_another_training_is_refused(toys, tmp_path):
    """Somebody has moved files in the store: nothing is trained on from a stranger's weights."""
    store, params = open_store(tmp_path / "store"), replace(PRETRAIN, epochs=1)
    one, two = (pretrain(toys, tmp_path / "out", replace(params, seed=s), MODEL, store=store) for s in (0, 1))
    shelves = [tmp_path / "store" / "checkpoints" / done.fingerprint for done in (one, two)]
    shutil.rmtree(shelves[1])
    shutil.copytree(*shelves)
    with pytest.raises(InputError, match=rf"epoch-00001.*{one.fingerprint}, not of this training; delete it"):
        pretrain(toys, tmp_path / "out", replace(params, seed=1), MODEL, store=store)


def test_a_checkpoint_that_does_not_fit_the_model_is_refused(toys, tmp_path):
    """Another version of timm has other names; the training's identity does not cover it."""
    store, params = open_store(tmp_path / "store"), replace(PRETRAIN, epochs=1)
    done = pretrain(toys, tmp_path / "out", params, MODEL, store=store)
    shelf = Shelf(store, done.fingerprint)
    state = shelf.latest()
    del state["model"]["mask_token"]
    shelf.save(state, 1, 1)
    with pytest.raises(InputError, match=r"does not fit the model: .*mask_token.*; go on with the versions"):
        pretrain(toys, tmp_path / "out", params, MODEL, store=store)


def test_what_is_to_resume_from_is_not_a_model_to_start_from(toys, tmp_path):
    pretrain(toys, tmp_path / "out", replace(PRETRAIN, epochs=1), MODEL, store=open_store(tmp_path / "store"))
    (state,) = (tmp_path / "store").rglob("epoch-*.pt")
    with pytest.raises(InputError, match=r"to resume from, not a finished model; name the checkpoint\.pt"):
        align(toys, state, tmp_path / "then", ALIGN, MODEL)


def test_a_tested_classifier_is_no_start_of_another_training(toys, straight, tmp_path):
    tested = straight / "evaluate"
    with pytest.raises(InputError, match="is what m2m evaluate wrote"):
        align(toys, tested, tmp_path, ALIGN, MODEL)
    with pytest.raises(InputError, match="is what m2m evaluate wrote"):
        evaluate(toys, tested, tmp_path, EVALUATE, MODEL)
