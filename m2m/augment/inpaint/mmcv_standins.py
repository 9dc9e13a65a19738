"""The five names of mmcv that E2FGVI uses, from torch and torchvision: mmcv itself must be compiled for each torch.

Their interface, parameter names and initial values are those that mmcv 1.x documents.
"""

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch
from torch import nn
from torchvision.ops import deform_conv2d


def modulated_deform_conv2d(
    x: torch.Tensor,
    offset: torch.Tensor,
    mask: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    dilation: int | tuple[int, int] = 1,
    groups: int = 1,
    deform_groups: int = 1,
) -> torch.Tensor:
    """A convolution whose taps are moved by an offset and scaled by a mask (deformable convolution, version 2).

    Args:
        x: (B, C, H, W).
        offset: (B, 2 * deform_groups * taps, H', W'), for each group and tap y, then x, in pixels.
        mask: (B, deform_groups * taps, H', W').
        weight: (out, C / groups, kh, kw).
        bias: (out,) or None.
        stride: As in a convolution; so are padding, dilation and groups.
        padding: Of zeros.
        dilation: Between taps.
        groups: Must divide the channels of `weight`; torchvision reads it off its shape.
        deform_groups: Groups of channels with offsets of their own; torchvision reads it off the offsets.

    Returns:
        (B, out, H', W').

    Raises:
        ValueError: The groups do not fit the shapes.
    """
    taps = weight.shape[2] * weight.shape[3]
    if weight.shape[1] * groups != x.shape[1] or offset.shape[1] != 2 * deform_groups * taps:
        raise ValueError(f"{groups} groups and {deform_groups} groups of offsets do not fit {tuple(weight.shape)}")
    return deform_conv2d(x, offset, weight, bias, stride, padding, dilation, mask)


class ModulatedDeformConv2d(nn.Module):
    """The parameters of `modulated_deform_conv2d`; a subclass says where offset and mask come from."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        groups: int = 1,
        deform_groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.in_channels, self.out_channels, self.kernel_size = in_channels, out_channels, (kernel_size, kernel_size)
        self.stride, self.padding, self.dilation = stride, padding, dilation
        self.groups, self.deform_groups = groups, deform_groups
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels // groups, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        bound = 1 / math.sqrt(in_channels * kernel_size**2)
        nn.init.uniform_(self.weight, -bound, bound)

    def forward(self, x: torch.Tensor, offset: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """See `modulated_deform_conv2d`."""
        return modulated_deform_conv2d(
            x,
            offset,
            mask,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
            self.deform_groups,
        )


class ConvModule(nn.Module):
    """A convolution and an activation. Only what E2FGVI asks for: no norm, and ReLU or nothing.

    Raises:
        NotImplementedError: Something else is asked for.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        norm_cfg: dict | None = None,
        act_cfg: dict | None = {"type": "ReLU"},  # noqa: B006  # mmcv's own default
    ) -> None:
        super().__init__()
        if norm_cfg is not None or (act_cfg is not None and act_cfg.get("type") != "ReLU"):
            raise NotImplementedError(f"this stand-in knows no norm and no activation but ReLU: {norm_cfg}, {act_cfg}")
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding)
        self.activate = nn.Identity() if act_cfg is None else nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, in, H, W) to (B, out, H', W')."""
        return self.activate(self.conv(x))


def constant_init(module: nn.Module, val: float, bias: float = 0) -> None:
    """Fills a module's weight and bias, where it has them, with constants."""
    for name, value in (("weight", val), ("bias", bias)):
        parameter = getattr(module, name, None)
        if parameter is not None:
            nn.init.constant_(parameter, value)


def load_checkpoint(*_: object, **__: object) -> None:
    """Loads nothing: SPyNet's constructor would fetch weights here that every checkpoint of E2FGVI replaces."""


@contextmanager
def standing_in() -> Iterator[None]:
    """Lets `import mmcv` find these stand-ins for the length of a block; what was there before is put back."""
    names: dict[str, dict[str, Any]] = {
        "mmcv": {},
        "mmcv.cnn": {"ConvModule": ConvModule, "constant_init": constant_init},
        "mmcv.ops": {
            "ModulatedDeformConv2d": ModulatedDeformConv2d,
            "modulated_deform_conv2d": modulated_deform_conv2d,
        },
        "mmcv.runner": {"load_checkpoint": load_checkpoint},
    }
    with own_modules("mmcv"):
        for name, members in names.items():
            module = ModuleType(name)
            module.__dict__.update(members)
            sys.modules[name] = module
        yield


@contextmanager
def own_modules(package: str) -> Iterator[None]:
    """Whatever is imported of a package inside the block is forgotten after it; what was there before is put back."""

    def loaded() -> dict[str, ModuleType]:
        return {n: m for n, m in sys.modules.items() if n == package or n.startswith(f"{package}.")}

    before = loaded()
    for name in before:
        del sys.modules[name]
    try:
        yield
    finally:
        for name in loaded():
            del sys.modules[name]
        sys.modules.update(before)
