"""What survives of things that people hold, kick and throw, and of what stands before people, on drawn clips.

Every clip runs through the chain, with and without `region.objects` and `compose.occlude`. Printed: the share of the
things' pixels that the released clip shows as they are; the people's pixels that it shows (of those that differ from
the true plate); and the error, in levels, on pixels of an occluder over which a body is drawn without the option.
Clips named A chose the thresholds, clips named B did not.

    python -m benchmarks.objects [--clips A_kick_ball,B_walk_post] [--objects held] [--sheets FOLDER] [--real]

`--real` follows labelled balls and rackets of two real clips instead: where their middle can be seen.
"""

import argparse
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.clips import frames_of, named, stretch_of
from m2m import params
from m2m.augment.build import make_chain
from m2m.augment.tally import Tally
from m2m.errors import QuarantineError
from m2m.studio import ClipSpec, StudioClip, draw_clip

SAME = 24
"""Levels of a channel up to which a pixel is shown as it is: H.264 is not part of this."""


def _spec(label: str, seed: int, height: float, **extra: Any) -> ClipSpec:
    return ClipSpec(label, seed, seconds=2.0, height=height, clutter=False, **{"camera": "still", **extra})


CLIPS = {
    "A_kick_ball": _spec("kick", 31, 140, prop="ball"),
    "A_throw_ball": _spec("throw", 32, 140, prop="ball"),
    "A_wave_ball": _spec("wave", 33, 150, prop="ball"),
    "A_punch_stick": _spec("punch", 34, 140, prop="stick"),
    "A_walk_racket": _spec("walk", 35, 120, prop="racket"),
    "A_lift_box": _spec("lift", 36, 130, prop="box"),
    "B_kick_ball": _spec("kick", 41, 120, prop="ball"),
    "B_throw_ball": _spec("throw", 42, 130, prop="ball"),
    "B_circles_ball": _spec("arm_circles", 43, 130, prop="ball"),
    "B_wave_stick": _spec("wave", 44, 140, prop="stick"),
    "B_punch_racket": _spec("punch", 45, 140, prop="racket"),
    "B_lift_box": _spec("lift", 46, 140, prop="box"),
    "B_kick_pan": _spec("kick", 71, 130, prop="ball", camera="pan"),
    "B_throw_shake": _spec("throw", 72, 130, prop="ball", camera="shake"),
    "A_wave_table": _spec("wave", 51, 150, occluder="table"),
    "A_kick_fence": _spec("kick", 52, 140, occluder="fence"),
    "A_walk_post": _spec("walk", 53, 120, occluder="post"),
    "A_circles_bush": _spec("arm_circles", 54, 150, occluder="bush"),
    "B_clap_table": _spec("clap", 61, 140, occluder="table"),
    "B_march_fence": _spec("march", 62, 140, occluder="fence"),
    "B_walk_post": _spec("walk", 63, 110, occluder="post"),
    "B_bend_bush": _spec("side_bend", 64, 140, occluder="bush"),
}
THINGS: dict[str, dict[str, dict[int, tuple[int, int]]]] = {
    "juggle": {
        "ball": {
            4: (223, 94), 15: (234, 162), 26: (249, 149), 37: (244, 146), 48: (237, 163), 59: (267, 171),
            70: (255, 174), 81: (267, 93),
        }
    },
    "tennis": {
        "racket": {
            14: (62, 55), 20: (66, 121), 32: (188, 123), 38: (111, 165), 44: (152, 154), 50: (218, 119), 56: (226, 121),
            62: (220, 118), 68: (220, 128),
        },
        "ball": {14: (208, 196), 20: (96, 111)},
    },
}  # fmt: skip
"""Middles of things in real clips at 432x240, by clip, thing and frame; set by eye."""


def run(frames: np.ndarray, stretch: float, objects: str) -> tuple[list[Any], str]:
    """The composed frames, and the verdict."""
    values = params.load("augment", "laptop")
    compose = replace(values.compose, occlude=objects != "none")
    values = replace(values, region=replace(values.region, objects=objects), compose=compose)
    out: list[Any] = []
    try:
        out.extend(make_chain(values).run(iter(frames), Tally(), stretch))
    except QuarantineError as error:
        return out, error.reason
    return out, "ok"


def shown(image: np.ndarray, source: np.ndarray) -> np.ndarray:
    """(H, W) bool, pixels that are as in the source."""
    return np.abs(image.astype(int) - source).max(-1) <= SAME


def measure(name: str, clip: StudioClip, objects: str, sheets: Path | None) -> None:
    """Prints a row."""
    (off, _), (on, verdict) = run(clip.frames, 1.0, "none"), run(clip.frames, 1.0, objects)
    count = min(len(off), len(on))
    row = f"{name:16s}"
    things = clip.object_masks.any(1)
    if things.any():
        row += " things shown"
        for made in (off, on):
            seen = [shown(f.image, s)[o].sum() for f, s, o in zip(made, clip.frames, things, strict=False)]
            row += f" {np.sum(seen) / things[:count].sum():5.2f}"
    if clip.occluder_masks.any():
        errors = np.zeros(2)
        pixels = 0
        for t in range(count):
            # A body is drawn here without the option: the image is not the plate.
            drawn = clip.occluder_masks[t] & (off[t].image != off[t].plate).any(-1)
            for k, made in enumerate((off, on)):
                errors[k] += np.abs(made[t].image.astype(int) - clip.frames[t]).mean(-1)[drawn].sum()
            pixels += int(drawn.sum())
        row += " occluder error" + "".join(f" {e / max(pixels, 1):5.1f}" for e in errors)
    row += "; person's pixels shown"
    for made in (off, on):
        left = 0
        for f, source, plate, mask in zip(made, clip.frames, clip.plates, clip.masks, strict=False):
            telling = mask & (np.abs(source.astype(int) - plate).max(-1) > 40)
            left += int((telling & (np.abs(f.plate.astype(int) - source).max(-1) < 8)).sum())
        row += f" {left}"
    print(f"{row} of {clip.masks[:count].sum()}; {verdict}", flush=True)
    if sheets and count:
        sheet(clip.frames, off, on, sheets / f"{name}.png")


def sheet(frames: np.ndarray, off: list[Any], on: list[Any], path: Path) -> None:
    """Eight frames: original, region, plate, result without and with the options."""
    rows = []
    for t in np.linspace(0, min(len(off), len(on)) - 1, 8).astype(int):
        painted = frames[t].copy()
        painted[on[t].region] = painted[on[t].region] // 2 + np.array([127, 0, 0], np.uint8)
        rows.append(np.hstack([frames[t], painted, on[t].plate, off[t].image, on[t].image]))
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.vstack(rows)[..., ::-1])


def real(name: str, things: dict[str, dict[int, tuple[int, int]]], objects: str, sheets: Path | None) -> None:
    """Prints in how many labelled frames the middle of a thing can be seen."""
    last = max(t for marks in things.values() for t in marks)
    clip = named(name)
    frames = np.stack(list(islice(frames_of(clip), last + 1)))
    (off, _), (on, verdict) = (run(frames, stretch_of(clip), switch) for switch in ("none", objects))
    for thing, marks in things.items():
        counts = []
        for made in (off, on):
            seen = 0
            for t, (x, y) in marks.items():
                if t < len(made):
                    near = np.s_[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]
                    seen += shown(made[t].image, frames[t])[near].mean() > 0.5
            counts.append(seen)
        print(f"{name:10s} {thing:8s} {len(marks)} labels, seen without {counts[0]}, with {counts[1]}; {verdict}")
    if sheets:
        sheet(frames, off, on, sheets / f"{name}.png")


def main() -> None:
    """Prints a row a clip."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", default=",".join(CLIPS))
    parser.add_argument("--objects", choices=["beside", "held"], default="beside", help="region.objects, against none")
    parser.add_argument("--sheets", type=Path)
    parser.add_argument("--real", action="store_true")
    args = parser.parse_args()
    if args.real:
        for name, things in THINGS.items():
            real(name, things, args.objects, args.sheets)
        return
    for name in args.clips.split(","):
        measure(name, draw_clip(CLIPS[name]), args.objects, args.sheets)


if __name__ == "__main__":
    main()
