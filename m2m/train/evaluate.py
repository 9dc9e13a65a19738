"""Evaluation: fine-tuning or linear probing on a downstream data set, and the test on its held-out clips."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from m2m.clips import Clip
from m2m.errors import InputError
from m2m.fingerprints import fingerprint
from m2m.store import Store
from m2m.train.batches import RandomSamples, Samples, Views
from m2m.train.checkpoints import read_parent
from m2m.train.clips import check_labels, open_set
from m2m.train.engine import Recipe, Tracker, Training
from m2m.train.features import encode_samples, feature_validation, trunk_hash
from m2m.train.marks import clip_mark
from m2m.train.mixtures import Mixing
from m2m.train.models import make_classifier
from m2m.train.params import EvaluateParams, ModelParams
from m2m.train.processes import processes
from m2m.train.scores import summary
from m2m.train.stage import Stage, TrainSummary, place
from m2m.train.supervised import classify, score_clips, start_from, validation

PROTOCOLS = ("ft", "lp")


def evaluate(
    dataset: Path,
    checkpoint: Path | None,
    out: Path,
    params: EvaluateParams,
    model: ModelParams,
    *,
    protocol: str = "ft",
    seed: int = 0,
    tracker: Tracker | None = None,
    store: Store | None = None,
) -> TrainSummary:
    """Trains a classifier on the training clips of a data set and tests it on the held-out ones.

    Nothing is chosen by the held-out clips: the model of the last epoch is tested, whatever the curve says.

    Args:
        dataset: A working data set with labels and the splits train and val (or test).
        checkpoint: What `pretrain` or `align` wrote; None: from scratch.
        out: Folder of `checkpoint.pt`, `metrics.json` and, if the best model is kept, `models/best.pt`.
        params: How.
        model: The size of the model.
        protocol: `ft` trains everything; `lp` freezes the encoder and trains the norm and the head on it.
        seed: Of everything random.
        tracker: Where it is written down.
        store: Where checkpoints go during the training, so that another process goes on from them; None: into `out`.

    Raises:
        InputError: The data set or the checkpoint cannot be used, or a clip cannot be decoded.
        InfrastructureError: Something cannot be written.
    """
    stage = evaluation(dataset, checkpoint, params, model, protocol=protocol, seed=seed)
    data, parent, how = stage.data, stage.parent, params.ft if protocol == "ft" else params.lp
    with processes(params.device, params.precision) as group:
        stage.announce(tracker, group)
        torch.manual_seed(seed)
        classifier = make_classifier(model, len(data.classes), how.drop_path)
        if parent is not None:
            start_from(classifier, parent)
        if protocol == "lp":
            classifier.get_submodule("encoder").requires_grad_(False)
        batch = params.micro_batch or how.batch
        views = Views(data, model, how.input, params.views)
        pixels = RandomSamples(data, model, how.input, seed, how.samples, mixing=Mixing(how.mixup, how.cutmix))
        samples: Samples = pixels
        one_view, notes = views.reduced((1, 1)), dict[str, Any]()
        look = validation(one_view, batch, group)
        if how.features:
            classifier.to(group.device)
            notes = {"features": {"epochs": how.features, "trunk": trunk_hash(classifier)}}
            samples = encode_samples(classifier, pixels, how.features, batch, group, place(store, out))
            look = feature_validation(one_view, batch, group)
        training = Training(
            model=classifier,
            size=model,
            data=samples,
            step=classify(how.smoothing, how.samples),
            recipe=Recipe.of(f"evaluate {protocol}", seed, params, how),
            shelf=stage.shelf(store, out),
            out=out,
            processes=group,
            tracker=tracker,
            validate=look,
        )
        history = training.run()
        odds, labels = score_clips(training.result, views, max(1, batch // (params.views[0] * params.views[1])), group)
        hits = odds.argmax(1) == labels
        right = {clip_mark(clip.clip_id): bool(hit) for clip, hit in zip(data.val, hits, strict=True)}
        results = summary(odds, labels, data.classes) | notes | {"right": right, "test_hash": _test_hash(data.val)}
        if tracker is not None and group.first:
            tracker.metrics({f"test_{k}": results[k]["value"] for k in ("top1", "top5")}, how.epochs)
        return stage.finish(out, training, history, results)


def _test_hash(clips: Sequence[Clip]) -> str:
    """Which clips were tested on, whatever was trained on."""
    return fingerprint(sorted((clip_mark(clip.clip_id), clip.sha256, clip.label) for clip in clips))


def evaluation(
    dataset: Path,
    checkpoint: Path | None,
    params: EvaluateParams,
    model: ModelParams,
    *,
    protocol: str = "ft",
    seed: int = 0,
) -> Stage:
    """What an evaluation is, its fingerprint above all, before anything is computed; arguments as in `evaluate`."""
    if protocol not in PROTOCOLS:
        raise InputError(f"the protocol is ft or lp, not {protocol!r}")
    data = open_set(dataset)
    check_labels(data, held_out=True)
    parent = read_parent(checkpoint, model) if checkpoint is not None else None
    extra = {"protocol": protocol, "seed": seed, "views": list(params.views), "precision": params.precision}
    return Stage("evaluate", data, model, params.ft if protocol == "ft" else params.lp, parent, extra)
