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

from m2m.attack.silhouette import classify, segment
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
    with np.load(file, allow_pickle=False) as made:
        return Sample(label, test, made["masks"], {kind: made[kind] for kind in KINDS})


def found(samples: list[Sample], kind: str, epochs: int) -> tuple[float, float]:
    """IoU on the test of a segmenter trained on one kind of plate, and of the mean training mask."""
    parts = []
    for test in (False, True):
        chosen = [s for s in samples if s.test == test]
        parts.append((np.concatenate([s.plates[kind] for s in chosen]), np.concatenate([s.masks for s in chosen])))
    iou, prior = segment(parts[0], parts[1], epochs)
    return float(iou.mean()), float(prior.mean())


def top1(samples: list[Sample], kind: str, classes: int, epochs: int, seeds: int = 3) -> float:
    """Top-1 on the test of a classifier trained on one kind of plate, mean over seeds."""
    train, test = ([s for s in samples if s.test == t] for t in (False, True))
    known = np.stack([s.plates[kind] for s in train]), np.array([s.label for s in train])
    asked, true = np.stack([s.plates[kind] for s in test]), np.array([s.label for s in test])
    return float(np.mean([(classify(known, asked, classes, epochs, seed) == true).mean() for seed in range(seeds)]))


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
        iou, prior = found(samples, kind, args.epochs)
        right = top1(samples, kind, args.classes, 3 * args.epochs)
        print(f"{kind:24s} {iou:17.3f} {prior:18.3f} {right:20.2f}", flush=True)


if __name__ == "__main__":
    main()
