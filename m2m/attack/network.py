"""A small network that learns persons, and what they look like, from pictures of them."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTHS = (24, 48, 64, 96)
EMBEDDING = 64
BATCH = 32


class Network(nn.Module):
    """Four strided convolutions, an embedding, and a linear head for everything that is learnt.

    Args:
        heads: Number of classes by name.
    """

    def __init__(self, heads: dict[str, int]) -> None:
        super().__init__()
        steps: list[nn.Module] = []
        channels = 3
        for width in WIDTHS:
            steps += [nn.Conv2d(channels, width, 3, 2, 1), nn.BatchNorm2d(width), nn.ReLU()]
            channels = width
        self.trunk = nn.Sequential(*steps)
        self.embed = nn.Linear(2 * channels, EMBEDDING)
        self.heads = nn.ModuleDict({name: nn.Linear(EMBEDDING, n) for name, n in heads.items()})

    def features(self, images: Tensor) -> Tensor:
        """(B, 3, h, w) in [-1, 1] to (B, EMBEDDING)."""
        seen = self.trunk(images)
        return self.embed(torch.cat([seen.mean((2, 3)), seen.amax((2, 3))], 1))

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Scores by head."""
        seen = functional.relu(self.features(images))
        return {name: head(seen) for name, head in self.heads.items()}


@dataclass(frozen=True)
class Learnt:
    """A trained network and what its classes mean.

    Attributes:
        network: It.
        classes: Values of each head in order.
    """

    network: Network
    classes: dict[str, np.ndarray]

    @torch.no_grad()
    def embeddings(self, pictures: np.ndarray) -> np.ndarray:
        """(N, T, s, s, 3) uint8 to (N, EMBEDDING) float64 of length 1: means over the frames of a clip."""
        self.network.eval()
        found = [functional.normalize(self.network.features(_tensor(clip)), dim=1).mean(0) for clip in pictures]
        return functional.normalize(torch.stack(found), dim=1).double().numpy()

    @torch.no_grad()
    def guesses(self, pictures: np.ndarray) -> dict[str, np.ndarray]:
        """The most probable value of every head for each clip, probabilities averaged over its frames."""
        self.network.eval()
        odds = [{k: v.softmax(1).mean(0) for k, v in self.network(_tensor(clip)).items()} for clip in pictures]
        return {k: self.classes[k][torch.stack([o[k] for o in odds]).argmax(1).numpy()] for k in self.classes}


def learn(pictures: np.ndarray, targets: dict[str, np.ndarray], epochs: int, seed: int) -> Learnt:
    """Trains on pictures of clips.

    Args:
        pictures: (N, T, s, s, 3) uint8.
        targets: (N,) values of each head by its name; all heads count alike.
        epochs: Times every picture is seen, shifted, mirrored and with other brightness.
        seed: Of everything random.
    """
    n, frames = pictures.shape[:2]
    classes = {name: np.unique(values) for name, values in targets.items()}
    numbers = {
        name: torch.from_numpy(np.searchsorted(classes[name], values)).repeat_interleave(frames)
        for name, values in targets.items()
    }
    flat = pictures.reshape(n * frames, *pictures.shape[2:])
    torch.manual_seed(seed)
    network = Network({name: len(values) for name, values in classes.items()})
    best = torch.optim.AdamW(network.parameters(), 3e-3, weight_decay=0.05)
    steps = epochs * -(-len(flat) // BATCH)
    rate = torch.optim.lr_scheduler.OneCycleLR(best, 4e-3, total_steps=steps)
    network.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(flat)).split(BATCH):
            images = _varied(_tensor(flat[rows.numpy()]))
            scores = network(images)
            losses = [functional.cross_entropy(scores[k], numbers[k][rows], label_smoothing=0.1) for k in scores]
            best.zero_grad()
            torch.stack(losses).mean().backward()
            best.step()
            rate.step()
    return Learnt(network, classes)


def _tensor(images: np.ndarray) -> Tensor:
    """(B, s, s, 3) uint8 to (B, 3, s, s) in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 127.5 - 1


def _varied(images: Tensor) -> Tensor:
    """Mirrored, shifted by up to a twelfth, lighter or darker."""
    if torch.rand(()) < 0.5:
        images = images.flip(3)
    reach = images.shape[2] // 12
    dy, dx = (int(v) for v in torch.randint(-reach, reach + 1, (2,)))
    images = images.roll((dy, dx), (2, 3))
    gain = 1 + 0.2 * (torch.rand(len(images), 1, 1, 1) - 0.5)
    return images * gain + 0.2 * (torch.rand(len(images), 1, 1, 1) - 0.5)
