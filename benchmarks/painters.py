"""Frames a second and peak memory of the inpaint backends, and of E2FGVI as its authors release it, in one run.

`temporal` and `navier-stokes` fill a whole window. Of a network one pass from the middle of the window is timed, which
every `step` frames of the window need once; the weights are random, for they change neither. `released` is the
authors' script: every tenth frame of the window is in each pass, in single precision.

    python -m benchmarks.painters [--size 432x240] [--frames 60,250] [--only e2fgvi] [--device cpu] [--passes 1]
"""

import argparse
import multiprocessing
import os
import platform
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import numpy as np

from m2m.augment.inpaint import InpaintParams, make_inpainter
from m2m.augment.inpaint.params import E2FGVIParams
from m2m.augment.inpaint.passes import passes
from m2m.errors import M2MError

OURS = E2FGVIParams(weights="random")
RELEASED = replace(OURS, references=10**6, half=False)
ROWS = {
    "navier-stokes": ("navier-stokes", OURS),
    "temporal": ("temporal", OURS),
    "e2fgvi": ("e2fgvi", OURS),
    "e2fgvi, released": ("e2fgvi", RELEASED),
    "e2fgvi-hq": ("e2fgvi-hq", OURS),
    "e2fgvi-hq, released": ("e2fgvi-hq", RELEASED),
}


def scene(length: int, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """A still texture with a little noise, and a block of a tenth of the picture that walks across it."""
    rng = np.random.default_rng(0)
    texture = np.kron(rng.integers(40, 216, (-(-height // 12), -(-width // 12), 3)), np.ones((12, 12, 1)))
    frames = texture[None, :height, :width] + rng.normal(0, 2, (length, height, width, 3))
    region = np.zeros((length, height, width), bool)
    for t in range(length):
        x = round((width - width // 6) * t / max(1, length - 1))
        region[t, height // 4 : height // 4 + height * 3 // 5, x : x + width // 6] = True
    return np.clip(frames, 0, 255).astype(np.uint8), region


def whole(backend: str, frames: np.ndarray, region: np.ndarray) -> tuple[int, float]:
    """Frames seen at once, and seconds a frame."""
    painter = make_inpainter(InpaintParams(backend))
    painter.fill(frames[:20], region[:20], region[:20])
    begin = time.perf_counter()
    painter.fill(frames, region, region)
    return len(frames), (time.perf_counter() - begin) / len(frames)


def one_pass(
    backend: str, params: E2FGVIParams, frames: np.ndarray, region: np.ndarray, count: int
) -> tuple[int, float]:
    """Frames seen at once, and seconds a frame: the median of `count` passes."""
    from m2m.augment.inpaint.e2fgvi import E2FGVI

    network = E2FGVI(backend, params)
    every = list(passes(len(frames), params))
    middle = every[len(every) // 2]
    seen = [*middle.neighbours, *middle.references]
    shown = np.where(region[seen, ..., None], np.float32(0), frames[seen] / np.float32(127.5) - 1)
    network(shown[:4], 2)  # starts threads and kernels
    times = []
    for _ in range(count):
        begin = time.perf_counter()
        network(shown, len(middle.neighbours))
        times.append(time.perf_counter() - begin)
    return len(seen), float(np.median(times)) / params.step


def row(name: str, length: int, size: tuple[int, int], device: str, count: int) -> str:
    """One row of the table, from a process of its own, so that its peak of memory is its own."""
    backend, params = ROWS[name]
    if backend == "e2fgvi" and size != (432, 240):
        return f"| {name} | {length} | not run: 432x240 only | | | |"
    frames, region = scene(length, *size)
    try:
        if backend in ("temporal", "navier-stokes"):
            (seen, seconds), gpu = whole(backend, frames, region), False
        else:
            params = replace(params, device=device)
            seen, seconds = one_pass(backend, params, frames, region, count)
            import torch

            gpu = torch.cuda.is_available() and device != "cpu"
        peak = torch.cuda.max_memory_allocated() if gpu else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    except M2MError as error:
        return f"| {name} | {length} | not run: {error.what} | | | |"
    return (
        f"| {name} | {length} | {seen} | {1000 * seconds:.0f} | {1 / seconds:.3g} | "
        f"{peak / 2**30:.1f} GiB{' of the GPU' if gpu else ''} |"
    )


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="432x240")
    parser.add_argument("--frames", default="60,250", help="lengths of the window")
    parser.add_argument("--only", default=";".join(ROWS), help="rows, separated by semicolons")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--passes", type=int, default=1)
    args = parser.parse_args()
    width, height = map(int, args.size.split("x"))
    print(f"# {platform.machine()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, {args.size}")
    print(f"# networks: random weights, one pass of the middle, n = {args.passes}")
    print("| backend | window | frames at once | ms a frame | fps | peak memory |")
    print("|---|---|---|---|---|---|")
    for name in args.only.split(";"):
        for length in map(int, args.frames.split(",")):
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
                print(
                    pool.submit(row, name, length, (width, height), args.device, args.passes).result(),
                    flush=True,
                )


if __name__ == "__main__":
    main()
