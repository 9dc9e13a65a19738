"""Training of a classifier, and its test: what alignment and evaluation share."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from m2m.errors import InputError
from m2m.train.batches import Batch, Views, load, to_device
from m2m.train.checkpoints import Trained
from m2m.train.engine import Row, Step, precision
from m2m.train.joint import hits, losses
from m2m.train.processes import Processes


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


def classify(smoothing: float, mixup: float, heads: tuple[int, ...] = ()) -> Step:
    """Cross-entropy on mixed samples.

    Args:
        smoothing: Share of the label spread over all classes.
        mixup: Parameter of the beta distribution of the mixture; 0: none. A sample's partner is its mirror place in the
            same chunk, so mixtures depend on how a batch is divided.
        heads: As in `losses`.
    """

    def step(model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        clip, label = batch["clip"], batch["label"]
        if not mixup or len(clip) < 2:
            scores = model(clip)
            loss = losses(scores, label, smoothing, heads)
        else:
            share = float(torch.distributions.Beta(mixup, mixup).sample())
            scores = model(clip * share + clip.flip(0) * (1 - share))
            both = [losses(scores, to, smoothing, heads) for to in (label, label.flip(0))]
            loss = both[0] * share + both[1] * (1 - share)
        return {"loss": loss, "top1": hits(scores, label, heads)}

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
        with precision(group.device):
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
