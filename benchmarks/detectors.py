"""Frames a second of each backend of the detect stage at 432x240, and Mask R-CNN's recall against its test size.

    python -m benchmarks.detectors [--sizes 800 480 240] [--frames 4] [--batch 4] [--threads 2] [--weights FILE]

`one by one` is how the paper's released scripts use detectron2: a frame at a time, in float32. Recall, on the labelled
frames of the real clips, needs real weights; speed does not: with random ones nothing is found, so no mask is drawn.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from benchmarks.clips import SIZE, frames_of, names, shared
from m2m.augment.detect import DetectParams, MaskRCNNParams, make_detector, make_segmenter
from m2m.augment.detect.segmenter import Segmenter
from m2m.augment.verify import covered_share
from m2m.errors import M2MError
from m2m.weights import find_weight

MIN_HEIGHT = 40
PERSON = 0.3


def speed(work: Callable[[np.ndarray], object], frames: np.ndarray) -> str:
    """Frames a second and CPU seconds a frame, after one frame to warm up."""
    work(frames[:1])
    begin, spent = time.perf_counter(), time.process_time()
    work(frames)
    wall, cpu = time.perf_counter() - begin, time.process_time() - spent
    return f"{len(frames) / wall:8.2f} frames/s {cpu / len(frames):8.2f} CPU s a frame, load {os.getloadavg()[0]:.1f}"


def recall(segmenter: Segmenter, score: float) -> str:
    """Shares of the labelled people, tall and small, whose box masks at a score or more cover by .3."""
    labels = json.loads((shared() / "fixtures" / "people" / "labels.json").read_text())
    found: dict[str, list[bool]] = {"people": [], "small": []}
    for name in names():
        label, wanted = labels[name], {int(index) for index in labels[name]["frames"]}
        scale = np.tile(np.array(SIZE) / label["size"], 2)
        frames = {t: frame for t, frame in enumerate(frames_of(name)) if t in wanted}
        for t, frame in frames.items():
            (seen,) = segmenter.look(frame[None])
            mask = seen.masks[seen.boxes[:, 4] >= score].any(0)
            for person in label["frames"][str(t)]:
                box = np.array(person["box"]) * scale
                if person["sure"]:
                    kind = "people" if box[3] - box[1] >= MIN_HEIGHT else "small"
                    found[kind].append(covered_share(mask, box) >= PERSON)
    return ", ".join(f"{kind} {sum(hits)}/{len(hits)}" for kind, hits in found.items())


def variants(params: DetectParams, side: int) -> dict[str, DetectParams]:
    """The ways to run Mask R-CNN at a size."""
    sized = replace(params.mask_rcnn, short_side=side)
    single = replace(sized, batch=1, half=False)
    return {
        "torchvision": replace(params, backend="torchvision", mask_rcnn=sized),
        "detectron2": replace(params, backend="detectron2", mask_rcnn=sized),
        "detectron2, one by one": replace(params, backend="detectron2", mask_rcnn=single),
    }


def main() -> None:
    """Prints a line a backend and size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="*", default=[800, 480, 240])
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--weights", default="", help="a checkpoint; by default the one in the folder of weights")
    parser.add_argument("--clip", default="tai_chi.mp4")
    args = parser.parse_args()
    weights, real = args.weights, args.weights != "random"
    try:
        find_weight(MaskRCNNParams().model, "" if weights == "random" else weights)
    except M2MError as error:
        print(f"random weights, since {error}")
        weights, real = "random", False
    mask_rcnn = MaskRCNNParams(weights=weights, batch=args.batch, device=args.device)
    params = DetectParams(threads=args.threads, mask_rcnn=mask_rcnn)
    frames = np.stack([frame for _, frame in zip(range(args.frames), frames_of(args.clip), strict=False)])
    print(f"{args.clip}, {len(frames)} frames of 432x240, {args.threads} threads, {args.batch} frames at a time")
    print(f"{'embedded':30s}{speed(make_detector(params).detect, frames)}", flush=True)
    for side in args.sizes:
        for name, chosen in variants(params, side).items():
            try:
                segmenter = make_segmenter(chosen)
            except M2MError as error:
                print(f"{name + f', {side}':30s}not run: {error}")
                continue
            told = speed(lambda f, s=segmenter: list(s.look(f)), frames)  # type: ignore[misc]
            print(f"{name + f', {side}':30s}{told}", flush=True)
            if name == "torchvision":
                told = recall(segmenter, mask_rcnn.score) if real else "needs real weights"
                print(f"{'':30s}recall at {mask_rcnn.score}: {told}", flush=True)


if __name__ == "__main__":
    main()
