"""What plates give away: a small segmenter looks for the person on plates, a small classifier for the action.

Drawn clips of one person, split by clip and scene: the test clips are in scenes and of seeds that training has not
seen. The segmenter sees one plate and is trained on true masks, so it finds whatever in a plate follows the person. The
classifier sees eight plates of a clip, less their mean. Both are trained anew on every kind of plate, and on plates
with the true background, which know nothing of the person: what is learnt there is where people stand in drawings.

    python -m benchmarks.silhouette [--classes 6] [--clips 10] [--scratch FOLDER]
"""

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

from m2m.augment.detect import DetectParams, make_detector
from m2m.augment.inpaint import InpaintParams, make_inpainter
from m2m.augment.inpaint.region import RegionParams, paint_region
from m2m.studio import ACTIONS, ClipSpec, draw_clip

SMALL = (72, 40)
FRAMES = 8
SCENES = (("room", "park", "hall", "shop"), ("street", "coast"))
"""Scenes of training and of the test."""
KINDS = ("hull, temporal", "dilate, temporal", "dilate, navier-stokes", "truth")


@dataclass(frozen=True)
class Sample:
    """One clip at reduced size.

    Attributes:
        label: Number of its action.
        test: Whether it is in the test.
        masks: (FRAMES, h, w) float32 in [0, 1], the true person.
        plates: (FRAMES, h, w, 3) float32 in [0, 1], by kind.
    """

    label: int
    test: bool
    masks: np.ndarray
    plates: dict[str, np.ndarray]


def specs(classes: int, clips: int) -> list[tuple[int, bool, ClipSpec]]:
    """Label, test or not, and what is drawn; every third clip is in the test."""
    out = []
    for label, action in enumerate(list(ACTIONS)[:classes]):
        for index in range(clips):
            test = index % 3 == 2
            scene = SCENES[test][(index + label) % len(SCENES[test])]
            seed = 5000 + 100 * index + label
            spec = ClipSpec(action, seed, seconds=1.5, scene=scene, camera="still", clutter=False, height=150)
            out.append((label, test, spec))
    return out


def small(frames: np.ndarray) -> np.ndarray:
    """Frames at reduced size, float32 in [0, 1]."""
    return np.stack([cv2.resize(f, SMALL, interpolation=cv2.INTER_AREA) for f in frames]).astype(np.float32) / 255


def sample(label: int, test: bool, spec: ClipSpec, find: Callable[[np.ndarray], np.ndarray], scratch: Path) -> Sample:
    """Draws a clip and makes its plates; what was made once lies in the scratch folder."""
    file = scratch / f"{spec.label}_{spec.seed}.npz"
    if not file.is_file():
        clip = draw_clip(spec)
        covered = find(clip.frames)
        take = np.linspace(0, len(clip.frames) - 1, FRAMES).round().astype(int)
        made = {"masks": small(clip.masks[take].astype(np.uint8) * 255), "truth": small(clip.plates[take])}
        for kind in KINDS[:-1]:
            outline, backend = kind.split(", ")
            region = paint_region(clip.frames, covered, RegionParams(outline=outline))
            plate = make_inpainter(InpaintParams(backend=backend)).fill(clip.frames, region, covered)
            made[kind] = small(plate.frames[take])
        np.savez(file, **made)  # type: ignore[arg-type]
    with np.load(file) as made:
        return Sample(label, test, made["masks"], {kind: made[kind] for kind in KINDS})


def layers(channels: int, out: int) -> nn.Sequential:
    """Six small convolutions that see the whole person, at half the size inside."""
    steps: list[nn.Module] = []
    for width, dilation, stride in ((16, 1, 2), (24, 1, 1), (24, 2, 1), (24, 4, 1), (24, 8, 1)):
        steps.append(nn.Conv2d(channels, width, 3, stride, dilation, dilation))
        steps += [nn.BatchNorm2d(width), nn.ReLU()]
        channels = width
    return nn.Sequential(*steps, nn.Conv2d(channels, out, 1), nn.Upsample(scale_factor=2, mode="bilinear"))


def learn(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor, loss: nn.Module, epochs: int) -> nn.Module:
    """Trains with mirrored copies."""
    torch.manual_seed(1)
    best = torch.optim.AdamW(model.parameters(), 3e-3, weight_decay=1e-2)
    batch = 16
    steps = epochs * -(-len(inputs) // batch)
    rate = torch.optim.lr_scheduler.OneCycleLR(best, 6e-3, total_steps=steps)
    model.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(inputs)).split(batch):
            x, y = inputs[rows], targets[rows]
            if torch.rand(()) < 0.5:
                x, y = x.flip(-1), y.flip(-1) if y.ndim > 1 else y
            best.zero_grad()
            loss(model(x), y).backward()
            best.step()
            rate.step()
    return model.eval()


def overlap(found: torch.Tensor, true: torch.Tensor) -> float:
    """Mean over frames of the intersection over the union."""
    both, either = (found & true).sum((1, 2, 3)), (found | true).sum((1, 2, 3))
    return float((both / either.clamp(min=1)).mean())


def best_threshold(scores: torch.Tensor, true: torch.Tensor) -> float:
    """The threshold with the largest overlap."""
    return max(np.linspace(0.05, 0.9, 18), key=lambda v: overlap(scores > v, true))


def segment(samples: list[Sample], kind: str, epochs: int) -> tuple[float, float]:
    """IoU on the test of a segmenter trained on one kind of plate, and of the mean training mask."""
    parts = []
    for test in (False, True):
        chosen = [s for s in samples if s.test == test]
        images = torch.from_numpy(np.concatenate([s.plates[kind] for s in chosen])).permute(0, 3, 1, 2)
        parts.append((images - 0.5, torch.from_numpy(np.concatenate([s.masks for s in chosen]))[:, None]))
    (x, y), (u, v) = parts
    torch.manual_seed(0)
    model = learn(layers(3, 1), x, y, nn.BCEWithLogitsLoss(), epochs)
    with torch.no_grad():
        train, test_scores = (torch.cat([torch.sigmoid(model(b)) for b in part.split(32)]) for part in (x, u))
    true, threshold = y > 0.5, best_threshold(train, y > 0.5)
    mean = y.mean(0, keepdim=True)
    prior = best_threshold(mean.expand_as(y), true)
    return overlap(test_scores > threshold, v > 0.5), overlap(mean.expand_as(v) > prior, v > 0.5)


class Mean(nn.Module):
    """The mean over the picture of what the layers find."""

    def __init__(self, inside: nn.Module) -> None:
        super().__init__()
        self.inside = inside

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, C, h, w) to (N, classes)."""
        return self.inside(x).mean((2, 3))


def classify(samples: list[Sample], kind: str, classes: int, epochs: int, seeds: int = 3) -> float:
    """Top-1 on the test of a classifier trained on one kind of plate, mean over seeds."""
    parts = []
    for test in (False, True):
        chosen = [s for s in samples if s.test == test]
        images = np.stack([s.plates[kind] - s.plates[kind].mean(0) for s in chosen])
        n, t, h, w, c = images.shape
        stacked = np.ascontiguousarray(images.transpose(0, 1, 4, 2, 3)).reshape(n, t * c, h, w)
        parts.append((torch.from_numpy(stacked) * 10, torch.tensor([s.label for s in chosen])))
    right = []
    for seed in range(seeds):
        torch.manual_seed(seed)
        model = learn(Mean(layers(3 * FRAMES, classes)), *parts[0], nn.CrossEntropyLoss(), epochs)
        with torch.no_grad():
            right.append(float((model(parts[1][0]).argmax(1) == parts[1][1]).float().mean()))
    return float(np.mean(right))


def main() -> None:
    """Prints a row a kind of plate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, default=6)
    parser.add_argument("--clips", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()) / "m2m-silhouettes")
    args = parser.parse_args()
    args.scratch.mkdir(parents=True, exist_ok=True)
    detector = make_detector(DetectParams())

    def cover(frames: np.ndarray) -> np.ndarray:
        return np.stack([p.cover for p in detector.detect(frames)])

    samples = [sample(*row, cover, args.scratch) for row in specs(args.classes, args.clips)]
    count = sum(s.test for s in samples)
    print(f"{len(samples) - count} clips to train on, {count} in the test; chance top-1 {1 / args.classes:.2f}")
    print(f"{'plates':24s} IoU of the person   of the mean mask   top-1 of the action")
    for kind in KINDS:
        found, prior = segment(samples, kind, args.epochs)
        print(
            f"{kind:24s} {found:17.3f} {prior:18.3f} {classify(samples, kind, args.classes, 3 * args.epochs):20.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
