"""What pretraining, alignment and evaluation have in common: their identity, their outputs."""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor

from m2m.clips import read_card
from m2m.files import file_sha256, write_atomic
from m2m.fingerprints import canonical, fingerprint
from m2m.store import Store, open_store
from m2m.train.checkpoints import BEST, KEPT, NAME, Shelf, Trained, write_trained
from m2m.train.clips import LabelledSet
from m2m.train.engine import Tracker, Training
from m2m.train.params import RUNNING, ModelParams
from m2m.train.precision import resolved
from m2m.train.processes import Processes
from m2m.train.state import Row
from m2m.train.versions import CODE_VERSION

METRICS, MODELS = "metrics.json", "models"
SCHEMA = 1


@dataclass(frozen=True)
class TrainSummary:
    """What a stage did.

    Attributes:
        stage: `pretrain`, `align` or `evaluate`.
        fingerprint: Everything the result depends on; also where its checkpoints lie in the store.
        checkpoint: The model.
        sha256: Hash of the checkpoint.
        metrics: The file of figures.
        epochs: How many.
        resumed: How many of them an earlier run had done.
        figures: The last epoch's figures, and the test's.
        report: What is in the file of figures, which the first process alone writes.
    """

    stage: str
    fingerprint: str
    checkpoint: Path
    sha256: str
    metrics: Path
    epochs: int
    resumed: int
    figures: dict[str, float] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage:
    """One stage on one data set with one set of parameters.

    Attributes:
        name: `pretrain`, `align` or `evaluate`.
        data: The data set.
        model: Size of the model.
        params: The stage's parameters.
        parent: The model it starts from, or None.
        extra: What else the result depends on.
    """

    name: str
    data: LabelledSet
    model: ModelParams
    params: Any
    parent: Trained | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """Hash of everything the result depends on."""
        parent = self.parent.sha256 if self.parent else ""
        return fingerprint(
            self.name, CODE_VERSION, self.data.hash, what(self.params), what(self.model), parent, self.extra
        )

    def shelf(self, store: Store | None, out: Path) -> Shelf:
        """Where its checkpoints lie: in a store, or hidden in the folder of its results."""
        return Shelf(place(store, out), self.fingerprint)

    def describe(self) -> dict[str, Any]:
        """Everything that identifies it, for the tracker and the file of figures."""
        card = read_card(self.data.folder)
        return {
            "stage": self.name,
            "schema": SCHEMA,
            "fingerprint": self.fingerprint,
            "code_version": CODE_VERSION,
            "dataset": self.data.name,
            "variant": self.data.variant,
            "data_hash": self.data.hash,
            "data_code_version": card.code_version,
            "parent": self.parent.sha256 if self.parent else "",
            "parent_stage": self.parent.stage if self.parent else "",
            "clips": {"train": len(self.data.train), "val": len(self.data.val)},
            "params": canonical(self.params),
            "model": canonical(self.model),
            **self.extra,
        }

    def announce(self, tracker: Tracker | None, processes: Processes) -> None:
        """Notes the parameters."""
        if tracker is not None and processes.first:
            tracker.params(self.describe())

    def finish(self, out: Path, training: Training, history: list[Row], results: dict[str, Any]) -> TrainSummary:
        """Writes the model, those that were kept, and the figures.

        Args:
            out: Folder of the results.
            training: The training, which has run; the first of its processes writes.
            history: A row an epoch.
            results: What else goes into the file of figures; its plain numbers are among the summary's figures.
        """
        checkpoint, metrics, group = out / NAME, out / METRICS, training.processes
        environment = {
            "torch": torch.__version__,
            "timm": timm.__version__,
            "device": group.device.type,
            "processes": group.count,
            "precision": resolved(group.precision, group.device),
            "compile": training.recipe.compile,
        }
        about = self.describe() | {
            "classes": list(self.data.classes),
            "environment": environment,
            "history": history,
            **results,
        }
        if group.first:
            self._write(checkpoint, training.result.state_dict(), len(history))
            for epoch, weights in training.shelf.models(KEPT):
                self._write(out / MODELS / f"epoch-{epoch:05d}.pt", weights, epoch)
            for epoch, weights in training.shelf.models(BEST):
                self._write(out / MODELS / "best.pt", weights, epoch)
            write_atomic(metrics, (json.dumps(about, indent=1, allow_nan=False) + "\n").encode())
            if training.tracker is not None:
                training.tracker.artifact(metrics)
                training.tracker.artifact(checkpoint)
        sha256 = group.from_first(file_sha256(checkpoint) if group.first else "")
        last = {k: float(v) for k, v in history[-1].items()}
        last |= {k: float(v["value"]) for k, v in results.items() if isinstance(v, dict) and "value" in v}
        done = len(history), training.resumed
        return TrainSummary(self.name, self.fingerprint, checkpoint, sha256, metrics, *done, last, about)

    def _write(self, file: Path, weights: dict[str, Tensor], epoch: int) -> None:
        about = self.describe()
        names = ("fingerprint", "code_version", "dataset", "variant", "data_hash", "parent")
        notes = {name: about[name] for name in names} | {"classes": list(self.data.classes), "epoch": epoch}
        write_trained(file, self.name, self.model, weights, **notes)


def place(store: Store | None, out: Path) -> Store:
    """Where what is written during the work lies: in a store, or hidden in the folder of its results."""
    return store or open_store(out.absolute() / ".m2m")


def what(params: Any) -> Any:
    """Parameters as a mapping, without those that only say how to run."""
    if not dataclasses.is_dataclass(params):
        return canonical(params)
    fields = (f.name for f in dataclasses.fields(params) if f.name not in RUNNING)
    return {name: what(getattr(params, name)) for name in fields}
