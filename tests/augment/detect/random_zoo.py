"""A checkpoint as detectron2's model zoo keeps one, of random weights that see many things."""

import pickle
from functools import cache
from pathlib import Path

import numpy as np

from m2m.augment.detect.maskrcnn import official
from m2m.augment.detect.segmenter import PERSON
from m2m.augment.detect.zoo import names

SPREAD = {
    "objectness_logits.weight": 0.02,
    "anchor_deltas.weight": 0.005,
    "cls_score.weight": 0.06,
    "bbox_pred.weight": 0.02,
    "mask_head.predictor.weight": 0.1,
}
"""Standard deviations of the last layers; the others' keep the size of what goes through."""


@cache
def arrays(seed: int = 1) -> dict[str, np.ndarray]:
    """Arrays by detectron2's names."""
    rng, like = np.random.default_rng(seed), official(0.5).state_dict()
    return {theirs: _array(theirs, tuple(like[ours].shape), rng) for theirs, ours in names().items()}


def _array(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    if "bbox_pred" in name:
        shape = (320, *shape[1:])  # 80 classes; torchvision gives the background a box and a mask too
    if "mask_head.predictor" in name:
        shape = (80, *shape[1:])
    if name.endswith("running_var"):  # large: or activations would grow from block to block
        return rng.uniform(10, 14, shape).astype(np.float32)
    if name.endswith("norm.weight"):
        return np.ones(shape, np.float32)
    if name.endswith("cls_score.bias"):
        return np.where(np.arange(shape[0]) == PERSON, 2, 0).astype(np.float32)  # or people would be few
    if name.endswith(("bias", "running_mean")):
        return _normal(0.05 if "norm" in name else 0.01, shape, rng)
    spread = next((s for end, s in SPREAD.items() if name.endswith(end)), None)
    if spread is None:
        spread = (2 / np.prod([shape[0], *shape[2:]])) ** 0.5 if "bottom_up" in name else np.prod(shape[1:]) ** -0.5
    return _normal(float(spread), shape, rng)


def _normal(spread: float, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    out = rng.standard_normal(shape, np.float32)
    out *= np.float32(spread)
    return out


def write(path: Path, seed: int = 1) -> Path:
    """Writes a model zoo's file, constants included."""
    state = {**arrays(seed), "pixel_mean": np.zeros((3, 1, 1), np.float32)}
    state["proposal_generator.anchor_generator.cell_anchors.0"] = np.zeros((3, 4), np.float32)
    path.write_bytes(pickle.dumps({"model": state, "__author__": "Detectron2 Model Zoo"}))
    return path


def pictures(n: int, height: int = 240, width: int = 432, seed: int = 0) -> np.ndarray:
    """(n, H, W, 3) uint8 RGB of blurred spots in all colours."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (n, -(-height // 8), -(-width // 8), 3))
    fine = rng.integers(-40, 41, (n, height, width, 3))
    large = coarse.repeat(8, 1).repeat(8, 2)[:, :height, :width]
    return (large + fine).clip(0, 255).astype(np.uint8)
