"""What is done to the pixels of a sample beyond its crop: RandAugment and random erasing, alike in all frames."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image
from timm.data.auto_augment import rand_augment_transform

from m2m.train.videomae import MEAN, STD

AREA, ASPECT, TRIES = (0.02, 1 / 3), (0.3, 1 / 0.3), 10
"""Share of the picture that is erased, and its rows to columns (Zhong et al. 2017, arXiv 1708.04896; timm's bounds)."""


def rand_augment(clip: np.ndarray, policy: str, rng: np.random.Generator) -> np.ndarray:
    """RandAugment (Cubuk et al. 2019, arXiv 1909.13719) by timm: one draw of operations for all frames.

    Args:
        clip: (T, H, W, 3) uint8.
        policy: In timm's words, as `rand-m7-n4-mstd0.5-inc1`.
        rng: Where chance comes from.

    Returns:
        (T, H, W, 3) uint8. What is pushed into the picture from outside of it has the mean colour.
    """
    transform, seed = _transform(policy, min(clip.shape[1:3])), int(rng.integers(2**32))
    out = np.empty_like(clip)
    for frame, sample in zip(clip, out, strict=True):
        with _seeded(seed):
            sample[:] = np.asarray(transform(Image.fromarray(frame)))
    return out


@lru_cache(maxsize=8)
def _transform(policy: str, side: int) -> Callable[[Image.Image], Image.Image]:
    fill = tuple(round(255 * part) for part in MEAN)
    settings: dict[str, Any] = {"translate_const": int(side * 0.45), "img_mean": fill}
    return rand_augment_transform(policy, settings | {"interpolation": Image.Resampling.BICUBIC})


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seeds the generators that timm draws from, and leaves them as they were."""
    state, numbers = random.getstate(), np.random.get_state()
    random.seed(seed)
    np.random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)
        np.random.set_state(numbers)


def erase(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Fills one box, the same in all frames, with noise that has the mean and the deviation of pixels.

    Args:
        clip: (T, H, W, 3) uint8.
        rng: Where chance comes from.

    Returns:
        (T, H, W, 3) uint8; the clip itself where no box was found that fits.
    """
    frames, height, width, _ = clip.shape
    for _ in range(TRIES):
        area = rng.uniform(*AREA) * height * width
        aspect = np.exp(rng.uniform(*np.log(ASPECT)))
        rows, columns = round(np.sqrt(area * aspect)), round(np.sqrt(area / aspect))
        if 0 < rows < height and 0 < columns < width:
            top, left = rng.integers(height - rows + 1), rng.integers(width - columns + 1)
            noise = rng.standard_normal((frames, rows, columns, 3), np.float32) * STD + MEAN
            out = clip.copy()
            out[:, top : top + rows, left : left + columns] = np.clip(noise * 255, 0, 255).round()
            return out
    return clip
