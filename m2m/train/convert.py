"""Checkpoints in and out: VideoMAE's own files, transformers' folders, models of images of timm and torchvision."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from m2m.errors import InputError
from m2m.files import file_sha256, write_atomic
from m2m.params import build
from m2m.train import layouts
from m2m.train.checkpoints import NAME, write, write_trained
from m2m.train.foreign import CONFIG, FIELDS, FORMATS, SAFETENSORS, Loaded, load, weights_file
from m2m.train.models import make_classifier
from m2m.train.params import ModelParams
from m2m.train.videomae import EPS, MaskedAutoencoder

READABLE = {
    "videomae": ("videomae", "transformers", "timm"),
    "timesformer": ("transformers", "timm"),
    "tsn": ("timm",),
    "i3d": ("timm",),
}
"""Formats of other packages that each kind of model is read from; `timm` is also torchvision's for a ResNet."""

UNUSED = {
    ("videomae", "timm"): layouts.TIMM_UNUSED,
    ("timesformer", "timm"): ("fc_norm.", "head."),
    ("tsn", "timm"): ("fc.",),
    ("i3d", "timm"): ("fc.",),
}
"""Beginnings of names that a file has and the model has no place for."""


@dataclass(frozen=True)
class Converted:
    """What was converted.

    Attributes:
        source: Format that was read.
        out: What was written.
        model: Size of the model.
        pretraining: Whether it has a decoder; else it is a trunk, perhaps with a head.
        left_out: Weights of the source that have no place in the result.
        key_bias: The largest bias of the keys that was left out; the model computes the same without.
    """

    source: str
    out: Path
    model: ModelParams
    pretraining: bool
    left_out: tuple[str, ...] = ()
    key_bias: float = 0.0

    def __str__(self) -> str:
        m = self.model
        size = str(m.depth) if m.kind in ("tsn", "i3d") else f"{m.depth} x {m.width}"
        decoder = f", decoder {m.decoder_depth} x {m.decoder_width}" if self.pretraining else ""
        text = f"{self.source}, {m.kind} {size}{decoder}: {self.out}"
        if self.left_out:
            more = f" and {len(self.left_out) - 6} more" if len(self.left_out) > 6 else ""
            text += f"; left out: {', '.join(self.left_out[:6])}{more}"
        if self.key_bias:
            text += f"; biases of keys (at most {self.key_bias:.2g}) left out, which change nothing but rounding"
        return text


def convert(source: Path, out: Path, model: ModelParams, read_as: str = "auto", write_as: str = "auto") -> Converted:
    """Reads a model in one format and writes it in another.

    Args:
        source: A file, or a folder of transformers' or ours.
        out: For `m2m` a folder (or a file ending in .pt), for `transformers` a folder, for `videomae` a file.
        model: The size it must have. A checkpoint of ours says its own.
        read_as: `auto` or one of `FORMATS`.
        write_as: `auto` (ours, or VideoMAE's of ours) or one of `FORMATS`; timm's can only be read.

    Raises:
        InputError: A file is none of the format, is damaged, has another size, or a weight too many or too few.
        InfrastructureError: The result cannot be written.
    """
    loaded = load(source, read_as)
    if write_as == "auto":
        write_as = "videomae" if loaded.format == "m2m" else "m2m"
    if write_as not in FORMATS[:3]:
        raise InputError(f"{write_as} can only be read", f"write one of {', '.join(FORMATS[:3])}")
    if loaded.format == "m2m":
        model = build(ModelParams, loaded.size, str(source))
        left_out = tuple(name for name in loaded.weights if name.startswith("also."))
        weights = {name: value for name, value in loaded.weights.items() if name not in left_out}
    else:
        weights, left_out = ours(loaded, model, str(source))
    pretraining = "narrow.weight" in weights
    if write_as == "m2m":
        file = out if out.suffix == ".pt" else out / NAME
        sha256 = file_sha256(source if source.is_file() else weights_file(source))
        notes = {"classes": list(loaded.classes), "source": loaded.format, "source_sha256": sha256}
        write_trained(file, loaded.stage, model, weights, **notes)  # what a test has taught stays that
        return Converted(loaded.format, file, model, pretraining, left_out)
    if model.kind != "videomae":
        raise InputError(f"{source} is a {model.kind}", f"{write_as} is written of a videomae alone")
    if model.pixels != "rgb":
        raise InputError(f"{source} is a model of {model.pixels} pixels", f"{write_as}'s code would give it rgb")
    layout = layouts.official if write_as == "videomae" else layouts.transformers
    theirs = layouts.write(layout(weights, model), weights)
    if write_as == "videomae":
        write({"model": theirs}, out)
    else:
        write_atomic(out / SAFETENSORS, save(theirs, {"format": "pt"}))
        text = json.dumps(configuration(model, pretraining, loaded.classes, weights), indent=2)
        write_atomic(out / CONFIG, (text + "\n").encode())
    return Converted(loaded.format, out, model, pretraining, left_out, layouts.key_bias(weights))


def ours(loaded: Loaded, model: ModelParams, where: str) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The weights of another format under our names, float32, and what was left out.

    Args:
        loaded: What `load` gave.
        model: The size it must have.
        where: The file, for messages.

    Raises:
        InputError: It has another size, or a weight is missing, unknown or of another shape.
    """
    readable = READABLE[model.kind]
    if loaded.format not in readable:
        raise InputError(
            f"{where} is in the format {loaded.format}", f"a {model.kind} is read from {' or '.join(readable)}"
        )
    unused = UNUSED.get((model.kind, loaded.format), ())
    left_out = tuple(n for n in loaded.weights if n.startswith(unused) or n.endswith("num_batches_tracked"))
    given = {_present(name): value.float() for name, value in loaded.weights.items() if name not in left_out}
    pretraining = "encoder_to_decoder.weight" in given
    _check_size({**_measured(given), **loaded.size}, model, pretraining, where)
    head = given.get("head.weight", given.get("classifier.weight", torch.empty(1, 0)))
    with torch.device("meta"):
        blank = MaskedAutoencoder(model) if pretraining else make_classifier(model, len(head))
    shapes = {name: value.shape for name, value in blank.state_dict().items()}
    return layouts.read(_layout(loaded.format, model, shapes), given, shapes, where), left_out


def _layout(kind: str, model: ModelParams, shapes: Mapping[str, torch.Size]) -> list[layouts.Entry]:
    if model.kind == "timesformer":
        return layouts.timesformer(shapes, shapes, image=kind == "timm")
    if model.kind in ("tsn", "i3d"):
        return layouts.resnet(shapes, shapes)
    return {"videomae": layouts.official, "transformers": layouts.transformers, "timm": layouts.timm}[kind](
        shapes, model
    )


def configuration(
    model: ModelParams, pretraining: bool, classes: tuple[str, ...], weights: Mapping[str, Tensor]
) -> dict[str, Any]:
    """transformers' config.json of a model.

    `layer_norm_eps` is ours; its decoder.norm and fc_norm have 1e-5 whatever this says.
    """
    config: dict[str, Any] = {theirs: getattr(model, own) for theirs, own in FIELDS.items()}
    config |= {
        "architectures": ["VideoMAEForPreTraining" if pretraining else "VideoMAEForVideoClassification"],
        "model_type": "videomae",
        "image_size": model.size[0] if model.size[0] == model.size[1] else list(model.size),
        "intermediate_size": 4 * model.width,
        "decoder_intermediate_size": 4 * model.decoder_width,
        "hidden_act": "gelu",
        "layer_norm_eps": EPS,
        "qv_bias": True,
        "use_mean_pooling": not pretraining,
    }
    if not pretraining:
        names = classes or tuple(f"LABEL_{i}" for i in range(len(weights["head.weight"])))
        config["id2label"] = {str(i): name for i, name in enumerate(names)}
        config["label2id"] = {name: i for i, name in enumerate(names)}
    return config


def _present(name: str) -> str:
    """A name as transformers 5 has it; 4 named biases otherwise."""
    return re.sub(r"\.attention\.([qv])_bias$", lambda m: f".attention.{_LONG[m[1]]}.bias", name)


_LONG = {"q": "query", "v": "value"}


def _measured(given: Mapping[str, Tensor]) -> dict[str, Any]:
    """What the shapes of weights tell of the model's size; of the heads they tell nothing."""
    size: dict[str, Any] = {}
    for name, value in given.items():
        if name.endswith((".projection.weight", "patch_embed.proj.weight")):
            size |= {"width": value.shape[0], "patch": value.shape[-1]}
            size |= {"tubelet": value.shape[2]} if value.dim() == 5 else {}
        elif name == "encoder_to_decoder.weight":
            size["decoder_width"] = value.shape[0]
        else:
            place = re.match(r"(decoder\.)?(?:.*\.)?(?:blocks|layer|decoder_layers)\.(\d+)\.", name)
            if place:
                field = "decoder_depth" if place[1] else "depth"
                size[field] = max(size.get(field, 0), int(place[2]) + 1)
    return size


def _check_size(found: dict[str, Any], model: ModelParams, pretraining: bool, where: str) -> None:
    if found.get("patch") == 14 and found.get("width") == 1408:
        raise InputError(
            f"{where} is a ViT-g (patches of 14 pixels)", "M2M's blocks are 4 times as wide inside, not 48/11"
        )
    for name, value in found.items():
        if name.startswith("decoder_") and not pretraining:
            continue
        if value != getattr(model, name):
            raise InputError(
                f"{where} holds a model whose {name} is {value}, not {getattr(model, name)}",
                "set it in the `model` section, or name a profile: vit_s, vit_b, vit_l",
            )
