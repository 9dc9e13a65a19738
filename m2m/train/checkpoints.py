"""Checkpoints: those a training resumes from, in a store, and the one it hands on, in a folder."""

import pickle
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from m2m.errors import InputError
from m2m.files import commit, disk_errors, file_sha256, temporary
from m2m.fingerprints import canonical
from m2m.store import DamagedError, MissingError, Store
from m2m.train.params import RUNNING, ModelParams

FORMAT = 1
RESUME_FORMAT = "resume/1"
NAME = "checkpoint.pt"
RESUME, KEPT, BEST, FEATURES = "epoch", "kept", "best", "features"


class Shelf:
    """Checkpoints of one training in a store, written while it runs and found again from an empty disk.

    Keys are `checkpoints/<fingerprint>/<kind>-<epochs>-<sha256>.pt`; those to resume from, of which the last two stay,
    have `<epochs>-<steps of the next one>`.

    Args:
        store: Where.
        fingerprint: Everything the training's result depends on.
    """

    def __init__(self, store: Store, fingerprint: str) -> None:
        self._store, self._fingerprint = store, fingerprint
        self._prefix = f"checkpoints/{fingerprint}/"

    def save(self, state: dict[str, Any], epoch: int, step: int = 0) -> None:
        """Stores a state to resume from, whole or not at all.

        Args:
            state: Tensors and plain values.
            epoch: Epochs that are done.
            step: Steps done of the next one.

        Raises:
            InfrastructureError: The disk or the store refused. What was there before is kept.
        """
        state = {**state, "format": RESUME_FORMAT, "fingerprint": self._fingerprint}
        key = self._put(state, f"{RESUME}-{epoch:05d}-{step:07d}")
        for old in [k for k in self.found(RESUME) if k < key][:-1]:
            self._store.delete(old)

    def keep(self, weights: dict[str, torch.Tensor], epoch: int, kind: str = KEPT) -> None:
        """Stores a model as it was after an epoch. There is one of an epoch, and one BEST.

        Raises:
            InfrastructureError: The disk or the store refused.
        """
        name = f"{kind}-{epoch:05d}"
        key = self._put({"model": weights}, name)
        for old in self.found(kind):
            if old != key and (kind == BEST or old.startswith(f"{self._prefix}{name}-")):
                self._store.delete(old)

    def found(self, kind: str = RESUME) -> list[str]:
        """Keys of one kind, in order of epochs."""
        pattern = re.compile(re.escape(self._prefix) + kind + r"-\d{5}(-\d{7})?-[0-9a-f]{64}\.pt")
        return [key for key in self._store.keys(self._prefix) if pattern.fullmatch(key)]

    def epochs(self, kind: str) -> list[int]:
        """After which epochs models of a kind were kept."""
        return [int(key.removeprefix(self._prefix).split("-")[1]) for key in self.found(kind)]

    def latest(self) -> dict[str, Any] | None:
        """The last whole state to resume from, or None. A damaged one is passed over for the one before it.

        Raises:
            InputError: It is another training's.
        """
        for key in reversed(self.found()):
            state = self._load(key)
            if state is None:
                continue
            if (state.get("format"), state.get("fingerprint")) != (RESUME_FORMAT, self._fingerprint):
                whose = state.get("fingerprint", "something else")
                raise InputError(
                    f"{self._store.uri}/{key} is a checkpoint of {whose}, not of this training", "delete it"
                )
            return state
        return None

    def models(self, kind: str) -> Iterator[tuple[int, dict[str, torch.Tensor]]]:
        """Models that were kept, with their epochs. A damaged one is passed over."""
        for key, epoch in zip(self.found(kind), self.epochs(kind), strict=True):
            state = self._load(key)
            if state is not None:
                yield epoch, state["model"]

    def _put(self, state: dict[str, Any], name: str) -> str:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / NAME
            write(state, file)
            key = f"{self._prefix}{name}-{file_sha256(file)}.pt"
            self._store.put(file, key)
        return key

    def _load(self, key: str) -> dict[str, Any] | None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / NAME
            try:
                self._store.get(key, file, key.removesuffix(".pt").rsplit("-", 1)[1])
            except (DamagedError, MissingError):
                return None
            return read(file)


def write(state: dict[str, Any], file: Path) -> None:
    """Writes tensors and plain values to a file, whole or not at all; the same ones make the same bytes.

    Raises:
        InfrastructureError: The disk refused.
    """
    with disk_errors(file.parent):
        file.parent.mkdir(parents=True, exist_ok=True)
        part = temporary(file)
        try:
            with part.open("wb") as open_part:  # from a path it would take the temporary name into the archive
                torch.save(state, open_part)
        except RuntimeError as error:  # PyTorch's writer reports a full disk as one
            raise OSError(None, str(error).splitlines()[0]) from error
        commit(part, file)


def read(file: Path) -> dict[str, Any]:
    """What `write` wrote, on the CPU. Nothing in the file is executed.

    Raises:
        InputError: It is missing or is no checkpoint.
    """
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(f"cannot read the checkpoint {file}: {error.strerror}") from error
    except pickle.UnpicklingError as error:  # PyTorch's text tells how to run the code in it
        raise InputError(f"{file} is not a checkpoint: it is no file of PyTorch, or holds more than numbers") from error
    except Exception as error:  # whatever a file of other bytes makes pickle and torch raise
        why = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"{file} is not a checkpoint: {why}") from error
    if not isinstance(state, dict):
        raise InputError(f"{file} is not a checkpoint: it holds a {type(state).__name__}")
    return state


@dataclass(frozen=True)
class Trained:
    """A model that one stage hands to the next.

    Attributes:
        stage: What trained it.
        model: Its size.
        weights: Its weights by name.
        sha256: Hash of its file.
    """

    stage: str
    model: ModelParams
    weights: dict[str, torch.Tensor]
    sha256: str


def write_trained(file: Path, stage: str, model: ModelParams, weights: dict[str, torch.Tensor], **notes: Any) -> None:
    """Writes a model to hand on.

    Args:
        file: Where.
        stage: What trained it.
        model: Its size.
        weights: Its weights by name.
        notes: Plain values that say where it comes from.
    """
    weights = {name: value.detach().cpu() for name, value in weights.items()}
    write({**notes, "format": FORMAT, "stage": stage, "size": _size(model), "model": weights}, file)


def read_trained(file: Path, model: ModelParams) -> Trained:
    """A model that was handed on.

    Args:
        file: A `checkpoint.pt`, or a folder that holds one.
        model: The size it must have; decoders may differ.

    Raises:
        InputError: It is no checkpoint of this package, or its size is another.
    """
    file = file / NAME if file.is_dir() else file
    state = read(file)
    if state.get("format") == RESUME_FORMAT:
        raise InputError(
            f"{file} is a checkpoint to resume from, not a finished model", f"name the {NAME} that the stage wrote"
        )
    if state.get("format") != FORMAT or not isinstance(state.get("model"), dict):
        raise InputError(f"{file} is not a checkpoint of m2m pretrain or m2m align")
    found = {"kind": "videomae", **state["size"]}  # files of before there were others do not say it
    for name, value in _size(model).items():
        if not name.startswith("decoder_") and found.get(name) != value:
            raise InputError(
                f"{file} holds a model whose {name} is {found.get(name)}, not {value}",
                "use the parameters it was trained with",
            )
    return Trained(str(state["stage"]), model, state["model"], file_sha256(file))


def read_parent(file: Path, model: ModelParams) -> Trained:
    """A model to start another training from; arguments as in `read_trained`.

    Raises:
        InputError: As `read_trained`, or it has learnt the classes that a test is about.
    """
    trained = read_trained(file, model)
    if trained.stage == "evaluate":
        raise InputError(
            f"{file} is what m2m evaluate wrote, which no training starts from",
            "name what m2m pretrain or m2m align wrote",
        )
    return trained


def _size(model: ModelParams) -> dict[str, Any]:
    """Of a model's parameters what its weights depend on."""
    return {name: value for name, value in canonical(model).items() if name not in RUNNING}
