"""Training of a classifier, and its test: what alignment and evaluation share."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from m2m.errors import InputError
from m2m.train.batches import Batch, Views, load, to_device
from m2m.train.checkpoints import Trained
from m2m.train.engine import Step
from m2m.train.joint import hits, losses
from m2m.train.mixtures import mix, partners
from m2m.train.processes import Processes
from m2m.train.state import Row


def start_from(model: nn.Module, trained: Trained) -> None:
    """Loads the trunk of another model: its encoder, and its `fc_norm` if it has one. The head stays fresh.

    Raises:
        InputError: The other model lacks a weight or has one of another shape.
    """
    own = model.state_dict()
    for name, value in own.items():
        given = trained.weights.get(name)
        if name.startswith(("head.", "also.")) or (given is None and name.startswith("fc_norm.")):
            continue
        if given is None or given.shape != value.shape:
            shape = "missing" if given is None else f"of the shape {tuple(given.shape)}"
            raise InputError(f"the checkpoint of {trained.stage} does not fit: {name} is {shape}")
        own[name] = given
    model.load_state_dict(own)


def classify(smoothing: float, samples: int = 1, heads: tuple[int, ...] = ()) -> Step:
    """Cross-entropy; on mixed samples where the batch says how they are mixed, or on features where it holds them.

    Args:
        smoothing: Share of the label spread over all classes.
        samples: Samples of each clip, which follow each other.
        heads: As in `losses`.
    """

    def step(model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        clip, label = batch["features" if "features" in batch else "clip"], batch["label"]
        if "mixture" not in batch:
            scores = model(clip)
            return {"loss": losses(scores, label, smoothing, heads), "top1": hits(scores, label, heads)}
        other = partners(len(clip), samples, clip.device)
        mixed, own = mix(clip, batch["mixture"], other)
        scores = model(mixed)
        of_both = [losses(scores, to, smoothing, heads) for to in (label, label[other])]
        return {"loss": of_both[0] * own + of_both[1] * (1 - own), "top1": hits(scores, label, heads)}

    return step


@torch.no_grad()
def score_clips(model: nn.Module, views: Views, batch: int, group: Processes) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of every clip, averaged over its views.

    Args:
        model: A classifier.
        views: The clips.
        batch: Clips at once.
        group: Who shares the work.

    Returns:
        Probabilities (N, classes) float64 and labels (N,), in the order of clips.

    Raises:
        InputError: A clip cannot be decoded.
    """
    model.eval()
    own = list(range(group.rank, len(views), group.count))
    chunks = [own[i : i + batch] for i in range(0, len(own), batch)]
    found: dict[int, tuple[np.ndarray, int]] = {}
    pin = group.device.type == "cuda"
    for chunk in load(views, chunks, views.params.workers, pin) if chunks else ():
        given = to_device(chunk, group.device)
        with group.autocast():
            odds = model(given["clip"])
        odds = odds.float().softmax(1).double().cpu().numpy()
        index, label = chunk["index"].numpy(), chunk["label"].numpy()
        for i in np.unique(index):
            found[int(i)] = (odds[index == i].mean(0), int(label[index == i][0]))
    everyone = {i: row for part in group.gather(found) for i, row in part.items()}
    rows = [everyone[i] for i in range(len(views))]
    return np.stack([odds for odds, _ in rows]), np.array([label for _, label in rows])


def validation(views: Views, batch: int, group: Processes) -> Callable[[nn.Module], Row]:
    """A look at the validation clips for the history."""

    def look(model: nn.Module) -> Row:
        odds, labels = score_clips(model, views, batch, group)
        return {"val_top1": float((odds.argmax(1) == labels).mean())}

    return look
