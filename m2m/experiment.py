"""Trainings on published data sets, tracked: what the command line and the pipeline's tasks call."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from m2m.checkout import checkout
from m2m.clips import read_card
from m2m.errors import InputError
from m2m.files import file_sha256, write_atomic
from m2m.fingerprints import of_training
from m2m.report.figures import confusion, curves
from m2m.store import any_work_store
from m2m.tracking import Run, open_run, spool_folder
from m2m.train.align import align
from m2m.train.checkpoints import NAME, read
from m2m.train.evaluate import evaluate
from m2m.train.params import AlignParams, EvaluateParams, ModelParams, PretrainParams
from m2m.train.pretrain import pretrain
from m2m.train.stage import METRICS, MODELS, TrainSummary

LINEAGE = "lineage"
"""Folder beside a stage's results with the figures of the stages before it: `pretrain.json`, `align.json`."""


def first() -> bool:
    """Whether this is the only process, or the first of torchrun's: the one that writes."""
    return os.environ.get("RANK", "0") == "0"


@dataclass(frozen=True)
class Trained:
    """What a training came to.

    Attributes:
        summary: What the stage says of itself.
        figures: The file of figures, as a mapping.
    """

    summary: TrainSummary
    figures: dict[str, Any]

    @property
    def metrics(self) -> dict[str, float]:
        """The last epoch's figures, and the test's."""
        return self.summary.figures

    @property
    def about(self) -> dict[str, Any]:
        """What an artifact says of it."""
        keys = ("stage", "fingerprint", "code_version", "dataset", "variant", "data_hash", "parent")
        return {**{k: self.figures[k] for k in keys}, "sha256": self.summary.sha256}

    def __str__(self) -> str:
        done = f"{self.summary.epochs} epochs" + (f" ({self.summary.resumed} earlier)" if self.summary.resumed else "")
        if "top1" in self.figures:
            top = self.figures["top1"]
            return (
                f"{done}: top-1 {100 * top['value']:.1f} % of {top['n']} clips "
                f"(95 % interval {100 * top['low']:.1f} to {100 * top['high']:.1f})"
            )
        return f"{done}: " + ", ".join(f"{k} {v:.4f}" for k, v in sorted(self.metrics.items()))


def pretrain_set(
    dataset: str | Path,
    out: Path,
    params: PretrainParams,
    model: ModelParams,
    *,
    seed: int | None = None,
    address: str = "",
) -> Trained:
    """Pre-trains on a data set.

    Args:
        dataset: A folder, or the hash of a published data set.
        out: Folder of `checkpoint.pt` and `metrics.json`.
        params: How.
        model: Its size.
        seed: In place of the parameters' own.
        address: What the tracker calls the data set's place; empty: `dataset`.

    Raises:
        InputError: The data set or the parameters cannot be used.
        InfrastructureError: A store or the disk failed.
    """
    params = params if seed is None else replace(params, seed=seed)
    place = address or dataset
    with checkout(dataset) as folder, _tracked("pretrain", place, folder, out, params, model) as run:
        done = pretrain(folder, out, params, model, tracker=run, store=any_work_store())
        return _finished(done, run, None)


def align_set(
    dataset: str | Path,
    checkpoint: Path | None,
    out: Path,
    params: AlignParams,
    model: ModelParams,
    *,
    seed: int | None = None,
    address: str = "",
    also: str | Path | None = None,
) -> Trained:
    """Aligns a pre-trained encoder on a data set's labels; arguments as in `pretrain_set`.

    Args:
        dataset: A folder, or the hash of a published data set.
        checkpoint: What `pretrain_set` wrote, or a converted model; None: from scratch, for other kinds than VideoMAE.
        out: Folder of `checkpoint.pt` and `metrics.json`.
        params: How.
        model: Its size.
        seed: In place of the parameters' own.
        address: As in `pretrain_set`.
        also: Another data set to learn from at the same time, with a head of its own: a folder or a hash.
    """
    if checkpoint is None and model.kind == "videomae":
        raise InputError("an alignment starts from a pre-trained model", "name it with --checkpoint")
    params = params if seed is None else replace(params, seed=seed)
    with ExitStack() as stack:
        folder = stack.enter_context(checkout(dataset))
        other = stack.enter_context(checkout(also)) if also is not None else None
        beside = read_card(other).hash if other else ""
        tracked = _tracked("align", address or dataset, folder, out, params, model, checkpoint, beside=beside)
        run = stack.enter_context(tracked)
        done = align(folder, checkpoint, out, params, model, also=other, tracker=run, store=any_work_store())
        return _finished(done, run, checkpoint)


def evaluate_set(
    dataset: str | Path,
    checkpoint: Path | None,
    out: Path,
    params: EvaluateParams,
    model: ModelParams,
    *,
    name: str = "",
    protocol: str = "ft",
    seed: int = 0,
    keep_model: bool = True,
    address: str = "",
    epoch: int = 0,
) -> Trained:
    """Tests an encoder on a data set; arguments as in `pretrain_set`.

    Args:
        dataset: A folder, or the hash of a published data set.
        checkpoint: What `align_set` or `pretrain_set` wrote; None: from scratch.
        out: Folder of `metrics.json` and `checkpoint.pt`.
        params: How.
        model: Its size.
        name: What tables call the data set; empty: its own name.
        protocol: `ft` or `lp`.
        seed: Of everything random.
        keep_model: Leave the tested model in `out`; the tracker has it in any case.
        address: As in `pretrain_set`.
        epoch: Test the model that the pre-training in the folder `checkpoint` kept after so many epochs; 0: the last.

    Raises:
        InputError: As in `pretrain_set`, or no such model was kept.
    """
    kind = f"evaluate-{protocol}"
    if epoch and checkpoint is not None:
        checkpoint = kept_model(checkpoint, epoch)
    with (
        checkout(dataset) as folder,
        _tracked(kind, address or dataset, folder, out, params, model, checkpoint, seed, name) as run,
    ):
        store = any_work_store()
        done = evaluate(folder, checkpoint, out, params, model, protocol=protocol, seed=seed, tracker=run, store=store)
        if first():
            figures = json.loads(done.metrics.read_text(encoding="utf-8"))
            figures |= {"name": name or figures["dataset"]}
            write_atomic(done.metrics, (json.dumps(figures, indent=1) + "\n").encode())
            title = f"{figures['name']}, {protocol.upper()}"
            run.text("confusion.svg", confusion(figures["confusion"], figures["classes"], title))
            if not keep_model:
                done.checkpoint.unlink()
        return _finished(done, run, checkpoint)


def kept_model(folder: Path, epoch: int) -> Path:
    """The model that a pre-training kept.

    Args:
        folder: What `pretrain_set` wrote.
        epoch: After so many epochs.

    Raises:
        InputError: It kept none then.
    """
    path = folder / MODELS / f"epoch-{epoch:05d}.pt"
    if not path.is_file():
        kept = ", ".join(str(int(p.stem[6:])) for p in sorted((folder / MODELS).glob("epoch-*.pt"))) or "none"
        raise InputError(
            f"{folder} kept no model after epoch {epoch}", f"kept: {kept}; pretrain.keep_every says which are"
        )
    return path


@contextmanager
def _tracked(
    kind: str,
    dataset: str | Path,
    folder: Path,
    out: Path,
    params: Any,
    model: ModelParams,
    checkpoint: Path | None = None,
    seed: int | None = None,
    name: str = "",
    beside: str = "",
) -> Iterator[Run]:
    """An open run in the tracker; a retry with the same inputs goes on with it."""
    card = read_card(folder)
    parent = _parent(checkpoint) if checkpoint else ""
    identity = of_training(kind, card.hash, params, model, parent, seed, beside)
    out.mkdir(parents=True, exist_ok=True)
    with open_run(
        kind.partition("-")[0],
        f"{kind} {name or card.name} {card.variant}",
        identity,
        spool=spool_folder(out),
        tags={"m2m.variant": card.variant, "m2m.dataset": name or card.name, "m2m.data": card.hash},
        dataset=(card.name, card.hash, str(dataset)),
    ) as run:
        yield run


def _parent(checkpoint: Path) -> str:
    """Identity of what wrote a checkpoint; of a converted one, which has no figures, the hash of its file."""
    kept = checkpoint.parent.name == MODELS
    figures = (checkpoint.parents[1] if kept else checkpoint) / METRICS
    if figures.is_file():
        identity = str(json.loads(figures.read_text(encoding="utf-8"))["fingerprint"])
        return f"{identity}/{checkpoint.stem}" if kept else identity
    file = checkpoint / NAME if checkpoint.is_dir() else checkpoint
    if not file.is_file():
        raise InputError(f"there is no {file}")
    return file_sha256(file)


def _home(checkpoint: Path) -> Path | None:
    """The folder with the figures of what wrote a checkpoint: a folder, its `checkpoint.pt`, or a model it kept."""
    place = checkpoint if checkpoint.is_dir() else checkpoint.parent
    home = place.parent if place.name == MODELS else place
    return home if (home / METRICS).is_file() else None


def _finished(done: TrainSummary, run: Run, checkpoint: Path | None) -> Trained:
    """Carries the figures of the stages before along, and draws the curve."""
    # The other processes of a training may have another disk.
    figures: dict[str, Any] = json.loads(done.metrics.read_text(encoding="utf-8")) if first() else done.report
    lineage = done.metrics.parent / LINEAGE
    home = _home(checkpoint) if checkpoint is not None and first() else None
    if home is not None and checkpoint is not None:
        lineage.mkdir(exist_ok=True)
        for path in sorted((home / LINEAGE).glob("*.json")):
            shutil.copy(path, lineage / path.name)
        parent: dict[str, Any] = json.loads((home / METRICS).read_text(encoding="utf-8"))
        if checkpoint.parent.name == MODELS:  # its training went on without it
            epoch = int(read(checkpoint)["epoch"])
            parent |= {"history": parent["history"][:epoch]} | (
                {"kept": epoch} if epoch < len(parent["history"]) else {}
            )
        write_atomic(lineage / f"{parent['stage']}.json", (json.dumps(parent, indent=1) + "\n").encode())
    run.text("loss.svg", curves({figures["stage"]: [figures["history"]]}, "loss", "loss"))
    return Trained(done, figures)
