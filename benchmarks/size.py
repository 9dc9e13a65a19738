"""Full resolution: one real clip through the whole chain at several sizes.

    python -m benchmarks.size [--clip juggle.mp4] [--sizes 432x240 1280x720 1920x1080] [--frames 150]

For each size, in a process of its own: frames a second, the peak of memory, how many hand-checked people (.3 of the
box) and faces (.7) are painted out, and how well the boxes of the drawn bodies overlap with the checked ones. Sizes
beyond that of the clip are enlarged: they tell of speed, not of detail.
"""

import argparse
import itertools
import json
import multiprocessing
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np

from benchmarks.clips import frames_of, shared, stretch_of
from benchmarks.presence import body_box
from m2m import params
from m2m.augment.bodies import Camera
from m2m.augment.body import make_body
from m2m.augment.build import make_chain
from m2m.augment.detect.boxes import iou
from m2m.augment.tally import Tally
from m2m.augment.verify import covered_share

PERSON, FACE = 0.3, 0.7


@dataclass
class Figures:
    """What is measured at one size."""

    frames: int = 0
    seconds: float = 0.0
    mebibytes: float = 0.0
    people: int = 0
    covered: int = 0
    faces: int = 0
    hidden: int = 0
    overlap: float = 0.0
    painted: float = 0.0


def measure(name: str, size: tuple[int, int], most: int) -> Figures:
    """The figures of one clip at one size; alone in its process, because memory is the process's peak."""
    settings = params.load("augment", "laptop")
    chain, model, tally = make_chain(settings), make_body(settings.body), Tally()
    labels = json.loads((shared() / "fixtures" / "people" / "labels.json").read_text())[name]
    scale = np.array([size[0] / labels["size"][0], size[1] / labels["size"][1]] * 2)
    stretch = stretch_of(name, size)
    camera = Camera.default(*size, stretch)
    figures, overlaps, painted = Figures(), [], []
    begin = time.perf_counter()
    for i, frame in enumerate(chain.run(itertools.islice(frames_of(name, size), most), tally, stretch)):
        figures.frames += 1
        painted.append(frame.region.mean())
        boxes = [body_box(model, body, camera) for body in frame.bodies.bodies] if str(i) in labels["frames"] else []
        for person in labels["frames"].get(str(i), []):
            if person["sure"]:
                box = np.array(person["box"]) * scale
                figures.people += 1
                figures.covered += covered_share(frame.region, box) >= PERSON
                overlaps.append(iou(box[None], np.array(boxes).reshape(-1, 4)).max(initial=0))
            if person["face"] and person["face_sure"]:
                figures.faces += 1
                figures.hidden += covered_share(frame.region, np.array(person["face"]) * scale) >= FACE
    figures.seconds = time.perf_counter() - begin
    figures.mebibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures.overlap, figures.painted = float(np.mean(overlaps or [np.nan])), float(np.mean(painted))
    return figures


def main() -> None:
    """Prints a line a size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", default="juggle.mp4")
    parser.add_argument("--sizes", nargs="+", default=["432x240", "1280x720", "1920x1080"])
    parser.add_argument("--frames", type=int, default=150, help="at most so many")
    args = parser.parse_args()
    print(f"{'size':10} frames frames/s    MiB people faces body IoU painted")
    for text in args.sizes:
        width, height = (int(side) for side in text.split("x"))
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as alone:
            f = alone.submit(measure, args.clip, (width, height), args.frames).result()
        people, faces = f"{f.covered}/{f.people}", f"{f.hidden}/{f.faces}"
        print(f"{text:10} {f.frames:6} {f.frames / f.seconds:8.2f} {f.mebibytes:6.0f}", end=" ")
        print(f"{people:>6} {faces:>5} {f.overlap:8.3f} {f.painted:7.3f}", flush=True)


if __name__ == "__main__":
    main()
