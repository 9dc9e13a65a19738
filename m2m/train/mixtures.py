"""Mixup (Zhang et al. 2017, arXiv 1710.09412) and cutmix (Yun et al. 2019, arXiv 1905.04899) of pairs of clips.

What a sample takes from its partner is drawn with the sample, and partners are neighbours in the order of the epoch. So
mixtures depend on seed, epoch and clip alone, however a batch is divided.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Mixing:
    """How samples are mixed: `mixup` and `cutmix` as in `AlignParams`."""

    mixup: float
    cutmix: float


def draw(mixing: Mixing, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Draws what a sample keeps.

    Args:
        mixing: How; one of its numbers is above 0.
        size: Rows and columns of the sample.
        rng: Where chance comes from.

    Returns:
        (5,) float32: share of its own pixels inside a box, and the box's top, left, bottom and right; outside of it all
        pixels are its own. Mixup's box is the whole picture; cutmix leaves nothing inside.
    """
    cut = mixing.cutmix and (not mixing.mixup or rng.uniform() < 0.5)
    strength = mixing.cutmix if cut else mixing.mixup
    share = rng.beta(strength, strength)
    height, width = size
    if not cut:
        return np.array([share, 0, 0, height, width], np.float32)
    rows, columns = int(height * np.sqrt(1 - share)), int(width * np.sqrt(1 - share))
    top, left = rng.integers(height) - rows // 2, rng.integers(width) - columns // 2
    ends = np.clip([top, left, top + rows, left + columns], 0, [height, width, height, width])
    return np.array([0, *ends], np.float32)


def partners(n: int, samples: int, device: torch.device | None = None) -> Tensor:
    """Places of the partners of `n` samples, of which `samples` in a row are of one clip.

    The first clip's partner is the second and the other way round, the third's the fourth. One left over is its own.
    """
    places = torch.arange(n, device=device)
    other = (places // samples ^ 1) * samples + places % samples
    return torch.where(other < n, other, places)


def mix(clips: Tensor, mixtures: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Mixes clips with their partners.

    Args:
        clips: (B, 3, T, H, W).
        mixtures: (B, 5) as `draw` gives.
        other: (B,) places of the partners.

    Returns:
        The mixed clips, and (B,) the share of its own pixels that each has.
    """
    height, width = clips.shape[-2:]
    row = torch.arange(height, device=clips.device)[None, :, None]
    column = torch.arange(width, device=clips.device)[None, None, :]
    share, top, left, bottom, right = mixtures.T[..., None, None]
    inside = (row >= top) & (row < bottom) & (column >= left) & (column < right)
    own = torch.where(inside, share, 1.0)
    own = torch.where((other == torch.arange(len(other), device=other.device))[:, None, None], 1.0, own)
    return torch.lerp(clips[other], clips, own[:, None, None]), own.mean((1, 2))
