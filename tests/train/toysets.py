"""Tiny labelled data sets: a bright square that moves right or down over noise, which has a class's colour or none."""

from fractions import Fraction
from pathlib import Path

import numpy as np

from m2m.clips import Clip, DatasetCard, data_hash, file_sha256, write_card, write_manifest
from m2m.train.params import AlignParams, EvaluateParams, InputParams, ModelParams, PretrainParams, ProtocolParams
from m2m.video import VideoParams, Writer

MODEL = ModelParams(
    depth=2,
    width=32,
    heads=2,
    decoder_depth=1,
    decoder_width=16,
    decoder_heads=2,
    frames=4,
    tubelet=2,
    patch=16,
    size=(32, 48),
)
INPUT = InputParams(seconds=0.5, crop=0.8, ratio=1.1, flip=False, jitter=0.1, cache="memory", workers=0)
PRETRAIN = PretrainParams(
    epochs=4, warmup=1, batch=8, samples=2, lr=2e-3, mask_ratio=0.5, input=INPUT, device="cpu", checkpoint_every=1
)
ALIGN = AlignParams(
    epochs=4,
    warmup=1,
    batch=4,
    lr=2e-3,
    layer_decay=0.9,
    input=INPUT,
    validate_every=2,
    device="cpu",
    checkpoint_every=1,
)
_FT = ProtocolParams(
    epochs=3, warmup=1, batch=4, lr=2e-3, layer_decay=1.0, drop_path=0.0, smoothing=0.0, mixup=0.0, input=INPUT
)
EVALUATE = EvaluateParams(ft=_FT, lp=_FT, views=(2, 1), validate_every=0, device="cpu")


TINTS = {"red": (1, 0, 0), "blue": (0, 0, 1)}
"""Colours of the noise of classes that one frame tells."""


def draw(path: Path, label: str, seed: int, n: int = 12) -> None:
    """Writes one clip of 72x48 pixels at 12 frames a second."""
    rng = np.random.default_rng(seed)
    scene = rng.integers(0, 90, (48, 72, 3), np.uint8) * np.array(TINTS.get(label, (1, 1, 1)), np.uint8)
    x, y = rng.integers(0, 24, 2)
    with Writer(path, (72, 48), Fraction(12), VideoParams(preset="ultrafast")) as writer:
        for t in range(n):
            frame = scene.copy()
            at_x, at_y = (x + 3 * t, y) if label == "right" else (x, y + 2 * t)
            frame[at_y : at_y + 12, at_x : at_x + 12] = 255
            writer.write(frame)


def make_set(folder: Path, train: int = 4, val: int = 2, labels: tuple[str, ...] = ("down", "right")) -> Path:
    """Writes a data set with so many clips of each label and split."""
    clips = []
    for label in labels:
        for index in range(train + val):
            name = f"{label}_{index}"
            path = folder / "videos" / f"{name}.mp4"
            draw(path, label, seed=index * 10 + labels.index(label))
            split = "train" if index < train else "val"
            clips.append(Clip(name, f"videos/{name}.mp4", label, split, file_sha256(path), 72, 48, 12, 1, 12))
    rewrite(folder, clips)
    return folder


def rewrite(folder: Path, clips: list[Clip]) -> None:
    """Writes the manifest and the card."""
    write_manifest(clips, folder / "clips.parquet")
    write_card(DatasetCard("toys", "m2m", True, {}, "1", (), "", len(clips), 0, data_hash(clips)), folder)
