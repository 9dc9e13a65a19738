"""OSX's network out of its checkout; nothing of it is copied."""

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from m2m.augment.recover.osx.stand_ins import modules
from m2m.upstream import find_upstream, importable

GENERIC = ("config", "common", "OSX", "mmpose", "mmcv", "easydict", "einops", "timm")
"""Modules and packages that OSX's code finds by these names; whatever else has them is put back afterwards."""
PARTS = (
    "mmpose.models.backbones.vit",
    "mmpose.models.necks.channel_mapper",
    "mmpose.models.utils.transformer",
    "mmpose.models.utils.positional_encoding",
    "mmpose.models.losses.rle_loss",
    "mmpose.models.heads.poseur_head",
)
"""Modules that register what its configurations name."""
WIDTH = 1024
"""Channels of the large encoder (osx_l)."""


def build_network() -> nn.Module:
    """OSX's network (osx_l) with random weights, on the CPU, in evaluation mode.

    Raises:
        InfrastructureError: There is no checkout.
        InputError: It is at another commit.
    """
    folder = find_upstream("osx")
    normal = torch.distributions.MultivariateNormal
    init, apply = normal.__init__, normal.__dict__.get("_apply")
    with its_modules(folder), cuda_is(torch.device("cpu")):
        try:
            importlib.import_module("config").cfg.feat_dim = WIDTH
            attention = importlib.import_module("mmpose.ops.multi_scale_deform_attn")
            # With CUDA it would call mmcv's compiled operator, and without its own with one argument too many.
            plain = _Plain(attention.multi_scale_deformable_attn_pytorch)
            attention.MultiScaleDeformableAttnFunction = plain  # type: ignore[attr-defined]
            attention.multi_scale_deformable_attn_pytorch = plain.apply  # type: ignore[attr-defined]
            for name in PARTS:
                importlib.import_module(name)
            network = importlib.import_module("OSX").get_model("test")
        finally:
            # poseur_head.py replaces these for the whole process.
            normal.__init__ = init  # type: ignore[method-assign]
            if apply is None and "_apply" in normal.__dict__:
                del normal._apply  # type: ignore[attr-defined]
    # Vertices and joints are not asked for: they need the licensed body model.
    network.get_coord = lambda *_: (None, None, None)
    return network.eval()


class _Plain:
    """The attention in PyTorch's own operators, called as the compiled one.

    Args:
        attend: Theirs, of values, shapes, locations and weights.
    """

    def __init__(self, attend: Callable[..., torch.Tensor]) -> None:
        self._attend = attend

    def apply(self, value: torch.Tensor, shapes: torch.Tensor, *more: Any) -> torch.Tensor:
        """(N, Q, C); the start of each level and the size of a step are the compiled operator's."""
        _, places, weights, _ = more
        return self._attend(value, shapes, places, weights)


@contextmanager
def its_modules(folder: Path) -> Iterator[None]:
    """A block in which imports find OSX's modules and the stand-ins; afterwards nothing is left of either."""

    def theirs() -> list[str]:
        return [name for name in sys.modules if name.split(".")[0] in GENERIC]

    aside = {name: sys.modules.pop(name) for name in theirs()}
    path, bytecode = list(sys.path), sys.dont_write_bytecode
    sys.modules.update(modules(folder))
    sys.dont_write_bytecode = True  # a checkout may be read-only, and stays as it is
    try:
        with importable(folder, folder / "main", folder / "main" / "transformer_utils"):
            yield
    finally:
        sys.path[:], sys.dont_write_bytecode = path, bytecode  # OSX's config adds folders of its own
        for name in theirs():
            del sys.modules[name]
        sys.modules.update(aside)


@contextmanager
def cuda_is(device: torch.device) -> Iterator[None]:
    """A block in which a tensor's `cuda()`, which OSX calls on whatever it makes, moves it to a device."""
    own = torch.Tensor.cuda
    torch.Tensor.cuda = lambda self, *_, **__: self.to(device)  # type: ignore[method-assign]
    try:
        yield
    finally:
        torch.Tensor.cuda = own  # type: ignore[method-assign]
