"""Features: what a frozen trunk makes of clips, encoded once and learnt from in every epoch of a linear probe."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from m2m.errors import M2MError
from m2m.fingerprints import fingerprint
from m2m.store import Store
from m2m.train.batches import RandomSamples, Sample, Views, load, to_device
from m2m.train.checkpoints import FEATURES, Shelf
from m2m.train.engine import say
from m2m.train.precision import resolved
from m2m.train.processes import Processes
from m2m.train.stage import what
from m2m.train.state import Row

CODE_VERSION = "features/1"


class FeatureSamples:
    """Features in place of samples; an item is named by (epoch, clip), as a sample is.

    Args:
        source: The samples that were encoded.
        features: (draws, clips, samples, width) of the first so many epochs, with which later ones begin again.
    """

    def __init__(self, source: RandomSamples, features: Tensor) -> None:
        self.samples, self.params = source.samples, replace(source.params, workers=0)
        self._names = [clip.clip_id for clip in source.data.train]
        self._features = features.numpy()
        self._labels = [np.int64(source.data.number(clip)) for clip in source.data.train]

    def __len__(self) -> int:
        return len(self._names)

    def name(self, index: int) -> str:
        """The id of a clip."""
        return self._names[index]

    def __getitem__(self, key: tuple[int, int]) -> list[Sample] | M2MError:
        epoch, index = key
        found = self._features[epoch % len(self._features), index]
        return [{"features": features, "label": self._labels[index]} for features in found]


def encode_samples(
    model: nn.Module, samples: RandomSamples, draws: int, batch: int, group: Processes, store: Store
) -> FeatureSamples:
    """Encodes the samples of the first epochs; those that an earlier run has encoded come from the store.

    There they lie as `checkpoints/<fingerprint of trunk, data, input, seed>/features-<epoch>-<sha256>.pt`, an epoch
    each, so that a run that was killed goes on and one that keeps more epochs uses those of one that kept fewer.

    Args:
        model: A classifier, on its device.
        samples: What is encoded.
        draws: Of how many epochs.
        batch: Most samples at once.
        group: Who shares the work; the first process alone reads and writes the store.
        store: Where features are kept.

    Raises:
        InputError: A clip cannot be decoded.
        InfrastructureError: The store cannot be reached, or the disk is full.
    """
    shelf = Shelf(store, _identity(model, samples, group))
    kept = dict(shelf.models(FEATURES)) if group.first else {}
    known: dict[int, Tensor] = group.from_first({n: state["features"] for n, state in kept.items() if n < draws})
    for draw in range(draws):
        if draw in known:
            continue
        if group.first:
            say(f"features: samples of epoch {draw + 1} of {draws} are encoded")
        keys = [(draw, clip) for clip in range(len(samples))]
        known[draw] = _encode(model, samples, keys, samples.samples, batch, group)
        if group.first:
            shelf.keep({"features": known[draw]}, draw, FEATURES)
    return FeatureSamples(samples, torch.stack([known[draw] for draw in range(draws)]))


def feature_validation(views: Views, batch: int, group: Processes) -> Callable[[nn.Module], Row]:
    """A look at the validation clips, which are encoded when it is first taken.

    Args:
        views: The clips, one view each.
        batch: Clips at once.
        group: Who shares the work.
    """
    labels = torch.tensor([views.data.number(clip) for clip in views.data.val])
    known: list[Tensor] = []

    @torch.no_grad()
    def look(model: nn.Module) -> Row:
        model.eval()
        if not known:
            known.append(_encode(model, views, range(len(views)), 1, batch, group).flatten(0, 1))
        with group.autocast():
            scores = model(known[0].to(group.device))
        return {"val_top1": float((scores.argmax(1).cpu() == labels).double().mean())}

    return look


def trunk_hash(model: nn.Module) -> str:
    """Sha256 of the names, shapes and values of a classifier's trunk."""
    digest = hashlib.sha256()
    for name, value in sorted(model.get_submodule("encoder").state_dict().items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _identity(model: nn.Module, samples: RandomSamples, group: Processes) -> str:
    """Hash of all that the features of a draw depend on; weights are those of the trunk alone."""
    how = (what(samples.model), what(samples.params), samples.samples, samples.seed)
    return fingerprint(
        CODE_VERSION, trunk_hash(model), samples.data.hash, *how, resolved(group.precision, group.device)
    )


@torch.no_grad()
def _encode(
    model: nn.Module, data: RandomSamples | Views, keys: Sequence[Any], each: int, batch: int, group: Processes
) -> Tensor:
    """Features of items.

    Args:
        model: A classifier.
        data: Whose items.
        keys: Their names.
        each: Samples of an item.
        batch: Most samples at once.
        group: Who shares the work.

    Returns:
        (items, each, width) float32 on the CPU.
    """
    model.eval()
    own, size = keys[group.rank :: group.count], max(1, batch // each)
    chunks = [own[i : i + size] for i in range(0, len(own), size)]
    rows = []
    for chunk in load(data, chunks, data.params.workers, group.device.type == "cuda") if chunks else ():
        given = to_device(chunk, group.device)
        with group.autocast():
            rows.append(model.features(given["clip"]).float().cpu())  # type: ignore[operator]
    parts = group.gather(torch.cat(rows) if rows else None)
    width = next(part.shape[1] for part in parts if part is not None)
    out = torch.empty(len(keys), each, width)
    for rank, part in enumerate(parts):
        if part is not None:
            out[rank :: group.count] = part.unflatten(0, (-1, each))
    return out
