"""detectron2's checkpoint of Mask R-CNN R101-FPN: reading it without running it, and its names in torchvision."""

import logging
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from m2m.augment.checkpoint import AGAIN, compare_names, read_pytorch
from m2m.errors import InputError

log = logging.getLogger(__name__)

RANDOM = "random"
SEED = 0
PERMITTED = {
    ("collections", "OrderedDict"),
    ("_codecs", "encode"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy._core.numeric", "_frombuffer"),
}
"""What a pickle of arrays needs; everything else could be a program."""
BLOCKS = {2: 3, 3: 4, 4: 23, 5: 3}
"""Residual blocks of ResNet-101 by detectron2's number of the stage."""
NORM = ("weight", "bias", "running_mean", "running_var")


class _Arrays(pickle.Unpickler):
    """Unpickles arrays, and refuses the rest."""

    def find_class(self, module: str, name: str) -> Any:
        module = module.replace("numpy.core.", "numpy._core.")  # as numpy 1 wrote it
        if (module, name) not in PERMITTED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return super().find_class(module, name)


def read_checkpoint(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint by name: a model zoo's `.pkl`, else a file of PyTorch; no code in it runs.

    Raises:
        InputError: It is neither, or holds anything but tensors.
    """
    if path.suffix != ".pkl":
        whole = read_pytorch(path)
    else:
        try:
            with path.open("rb") as file:
                whole = _Arrays(file, encoding="latin1").load()
        except Exception as error:  # whatever a file of other bytes makes pickle raise
            raise InputError(
                f"{path} is no checkpoint of arrays: {' '.join(str(error).split())[:200]}", AGAIN
            ) from error
    state = whole.get("model", whole) if isinstance(whole, Mapping) else None
    if not isinstance(state, Mapping) or not all(isinstance(v, np.ndarray | torch.Tensor) for v in state.values()):
        raise InputError(f"{path} is no checkpoint: it holds no arrays by name", AGAIN)
    return {str(name): torch.as_tensor(value) for name, value in state.items()}


def names() -> dict[str, str]:
    """detectron2's name of every tensor of Mask R-CNN R101-FPN, and torchvision's."""
    out: dict[str, str] = {}

    def convolution(theirs: str, ours: str, norm: str) -> None:
        out[f"{theirs}.weight"] = f"{ours}.weight"
        out.update({f"{theirs}.norm.{part}": f"{norm}.{part}" for part in NORM})

    def layer(theirs: str, ours: str) -> None:
        out.update({f"{theirs}.{part}": f"{ours}.{part}" for part in ("weight", "bias")})

    body, bottom = "backbone.body", "backbone.bottom_up"
    convolution(f"{bottom}.stem.conv1", f"{body}.conv1", f"{body}.bn1")
    for stage, blocks in BLOCKS.items():
        for block in range(blocks):
            theirs, ours = f"{bottom}.res{stage}.{block}", f"{body}.layer{stage - 1}.{block}"
            for i in (1, 2, 3):
                convolution(f"{theirs}.conv{i}", f"{ours}.conv{i}", f"{ours}.bn{i}")
        start = f"{body}.layer{stage - 1}.0.downsample"
        convolution(f"{bottom}.res{stage}.0.shortcut", f"{start}.0", f"{start}.1")
        layer(f"backbone.fpn_lateral{stage}", f"backbone.fpn.inner_blocks.{stage - 2}.0")
        layer(f"backbone.fpn_output{stage}", f"backbone.fpn.layer_blocks.{stage - 2}.0")
    for theirs, ours in (("conv", "conv.0.0"), ("objectness_logits", "cls_logits"), ("anchor_deltas", "bbox_pred")):
        layer(f"proposal_generator.rpn_head.{theirs}", f"rpn.head.{ours}")
    for theirs, ours in (
        *((f"box_head.fc{i}", f"box_head.fc{i + 5}") for i in (1, 2)),
        *((f"box_predictor.{part}", f"box_predictor.{part}") for part in ("cls_score", "bbox_pred")),
        *((f"mask_head.mask_fcn{i}", f"mask_head.{i - 1}.0") for i in (1, 2, 3, 4)),
        ("mask_head.deconv", "mask_predictor.conv5_mask"),
        ("mask_head.predictor", "mask_predictor.mask_fcn_logits"),
    ):
        layer(f"roi_heads.{theirs}", f"roi_heads.{ours}")
    return out


def without_constants(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A checkpoint without what detectron2 computes from its configuration: the colours' mean and the anchors."""
    return {k: v for k, v in state.items() if not k.startswith("pixel_") and ".anchor_generator." not in k}


def to_torchvision(state: Mapping[str, torch.Tensor], where: Path) -> dict[str, torch.Tensor]:
    """A checkpoint of detectron2 under torchvision's names.

    torchvision's first class is the background, detectron2's last; only detectron2's background has no box and no mask.

    Raises:
        InputError: A tensor is missing, or is none of this model.
    """
    state, known = without_constants(state), names()
    compare_names(set(known), set(state), where)
    out = {known[name]: value for name, value in state.items()}
    head = "roi_heads.box_predictor.cls_score."
    for part in ("weight", "bias"):
        out[head + part] = out[head + part].roll(1, 0)
        for name, rows in (
            (f"roi_heads.box_predictor.bbox_pred.{part}", 4),
            (f"roi_heads.mask_predictor.mask_fcn_logits.{part}", 1),
        ):
            nothing = out[name].new_zeros(rows, *out[name].shape[1:])
            out[name] = torch.cat((nothing, out[name]))
    return out


def warn_of_random(model: torch.nn.Module, name: str) -> None:
    """Says that weights are random; frozen norms are set so that activations do not grow from block to block."""
    log.warning("%s has random weights (seed %d): what it finds means nothing", name, SEED)
    for key, value in model.named_buffers():
        if key.endswith("running_var"):
            value.fill_(12.0)
