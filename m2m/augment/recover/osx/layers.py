"""The few layers of mmcv and mmpose that OSX's network needs, under the names that their parameters have there.

A test compares them with mmcv 1.7.2 where that is installed.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch
from torch import nn


class Registry(dict):
    """Classes by name."""

    def register_module(self, *_: Any, **__: Any) -> Callable[[type], type]:
        """A decorator that keeps a class under its own name."""

        def keep(kind: type) -> type:
            self[kind.__name__] = kind
            return kind

        return keep

    def build(self, config: dict[str, Any]) -> Any:
        """An object from `type` and its arguments."""
        given = dict(config)
        return self[given.pop("type")](**given)


class BaseModule(nn.Module):
    """A module that is given how to initialise itself, and does not."""

    def __init__(self, init_cfg: Any = None) -> None:
        del init_cfg
        super().__init__()


class ConvModule(nn.Module):
    """A 1x1 convolution with group normalisation, no activation."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        padding: int = 0,
        conv_cfg: None = None,
        norm_cfg: Any = None,
        act_cfg: None = None,
    ) -> None:
        super().__init__()
        if conv_cfg is not None or act_cfg is not None or norm_cfg["type"] != "GN":
            raise NotImplementedError(f"only a plain convolution with GN and no activation, not {norm_cfg}, {act_cfg}")
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, padding=padding, bias=False)
        self.gn = nn.GroupNorm(norm_cfg["num_groups"], out_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) to (N, C', H, W)."""
        return self.gn(self.conv(x))


class MultiheadAttention(nn.Module):
    """Attention with what is added to queries and keys, and the way round it; rows are (n, N, C)."""

    def __init__(self, embed_dims: int, num_heads: int, dropout: float = 0.0, batch_first: bool = False) -> None:
        super().__init__()
        if batch_first:
            raise NotImplementedError("rows come first")
        self.embed_dims = embed_dims
        self.attn = nn.MultiheadAttention(embed_dims, num_heads, dropout)
        self.dropout_layer = nn.Dropout(dropout)

    def forward(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        identity: torch.Tensor | None = None,
        query_pos: torch.Tensor | None = None,
        key_pos: torch.Tensor | None = None,
        attn_mask: torch.Tensor | None = None,
        key_padding_mask: torch.Tensor | None = None,
        **_: Any,
    ) -> torch.Tensor:
        """(n, N, C) of the query's shape."""
        asked = query if query_pos is None else query + query_pos
        told = key if key_pos is None else key + key_pos
        out = self.attn(asked, told, value, attn_mask=attn_mask, key_padding_mask=key_padding_mask)[0]
        return (query if identity is None else identity) + self.dropout_layer(out)


class FFN(nn.Module):
    """Two linear layers and the way round them."""

    def __init__(self, embed_dims: int, feedforward_channels: int, ffn_drop: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Sequential(nn.Linear(embed_dims, feedforward_channels), nn.ReLU(inplace=True), nn.Dropout(ffn_drop)),
            nn.Linear(feedforward_channels, embed_dims),
            nn.Dropout(ffn_drop),
        )

    def forward(self, x: torch.Tensor, identity: torch.Tensor | None = None) -> torch.Tensor:
        """(..., C) to (..., C)."""
        return (x if identity is None else identity) + self.layers(x)


def transformer(attentions: Registry, layers: Registry) -> tuple[type[nn.Module], type[nn.Module]]:
    """mmcv's bases of a transformer's layer and of a sequence of layers."""

    class BaseTransformerLayer(nn.Module):
        def __init__(
            self,
            attn_cfgs: list[dict[str, Any]],
            ffn_cfgs: dict[str, Any],
            operation_order: tuple[str, ...],
            feedforward_channels: int,
            ffn_dropout: float,
            **_: Any,
        ) -> None:
            super().__init__()
            self.operation_order, self.pre_norm = operation_order, operation_order[0] == "norm"
            self.attentions = nn.ModuleList(attentions.build({**a, "batch_first": False}) for a in attn_cfgs)
            self.num_attn, self.embed_dims = len(attn_cfgs), ffn_cfgs["embed_dims"]
            count = operation_order.count
            self.ffns = nn.ModuleList(
                FFN(self.embed_dims, feedforward_channels, ffn_dropout) for _ in range(count("ffn"))
            )
            self.norms = nn.ModuleList(nn.LayerNorm(self.embed_dims) for _ in range(count("norm")))

    class TransformerLayerSequence(nn.Module):
        def __init__(self, transformerlayers: dict[str, Any], num_layers: int) -> None:
            super().__init__()
            self.num_layers = num_layers
            self.layers = nn.ModuleList(layers.build(deepcopy(transformerlayers)) for _ in range(num_layers))
            self.embed_dims = self.layers[0].embed_dims

    return BaseTransformerLayer, TransformerLayerSequence


class Decoder(nn.Module):
    """Neck and head of the pose estimator whose last queries OSX reads; its own encoder is never called.

    Args:
        neck: Maps every level's channels.
        head: Refines queries.
    """

    def __init__(self, neck: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.neck, self.keypoint_head = neck, head
        for part in (neck, head):
            part.init_weights()  # type: ignore[operator]

    def forward(self, features: list[torch.Tensor], coord_init: torch.Tensor, query_init: torch.Tensor) -> torch.Tensor:
        """(N, K, C) refined queries."""
        return self.keypoint_head(self.neck(features), coord_init=coord_init, query_init=query_init)[1]["feat"][-1]
