"""Nobody vanishes: who of the hand-checked main people of real clips has a body, and under how many ids.

    python -m benchmarks.presence [CLIP ...]

A main person has a body where the box of a drawn body, each given to one person, overlaps the checked box by .3 or
more (IoU; what is hidden or ridden on lies outside of the checked box). Counted over the whole clip are frames without
any body, confirmed people without a body, and pairs of bodies whose boxes overlap by more than .6.
"""

import argparse
import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from benchmarks.clips import frames_of, names, shared, stretch_of
from m2m.augment.bodies import Body, BodyModel, Camera
from m2m.augment.body import BodyParams, make_body
from m2m.augment.detect import DetectParams, make_detector
from m2m.augment.detect.boxes import iou
from m2m.augment.detect.link import link
from m2m.augment.detect.shots import ShotDetector
from m2m.augment.people import Detector, FramePeople
from m2m.augment.recover import IKRecoverer
from m2m.augment.window import WindowParams, windows

OVERLAP, DOUBLE = 0.3, 0.6


@dataclass
class Figures:
    """What is measured of one clip."""

    main: int = 0
    with_body: int = 0
    bodies: int = 0
    without: int = 0
    empty: int = 0
    doubles: int = 0
    ids: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    missed: list[tuple[int, int]] = field(default_factory=list)


def body_box(model: BodyModel, body: Body, camera: Camera) -> np.ndarray:
    """(4,) the box of a drawn body in the picture, pixels."""
    points = camera.project(model.vertices(body.pose, body.transl))
    return np.concatenate([np.clip(v, 0, [camera.width, camera.height]) for v in (points.min(0), points.max(0))])


def main_people(boxes: np.ndarray, labels: list[dict[str, Any]], scale: np.ndarray) -> dict[int, bool]:
    """Of every sure main person by number: whether one of the boxes (N, 4) is theirs alone."""
    checked = np.array([np.array(person["box"]) * scale for person in labels]).reshape(-1, 4)
    overlaps = iou(checked, boxes)
    own = dict(zip(*linear_sum_assignment(-overlaps), strict=True))
    return {
        i: i in own and bool(overlaps[i, own[i]] >= OVERLAP)
        for i, person in enumerate(labels)
        if person["main"] and person["sure"]
    }


def clip(name: str, model: BodyModel, detector: Detector) -> Figures:
    """The figures of one clip, windows and ids as in the chain."""
    figures, stretch, recoverer = Figures(), stretch_of(name), IKRecoverer(model)
    labels = json.loads((shared() / "fixtures" / "people" / "labels.json").read_text())[name]
    people: list[FramePeople] = []
    next_id = 0
    for window in windows(frames_of(name), ShotDetector(), WindowParams()):
        people, next_id = link(people, detector.detect(window.frames, stretch), window.overlap, next_id)
        height, width = window.frames.shape[1:3]
        scale = np.array([width / labels["size"][0], height / labels["size"][1]] * 2)
        camera = Camera.default(width, height, stretch)
        bodies = recoverer.recover(people, camera)
        for t in range(window.start, window.stop):
            index, there = window.first + t - window.start, bodies[t].bodies
            boxes = np.array([body_box(model, body, camera) for body in there]).reshape(-1, 4)
            figures.bodies += len(there)
            figures.empty += not there
            figures.without += len({p.track for p in people[t].confirmed} - {b.track for b in there})
            figures.doubles += int((np.triu(iou(boxes, boxes), 1) > DOUBLE).sum())
            figures.ids[window.shot] |= {b.track for b in there}
            for number, has in main_people(boxes, labels["frames"].get(str(index), []), scale).items():
                figures.main += 1
                figures.with_body += has
                figures.missed += [] if has else [(index, number)]
    return figures


def main() -> None:
    """Prints a line a clip."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="*", metavar="CLIP", help="only clips whose name holds one of these")
    args = parser.parse_args()
    model, detector = make_body(BodyParams()), make_detector(DetectParams())
    print(
        f"{'clip':26} {'main':>5} {'with body':>9} {'bodies':>7} {'without':>7} {'doubles':>7} {'empty':>6} ids a shot"
    )
    for name in names():
        if args.clips and not any(c in name for c in args.clips):
            continue
        f = clip(name, model, detector)
        ids = ", ".join(str(len(f.ids[shot])) for shot in sorted(f.ids))
        print(f"{name[:26]:26} {f.main:5} {f.with_body:9} {f.bodies:7} {f.without:7} {f.doubles:7}", end=" ")
        print(f"{f.empty:6} {ids}", *(["missed (frame, number):", *f.missed] if f.missed else []), flush=True)


if __name__ == "__main__":
    main()
