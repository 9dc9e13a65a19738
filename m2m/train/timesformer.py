"""TimeSformer (Bertasius et al. 2021, arXiv 2102.05095) from transformers: attention over time, then over space."""

from copy import copy
from typing import Any

import torch
from timm.layers import DropPath
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from m2m.errors import InfrastructureError
from m2m.train.params import ModelParams
from m2m.train.videomae import MEAN, STD


class TimesformerEncoder(nn.Module):
    """transformers' modules under the names by which trunks are frozen and their rates told: `embed`, `blocks`.

    Args:
        model: The size; every frame is cut into patches of its own.
        drop_path: Highest probability of leaving out a block's branch; rises from 0 at the first block.

    Raises:
        InfrastructureError: transformers is not installed.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, model: ModelParams, drop_path: float = 0.0) -> None:
        super().__init__()
        try:
            from transformers import TimesformerConfig, TimesformerModel
        except ImportError as error:
            raise InfrastructureError(
                "a TimeSformer needs the package transformers", "pip install 'm2m[baselines]'"
            ) from error
        config = TimesformerConfig(
            image_size=list(model.size),
            patch_size=model.patch,
            num_frames=model.frames,
            hidden_size=model.width,
            num_hidden_layers=model.depth,
            num_attention_heads=model.heads,
            intermediate_size=4 * model.width,
        )
        whole = TimesformerModel(config)
        self.model = model
        self.embed, self.blocks, self.norm = whole.embeddings, whole.encoder.layer, whole.layernorm
        # A block asks for the patches in a row alone, and takes pictures for square.
        row: Any = copy(config)
        row.image_size = model.size[1]
        for number, block in enumerate(self.blocks):
            block.config = row
            block.drop_path = DropPath(drop_path * number / max(1, model.depth - 1))
        for name, values in (("mean", MEAN), ("std", STD)):
            self.register_buffer(name, torch.tensor(values)[:, None, None, None], persistent=False)

    def forward(self, clips: Tensor) -> Tensor:
        """Features (B, width) of clips (B, 3, T, H, W) in [0, 1]: the class token's."""
        x = self.embed(((clips - self.mean) / self.std).transpose(1, 2))
        for block in self.blocks:
            again = self.model.checkpointing and torch.is_grad_enabled()
            (x,) = checkpoint(block, x, use_reentrant=False) if again else block(x)
        return self.norm(x)[:, 0]
