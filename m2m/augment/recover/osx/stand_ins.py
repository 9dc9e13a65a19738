"""Modules that stand in for mmcv, mmpose's packages and others while OSX's code is imported.

OSX imports a copy of mmpose, whose packages import every model that there is, and mmcv 1, which no longer builds. Of
all that its network needs a few layers (`layers`). Names that are imported and never called are `Unused`.
"""

from collections.abc import Callable
from pathlib import Path
from re import sub
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
from torch import nn
from torchvision.ops import roi_align

from m2m.augment.recover.osx.layers import (
    FFN,
    BaseModule,
    ConvModule,
    Decoder,
    MultiheadAttention,
    Registry,
    transformer,
)


class Unused:
    """What is imported and never called."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise NotImplementedError("OSX's network calls something that it did not at the commit that M2M knows")


class Attributes(dict):
    """A dictionary whose keys are attributes, as easydict's."""

    __getattr__ = dict.__getitem__


def _decorator(*_: Any, **__: Any) -> Callable[[Any], Any]:
    """For decorators that change nothing when a network is only applied."""
    return lambda function: function


def _constant(module: nn.Module, val: float, bias: float = 0) -> None:
    nn.init.constant_(module.weight, val)  # type: ignore[arg-type]
    nn.init.constant_(module.bias, bias)  # type: ignore[arg-type]


def _xavier(module: nn.Module, gain: float = 1, bias: float = 0, distribution: str = "normal") -> None:
    (nn.init.xavier_uniform_ if distribution == "uniform" else nn.init.xavier_normal_)(module.weight, gain)  # type: ignore[arg-type]
    if getattr(module, "bias", None) is not None:
        nn.init.constant_(module.bias, bias)  # type: ignore[arg-type]


def _pair(value: Any) -> tuple[Any, Any]:
    return value if isinstance(value, tuple) else (value, value)


def _rearrange(x: torch.Tensor, pattern: str, **sizes: int) -> torch.Tensor:
    """The two patterns of einops that OSX's decoder uses: groups of queries to the batch, and back."""
    if pattern == "(g k) b c -> k (g b) c":
        rows = x.unflatten(0, (sizes["g"], sizes["k"])).transpose(0, 1)
        return rows.flatten(1, 2)
    if pattern == "k (g b) c -> (g k) b c":
        rows = x.unflatten(1, (sizes["g"], sizes["b"])).transpose(0, 1)
        return rows.flatten(0, 1)
    raise NotImplementedError(pattern)


def _repeat(x: torch.Tensor, pattern: str, b: int) -> torch.Tensor:
    if pattern != "() n d -> b n d":
        raise NotImplementedError(pattern)
    return x.repeat(b, 1, 1)


def _roi_align(
    features: torch.Tensor, boxes: torch.Tensor, size: tuple[int, int], scale: float, samples: int, *_: Any
) -> torch.Tensor:
    """mmcv's with `avg` and `aligned=False`, as OSX calls it; 0 samples are as many as fit, torchvision's -1."""
    taken = roi_align(features.float(), boxes.float(), size, scale, samples or -1, aligned=False)
    return taken.to(features.dtype)


def _config(file: str) -> SimpleNamespace:
    """A configuration of mmcv: a Python file. Only `model` is read; what stands in double braces is another file's."""
    names: dict[str, Any] = {}
    exec(compile(sub(r"\{\{.*?\}\}", "None", Path(file).read_text()), file, "exec"), names)
    return SimpleNamespace(model=names["model"])


def _module(name: str, package: Path | None = None, **names: Any) -> ModuleType:
    module = ModuleType(name)
    if package is not None:
        module.__path__ = [str(package)]
    module.__dict__.update(names)
    return module


class _Lenient(ModuleType):
    """A package that has every name."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Unused


def modules(checkout: Path) -> dict[str, ModuleType]:
    """All stand-ins by name.

    Args:
        checkout: The folder of OSX.
    """
    kinds, transformers, attentions = Registry(), Registry(), Registry()
    attentions["MultiheadAttention"] = MultiheadAttention
    layer, sequence = transformer(attentions, kinds)

    def build_posenet(config: dict[str, Any]) -> nn.Module:
        # Of the body's pose estimator OSX takes the encoder; of those of hands and face it calls neck and head.
        if config["type"] == "TopDown":
            return nn.ModuleDict({"backbone": kinds.build(config["backbone"])})
        head = {**config["keypoint_head"], "train_cfg": config["train_cfg"], "test_cfg": config["test_cfg"]}
        return Decoder(kinds.build(config["neck"]), kinds.build(head))

    def lenient(name: str, **names: Any) -> ModuleType:
        module = _Lenient(name)
        module.__dict__.update(names)
        return module

    cnn: dict[str, Any] = {
        "ConvModule": ConvModule,
        "Linear": nn.Linear,
        "Conv2d": nn.Conv2d,
        "constant_init": _constant,
        "xavier_init": _xavier,
        "build_activation_layer": lambda _: nn.ReLU(inplace=True),
    }
    bricks: dict[str, Any] = {
        "Linear": nn.Linear,
        "FFN": FFN,
        "POSITIONAL_ENCODING": kinds,
        "build_positional_encoding": kinds.build,
        "BaseTransformerLayer": layer,
        "TransformerLayerSequence": sequence,
        "build_transformer_layer_sequence": kinds.build,
    }
    registries: dict[str, Any] = dict.fromkeys(("TRANSFORMER_LAYER", "TRANSFORMER_LAYER_SEQUENCE"), kinds)
    builders: dict[str, Any] = dict.fromkeys(("BACKBONES", "HEADS", "NECKS", "LOSSES"), kinds)
    mmpose = checkout / "main" / "transformer_utils" / "mmpose"
    packages = ("models", "models.backbones", "models.heads", "models.losses", "models.necks", "models.utils", "ops")
    found = [
        lenient("mmcv", Config=SimpleNamespace(fromfile=_config), deprecated_api_warning=_decorator),
        lenient("mmcv.cnn", **cnn),
        lenient("mmcv.cnn.bricks"),
        lenient("mmcv.cnn.bricks.transformer", **bricks),
        lenient("mmcv.cnn.bricks.registry", ATTENTION=attentions, **registries),
        lenient("mmcv.ops"),
        lenient("mmcv.ops.roi_align", roi_align=_roi_align),
        lenient("mmcv.ops.multi_scale_deform_attn"),
        lenient("mmcv.runner", BaseModule=BaseModule, force_fp32=_decorator),
        lenient("mmcv.runner.base_module", BaseModule=BaseModule),
        lenient("mmcv.utils", to_2tuple=_pair),
        lenient("mmpose.core"),
        lenient("mmpose.core.evaluation"),
        lenient("mmpose.core.post_processing"),
        lenient("mmpose.models.backbones.utils"),
        _module("mmpose", mmpose),
        *(_module(f"mmpose.{name}", mmpose / name.replace(".", "/")) for name in packages),
        _module(
            "mmpose.models.builder",
            TRANSFORMER=transformers,
            build_loss=kinds.build,
            build_transformer=transformers.build,
            **builders,
        ),
        _module("easydict", EasyDict=Attributes),
        _module("einops", rearrange=_rearrange, repeat=_repeat),
        _module("timm", Path()),
        _module("timm.models", Path()),
        _module(
            "timm.models.layers",
            drop_path=lambda x, *_: x,
            to_2tuple=_pair,
            trunc_normal_=nn.init.trunc_normal_,
        ),
        _module("common.utils.human_models", smpl_x=_sizes()),
    ]
    by_name = {module.__name__: module for module in found}
    by_name["mmpose.models"].build_posenet = build_posenet  # type: ignore[attr-defined]
    return by_name


def _sizes() -> SimpleNamespace:
    """What the network reads of OSX's body model: how many there are of what. Its licensed files are not needed."""
    body, hand, posed, fingers = 25, 20, 22, 15
    return SimpleNamespace(
        layer={"neutral": nn.Identity()},
        shape_param_dim=10,
        expr_code_dim=10,
        pos_joint_part={
            "body": range(body),
            "lhand": range(body, body + hand),
            "rhand": range(body + hand, body + 2 * hand),
        },
        orig_joint_part={
            "body": range(posed),
            "lhand": range(posed, posed + fingers),
            "rhand": range(posed + fingers, posed + 2 * fingers),
        },
    )
