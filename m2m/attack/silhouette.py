"""What plates give away: a small segmenter looks for the person on plates, a small classifier for the action.

Both are trained anew on the plates they are tried on, at places that training has not seen. What a segmenter finds
beyond the mean place of people in training is what the fill says of the person.
"""

import numpy as np
import torch
from torch import nn

BATCH = 16


def layers(channels: int, out: int) -> nn.Sequential:
    """Six small convolutions that see the whole person, at half the size inside."""
    steps: list[nn.Module] = []
    for width, dilation, stride in ((16, 1, 2), (24, 1, 1), (24, 2, 1), (24, 4, 1), (24, 8, 1)):
        steps.append(nn.Conv2d(channels, width, 3, stride, dilation, dilation))
        steps += [nn.BatchNorm2d(width), nn.ReLU()]
        channels = width
    return nn.Sequential(*steps, nn.Conv2d(channels, out, 1), nn.Upsample(scale_factor=2, mode="bilinear"))


class Mean(nn.Module):
    """The mean over the picture of what the layers find."""

    def __init__(self, inside: nn.Module) -> None:
        super().__init__()
        self.inside = inside

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, C, h, w) to (N, classes)."""
        return self.inside(x).mean((2, 3))


def learn(
    model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor, loss: nn.Module, epochs: int, seed: int = 1
) -> nn.Module:
    """Trains with mirrored copies."""
    torch.manual_seed(seed)
    best = torch.optim.AdamW(model.parameters(), 3e-3, weight_decay=1e-2)
    steps = epochs * -(-len(inputs) // BATCH)
    rate = torch.optim.lr_scheduler.OneCycleLR(best, 6e-3, total_steps=steps)
    model.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(inputs)).split(BATCH):
            x, y = inputs[rows], targets[rows]
            if torch.rand(()) < 0.5:
                x, y = x.flip(-1), y.flip(-1) if y.ndim > 1 else y
            best.zero_grad()
            loss(model(x), y).backward()
            best.step()
            rate.step()
    return model.eval()


def overlaps(found: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """Intersection over the union of every frame, (N, 1, h, w) bool each."""
    both, either = (found & true).sum((1, 2, 3)), (found | true).sum((1, 2, 3))
    return both / either.clamp(min=1)


def best_threshold(scores: torch.Tensor, true: torch.Tensor) -> float:
    """The threshold with the largest overlap."""
    return max(np.linspace(0.05, 0.9, 18), key=lambda v: float(overlaps(scores > v, true).mean()))


def segment(
    train: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray], epochs: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """How well the person is found on plates.

    Args:
        train: Plates (N, h, w, 3) and masks (N, h, w) float32 in [0, 1].
        test: The same of other places.
        epochs: Times every plate is seen.
        seed: Of everything random.

    Returns:
        The IoU of every test frame by a segmenter, and by the mean mask of training.
    """
    (x, y), (u, v) = (
        (torch.from_numpy(p).permute(0, 3, 1, 2) - 0.5, torch.from_numpy(m)[:, None]) for p, m in (train, test)
    )
    torch.manual_seed(seed)
    model = learn(layers(3, 1), x, y, nn.BCEWithLogitsLoss(), epochs, seed + 1)
    with torch.no_grad():
        seen, scores = (torch.cat([torch.sigmoid(model(b)) for b in part.split(32)]) for part in (x, u))
    true, mean = y > 0.5, y.mean(0, keepdim=True)
    threshold, prior = best_threshold(seen, true), best_threshold(mean.expand_as(y), true)
    found, guessed = overlaps(scores > threshold, v > 0.5), overlaps(mean.expand_as(v) > prior, v > 0.5)
    return found.numpy(), guessed.numpy()


def classify(
    train: tuple[np.ndarray, np.ndarray], test: np.ndarray, classes: int, epochs: int, seed: int
) -> np.ndarray:
    """The action that a classifier reads from several plates of a clip, less their mean.

    Args:
        train: Plates (N, T, h, w, 3) float32 in [0, 1] and numbers of actions (N,).
        test: Plates of other clips.
        classes: How many actions there are.
        epochs: Times every clip is seen.
        seed: Of everything random.

    Returns:
        Numbers of actions, one a clip of the test.
    """

    def stacked(plates: np.ndarray) -> torch.Tensor:
        moving = plates - plates.mean(1, keepdims=True)
        n, t, h, w, c = moving.shape
        return torch.from_numpy(np.ascontiguousarray(moving.transpose(0, 1, 4, 2, 3)).reshape(n, t * c, h, w)) * 10

    x = stacked(train[0])
    torch.manual_seed(seed)
    model = learn(Mean(layers(x.shape[1], classes)), x, torch.from_numpy(train[1]), nn.CrossEntropyLoss(), epochs)
    with torch.no_grad():
        return model(stacked(test)).argmax(1).numpy()
