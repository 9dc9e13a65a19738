"""Membership: whether a trained model tells which clips it was trained on, by its loss on them (Yeom et al., 2018)."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from m2m.attack.material import Material
from m2m.clips import Clip, DatasetCard, data_hash, write_card, write_manifest
from m2m.train.batches import Views, load, to_device
from m2m.train.checkpoints import read_trained
from m2m.train.clips import LabelledSet, open_set
from m2m.train.evaluate import evaluate
from m2m.train.masks import split_tokens
from m2m.train.models import make_classifier
from m2m.train.params import EvaluateParams, InputParams, ModelParams, PretrainParams, ProtocolParams
from m2m.train.pretrain import pretrain
from m2m.train.videomae import MaskedAutoencoder
from m2m.video import probe, read

KINDS = ("pretrain", "evaluate")
MASKS = 4
"""Masks a clip that a pre-trained model is asked with."""
MODEL = ModelParams(
    depth=4,
    width=96,
    heads=4,
    decoder_depth=1,
    decoder_width=96,
    decoder_heads=4,
    frames=8,
    tubelet=4,
    patch=8,
    size=(64, 112),
)
"""The size of the laptop's profile, with the pixels as they are."""
_READ = InputParams(seconds=0.0, crop=0.8, ratio=1.1, cache="memory", workers=0)


def split_members(clip_ids: tuple[str, ...], labels: tuple[str, ...], most: int, seed: int) -> np.ndarray:
    """Which clips are trained on and which are kept away, drawn alike of every action.

    Args:
        clip_ids: N clips.
        labels: Their actions.
        most: Most members.
        seed: Same seed, same members.

    Returns:
        (N,) int8: 1 for members, 0 for others, -1 for clips left out, so that both are as many.
    """
    rng = np.random.default_rng([seed, len(clip_ids)])
    out = np.full(len(clip_ids), -1, np.int8)
    words = np.array(labels)
    names = np.unique(words)
    each = max(1, most // len(names))
    for name in names:
        own = rng.permutation(np.flatnonzero(words == name))
        half = min(each, len(own) // 2)
        out[own[:half]], out[own[half : 2 * half]] = 1, 0
    return out


def losses(
    material: Material,
    trained_on: str,
    asked_with: str,
    members: np.ndarray,
    kind: str,
    epochs: int,
    seed: int,
    out: Path,
) -> np.ndarray:
    """Trains a small model on members and asks it with members and others.

    Args:
        material: Data sets.
        trained_on: The variant that it learns from.
        asked_with: The variant of the clips that an attacker has.
        members: As `split_members` gives.
        kind: `pretrain` or `evaluate`.
        epochs: Times every member is seen.
        seed: Of everything random.
        out: Folder of the model; a finished one in it is used.

    Returns:
        (N,) float64 losses; NaN for clips left out.
    """
    home = _data_set(material, trained_on, members, out / "data")
    model = _trained(home, out, kind, epochs, seed)
    asked = _data_set(material, asked_with, members, out / f"asked-{asked_with}")
    rows = open_set(asked)
    every = replace(rows, val=rows.train + rows.val)
    found = _reconstruction(model, every, seed) if kind == "pretrain" else _cross_entropy(model, every)
    by_name = {clip.clip_id: loss for clip, loss in zip(every.val, found, strict=True)}
    return np.array([by_name.get(name, np.nan) for name in material.clip_ids])


def _data_set(material: Material, variant: str, members: np.ndarray, folder: Path) -> Path:
    """A data set of members (train) and others (val) whose videos stay where they are."""
    rows = []
    for name, member in zip(material.clip_ids, members, strict=True):
        if member < 0:
            continue
        clip = material.variants[variant].clips[name]
        rows.append(_known(replace(clip, split="train" if member else "val", path=os.path.relpath(clip.path, folder))))
    rows = [_measured(row, folder) for row in rows]
    write_manifest(rows, folder / "clips.parquet")
    card = DatasetCard(f"{variant} members", variant, False, {}, "attack/1", (), "", len(rows), 0, data_hash(rows))
    write_card(card, folder)
    return folder


def _known(clip: Clip) -> Clip:
    return replace(clip, shard=-1, offset=-1)


def _measured(clip: Clip, folder: Path) -> Clip:
    """A row that says how long the clip is: scanned originals do not."""
    if clip.n_frames:
        return clip
    path = folder / clip.path
    info = probe(path)
    count = sum(1 for _ in read(path))
    num, den = info.fps.numerator, info.fps.denominator
    return replace(clip, width=info.width, height=info.height, n_frames=count, fps_num=num, fps_den=den)


def _trained(home: Path, out: Path, kind: str, epochs: int, seed: int) -> Path:
    shared: dict[str, Any] = {"epochs": epochs, "warmup": min(2, epochs), "batch": 8, "input": _READ, "lr": 1e-3}
    if kind == "pretrain":
        how = PretrainParams(**shared, samples=1, mask_ratio=0.75, normalise=False, seed=seed, device="cpu")
        return pretrain(home, out, how, MODEL).checkpoint
    ft = ProtocolParams(**shared, betas=(0.9, 0.95), weight_decay=0.05, layer_decay=1.0, drop_path=0.0, mixup=0.0)
    params = EvaluateParams(ft=ft, views=(1, 1), validate_every=0, device="cpu", checkpoint_every=epochs)
    return evaluate(home, None, out, params, MODEL, seed=seed).checkpoint


@torch.no_grad()
def _cross_entropy(checkpoint: Path, data: LabelledSet) -> list[float]:
    trained = read_trained(checkpoint, MODEL)
    model = make_classifier(MODEL, len(data.classes))
    model.load_state_dict(trained.weights)
    model.eval()
    out = []
    views = Views(data, MODEL, _READ, (1, 1))
    for chunk in load(views, [[i] for i in range(len(views))], 0, False):
        given = to_device(chunk, torch.device("cpu"))
        out.append(float(torch.nn.functional.cross_entropy(model(given["clip"]), given["label"])))
    return out


@torch.no_grad()
def _reconstruction(checkpoint: Path, data: LabelledSet, seed: int) -> list[float]:
    trained = read_trained(checkpoint, MODEL)
    model = MaskedAutoencoder(MODEL, normalise=False)
    model.load_state_dict(trained.weights)
    model.eval()
    rng = np.random.default_rng([seed, MASKS])
    masks = [split_tokens(MODEL.grid, 0.75, "tube", rng) for _ in range(MASKS)]
    out = []
    views = Views(data, MODEL, _READ, (1, 1))
    for chunk in load(views, [[i] for i in range(len(views))], 0, False):
        clip = to_device(chunk, torch.device("cpu"))["clip"]
        asked = [model(clip, torch.from_numpy(v)[None], torch.from_numpy(h)[None]).mean() for v, h in masks]
        out.append(float(torch.stack(asked).mean()))
    return out
