"""Alignment: the pretrained encoder and a linear head learn the labels of the clips."""

from pathlib import Path

import torch

from m2m.errors import InputError
from m2m.store import Store
from m2m.train.batches import RandomSamples, Views
from m2m.train.checkpoints import read_parent
from m2m.train.clips import check_labels, open_set
from m2m.train.engine import Recipe, Tracker, Training
from m2m.train.mixtures import Mixing
from m2m.train.params import AlignParams, ModelParams
from m2m.train.processes import processes
from m2m.train.stage import Stage, TrainSummary
from m2m.train.supervised import classify, start_from, validation
from m2m.train.videomae import Classifier


def align(
    dataset: Path,
    checkpoint: Path | None,
    out: Path,
    params: AlignParams,
    model: ModelParams,
    *,
    tracker: Tracker | None = None,
    store: Store | None = None,
) -> TrainSummary:
    """Trains the encoder and a linear head on the training clips of a labelled data set.

    Args:
        dataset: A working data set with labels. Its validation clips, if it has any, are looked at and not learnt from.
        checkpoint: What `pretrain` wrote; None: from scratch.
        out: Folder of `checkpoint.pt`, `metrics.json` and, if the best model is kept, `models/best.pt`.
        params: How.
        model: The size of the model.
        tracker: Where the training is written down.
        store: Where checkpoints go during the training, so that another process goes on from them; None: into `out`.

    Raises:
        InputError: The data set or the checkpoint cannot be used, or a clip cannot be decoded.
        InfrastructureError: Something cannot be written.
    """
    data = open_set(dataset)
    check_labels(data, held_out=False)
    if params.keep_best and not data.val:
        raise InputError(f"{dataset} has no clip of the split val to find the best model by", "set keep_best to false")
    parent = read_parent(checkpoint, model) if checkpoint is not None else None
    stage = Stage("align", data, model, params, parent)
    with processes(params.device, params.precision) as group:
        stage.announce(tracker, group)
        torch.manual_seed(params.seed)
        classifier = Classifier(model, len(data.classes), params.drop_path)
        if parent is not None:
            start_from(classifier, parent)
        look = None
        if data.val and params.validate_every:
            look = validation(Views(data, model, params.input, (1, 1)), params.micro_batch or params.batch, group)
        training = Training(
            model=classifier,
            size=model,
            data=RandomSamples(
                data, model, params.input, params.seed, params.samples, mixing=Mixing(params.mixup, params.cutmix)
            ),
            step=classify(params.smoothing, params.samples),
            recipe=Recipe.of("align", params.seed, params),
            shelf=stage.shelf(store, out),
            out=out,
            processes=group,
            tracker=tracker,
            validate=look,
        )
        history = training.run()
        return stage.finish(out, training, history, {})
