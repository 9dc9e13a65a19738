"""A pre-training step beside transformers' VideoMAE: same size, same clips, same masks, same precision, in turns.

    python -m benchmarks.step [--size vit_s] [--batch 8] [--rounds 12] [--compile] [--grow]

A step is forward, backward and AdamW, from float32 clips on the device, which lie in memory as each one's loader leaves
them, to new weights. Each round times one step of each; the median ratio of the rounds is what counts. `--grow` prints
time and memory of ours as the batch and the frames grow, and draws them.
"""

import argparse
import multiprocessing
import platform
import resource
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from transformers import VideoMAEConfig, VideoMAEForPreTraining
from transformers.utils import logging

from m2m import params
from m2m.train.foreign import FIELDS
from m2m.train.masks import split_tokens
from m2m.train.optimiser import make_optimiser
from m2m.train.params import ModelParams
from m2m.train.precision import autocast
from m2m.train.videomae import MEAN, STD, MaskedAutoencoder

RATIO = 0.9
LAPTOP = ModelParams(
    depth=4, width=192, heads=3, decoder_depth=2, decoder_width=96, decoder_heads=3, frames=16, size=(112, 112)
)
"""A reduced size for two cores: all else as ViT-B, tokens of 2x16x16 and nine of ten hidden among them."""

Step = Callable[[], float]


def size_of(name: str) -> ModelParams:
    """`small`, or a profile of the sizes: `vit_s`, `vit_b`, `vit_l`."""
    found: ModelParams = LAPTOP if name == "small" else params.load("model", name)
    return found


def batch_of(model: ModelParams, n: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Clips (B, T, H, W, 3) in [0, 1], indices of visible tokens and of hidden ones."""
    rng = np.random.default_rng(0)
    clips = torch.from_numpy(rng.random((n, model.frames, *model.size, 3), np.float32)).to(device)
    masks = [split_tokens(model.grid, RATIO, "tube", rng) for _ in range(n)]
    visible, hidden = (torch.from_numpy(np.stack(part)).to(device) for part in zip(*masks, strict=True))
    return clips, visible, hidden


def ours(model: ModelParams, n: int, device: torch.device, compiled: bool = False) -> Step:
    """A step of this package."""
    torch.manual_seed(0)
    net = MaskedAutoencoder(model).to(device).train()
    optimiser = make_optimiser(net, model.depth, (0.9, 0.95), 0.05, 1.0)
    for group in optimiser.param_groups:
        group["lr"] = 1e-4
    forward = torch.compile(net) if compiled else net
    clips, visible, hidden = batch_of(model, n, device)

    def step() -> float:
        with autocast("auto", device):
            loss = forward(clips.permute(0, 4, 1, 2, 3), visible, hidden).mean()
        loss.backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        return float(loss.detach())

    return step


def theirs(model: ModelParams, n: int, device: torch.device, compiled: bool = False) -> Step:
    """The same step with transformers' model, as its documentation uses it."""
    torch.manual_seed(0)
    config = VideoMAEConfig(
        **{theirs: getattr(model, ours) for theirs, ours in FIELDS.items()},
        image_size=model.size[0],
        intermediate_size=4 * model.width,
        decoder_intermediate_size=4 * model.decoder_width,
        layer_norm_eps=1e-6,
        norm_pix_loss=True,
    )
    net = VideoMAEForPreTraining(config).to(device).train()
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.05)
    forward = torch.compile(net) if compiled else net
    clips, visible, _ = batch_of(model, n, device)
    clips = clips.permute(0, 1, 4, 2, 3).contiguous()
    mean, std = (torch.tensor(v, device=device)[:, None, None] for v in (MEAN, STD))
    masked = torch.ones(n, model.grid[0] * model.grid[1] * model.grid[2], dtype=torch.bool, device=device)
    masked.scatter_(1, visible, False)

    def step() -> float:
        pixels = (clips - mean) / std
        with autocast("auto", device):
            loss = forward(pixels, bool_masked_pos=masked).loss
        loss.backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        return float(loss.detach())

    return step


def compare(model: ModelParams, n: int, rounds: int, device: torch.device, compiled: bool) -> None:
    """Prints milliseconds a step and the ratio."""
    steps = {"m2m": ours(model, n, device), "transformers": theirs(model, n, device)}
    if compiled:
        steps |= {"m2m, compiled": ours(model, n, device, True)}
        steps |= {"transformers, compiled": theirs(model, n, device, True)}
    losses = {name: step() for name, step in steps.items()}  # the first one warms up
    print(", ".join(f"first loss of {name} {loss:.4f}" for name, loss in losses.items()))
    spent: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            begin = time.perf_counter()
            step()
            spent[name].append(time.perf_counter() - begin)
    for name, took in spent.items():
        median = statistics.median(took)
        print(f"{name:24s} {1000 * median:9.1f} ms a step, {n / median:8.1f} clips/s (n = {rounds})")
    for name in spent:
        if name.startswith("m2m"):
            other = name.replace("m2m", "transformers")
            ratios = [b / a for a, b in zip(spent[name], spent[other], strict=True)]
            low, high = np.quantile(ratios, [0.1, 0.9])
            said = f"{statistics.median(ratios):.2f} times as fast as {other}"
            print(f"{name} is {said} (80 % of rounds {low:.2f} to {high:.2f})")


def grown(model: ModelParams, n: int) -> tuple[float, float]:
    """Seconds a step, and MiB at the peak beyond what the libraries take; alone in its process."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    step = ours(model, n, device)
    step()
    took = []
    for _ in range(3):
        begin = time.perf_counter()
        step()
        took.append(time.perf_counter() - begin)
    if device.type == "cuda":
        return min(took), torch.cuda.max_memory_allocated() / 2**20
    return min(took), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before


def grow(model: ModelParams, plot: Path | None) -> None:
    """Prints a table of batches and of frames, and draws it."""
    rows: dict[str, list[tuple[int, float, float]]] = {"batch": [], "frames": []}
    cases = [("batch", n, model, n) for n in (1, 2, 4, 8, 16, 32)]
    cases += [("frames", t, replace(model, frames=t), 4) for t in (8, 16, 32, 64)]
    for kind, value, sized, n in cases:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as alone:
            seconds, mebibytes = alone.submit(grown, sized, n).result()
        rows[kind].append((value, seconds, mebibytes))
        print(
            f"batch {n:3d}, {sized.frames:3d} frames: {1000 * seconds:8.0f} ms a step, {mebibytes:7.0f} MiB", flush=True
        )
    if plot is not None:
        draw(rows, plot)


def draw(rows: dict[str, list[tuple[int, float, float]]], path: Path) -> None:
    """Two panels, time and memory, a line each for the batch and the frames."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter

    plain = FuncFormatter(lambda value, _: f"{value:g}")
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    for axes, column, title in zip(figure.subplots(1, 2), (1, 2), ("seconds a step", "MiB at the peak"), strict=True):
        for kind, label in (("batch", "batch, 16 frames each"), ("frames", "frames, batch of 4")):
            axes.plot(
                [row[0] for row in rows[kind]], [row[column] for row in rows[kind]], marker="o", ms=4, label=label
            )
        axes.set_xscale("log", base=2)
        axes.set_yscale("log", base=2)
        axes.xaxis.set_major_formatter(plain)
        axes.yaxis.set_major_formatter(plain)
        axes.set_xlabel("batch or frames")
        axes.set_title(title, fontsize=10)
        axes.legend(fontsize=8, frameon=False)
    figure.savefig(path)


def main() -> None:
    """Prints both steps, or how ours grows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="small", help="small, vit_s, vit_b or vit_l (default: small)")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--compile", action="store_true", help="compiled models besides")
    parser.add_argument("--grow", action="store_true", help="time and memory of ours by batch and frames")
    parser.add_argument("--plot", type=Path, default=None, help="where --grow draws it")
    args = parser.parse_args()
    logging.set_verbosity_error()
    model, device = size_of(args.size), torch.device("cuda" if torch.cuda.is_available() else "cpu")
    where = torch.cuda.get_device_name() if device.type == "cuda" else platform.processor() or platform.machine()
    print(f"{where}, {torch.get_num_threads()} threads, torch {torch.__version__}, batch {args.batch}, {model}")
    if args.grow:
        grow(model, args.plot)
    else:
        compare(model, args.batch, args.rounds, device, args.compile)


if __name__ == "__main__":
    main()
