"""VideoMAE (Tong et al. 2022, arXiv 2203.12602): a masked autoencoder over tubelets, and its encoder as a classifier.

Written from the paper's description and the published tensor shapes. All shapes are static: visible and hidden tokens
are gathered by index. Attention is PyTorch's, through timm's Block.
"""

from functools import partial
from typing import cast

import torch
from timm.models.vision_transformer import Block
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from m2m.train.params import ModelParams

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # the paper's Table 5
EPS = 1e-6
LEAST = 0.01
"""Deviation, in [0, 1], below which a still clip's noise is not blown up to full size."""


STILL = 0.25
"""Weight of what does not move in `amplified` pixels, whose movement has a deviation of 1."""

LayerNorm = partial(nn.LayerNorm, eps=EPS)


def positions(n: int, width: int) -> Tensor:
    """Fixed sine-cosine positions along the sequence of tokens, (n, width) float32 in [-1, 1]."""
    rates = 10000.0 ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    angles = torch.arange(n, dtype=torch.float64)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1).float()


def patches(clips: Tensor, model: ModelParams) -> Tensor:
    """Cuts clips into tubelets.

    Args:
        clips: (B, 3, T, H, W) in [0, 1].
        model: The size of the model.

    Returns:
        (B, tokens, pixels, 3) of what `model.pixels` says, by time, row, column; `pixels` = tubelet x patch x patch.
    """
    batch, (t, h, w), side = len(clips), model.grid, model.patch
    if model.pixels != "rgb":
        still = clips.mean(2, keepdim=True)
        clips = clips - still
        clips = clips / (clips.square().mean((1, 2, 3, 4), keepdim=True).sqrt() + LEAST)
        if model.pixels == "amplified":
            clips = clips + STILL * (still - 0.5)
    cut = clips.reshape(batch, 3, t, model.tubelet, h, side, w, side)
    return cut.permute(0, 2, 4, 6, 3, 5, 7, 1).reshape(batch, t * h * w, -1, 3)


def target(pixels: Tensor, normalise: bool) -> Tensor:
    """What the decoder has to predict.

    Args:
        pixels: (B, n, pixels, 3).
        normalise: Subtract each patch's mean and divide by its standard deviation, channel by channel.

    Returns:
        (B, n, pixels * 3).
    """
    if normalise:
        pixels = pixels - pixels.mean(2, keepdim=True)
        spread = torch.linalg.vector_norm(pixels, dim=2, keepdim=True) / (pixels.shape[2] - 1) ** 0.5
        pixels = pixels / (spread + EPS)
    return pixels.flatten(2)


def gather(tokens: Tensor, index: Tensor) -> Tensor:
    """Tokens (B, n, ...) at an index (B, k): (B, k, ...)."""
    clips, n = tokens.shape[:2]
    rows = index + n * torch.arange(clips, device=index.device)[:, None]  # whole rows: faster than element by element
    return tokens.flatten(0, 1).index_select(0, rows.flatten()).unflatten(0, index.shape)


def through(blocks: nn.ModuleList, x: Tensor, forgetful: bool) -> Tensor:
    """Tokens through blocks, one after the other.

    Args:
        blocks: From (B, n, width) to the same.
        x: (B, n, width).
        forgetful: Compute each block a second time for its gradients in place of keeping what it computed.
    """
    for block in blocks:
        x = checkpoint(block, x, use_reentrant=False) if forgetful and torch.is_grad_enabled() else block(x)
    return x


class Encoder(nn.Module):
    """Embeds tubelets and runs the blocks; without a final norm.

    Args:
        model: The size.
        drop_path: Highest probability of leaving out a block's branch; rises from 0 at the first block.
    """

    positions: Tensor
    mean: Tensor
    std: Tensor

    def __init__(self, model: ModelParams, drop_path: float = 0.0) -> None:
        super().__init__()
        self.model = model
        n = model.grid[0] * model.grid[1] * model.grid[2]
        self.embed = nn.Linear(3 * model.tubelet * model.patch**2, model.width)
        self.blocks = _blocks(model.depth, model.width, model.heads, drop_path)
        self.register_buffer("positions", positions(n, model.width), persistent=False)
        self.register_buffer("mean", torch.tensor(MEAN), persistent=False)
        self.register_buffer("std", torch.tensor(STD), persistent=False)

    def forward(self, pixels: Tensor, visible: Tensor | None = None) -> Tensor:
        """Features of tokens.

        Args:
            pixels: (B, tokens, pixels, 3), as `patches` gives.
            visible: (B, k) indices of the tokens to look at; None: all.

        Returns:
            (B, k or tokens, width).
        """
        place = self.positions
        if visible is not None:
            pixels, place = gather(pixels, visible), place[visible]
        if self.model.pixels == "rgb":  # a residual is about 0 and 1 already
            pixels = (pixels - self.mean) / self.std
        return through(self.blocks, self.embed(pixels.flatten(2)) + place, self.model.checkpointing)


class MaskedAutoencoder(nn.Module):
    """Encoder over what is visible, narrow decoder over everything, pixels of what is hidden.

    Args:
        model: The size.
        normalise: Whether the target is normalised patch by patch.
    """

    places: Tensor

    def __init__(self, model: ModelParams, normalise: bool = True) -> None:
        super().__init__()
        self.model, self.normalise = model, normalise
        self.encoder = Encoder(model)
        self.norm = LayerNorm(model.width)
        self.narrow = nn.Linear(model.width, model.decoder_width, bias=False)
        self.mask_token = nn.Parameter(torch.zeros(model.decoder_width))
        self.decoder = _blocks(model.decoder_depth, model.decoder_width, model.decoder_heads, 0.0)
        self.decoder_norm = LayerNorm(model.decoder_width)
        self.pixels = nn.Linear(model.decoder_width, 3 * model.tubelet * model.patch**2)
        n = len(self.encoder.positions)
        self.register_buffer("places", positions(n, model.decoder_width), persistent=False)
        self.apply(_initialise)
        nn.init.trunc_normal_(self.mask_token, std=0.02)

    def forward(self, clips: Tensor, visible: Tensor, hidden: Tensor) -> Tensor:
        """Mean squared error over the hidden tokens.

        Args:
            clips: (B, 3, T, H, W) in [0, 1].
            visible: (B, k) indices of visible tokens.
            hidden: (B, tokens - k) indices of hidden ones.

        Returns:
            (B,) losses.
        """
        pixels = patches(clips, self.model)
        with torch.no_grad():
            wanted = target(gather(pixels, hidden), self.normalise)
        predicted = self.predict(pixels, visible, hidden).float()
        return functional.mse_loss(predicted, wanted, reduction="none").mean((1, 2))

    def predict(self, pixels: Tensor, visible: Tensor, hidden: Tensor) -> Tensor:
        """Predicted targets of the hidden tokens, (B, hidden, pixels * 3); arguments as in `forward`."""
        x = self.narrow(self.norm(self.encoder(pixels, visible)))
        x = torch.cat([x + self.places[visible], self.mask_token + self.places[hidden]], 1)
        x = through(self.decoder, x, self.model.checkpointing)
        return self.pixels(self.decoder_norm(x[:, visible.shape[1] :]))


class Classifier(nn.Module):
    """The encoder, the mean over its tokens, a norm and a linear head.

    Args:
        model: The size.
        classes: Classes of the head.
        drop_path: As in `Encoder`.
        also: Classes of a second head; its scores follow the first's, in training alone. 0: there is none.
    """

    def __init__(self, model: ModelParams, classes: int, drop_path: float = 0.0, also: int = 0) -> None:
        super().__init__()
        self.model = model
        self.encoder = Encoder(model, drop_path)
        self.fc_norm = LayerNorm(model.width)
        self.head = nn.Linear(model.width, classes)
        self.apply(_initialise)
        even_odds(self.head)
        self.also = even_odds(nn.Linear(model.width, also)) if also else None

    def features(self, clips: Tensor) -> Tensor:
        """What the trunk makes of clips (B, 3, T, H, W) in [0, 1]: the mean over its tokens, (B, width)."""
        return self.encoder(patches(clips, self.model)).mean(1)

    def forward(self, clips: Tensor) -> Tensor:
        """Scores (B, classes) of clips (B, 3, T, H, W) in [0, 1], or of the trunk's features (B, width) of them."""
        features = self.fc_norm(clips if clips.dim() == 2 else self.features(clips))
        scores = self.head(features)
        return torch.cat([scores, self.also(features)], 1) if self.also and self.training else scores


def even_odds(head: nn.Linear) -> nn.Linear:
    """A head made small, so that training starts from even odds and a random head does not shake the trunk."""
    nn.init.trunc_normal_(head.weight, std=0.02 * 1e-3)
    nn.init.zeros_(head.bias)
    return head


def _blocks(depth: int, width: int, heads: int, drop_path: float) -> nn.ModuleList:
    rates = [drop_path * i / max(1, depth - 1) for i in range(depth)]
    norm = cast(type[nn.Module], LayerNorm)
    return nn.ModuleList(Block(width, heads, qkv_bias=True, norm_layer=norm, drop_path=rate) for rate in rates)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
