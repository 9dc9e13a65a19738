"""Speed of the loader beside a plain one on decord, as VideoMAE's: samples a second, in turns in the same run.

Seconds of the clock, and of the CPU, which other work on the machine does not touch. All decode with one thread.

python -m benchmarks.loader [--clips FOLDER] [--seconds 10] [--size 224]

Both take 16 frames of a window of 2.7 seconds, crop them at random and resize the crop, and decode with one thread. The
plain one opens the video for every sample and decodes at full size; ours takes 1 or 4 samples of a clip once opened.
"""

import argparse
import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import decord
import numpy as np

from m2m.clips import Clip, data_hash
from m2m.studio import StudioParams, draw_dataset
from m2m.train.batches import Masking, RandomSamples
from m2m.train.clips import LabelledSet
from m2m.train.frames import covering, decode
from m2m.train.params import InputParams, ModelParams
from m2m.train.sampling import cut, frame_indices, random_box
from m2m.video import SUFFIXES, probe


def main() -> None:
    """Prints samples a second."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, help="a folder of videos (default: 10 seconds each of the studio's)")
    parser.add_argument("--length", type=float, default=10.0, help="seconds of a clip of the studio")
    parser.add_argument("--size", type=int, default=224, help="side of a sample in pixels")
    parser.add_argument("--seconds", type=float, default=10.0, help="for each row")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    print(f"{cpu()}, {os.cpu_count()} cores; one process, one thread; samples of 16 x {args.size} x {args.size}")
    with TemporaryDirectory() as scratch:
        if args.clips is None:
            draw_dataset(Path(scratch), StudioParams(2, 2, seconds=args.length))
        data = listed(args.clips or Path(scratch))
        model = ModelParams(size=(args.size, args.size))
        for clip in data.train:
            print(f"  {clip.width}x{clip.height}, {clip.n_frames} frames at {clip.fps_num / clip.fps_den:.4g}")
        sampling(data, model, args.seconds, Path(scratch) / "frames")
        decoding(data, model, args.seconds)


def cpu() -> str:
    """The name of this machine's CPU."""
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return names[0].split(":")[1].strip() if names else platform.processor()


def listed(folder: Path) -> LabelledSet:
    """The videos of a folder as a set to train on."""
    clips = []
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES):
        if any(part.startswith(".") for part in path.relative_to(folder).parts):  # the studio's truth
            continue
        info = probe(path, count=True)
        size = info.width, info.height, info.fps.numerator, info.fps.denominator
        name = str(path.relative_to(folder))
        clips.append(Clip(name.replace("/", "_"), name, "", "train", f"{len(clips):064x}", *size, info.n_frames or 0))
    return LabelledSet(folder, folder.name, "real", (), tuple(clips), (), data_hash(clips))


def sampling(data: LabelledSet, model: ModelParams, seconds: float, folder: Path) -> None:
    """Samples a second of both loaders, with 1 and 4 samples a decoding, and from a disk once everything is there."""
    base, masking = InputParams(workers=0), Masking("tube", 0.9)
    disk = replace(base, cache="disk", cache_folder=str(folder))

    def ours(params: InputParams, samples: int) -> Callable[[int], int]:
        source = RandomSamples(data, model, params, 0, samples, masking)
        return lambda turn: len(source[(turn // len(data.train), turn % len(data.train))])

    warm = ours(disk, 1)
    for turn in range(len(data.train)):
        warm(turn)
    compare(
        {
            "decord, 1 sample a decoding": lambda turn: plain(data, turn % len(data.train), model, base, turn),
            "m2m, 1 sample a decoding": ours(base, 1),
            "m2m, 4 samples a decoding": ours(base, 4),
            "m2m, 4 samples, cache: disk": ours(disk, 4),
        },
        "samples",
        seconds,
    )


def plain(data: LabelledSet, index: int, model: ModelParams, params: InputParams, seed: int) -> int:
    """One sample the plain way."""
    clip, rng = data.train[index], np.random.default_rng(seed)
    reader = decord.VideoReader(str(data.folder / clip.path), num_threads=1)
    fps = float(reader.get_avg_fps())
    wanted = frame_indices(len(reader), fps, model.frames, params.seconds, *rng.uniform(size=2))
    frames = reader.get_batch(wanted.tolist()).asnumpy()
    cut(list(frames), random_box(frames.shape[1:3], model.size, params, rng), model.size, bool(rng.uniform() < 0.5))
    return 1


def decoding(data: LabelledSet, model: ModelParams, seconds: float) -> None:
    """Clips a second of reading the same frames at the same size, without sampling."""
    wanted = []
    for turn, clip in zip(range(8 * len(data.train)), cycle(data.train), strict=False):
        fps = clip.fps_num / clip.fps_den
        rng = np.random.default_rng(turn)
        indices = frame_indices(clip.n_frames, fps, model.frames, 2.7, *rng.uniform(size=2)).tolist()
        wanted.append((data.folder / clip.path, indices, covering((clip.height, clip.width), model.size, 0.5), clip))

    def seeking(turn: int) -> int:
        path, indices, _, clip = wanted[turn % len(wanted)]
        return bool(decode(path, indices, model.size, 0.5, clip.n_frames))

    def whole(turn: int) -> int:
        path, indices, _, _ = wanted[turn % len(wanted)]
        return bool(decode(path, indices, model.size, 0.5))

    def theirs(turn: int) -> int:
        path, indices, size, _ = wanted[turn % len(wanted)]
        reader = decord.VideoReader(str(path), width=size[1], height=size[0], num_threads=1)
        return len(reader.get_batch(indices).asnumpy()) // len(indices)

    rows = {"decord": theirs, "PyAV from the start": whole, "PyAV, what is needed": seeking}
    compare({f"decoding 16 frames, {name}": row for name, row in rows.items()}, "clips", seconds)


def compare(rows: dict[str, Callable[[int], int]], what: str, seconds: float) -> None:
    """Runs all rows in turns and prints how many each makes a second, and against the first."""
    spent, made, turn = {name: np.zeros(2) for name in rows}, dict.fromkeys(rows, 0), 0
    while min(spent[name][0] for name in rows) < seconds:
        for name in order(list(rows), turn):
            begin = np.array([time.perf_counter(), time.process_time()])
            made[name] += rows[name](turn)
            spent[name] += np.array([time.perf_counter(), time.process_time()]) - begin
        turn += 1
    print(f"{what + ' a second of the clock, of the CPU; against the first':64} n")
    base = made[next(iter(rows))] / spent[next(iter(rows))]
    for name in rows:
        rate = made[name] / spent[name]
        clock, cpu = rate / base
        print(f"{name:36} {rate[0]:6.1f} {rate[1]:6.1f} {clock:6.2f} {cpu:6.2f} {made[name]:6}")


def order(names: list[str], turn: int) -> Iterator[str]:
    """Names in turn, another one first every time."""
    return iter(names[turn % len(names) :] + names[: turn % len(names)])


if __name__ == "__main__":
    main()
