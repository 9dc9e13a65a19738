"""A drawn clip and what M2M should make of it, with the truth in hand; and faults to plant into it."""

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from m2m.augment.bodies import Camera, FrameBodies
from m2m.augment.body import BodyParams, make_body
from m2m.augment.compose import over
from m2m.augment.intermediates import json_lines, painted, people_line, write_bodies
from m2m.augment.people import FramePeople, Person
from m2m.augment.render import RenderParams, make_renderer
from m2m.clips import Clip, file_sha256
from m2m.studio import ClipSpec, draw_clip
from m2m.video import VideoParams, Writer

FPS = Fraction(8)
SIZE = (432, 240)
N = 9


@dataclass(frozen=True)
class Scene:
    """Frames (H, W, 3) uint8 RGB: originals, plates, plates with bodies; masks (T, H, W) bool of everybody; bodies."""

    originals: list[np.ndarray]
    plates: list[np.ndarray]
    outputs: list[np.ndarray]
    masks: np.ndarray
    bodies: list[FrameBodies]
    camera: Camera


@cache
def scene() -> Scene:
    """Somebody jumps; found by CenterFace and SSDLite in every frame."""
    clip = draw_clip(ClipSpec(label="jumping_jack", seed=3, size=SIZE, fps=FPS, seconds=N / float(FPS)))
    body, renderer = make_body(BodyParams()), make_renderer(RenderParams())
    outputs = []
    for plate, there in zip(clip.plates, clip.bodies, strict=True):
        meshes = [body.vertices(b.pose, b.transl) for b in there.bodies]
        outputs.append(over(plate, renderer.render(meshes, body.faces, clip.camera)[0]))
    return Scene(
        list(clip.frames), list(clip.plates), outputs, clip.person_masks.any(1), list(clip.bodies), clip.camera
    )


def write(path: Path, frames: list[np.ndarray], fps: Fraction = FPS) -> Path:
    """Writes a clip as M2M does."""
    with Writer(path, (frames[0].shape[1], frames[0].shape[0]), fps, VideoParams(preset="veryfast")) as writer:
        for frame in frames:
            writer.write(frame)
    return path


def row(path: Path, name: str = "clip", n: int = N, fps: Fraction = FPS) -> Clip:
    """The row of a clip as it should be."""
    sha256 = file_sha256(path) if path.is_file() else "0" * 64
    return Clip(name, str(path), "wave", "train", sha256, *SIZE, fps.numerator, fps.denominator, n)


def write_people(path: Path, masks: np.ndarray, tracks: bool = True) -> Path:
    """Writes a record of people: the masks (T, H, W) bool, one confirmed track of their boxes, a cover 5 px wider."""
    with json_lines(path) as write_line:
        for t, mask in enumerate(masks):
            ys, xs = np.nonzero(mask)
            persons: tuple[Person, ...] = ()
            if tracks and len(ys):
                box = np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1], np.float32)
                persons = (Person(0, box, 0.9, mask, frozenset({"pose", "selfie"})),)
            cover = cv2.dilate(mask.astype(np.uint8), np.ones((11, 11), np.uint8)).view(bool)
            write_line({**people_line(t, FramePeople(persons, cover)), **painted(cover, None)})
    return path


def write_poses(path: Path) -> Path:
    """Writes the bodies of the scene."""
    write_bodies(path, list(enumerate(scene().bodies)), scene().camera)
    return path
