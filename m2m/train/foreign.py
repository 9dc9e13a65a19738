"""Files of weights by others: their format, and what they say of their model. Nothing in them is executed."""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from m2m.errors import InputError
from m2m.parsing import parse_json
from m2m.train.checkpoints import FORMAT, NAME, read
from m2m.train.params import ModelParams

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
        stage: What made it; of ours what trained it.
    """

    format: str
    weights: dict[str, Tensor]
    size: dict[str, Any]
    classes: tuple[str, ...] = ()
    stage: str = "convert"


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
    return Loaded(found, weights, size, classes, str(state.get("stage")) if found == "m2m" else "convert")


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
    if "layer1.0.conv1.weight" in weights:
        return "timm"
    return "transformers" if any(name.startswith(("videomae.", "timesformer.")) for name in weights) else ""


def _described(config: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Sizes and classes of transformers' config.json; what it leaves out is transformers' default, and ours."""
    try:
        values = parse_json(config.read_text(encoding="utf-8"))
        names = {int(number): str(name) for number, name in values.get("id2label", {}).items()}
    except (OSError, ValueError, AttributeError) as error:  # no mapping, or classes that are not counted
        raise InputError(f"cannot read {config}: {error}") from error
    fallback = ModelParams()
    if values.get("model_type") == "timesformer":
        fallback = replace(fallback, kind="timesformer", frames=8)
    size = {own: values.get(theirs, getattr(fallback, own)) for theirs, own in FIELDS.items()}
    if fallback.kind == "timesformer":
        del size["tubelet"]
    side = values.get("image_size", 224)
    size["size"] = tuple(side) if isinstance(side, list) else (side, side)
    if sorted(names) != list(range(len(names))) or all(n == f"LABEL_{i}" for i, n in names.items()):
        names = {}
    return size, tuple(names[i] for i in range(len(names)))
