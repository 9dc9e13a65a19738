"""The real clips that figures are measured on; they lie beside the project and are never part of it."""

import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from m2m import video
from m2m.augment.clip_files import Format

SIZE = (432, 240)


def shared() -> Path:
    """The folder of the clips and their labels: M2M_REAL_CLIPS, by default beside the checkout."""
    folder = Path(os.environ.get("M2M_REAL_CLIPS", Path(__file__).parents[1].parent / "shared"))
    if not (folder / "clips").is_dir():
        raise SystemExit(f"no clips in {folder}: set M2M_REAL_CLIPS")
    return folder


def named(start: str) -> str:
    """The first clip whose name starts so."""
    return next(name for name in names() if name.startswith(start))


def names() -> list[str]:
    """The clips and the tennis frames."""
    return [*sorted(p.name for p in (shared() / "clips").iterdir()), "tennis"]


def stretch_of(name: str, size: tuple[int, int] = SIZE) -> float:
    """How much wider than in the world things are in the frames of a clip at this size."""
    return 1.0 if name == "tennis" else Format.read(shared() / "clips" / name, size).stretch


def frames_of(name: str, size: tuple[int, int] | None = SIZE) -> Iterator[np.ndarray]:
    """Frames of a clip, (H, W, 3) uint8 RGB."""
    if name == "tennis":
        for path in sorted((shared() / "fixtures" / "tennis" / "frames").iterdir()):
            frame = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
            yield cv2.resize(frame, size, interpolation=cv2.INTER_AREA) if size else frame
        return
    for decoded in video.read(shared() / "clips" / name, size):
        yield decoded.image
