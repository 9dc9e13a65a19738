"""Speed of training: a step as a share of what the machine's matrix product does.

python -m benchmarks.train [--paper] [--batch 8] [--seconds 10]
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional

from m2m.train.masks import split_tokens
from m2m.train.params import ModelParams
from m2m.train.precision import autocast
from m2m.train.videomae import Classifier, MaskedAutoencoder

LAPTOP = ModelParams(
    depth=4, width=96, heads=4, decoder_depth=1, decoder_width=96, decoder_heads=4, frames=8, size=(96, 176)
)


def main() -> None:
    """Prints clips a second and shares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--paper", action="store_true", help="ViT-B at 16x224x224 instead of a small model")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=10.0, help="for each figure")
    args = parser.parse_args()
    model = ModelParams() if args.paper else LAPTOP
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    print(f"{device.type}, {torch.get_num_threads()} threads, batch {args.batch}, {model}")
    arithmetic(model, args.batch, device, args.seconds)


def arithmetic(model: ModelParams, batch: int, device: torch.device, seconds: float) -> None:
    """Forward and backward passes without optimiser and data."""
    peak = product(device, seconds / 2)
    print(f"matrix product: {peak / 1e9:.0f} GFLOP/s")
    clips = torch.rand(batch, 3, model.frames, *model.size, device=device)
    rng = np.random.default_rng(0)
    masks = [split_tokens(model.grid, 0.9, "tube", rng) for _ in range(batch)]
    visible, hidden = (torch.from_numpy(np.stack(part)).to(device) for part in zip(*masks, strict=True))
    labels = torch.zeros(batch, dtype=torch.int64, device=device)
    autoencoder, classifier = MaskedAutoencoder(model).to(device), Classifier(model, 100).to(device)
    tokens, seen = model.grid[0] * model.grid[1] * model.grid[2], visible.shape[1]
    pixels = 3 * model.tubelet * model.patch**2
    trunk = blocks(model.depth, model.width, seen) + 2 * seen * pixels * model.width
    decoder = (
        blocks(model.decoder_depth, model.decoder_width, tokens) + 2 * (tokens - seen) * pixels * model.decoder_width
    )
    full = blocks(model.depth, model.width, tokens) + 2 * tokens * pixels * model.width

    def pretrain() -> torch.Tensor:
        return autoencoder(clips, visible, hidden).mean()

    def finetune() -> torch.Tensor:
        return functional.cross_entropy(classifier(clips), labels)

    for name, loss, flops in (("pretrain", pretrain, trunk + decoder), ("fine-tune", finetune, full)):
        rate = batch / timed(lambda loss=loss: one(loss, device), device, seconds)
        share = rate * 3 * flops / peak
        print(f"{name}: {rate:.1f} clips/s, {3 * flops / 1e9:.2f} GFLOP a clip, {share:.0%} of the matrix product")


def blocks(depth: int, width: int, tokens: int) -> float:
    """Operations of transformer blocks, forward, two a multiply-add."""
    return depth * (24 * tokens * width**2 + 4 * tokens**2 * width)


def one(loss: Callable[[], torch.Tensor], device: torch.device) -> None:
    with autocast("auto", device):
        value = loss()
    value.backward()


def product(device: torch.device, seconds: float) -> float:
    """Operations a second of a matrix product."""
    n = 8192 if device.type == "cuda" else 1024
    kind = torch.bfloat16 if device.type == "cuda" else torch.float32
    a = torch.rand(n, n, device=device, dtype=kind)
    return 2 * n**3 / timed(lambda: a @ a, device, seconds)


def timed(work: Callable[[], object], device: torch.device, seconds: float) -> float:
    """Seconds of one call, after warming up."""
    for _ in range(2):
        work()
    done, begin = 0, time.perf_counter()
    while True:
        work()
        done += 1
        if device.type == "cuda":
            torch.cuda.synchronize()
        spent = time.perf_counter() - begin
        if spent > seconds:
            return spent / done


if __name__ == "__main__":
    main()
