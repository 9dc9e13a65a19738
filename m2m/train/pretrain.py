"""Pretraining: a masked autoencoder learns from clips without their labels."""

from pathlib import Path

import torch
from torch import Tensor, nn

from m2m.errors import InputError
from m2m.store import Store
from m2m.train.batches import Batch, Masking, RandomSamples
from m2m.train.clips import open_set
from m2m.train.engine import Recipe, Tracker, Training
from m2m.train.params import ModelParams, PretrainParams
from m2m.train.processes import processes
from m2m.train.stage import Stage, TrainSummary
from m2m.train.videomae import MaskedAutoencoder


def pretrain(
    dataset: Path,
    out: Path,
    params: PretrainParams,
    model: ModelParams,
    *,
    tracker: Tracker | None = None,
    store: Store | None = None,
) -> TrainSummary:
    """Trains a masked autoencoder on the training clips of a data set.

    Args:
        dataset: A working data set.
        out: Folder of `checkpoint.pt`, `metrics.json` and, if models are kept, `models/epoch-NNNNN.pt`.
        params: How.
        model: Its size.
        tracker: Where the training is written down.
        store: Where checkpoints go during the training, so that another process goes on from them; None: into `out`.

    Raises:
        InputError: The model is no VideoMAE, the data set cannot be trained on, or a clip cannot be decoded.
        InfrastructureError: Something cannot be written.
    """
    if model.kind != "videomae":
        raise InputError(f"a {model.kind} is not pre-trained with masks", "align or evaluate it; or kind: videomae")
    data = open_set(dataset)
    stage = Stage("pretrain", data, model, params)
    with processes(params.device, params.precision) as group:
        stage.announce(tracker, group)
        torch.manual_seed(params.seed)
        masking = Masking(params.mask, params.mask_ratio)
        training = Training(
            model=MaskedAutoencoder(model, params.normalise),
            size=model,
            data=RandomSamples(data, model, params.input, params.seed, params.samples, masking),
            step=_step,
            recipe=Recipe.of("pretrain", params.seed, params),
            shelf=stage.shelf(store, out),
            out=out,
            processes=group,
            tracker=tracker,
        )
        history = training.run()
        return stage.finish(out, training, history, {})


def _step(model: nn.Module, batch: Batch) -> dict[str, Tensor]:
    return {"loss": model(batch["clip"], batch["visible"], batch["hidden"])}
