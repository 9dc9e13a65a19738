"""Instance segmentation behind one interface: each person a box and a mask of his own."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from m2m.augment.devices import halving
from m2m.errors import InputError

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

PERSON = 0
"""The class of people among COCO's, counted from 0 without a background."""


@dataclass(frozen=True)
class Instances:
    """What a model sees in one frame, best first.

    Attributes:
        boxes: (N, 5) float32 x0, y0, x1, y1, score, pixels of the frame.
        labels: (N,) int64 classes, `PERSON` for people.
        masks: (N, H, W) bool.
    """

    boxes: np.ndarray
    labels: np.ndarray
    masks: np.ndarray


class Segmenter(Protocol):
    """Finds every person of every frame."""

    def look(self, frames: np.ndarray, people: bool = True) -> Iterator[Instances]:
        """Looks at frames, some at a time.

        Args:
            frames: (T, H, W, 3) uint8 RGB.
            people: Give nobody but people; else all that the model knows.

        Yields:
            T times what one frame shows, whatever frames are beside it.
        """
        ...


def in_batches(
    work: Callable[[list[np.ndarray]], list[Instances]], frames: np.ndarray, batch: int
) -> Iterator[Instances]:
    """Runs work over frames, `batch` at a time; fewer from where a GPU's memory is short.

    Raises:
        InfrastructureError: One frame does not fit either.
    """
    fits: list[int] = []

    def counted(part: list[np.ndarray]) -> list[Instances]:
        done = work(part)
        fits.append(len(part))
        return done

    start = 0
    while start < len(frames):
        done = halving(counted, list(frames[start : start + min([batch, *fits])]))  # type: ignore[arg-type]
        yield from done
        start += len(done)


@contextmanager
def steady(device: "torch.device", threads: int) -> Iterator[None]:
    """No gradients, so many threads on a CPU, and the same bytes every time on a GPU, for the length of a block."""
    import torch

    before = torch.get_num_threads()
    if device.type == "cpu":
        torch.set_num_threads(threads)
    try:
        with (
            torch.inference_mode(),
            torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=True),
        ):
            yield
    finally:
        torch.set_num_threads(before)


def pyramid(
    backbone: "Callable[[torch.Tensor], dict[str, torch.Tensor]]", images: "torch.Tensor", half: bool
) -> "dict[str, torch.Tensor]":
    """Features of images by level, in float32: in float16 the heads would round boxes to pixels.

    Args:
        backbone: Makes the features.
        images: (N, 3, h, w).
        half: Make them in float16; again in float32 where that is too narrow. What is not finite finds nobody, and
            nobody would notice.

    Raises:
        InputError: They are not finite in float32 either.
    """
    import torch

    for narrow in (True, False) if half else (False,):
        with torch.autocast(images.device.type, torch.float16, enabled=narrow):
            features = {level: seen.float() for level, seen in backbone(images).items()}
        if all(bool(torch.isfinite(seen).all()) for seen in features.values()):
            return features
        if narrow:
            log.warning("float16 is too narrow for these features: this batch is done again in float32")
    raise InputError("the detector's features are not finite", "its weights are damaged: get them again")
