"""Alignment: the pretrained encoder and a linear head learn the labels of the clips."""

from pathlib import Path

import torch

from m2m.errors import InputError
from m2m.store import Store
from m2m.train.batches import RandomSamples, Samples, Views
from m2m.train.checkpoints import read_parent
from m2m.train.clips import check_labels, open_set
from m2m.train.engine import Recipe, Tracker, Training
from m2m.train.joint import JointSamples
from m2m.train.mixtures import Mixing
from m2m.train.models import make_classifier
from m2m.train.params import AlignParams, ModelParams
from m2m.train.processes import processes
from m2m.train.stage import Stage, TrainSummary
from m2m.train.supervised import classify, start_from, validation


def align(
    dataset: Path,
    checkpoint: Path | None,
    out: Path,
    params: AlignParams,
    model: ModelParams,
    *,
    also: Path | None = None,
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
        also: Another data set whose labels the same encoder learns through a head of its own, `also`.
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
    second, extra = None, {}
    if also is not None:
        second = open_set(also)
        check_labels(second, held_out=False)
        extra = {"also": {"dataset": second.name, "variant": second.variant, "data_hash": second.hash}}
    stage = Stage("align", data, model, params, parent, extra)
    with processes(params.device, params.precision) as group:
        stage.announce(tracker, group)
        torch.manual_seed(params.seed)
        heads: tuple[int, ...] = (len(data.classes), len(second.classes)) if second else ()
        classifier = make_classifier(model, len(data.classes), params.drop_path, *heads[1:])
        if parent is not None:
            start_from(classifier, parent)
        look = None
        if data.val and params.validate_every:
            look = validation(Views(data, model, params.input, (1, 1)), params.micro_batch or params.batch, group)
        mixing = Mixing(params.mixup, params.cutmix)
        samples: Samples = RandomSamples(data, model, params.input, params.seed, params.samples, mixing=mixing)
        if second:
            others = RandomSamples(second, model, params.input, params.seed + 1, params.samples, mixing=mixing)
            samples = JointSamples(samples, others, heads[0])
        training = Training(
            model=classifier,
            size=model,
            data=samples,
            step=classify(params.smoothing, params.samples, heads),
            recipe=Recipe.of("align", params.seed, params),
            shelf=stage.shelf(store, out),
            out=out,
            processes=group,
            tracker=tracker,
            validate=look,
        )
        history = training.run()
        return stage.finish(out, training, history, {})
