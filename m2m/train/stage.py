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
from m2m.train.checkpoints import NAME, Shelf, Trained, write_trained
from m2m.train.clips import LabelledSet
from m2m.train.engine import Row, Tracker
from m2m.train.params import RUNNING, ModelParams
from m2m.train.processes import Processes

CODE_VERSION = "train/1"
METRICS = "metrics.json"
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
    """

    stage: str
    fingerprint: str
    checkpoint: Path
    sha256: str
    metrics: Path
    epochs: int
    resumed: int
    figures: dict[str, float] = field(default_factory=dict)


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
            self.name, CODE_VERSION, self.data.hash, _what(self.params), _what(self.model), parent, self.extra
        )

    def shelf(self, store: Store | None, out: Path) -> Shelf:
        """Where its checkpoints lie: in a store, or hidden in the folder of its results."""
        return Shelf(store or open_store(out.absolute() / ".m2m"), self.fingerprint)

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

    def finish(
        self,
        out: Path,
        weights: dict[str, Tensor],
        history: list[Row],
        resumed: int,
        results: dict[str, Any],
        tracker: Tracker | None,
        processes: Processes,
    ) -> TrainSummary:
        """Writes the model and the figures.

        Args:
            out: Folder of the results.
            weights: The model's weights by name.
            history: A row an epoch.
            resumed: How many rows an earlier run had done.
            results: What else goes into the file of figures; its plain numbers are among the summary's figures.
            tracker: Where the files are noted, or None.
            processes: Who takes part; the first one writes.
        """
        checkpoint, metrics = out / NAME, out / METRICS
        about = self.describe()
        if processes.first:
            notes = {
                key: about[key] for key in ("fingerprint", "code_version", "dataset", "variant", "data_hash", "parent")
            }
            write_trained(checkpoint, self.name, self.model, weights, classes=list(self.data.classes), **notes)
            environment = {
                "torch": torch.__version__,
                "timm": timm.__version__,
                "device": processes.device.type,
                "processes": processes.count,
            }
            about |= {"classes": list(self.data.classes), "environment": environment, "history": history, **results}
            write_atomic(metrics, (json.dumps(about, indent=1, allow_nan=False) + "\n").encode())
            if tracker is not None:
                tracker.artifact(metrics)
                tracker.artifact(checkpoint)
        sha256 = processes.from_first(file_sha256(checkpoint) if processes.first else "")
        last = {k: float(v) for k, v in history[-1].items()}
        last |= {k: float(v["value"]) for k, v in results.items() if isinstance(v, dict) and "value" in v}
        return TrainSummary(self.name, self.fingerprint, checkpoint, sha256, metrics, len(history), resumed, last)


def _what(params: Any) -> Any:
    """Parameters as a mapping, without those that only say how to run."""
    if not dataclasses.is_dataclass(params):
        return canonical(params)
    fields = (f.name for f in dataclasses.fields(params) if f.name not in RUNNING)
    return {name: _what(getattr(params, name)) for name in fields}
