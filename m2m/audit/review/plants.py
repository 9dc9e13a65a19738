"""Somebody put into a finished clip on purpose, to learn how much a reviewer sees.

Faces, parts and people come from the clip's own original, at the place and the time where it shows them; without an
original, and for what has no place there, from a drawn person. They are kept as small and as short as leftovers are.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import cv2
import numpy as np

from m2m.studio import ClipSpec, draw_clip

KINDS = ("person", "face", "part", "reflection", "shadow", "picture", "text")
"""What is put in, in turn."""
FROM_ORIGINAL = frozenset({"person", "face", "part"})
"""Kinds that are taken from an original where it shows somebody."""
LONG = 0.6
"""Seconds that a person, face or part is shown at most: leftovers are of single frames."""
NAMES = ("A. KELLER", "M 4711 XK", "NR. 27 SATO", "DR. OKORO", "HB-KT 903", "TEAM IVANA")
FEATHER = 0.12
"""Share of a box's shorter side over which what is put in fades."""

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Cut:
    """Pictures of somebody for some frames.

    Attributes:
        frames: (K, h, w, 3) uint8 RGB.
        alpha: (K, h, w) float32, 0 to 1.
    """

    frames: np.ndarray
    alpha: np.ndarray


@dataclass(frozen=True)
class Plant:
    """What is put where.

    Attributes:
        kind: One of `KINDS`.
        source: `original` or `drawn`.
        first: The first frame that shows it.
        corner: x, y of its upper left corner in pixels.
        cut: What it looks like; its last frame stays where it is shorter than the clip.
        frames: For how many frames it is shown.
        opacity: 0 to 1.
    """

    kind: str
    source: str
    first: int
    corner: tuple[int, int]
    cut: Cut
    frames: int
    opacity: float = 1.0

    def about(self) -> dict[str, Any]:
        """What the key says of it, as JSON."""
        height, width = self.cut.alpha.shape[1:]
        x, y = self.corner
        return {
            "kind": self.kind,
            "source": self.source,
            "first": self.first,
            "frames": self.frames,
            "box": [x, y, x + width, y + height],
            "opacity": round(self.opacity, 2),
        }

    def into(self, frames: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        """Frames (H, W, 3) uint8 RGB with it in them."""
        for t, frame in enumerate(frames):
            k = t - self.first
            if 0 <= k < self.frames:
                k = min(k, len(self.cut.frames) - 1)
                frame = paste(frame, self.cut.frames[k], self.cut.alpha[k] * self.opacity, self.corner)
            yield frame


def paste(frame: np.ndarray, picture: np.ndarray, alpha: np.ndarray, corner: tuple[int, int]) -> np.ndarray:
    """A frame with a picture laid over it; what would lie outside is left out.

    Args:
        frame: (H, W, 3) uint8 RGB.
        picture: (h, w, 3) uint8 RGB.
        alpha: (h, w) float32, 0 to 1.
        corner: x, y of the picture's upper left corner; may be negative.
    """
    (x, y), (height, width) = corner, frame.shape[:2]
    x0, y0 = max(0, x), max(0, y)
    x1, y1 = min(width, x + picture.shape[1]), min(height, y + picture.shape[0])
    if x0 >= x1 or y0 >= y1:
        return frame
    out = frame.copy()
    part = slice(y0 - y, y1 - y), slice(x0 - x, x1 - x)
    weight = alpha[part][..., None]
    mixed = frame[y0:y1, x0:x1] * (1 - weight) + picture[part] * weight
    out[y0:y1, x0:x1] = np.rint(mixed).astype(np.uint8)
    return out


def feathered(height: int, width: int) -> np.ndarray:
    """(h, w) float32 that is 1 inside and falls to 0 at the rim."""
    rim = max(1.0, FEATHER * min(height, width))
    rows = np.minimum(np.arange(height) + 0.5, height - np.arange(height) - 0.5)
    columns = np.minimum(np.arange(width) + 0.5, width - np.arange(width) - 0.5)
    return np.clip(np.minimum.outer(rows, columns) / rim, 0, 1).astype(np.float32)


def cut_out(frames: np.ndarray, box: Box) -> tuple[Cut, tuple[int, int]]:
    """What frames (K, H, W, 3) show in a box, and its corner."""
    height, width = frames.shape[1:3]
    x0, y0 = int(np.clip(box[0], 0, width - 2)), int(np.clip(box[1], 0, height - 2))
    x1, y1 = int(np.clip(np.ceil(box[2]), x0 + 2, width)), int(np.clip(np.ceil(box[3]), y0 + 2, height))
    alpha = np.broadcast_to(feathered(y1 - y0, x1 - x0), (len(frames), y1 - y0, x1 - x0))
    return Cut(frames[:, y0:y1, x0:x1], alpha), (x0, y0)


def part_of(box: Box, kind: str, rng: np.random.Generator) -> Box:
    """The box to cut for a kind, from a person's or a face's box."""
    x0, y0, x1, y1 = box
    width, height = x1 - x0, y1 - y0
    if kind == "face":
        return x0 - 0.1 * width, y0 - 0.1 * height, x1 + 0.1 * width, y1 + 0.1 * height
    if kind == "part":
        w, h = width * rng.uniform(0.3, 0.6), height * rng.uniform(0.15, 0.3)
        x, y = x0 + rng.uniform(0, width - w), y0 + rng.uniform(0, height - h)
        return x, y, x + w, y + h
    return box


def length(kind: str, n: int, fps: Fraction, rng: np.random.Generator) -> int:
    """For how many frames a kind is shown in a clip of `n`: a few, or throughout what hangs on a wall."""
    if kind in ("picture", "text"):
        return n
    most = max(1, min(n, round(LONG * fps)))
    return int(rng.integers(min(2, most), most + 1)) * (2 if kind in ("reflection", "shadow") else 1)


def from_original(
    kind: str, frames: np.ndarray, first: int, places: list[tuple[str, Box]], rng: np.random.Generator
) -> Plant | None:
    """Somebody from an original; None if it shows nobody whom one could cut out.

    Args:
        kind: One of `FROM_ORIGINAL`.
        frames: (K, H, W, 3) uint8 RGB, the frames to show, of the output's size.
        first: The number of the first one in the clip.
        places: `face` or `person` and the box, of the first frame.
        rng: Source of chance.
    """
    wanted = "face" if kind == "face" else "person"
    boxes = [box for found, box in places if found == wanted]
    if not boxes:
        return None
    cut, corner = cut_out(frames, part_of(boxes[int(rng.integers(len(boxes)))], kind, rng))
    return Plant(kind, "original", first, corner, cut, len(frames))


def drawn(kind: str, n: int, size: tuple[int, int], fps: Fraction, rng: np.random.Generator) -> Plant:
    """Somebody, or something of somebody, who was drawn.

    Args:
        kind: One of `KINDS`.
        n: Frames of the clip.
        size: Its width and height.
        fps: Its frames a second.
        rng: Source of chance.
    """
    width, height = size
    k = min(n, length(kind, n, fps, rng))
    first = int(rng.integers(0, n - k + 1))
    if kind == "text":
        cut, opacity = _text(str(rng.choice(NAMES)), height, rng), 0.85
    else:
        cut, opacity = _figure(kind, height, rng)
    high, wide = cut.alpha.shape[1:]
    corner = int(rng.integers(0, max(1, width - wide))), int(rng.integers(0, max(1, height - high)))
    return Plant(kind, "drawn", first, corner, cut, k, opacity)


def _figure(kind: str, height: int, rng: np.random.Generator) -> tuple[Cut, float]:
    """A drawn person as a kind shows it, and how opaque."""
    frames, masks = _person(int(rng.integers(4)))
    rows, columns = np.flatnonzero(masks.any((0, 2))), np.flatnonzero(masks.any((0, 1)))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    pictures, alpha = frames[(slice(None), *box)], masks[(slice(None), *box)].astype(np.float32)
    tall, opacity = {"picture": 0.25, "reflection": 0.6, "face": 1.0}.get(kind, 0.7), 1.0
    if kind == "face":
        head = max(4, round(0.16 * pictures.shape[1]))
        middle = int(np.median(np.flatnonzero(masks[0, rows[0] : rows[0] + head].any(0)) - columns[0]))
        sides = slice(max(0, middle - head // 2), middle + head // 2)
        pictures, alpha, tall = pictures[:, :head, sides], alpha[:, :head, sides], 0.15
    elif kind == "part":
        high = pictures.shape[1]
        top = int(rng.uniform(0.2, 0.7) * high)
        pictures, alpha, tall = pictures[:, top : top + high // 4], alpha[:, top : top + high // 4], 0.15
    elif kind == "reflection":
        pictures, alpha, opacity = pictures[:, :, ::-1], alpha[:, :, ::-1], float(rng.uniform(0.3, 0.5))
    elif kind == "shadow":
        pictures, opacity = np.zeros_like(pictures), float(rng.uniform(0.35, 0.55))
    elif kind == "picture":  # with what is behind, as a poster has
        alpha = np.ones_like(alpha)
    scale = tall * height * rng.uniform(0.8, 1.2) / pictures.shape[1]
    to = max(4, round(pictures.shape[2] * scale)), max(4, round(pictures.shape[1] * scale))
    pictures = np.stack([cv2.resize(np.ascontiguousarray(p), to, interpolation=cv2.INTER_AREA) for p in pictures])
    alpha = np.stack([cv2.resize(np.ascontiguousarray(a), to, interpolation=cv2.INTER_AREA) for a in alpha])
    alpha = np.stack([cv2.GaussianBlur(a, (3, 3), 0) for a in alpha])  # no edge as sharp as scissors cut
    still = kind in ("picture", "face")  # of somebody who moves, the cut of one frame shows no face in the next
    return (Cut(pictures[:1], alpha[:1]) if still else Cut(pictures, alpha)), opacity


@cache
def _person(look: int) -> tuple[np.ndarray, np.ndarray]:
    """Frames (T, H, W, 3) of a drawn person who walks, squats or waves, and the masks (T, H, W)."""
    label = ("wave", "squat", "clap", "march")[look]
    clip = draw_clip(ClipSpec(label=label, seed=look, fps=Fraction(10), seconds=0.5, camera="still", clutter=False))
    return clip.frames, clip.masks


def _text(words: str, height: int, rng: np.random.Generator) -> Cut:
    """Letters as on a shirt, a badge or a number plate, about a twentieth of the picture high."""
    scale = height * rng.uniform(0.03, 0.05) / 22
    (width, high), base = cv2.getTextSize(words, cv2.FONT_HERSHEY_DUPLEX, scale, 1)
    alpha = np.zeros((1, high + base + 2, width + 4), np.float32)
    cv2.putText(alpha[0], words, (2, high), cv2.FONT_HERSHEY_DUPLEX, scale, 1.0, 1, cv2.LINE_AA)
    level = int(rng.choice([25, 235]))
    return Cut(np.full((*alpha.shape, 3), level, np.uint8), alpha)
