"""How others name and cut the weights of our models: VideoMAE's own files, transformers', timm's models of images.

A layout is a table from our weights to theirs, so that reading and writing follow the same lines. Written from the
published names and shapes; `tests/train/test_parity.py` holds them against another implementation.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from m2m.errors import InputError
from m2m.train.params import ModelParams

Weights = dict[str, Tensor]

OFFICIAL = (
    ("encoder.embed.", "encoder.patch_embed.proj."),
    ("norm.", "encoder.norm."),
    ("narrow.", "encoder_to_decoder."),
    ("decoder.", "decoder.blocks."),
    ("decoder_norm.", "decoder.norm."),
    ("pixels.", "decoder.head."),
)
"""Beginnings of names, ours and those of VideoMAE's files of pre-training; what is not listed has the same name."""

OFFICIAL_TUNED = (("encoder.embed.", "patch_embed.proj."), ("encoder.blocks.", "blocks."))
"""The same of its fine-tuned files."""

TRANSFORMERS = (
    ("encoder.embed.", "videomae.embeddings.patch_embeddings.projection."),
    ("encoder.blocks.", "videomae.encoder.layer."),
    ("norm.", "videomae.layernorm."),
    ("narrow.", "encoder_to_decoder."),
    ("decoder.", "decoder.decoder_layers."),
    ("decoder_norm.", "decoder.norm."),
    ("pixels.", "decoder.head."),
    ("head.", "classifier."),
)

TIMM = (("encoder.embed.", "patch_embed.proj."), ("encoder.blocks.", "blocks."))
TIMM_UNUSED = ("cls_token", "pos_embed", "norm.", "fc_norm.", "head.")
"""What an image transformer has and a VideoMAE's trunk has not: its positions are fixed, its norm and head fresh."""

TIMESFORMER = (
    ("encoder.embed.", "timesformer.embeddings."),
    ("encoder.blocks.", "timesformer.encoder.layer."),
    ("encoder.norm.", "timesformer.layernorm."),
    ("head.", "classifier."),
)

TIMESFORMER_IMAGE = (
    ("encoder.embed.patch_embeddings.projection.", "patch_embed.proj."),
    ("encoder.embed.cls_token", "cls_token"),
    ("encoder.embed.position_embeddings", "pos_embed"),
    ("encoder.blocks.", "blocks."),
    ("encoder.norm.", "norm."),
)

INNER = {
    "attn.proj": "attention.output.dense",
    "norm1": "layernorm_before",
    "norm2": "layernorm_after",
    "mlp.fc1": "intermediate.dense",
    "mlp.fc2": "output.dense",
}
"""Parts of a block, ours (timm's and VideoMAE's) and transformers'."""


@dataclass(frozen=True)
class Entry:
    """Where one of our weights lies in another layout.

    Attributes:
        ours: Its name.
        theirs: Names of what it is made of.
        read: Makes ours of theirs.
        write: Makes theirs of ours.
    """

    ours: str
    theirs: tuple[str, ...]
    read: Callable[[tuple[Tensor, ...]], Tensor]
    write: Callable[[Tensor], tuple[Tensor, ...]]


def official(names: Iterable[str], model: ModelParams) -> list[Entry]:
    """The layout of VideoMAE's and VideoMAE v2's files; the attention's keys have no bias there."""
    names = tuple(names)
    table = OFFICIAL if "narrow.weight" in names else OFFICIAL_TUNED
    return [_official(name, renamed(name, table), model) for name in names]


def transformers(names: Iterable[str], model: ModelParams) -> list[Entry]:
    """The layout of transformers 5; it cuts queries, keys and values apart, and keys have no bias."""
    return [_transformers(name, renamed(name, TRANSFORMERS), model) for name in names]


def timm(names: Iterable[str], model: ModelParams) -> list[Entry]:
    """The layout of timm's image transformers, of our trunk alone. It can only be read.

    A patch is inflated to a tubelet as in I3D (Carreira and Zisserman 2017): spread over its frames so that a video
    in which nothing moves has the image's response.
    """
    entries = []
    for name in names:
        if name.startswith("encoder."):
            theirs = (renamed(name, TIMM),)
            if name == "encoder.embed.weight":
                entries.append(Entry(name, theirs, lambda w: _inflated(w[0], model), lambda w: (_flat(w, model),)))
            else:
                entries.append(_same(name, *theirs))
    return entries


def timesformer(names: Iterable[str], shapes: Mapping[str, torch.Size], *, image: bool) -> list[Entry]:
    """The layout of a TimeSformer in transformers; or of timm's image transformer, which starts one.

    From an image, attention over time is a copy of that over space and what adds it is zero, as the authors do in all
    blocks but the first: in the beginning time adds nothing.

    Args:
        names: Our names.
        shapes: Shapes of ours, for what an image has not.
        image: Whether the file is an image's transformer.
    """
    if not image:
        return [_same(name, renamed(name, TIMESFORMER)) for name in names]
    entries = []
    for name in names:
        if name.startswith("head."):
            continue
        if "temporal_dense" in name or "time_embeddings" in name:
            entries.append(_zeros(name, shapes[name]))
            continue
        theirs = renamed(name, TIMESFORMER_IMAGE)
        theirs = theirs.replace(".temporal_layernorm.", ".norm1.").replace(".temporal_attention.", ".attention.")
        for short, long in {**INNER, "attn.qkv": "attention.attention.qkv"}.items():
            theirs = theirs.replace(f".{long}.", f".{short}.")
        entries.append(_same(name, theirs))
    return entries


def resnet(names: Iterable[str], shapes: Mapping[str, torch.Size]) -> list[Entry]:
    """The layout of ResNets of images in torchvision and timm, of our trunk alone; inflated where ours sees frames."""
    entries = []
    for name in names:
        if name.startswith("head."):
            continue
        theirs = name.removeprefix("encoder.net.")
        if name.endswith("num_batches_tracked"):  # old files have none, and nothing asks for it
            entries.append(_zeros(name, shapes[name], torch.int64))
        elif len(shapes[name]) == 5:
            entries.append(Entry(name, (theirs,), _repeated(shapes[name][2]), lambda w: (w.sum(2),)))
        else:
            entries.append(_same(name, theirs))
    return entries


def renamed(name: str, table: tuple[tuple[str, str], ...]) -> str:
    """A name with its beginning changed by the first line of a table that fits."""
    for ours, theirs in table:
        if name.startswith(ours):
            return theirs + name.removeprefix(ours)
    return name


def read(entries: list[Entry], given: Mapping[str, Tensor], shapes: Mapping[str, torch.Size], where: str) -> Weights:
    """Our weights of theirs; all of theirs must be used.

    Args:
        entries: The layout.
        given: Their weights by name.
        shapes: Shapes of our weights by name.
        where: The file, for messages.

    Raises:
        InputError: A weight is missing, unknown or of another shape; it is named.
    """
    wanted = {
        name: part.shape
        for entry in entries
        for name, part in zip(entry.theirs, entry.write(torch.empty(shapes[entry.ours], device="meta")), strict=True)
    }
    for what, names in (("lacks", wanted.keys() - given.keys()), ("has the unknown", given.keys() - wanted.keys())):
        if names:
            others = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise InputError(f"{where} {what} weight {min(names)}{others}", "check the `model` section and --from")
    for name, shape in wanted.items():
        if given[name].shape != shape:
            found = "x".join(map(str, given[name].shape))
            raise InputError(f"{where}: {name} has the shape {found}, not {'x'.join(map(str, shape))}")
    return {entry.ours: entry.read(tuple(given[n] for n in entry.theirs)).contiguous().clone() for entry in entries}


def write(entries: list[Entry], weights: Mapping[str, Tensor]) -> Weights:
    """Their weights of ours; biases of keys are left out where the layout has none (see `key_bias`)."""
    return {
        name: part.contiguous().clone()
        for entry in entries
        for name, part in zip(entry.theirs, entry.write(weights[entry.ours]), strict=True)
    }


def key_bias(weights: Mapping[str, Tensor]) -> float:
    """The largest bias of a key.

    It adds the same to all scores of a query, which softmax takes away: without it a model computes the same, rounding
    apart.
    """
    biases = [w.chunk(3)[1].abs().max().item() for name, w in weights.items() if name.endswith("attn.qkv.bias")]
    return max(biases, default=0.0)


def _official(name: str, theirs: str, model: ModelParams) -> Entry:
    if name.endswith("attn.qkv.bias"):
        stem = theirs.removesuffix("qkv.bias")
        return Entry(name, (f"{stem}q_bias", f"{stem}v_bias"), _with_zeros, _without_keys)
    return _common(name, theirs, model)


def _transformers(name: str, theirs: str, model: ModelParams) -> Entry:
    block, at, part = theirs.partition(".attn.qkv.")
    if at and part == "weight":
        names = tuple(f"{block}.attention.attention.{third}.weight" for third in ("query", "key", "value"))
        return Entry(name, names, torch.cat, lambda w: w.chunk(3))
    if at:
        names = tuple(f"{block}.attention.attention.{third}.bias" for third in ("query", "value"))
        return Entry(name, names, _with_zeros, _without_keys)
    for ours, other in INNER.items():
        stem, _, last = theirs.rpartition(".")
        if stem.endswith(f".{ours}"):
            theirs = f"{stem.removesuffix(ours)}{other}.{last}"
            break
    return _common(name, theirs, model)


def _common(name: str, theirs: str, model: ModelParams) -> Entry:
    if name == "encoder.embed.weight":
        return Entry(name, (theirs,), lambda w: w[0].permute(0, 2, 3, 4, 1).flatten(1), lambda w: (_cut(w, model),))
    if name == "mask_token":
        return Entry(name, (theirs,), lambda w: w[0].flatten(), lambda w: (w.reshape(1, 1, -1),))
    return _same(name, theirs)


def _same(name: str, theirs: str) -> Entry:
    return Entry(name, (theirs,), lambda w: w[0], lambda w: (w,))


def _zeros(name: str, shape: torch.Size, dtype: torch.dtype = torch.float32) -> Entry:
    """A weight that the file has not."""
    return Entry(name, (), lambda _: torch.zeros(shape, dtype=dtype), lambda _: ())


def _repeated(times: int) -> Callable[[tuple[Tensor, ...]], Tensor]:
    return lambda parts: parts[0][:, :, None].expand(-1, -1, times, -1, -1) / times


def _with_zeros(parts: tuple[Tensor, ...]) -> Tensor:
    return torch.cat([parts[0], torch.zeros_like(parts[0]), parts[1]])


def _without_keys(bias: Tensor) -> tuple[Tensor, ...]:
    return bias.chunk(3)[::2]


def _cut(weight: Tensor, model: ModelParams) -> Tensor:
    """Our embedding (width, tubelet x patch x patch x 3) as the kernel of a convolution."""
    return weight.reshape(-1, model.tubelet, model.patch, model.patch, 3).permute(0, 4, 1, 2, 3)


def _flat(weight: Tensor, model: ModelParams) -> Tensor:
    return _cut(weight, model).sum(2)


def _inflated(kernel: Tensor, model: ModelParams) -> Tensor:
    spread = kernel[:, :, None].expand(-1, -1, model.tubelet, -1, -1) / model.tubelet
    return spread.permute(0, 2, 3, 4, 1).flatten(1)
