"""Checkpoints in and out: VideoMAE's own files, transformers' folders and timm's image transformers, and ours."""

import argparse
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from m2m.errors import InputError
from m2m.files import file_sha256, write_atomic
from m2m.params import build
from m2m.train import layouts
from m2m.train.checkpoints import FORMAT, NAME, read, write, write_trained
from m2m.train.params import ModelParams
from m2m.train.videomae import EPS, Classifier, MaskedAutoencoder

FORMATS = ("m2m", "videomae", "transformers", "timm")
CONFIG, SAFETENSORS, BIN = "config.json", "model.safetensors", "pytorch_model.bin"
TOPS = ("model", "module", "state_dict")
"""Where files keep the weights among other things."""

FIELDS = {
    "hidden_size": "width",
    "num_hidden_layers": "depth",
    "num_attention_heads": "heads",
    "decoder_hidden_size": "decoder_width",
    "decoder_num_hidden_layers": "decoder_depth",
    "decoder_num_attention_heads": "decoder_heads",
    "num_frames": "frames",
    "tubelet_size": "tubelet",
    "patch_size": "patch",
}
"""Sizes as transformers' configuration names them, and as we do."""


@dataclass(frozen=True)
class Loaded:
    """A file of weights.

    Attributes:
        format: One of `FORMATS`.
        weights: By name, as there.
        size: What else it says of the model's size, by our names.
        classes: Names of the classes, if it has them.
    """

    format: str
    weights: dict[str, Tensor]
    size: dict[str, Any]
    classes: tuple[str, ...] = ()


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
        decoder = f", decoder {m.decoder_depth} x {m.decoder_width}" if self.pretraining else ""
        text = f"{self.source}, {m.depth} x {m.width}{decoder}: {self.out}"
        if self.left_out:
            text += f"; left out: {', '.join(self.left_out)}"
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
        weights, left_out = loaded.weights, ()
    else:
        weights, left_out = ours(loaded, model, str(source))
    pretraining = "narrow.weight" in weights
    if write_as == "m2m":
        file = out if out.suffix == ".pt" else out / NAME
        sha256 = file_sha256(source if source.is_file() else weights_file(source))
        notes = {"classes": list(loaded.classes), "source": loaded.format, "source_sha256": sha256}
        write_trained(file, "convert", model, weights, **notes)
        return Converted(loaded.format, file, model, pretraining, left_out)
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


def load(source: Path, read_as: str = "auto") -> Loaded:
    """Reads a file of weights without executing anything in it.

    Args:
        source: A file or a folder.
        read_as: `auto` or one of `FORMATS`.

    Raises:
        InputError: It is missing, damaged, of no known format or not of the one named.
    """
    file = weights_file(source) if source.is_dir() else source
    if not file.is_file():
        raise InputError(f"there is no {file}")
    state = _state(file)
    if state.get("format") == FORMAT and all(isinstance(state.get(key), dict) for key in ("size", "model")):
        weights, found, size, classes = state["model"], "m2m", state["size"], tuple(state.get("classes", ()))
    else:
        weights = next((state[top] for top in TOPS if isinstance(state.get(top), dict)), state)
        found, size, classes = _format(weights), {}, ()
    strangers = [name for name, value in weights.items() if not isinstance(value, Tensor)]
    if strangers or not weights:
        raise InputError(f"{file} is not a checkpoint: {strangers[0] if strangers else 'it'} holds no weights")
    if read_as not in ("auto", found):
        raise InputError(f"{file} is not in the format {read_as}", f"it looks like {found or 'none that M2M knows'}")
    if not found:
        raise InputError(f"{file} has weights of no known format, such as {min(weights)}")
    config = file.parent / CONFIG
    if found == "transformers" and config.is_file():
        size, classes = _described(config)
    return Loaded(found, weights, size, classes)


def ours(loaded: Loaded, model: ModelParams, where: str) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The weights of another format under our names, float32, and what was left out.

    Args:
        loaded: What `load` gave.
        model: The size it must have.
        where: The file, for messages.

    Raises:
        InputError: It has another size, or a weight is missing, unknown or of another shape.
    """
    given = {_present(name): value.float() for name, value in loaded.weights.items()}
    left_out: tuple[str, ...] = ()
    if loaded.format == "timm":
        left_out = tuple(n for n in given if n.startswith(layouts.TIMM_UNUSED))
        given = {name: value for name, value in given.items() if name not in left_out}
    pretraining = "encoder_to_decoder.weight" in given
    _check_size({**_measured(given), **loaded.size}, model, pretraining, where)
    head = given.get("head.weight", given.get("classifier.weight", torch.empty(1, 0)))
    with torch.device("meta"):
        blank = MaskedAutoencoder(model) if pretraining else Classifier(model, len(head))
    shapes = {name: value.shape for name, value in blank.state_dict().items()}
    layout = {"videomae": layouts.official, "transformers": layouts.transformers, "timm": layouts.timm}[loaded.format]
    return layouts.read(layout(shapes, model), given, shapes, where), left_out


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


def weights_file(folder: Path) -> Path:
    """The file of weights in a folder: ours or transformers'.

    Raises:
        InputError: There is none.
    """
    for name in (NAME, SAFETENSORS, BIN):
        if (folder / name).is_file():
            return folder / name
    raise InputError(f"{folder} has no {NAME}, {SAFETENSORS} or {BIN}", "weights in several files are not read")


def _state(file: Path) -> dict[str, Any]:
    if file.suffix == ".safetensors":
        try:
            return load_file(file)
        except (SafetensorError, OSError) as error:
            raise InputError(f"{file} is not a checkpoint: {error}") from error
    # VideoMAE's files hold the command line they were made with: plain values.
    with torch.serialization.safe_globals([argparse.Namespace]):
        return read(file)


def _format(weights: dict[str, Any]) -> str:
    kernel = weights.get("patch_embed.proj.weight", weights.get("encoder.patch_embed.proj.weight"))
    if isinstance(kernel, Tensor):
        return "timm" if kernel.dim() == 4 else "videomae"
    return "transformers" if any(name.startswith("videomae.") for name in weights) else ""


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


def _described(config: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Sizes and classes of transformers' config.json; what it leaves out is transformers' default, and ours."""
    try:
        values = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {config}: {error}") from error
    size = {own: values.get(theirs, getattr(ModelParams(), own)) for theirs, own in FIELDS.items()}
    side = values.get("image_size", 224)
    size["size"] = tuple(side) if isinstance(side, list) else (side, side)
    names = {int(number): str(name) for number, name in values.get("id2label", {}).items()}
    if sorted(names) != list(range(len(names))) or all(n == f"LABEL_{i}" for i, n in names.items()):
        names = {}
    return size, tuple(names[i] for i in range(len(names)))
