"""A small labelled data set of drawn clips, with the truth in a hidden folder beside them."""

import itertools
import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from m2m.augment.bodies import N_JOINTS
from m2m.errors import InputError
from m2m.files import write_atomic
from m2m.studio.actions import ACTIONS
from m2m.studio.clip import ClipSpec, StudioClip, draw_clip
from m2m.studio.population import PEOPLE, people_table, population
from m2m.video import Writer

PLAIN_HEIGHT, PLAIN_HEADING = (0.58, 0.75), 30.0
"""Height as a share of the picture's, and degrees off the camera, of the people of plain clips."""

TRUTH = ".truth"
"""Hidden folder of the truth: M2M reads only videos that are not hidden."""


@dataclass(frozen=True)
class StudioParams:
    """What data set the studio draws.

    Attributes:
        classes: How many actions, the first of `ACTIONS`.
        clips: Clips an action.
        seed: Same seed, same clips.
        size: Width and height in pixels.
        fps: Frames a second.
        seconds: Length of a clip.
        pairs: Share of clips in which two persons do the action.
        entering: Share of walks that come into the picture and leave it.
        plain: One person, large, within 30 degrees of facing a camera that stands still, nothing else moving: what a
            small model can learn from a hundred clips.
        scene_bias: Every class has a background of its own, and `planted_bias` says how often it is seen before it;
            else before that of any class, by chance. Off: backgrounds have nothing to do with classes.
        people: A population of so many persons, see `m2m.studio.population`: each does every action `clips` times. 0:
            somebody else in every clip.
        places: Backgrounds of a population.
        outfits: Clothes of each person of a population; 1: always the same.
        actions: What a population does, in place of the first `classes`.
    """

    classes: int = 6
    clips: int = 2
    seed: int = 0
    size: tuple[int, int] = (432, 240)
    fps: int = 24
    seconds: float = 3.0
    pairs: float = 0.15
    entering: float = 0.3
    plain: bool = False
    scene_bias: bool = False
    people: int = 0
    places: int = 8
    outfits: int = 1
    actions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.classes <= len(ACTIONS):
            raise ValueError(f"classes is 1 to {len(ACTIONS)}, not {self.classes}")
        if self.clips < 1:
            raise ValueError(f"clips must be 1 or more, not {self.clips}")
        if self.seed < 0:
            raise ValueError(f"seed must be 0 or more, not {self.seed}")
        if self.people < 0:
            raise ValueError(f"people must be 0 or more, not {self.people}")
        if self.places < 1 or self.outfits < 1:
            raise ValueError(f"places and outfits must be 1 or more, not {self.places} and {self.outfits}")
        unknown = [a for a in self.actions if a not in ACTIONS]
        if unknown or (self.actions and not self.people):
            raise ValueError(f"actions are some of {', '.join(ACTIONS)}, for people, not {', '.join(self.actions)}")
        if self.people and self.scene_bias:
            raise ValueError("people have places of their own: scene_bias is not for them")


def planted_bias(params: StudioParams) -> dict[str, float]:
    """How often the background of a class is its own: from 0 to 1 in equal steps, in an order drawn by seed."""
    labels = list(ACTIONS)[: params.classes]
    order = np.random.default_rng([params.seed, 0, len(ACTIONS)]).permutation(len(labels))
    return {label: float(rank) / max(len(labels) - 1, 1) for label, rank in zip(labels, order, strict=True)}


def specs(params: StudioParams) -> dict[str, ClipSpec]:
    """The clips of a data set by name, `class_000`; a clip does not depend on how many others there are."""
    out = {}
    labels, chances = list(ACTIONS)[: params.classes], planted_bias(params)
    if params.people:
        fps = Fraction(params.fps)
        many = params.people, params.places, params.outfits
        chosen = list(params.actions) or labels
        return population(*many, chosen, params.clips, params.seed, params.size, fps, params.seconds)
    for label in labels:
        for index in range(params.clips):
            # Drawn before the class matters, so that number of persons and class are independent.
            rng = np.random.default_rng([params.seed, index, list(ACTIONS).index(label)])
            out[f"{label}_{index:03d}"] = ClipSpec(
                label=label,
                seed=int(rng.integers(2**31)),
                size=params.size,
                fps=Fraction(params.fps),
                seconds=params.seconds,
                persons=2 if rng.uniform() < params.pairs else 1,
                enter=bool(rng.uniform() < params.entering) and label == "walk",
            )
            if params.plain:
                out[f"{label}_{index:03d}"] = replace(
                    out[f"{label}_{index:03d}"],
                    persons=1,
                    enter=False,
                    camera="still",
                    clutter=False,
                    height=float(rng.uniform(*PLAIN_HEIGHT)) * params.size[1],
                    heading=float(rng.uniform(-PLAIN_HEADING, PLAIN_HEADING)),
                )
            if params.scene_bias:
                at = labels.index(label) if rng.uniform() < chances[label] else int(rng.integers(len(labels)))
                out[f"{label}_{index:03d}"] = replace(out[f"{label}_{index:03d}"], place=params.seed * 1000 + at)
    return out


def draw_dataset(
    out: Path,
    classes: int = 6,
    clips_per_class: int = 2,
    seed: int = 0,
    size: tuple[int, int] = (432, 240),
    fps: int = 24,
    seconds: float = 3.0,
    plain: bool = False,
    workers: int = 1,
    scene_bias: bool = False,
    people: int = 0,
    places: int = 8,
    outfits: int = 1,
    actions: tuple[str, ...] = (),
) -> list[Path]:
    """Draws a data set: `out/<class>/<name>.mp4`, and the truth as `write_truth` describes it under `out/.truth`.

    Args:
        out: A new or empty folder.
        classes: How many actions, 1 to 13.
        clips_per_class: Clips an action.
        seed: Same seed, same clips.
        size: Width and height in pixels, even, at least 64.
        fps: Frames a second.
        seconds: Length of a clip.
        plain: Clips that are easy to learn from, see `StudioParams`.
        workers: Processes; their number changes no byte.
        scene_bias: Backgrounds tell the classes, some more than others, see `StudioParams`; how often they do is
            written to `out/.truth/scene_bias.json`.
        people: A population of so many persons, each in every action `clips_per_class` times; who is in which clip is
            written to `out/.truth/people.csv`. 0: somebody else in every clip.
        places: Backgrounds of a population.
        outfits: Clothes of each of its persons.
        actions: What they do, in place of the first `classes`.

    Returns:
        The videos, in order of class and number.

    Raises:
        InputError: The folder is not empty, or a parameter is out of range.
    """
    try:
        params = StudioParams(
            classes,
            clips_per_class,
            seed,
            size,
            fps,
            seconds,
            plain=plain,
            scene_bias=scene_bias,
            people=people,
            places=places,
            outfits=outfits,
            actions=actions,
        )
    except ValueError as error:
        raise InputError(f"studio: {error}") from error
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} is not an empty folder", "name a new one, or remove it")
    if scene_bias:
        text = json.dumps(planted_bias(params), indent=1, sort_keys=True) + "\n"
        write_atomic(out / TRUTH / "scene_bias.json", text.encode())
    drawn = specs(params)
    if people:
        write_atomic(out / TRUTH / PEOPLE, people_table(drawn).encode())
    if workers == 1:
        return [_draw(out, name, spec) for name, spec in drawn.items()]
    # A fresh interpreter each: a fork would copy the locks of libraries that have threads.
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(_draw, itertools.repeat(out), drawn, drawn.values()))


def _draw(out: Path, name: str, spec: ClipSpec) -> Path:
    """Draws a clip and its truth; returns the video."""
    clip = draw_clip(spec)
    write_truth(clip, out / TRUTH / spec.label, name)
    path = out / spec.label / f"{name}.mp4"
    with Writer(path, spec.size, spec.fps) as writer:
        for frame in clip.frames:
            writer.write(frame)
    return path


def write_truth(clip: StudioClip, folder: Path, name: str) -> None:
    """Writes what is known about a clip.

    `name.npz` holds: label, name, seed, fps (2,) numerator and denominator, cuts, camera (5,) focal, cx, cy, width,
    height; masks (T, P, H, ceil(W / 8)) uint8, bit-packed along the rows (`np.unpackbits(masks, axis=-1, count=W)`);
    visible (T, P) bool; poses (T, P, 55, 3) and transl (T, P, 3) float32, zero where a person is not visible.
    Where there is any: objects (T, K, H, ceil(W / 8)), what people hold, throw or kick, and occluders
    (T, H, ceil(W / 8)), what stands before them, packed alike.
    The plates lie beside it: `name.png` where one picture holds for all frames, else `name.mkv` (FFV1, lossless).
    """
    folder.mkdir(parents=True, exist_ok=True)
    frames, persons = clip.person_masks.shape[:2]
    visible = np.zeros((frames, persons), bool)
    poses = np.zeros((frames, persons, N_JOINTS, 3), np.float32)
    transl = np.zeros((frames, persons, 3), np.float32)
    for index, frame in enumerate(clip.bodies):
        for body in frame.bodies:
            visible[index, body.track] = True
            poses[index, body.track], transl[index, body.track] = body.pose, body.transl
    camera = clip.camera
    known: dict[str, Any] = {
        "label": clip.label,
        "name": name,
        "seed": clip.spec.seed,
        "fps": [clip.fps.numerator, clip.fps.denominator],
        "cuts": np.array(clip.cuts, np.int64),
        "camera": [camera.focal, camera.cx, camera.cy, camera.width, camera.height],
        "masks": np.packbits(clip.person_masks, axis=-1),
        "visible": visible,
        "poses": poses,
        "transl": transl,
    }
    for key, masks in (("objects", clip.object_masks), ("occluders", clip.occluder_masks)):
        if masks.any():
            known[key] = np.packbits(masks, axis=-1)
    np.savez_compressed(folder / f"{name}.npz", **known)
    if clip.static:
        cv2.imwrite(str(folder / f"{name}.png"), clip.plates[0][..., ::-1])
        return
    with Writer(folder / f"{name}.mkv", clip.spec.size, clip.fps, lossless=True) as writer:
        for plate in clip.plates:
            writer.write(plate)
