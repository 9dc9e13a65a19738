"""Faults of the models behind the chain's interfaces, each as a change of models that work.

A fault draws what it does from a generator, so that a name and a seed are one fault.
"""

import copy
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from m2m.augment.bodies import Body, FrameBodies
from m2m.augment.chain import Models
from m2m.augment.people import FramePeople, Person
from m2m.augment.plate import Plate

Rng = np.random.Generator
People = list[FramePeople]
NOBODY = np.zeros((0, 5), np.float32)


class Broken(Exception):
    """What a broken model raises."""


@dataclass
class Detecting:
    """A detector whose people are changed."""

    inner: object
    change: Callable[[People, Rng], People]
    rng: Rng

    def detect(self, frames, stretch=1.0):
        return self.change(self.inner.detect(frames, stretch), self.rng)


@dataclass
class Filling:
    """An inpainter whose plates are changed."""

    inner: object
    change: Callable[[Plate, np.ndarray, Rng], Plate]
    rng: Rng

    def fill(self, frames, region, sources):
        return self.change(self.inner.fill(frames, region, sources), frames, self.rng)


@dataclass
class Recovering:
    """A recoverer whose bodies are changed."""

    inner: object
    change: Callable[[list[FrameBodies], Rng], list[FrameBodies]]
    rng: Rng

    @property
    def needs_frames(self):
        return self.inner.needs_frames

    def recover(self, people, camera, frames=None):
        return self.change(self.inner.recover(people, camera, frames), self.rng)


@dataclass
class Rendering:
    """A renderer whose pictures are changed, from some call on."""

    inner: object
    change: Callable[[np.ndarray, np.ndarray, Rng], tuple[np.ndarray, np.ndarray]]
    rng: Rng
    calls: int = 0
    first: int = 0

    def render(self, meshes, faces, camera):
        drawn = self.inner.render(meshes, faces, camera)
        self.calls += 1
        return self.change(*drawn, self.rng) if self.calls > self.first else drawn


@dataclass
class Looking:
    """A verifier whose models are changed."""

    inner: object
    change: Callable[[np.ndarray, Rng], np.ndarray]
    rng: Rng

    def __post_init__(self):
        broken = copy.copy(getattr(self.inner, "_inner", self.inner))  # what it remembers is whole
        broken._models = [
            (name, kind, lambda frame, look=look: self.change(look(frame), self.rng))
            for name, kind, look in broken._models
        ]
        self.look, self.originals = broken.look, broken.originals
        self.plates, self.untouched = broken.plates, broken.untouched


def without(people: FramePeople, gone: np.ndarray, keep: Callable[[Person], bool] = lambda _: False) -> FramePeople:
    """A frame in which a part of the cover, and people, were missed."""
    return FramePeople(tuple(p for p in people.persons if keep(p)), people.cover & ~gone)


def _all(people: FramePeople) -> np.ndarray:
    return np.ones_like(people.cover)


def _around(mask: np.ndarray) -> np.ndarray:
    return cv2.dilate(mask.view(np.uint8), np.ones((25, 25), np.uint8)).view(bool)


def drop_frames(count: int) -> Callable[[People, Rng], People]:
    """So many frames in a row without anybody."""

    def change(people: People, rng: Rng) -> People:
        first = int(rng.integers(0, max(1, len(people) - count + 1)))
        gone = range(first, first + count)
        return [without(p, _all(p)) if t in gone else p for t, p in enumerate(people)]

    return change


def drop_scattered(share: float) -> Callable[[People, Rng], People]:
    """Frames here and there without anybody."""

    def change(people: People, rng: Rng) -> People:
        return [without(p, _all(p)) if rng.uniform() < share else p for p in people]

    return change


def drop_track(people: People, rng: Rng) -> People:
    """One person is missed in all frames, with the cover around; who stands before them stays."""
    tracks = sorted({p.track for frame in people for p in frame.persons})
    if not tracks:
        return people
    lost = tracks[int(rng.integers(len(tracks)))]
    return [_lose(frame, lost) for frame in people]


def drop_track_from(people: People, rng: Rng) -> People:
    """One person is missed from some frame on."""
    first = int(rng.integers(0, len(people)))
    changed = drop_track(people, rng)
    return people[:first] + changed[first:]


def _lose(frame: FramePeople, track: int) -> FramePeople:
    gone = np.zeros_like(frame.cover)
    for person in frame.persons:
        if person.track == track:
            gone |= _around(person.mask)
    for person in frame.persons:
        if person.track != track:
            gone &= ~person.mask
    return without(frame, gone, lambda p: p.track != track)


def shrink(people: People, rng: Rng) -> People:
    """Masks and cover are too small all around."""
    size = int(rng.integers(5, 31))
    kernel = np.ones((size, size), np.uint8)

    def smaller(mask: np.ndarray) -> np.ndarray:
        return cv2.erode(mask.view(np.uint8), kernel).view(bool)

    return [
        FramePeople(tuple(replace(p, mask=smaller(p.mask)) for p in frame.persons), smaller(frame.cover))
        for frame in people
    ]


def shift(people: People, rng: Rng) -> People:
    """Masks and cover lie beside the people."""
    dx, dy = (int(rng.integers(10, 60)) * int(rng.choice([-1, 1])) for _ in range(2))

    def moved(mask: np.ndarray) -> np.ndarray:
        out = np.zeros_like(mask)
        height, width = mask.shape
        ys, xs = slice(max(0, dy), height + min(0, dy)), slice(max(0, dx), width + min(0, dx))
        out[ys, xs] = mask[max(0, -dy) : height - max(0, dy), max(0, -dx) : width - max(0, dx)]
        return out

    return [
        FramePeople(tuple(replace(p, mask=moved(p.mask)) for p in frame.persons), moved(frame.cover))
        for frame in people
    ]


def half_cover(people: People, rng: Rng) -> People:
    """Half of the picture is never covered."""
    height, width = people[0].cover.shape
    gone = np.zeros((height, width), bool)
    if rng.uniform() < 0.5:
        gone[: height // 2] = True
    else:
        gone[height // 2 :] = True
    return [
        FramePeople(tuple(replace(p, mask=p.mask & ~gone) for p in frame.persons), frame.cover & ~gone)
        for frame in people
    ]


def empty_masks(people: People, _: Rng) -> People:
    """People are known, but nothing of them is masked."""
    return [
        FramePeople(tuple(replace(p, mask=p.mask & False) for p in frame.persons), frame.cover & False)
        for frame in people
    ]


def cover_without_masks(people: People, _: Rng) -> People:
    """The cover lacks the masks that it promises to hold."""
    return [FramePeople(frame.persons, frame.cover & False) for frame in people]


def nobody(people: People, _: Rng) -> People:
    """Nobody is found."""
    return [without(frame, _all(frame)) for frame in people]


def unsure(people: People, _: Rng) -> People:
    """No two models agree on anybody."""
    return [replace(f, persons=tuple(replace(p, families=frozenset()) for p in f.persons)) for f in people]


def fewer_frames(people: People, _: Rng) -> People:
    """The last frame is not answered for."""
    return people[:-1]


def other_shape(people: People, _: Rng) -> People:
    """Masks are of another picture's size."""
    return [FramePeople((), np.zeros((8, 8), bool)) for _ in people]


def nan_boxes(people: People, rng: Rng) -> People:
    """Boxes that are no numbers, in some frames."""
    return _persons(people, rng, lambda p: replace(p, box=np.full(4, np.nan, np.float32)))


def nan_landmarks(people: People, rng: Rng) -> People:
    """Landmarks that are no numbers, in some frames."""

    def broken(person: Person) -> Person:
        if person.landmarks is None:
            return person
        marks = person.landmarks
        nan = np.float32(np.nan)
        return replace(person, landmarks=replace(marks, image=marks.image * nan, world=marks.world * nan))

    return _persons(people, rng, broken)


def _persons(people: People, rng: Rng, change: Callable[[Person], Person]) -> People:
    hit = rng.uniform(size=len(people)) < 0.3
    hit[int(rng.integers(len(people)))] = True
    return [replace(f, persons=tuple(change(p) for p in f.persons)) if hit[t] else f for t, f in enumerate(people)]


def swap_frames(people: People, rng: Rng) -> People:
    """The people of two frames are mistaken for each other."""
    a, b = (int(v) for v in rng.integers(0, len(people), 2))
    out = list(people)
    out[a], out[b] = people[b], people[a]
    return out


def late(people: People, rng: Rng) -> People:
    """Everybody is found some frames too late."""
    by = int(rng.integers(1, 6))
    return [people[0]] * by + people[:-by] if by < len(people) else people


def raises(*_: object) -> None:
    """A model fails."""
    raise Broken("the model failed")


def memory(*_: object) -> None:
    """A model runs out of memory."""
    raise MemoryError("a model asked for too much")


def plate_short(plate: Plate, *_: object) -> Plate:
    """A plate of the wrong length."""
    return Plate(plate.frames[:-1], plate.region[:-1], plate.known[:-1])


def plate_small(plate: Plate, *_: object) -> Plate:
    """A plate of another size."""
    return Plate(plate.frames[:, ::2, ::2], plate.region[:, ::2, ::2], plate.known[:, ::2, ::2])


def plate_float(plate: Plate, *_: object) -> Plate:
    """A plate of numbers from 0 to 1, some of them none."""
    frames = plate.frames.astype(np.float32) / 255
    frames[:, 0, 0] = np.nan
    return replace(plate, frames=frames)


def plate_original(plate: Plate, frames: np.ndarray, _: Rng) -> Plate:
    """Nothing was painted out."""
    return replace(plate, frames=frames.copy())


def plate_original_some(plate: Plate, frames: np.ndarray, rng: Rng) -> Plate:
    """Nothing was painted out in one or two frames."""
    out, first = plate.frames.copy(), int(rng.integers(len(frames)))
    these = slice(first, first + int(rng.integers(1, 3)))
    out[these] = frames[these]
    return replace(plate, frames=out)


def plate_part(plate: Plate, frames: np.ndarray, rng: Rng) -> Plate:
    """The upper half of what should be painted out is still there, in all frames."""
    out, middle = plate.frames.copy(), frames.shape[1] // 2
    rows = slice(0, middle) if rng.uniform() < 0.5 else slice(middle, None)
    out[:, rows] = frames[:, rows]
    return replace(plate, frames=out)


def plate_region(plate: Plate, frames: np.ndarray, _: Rng) -> Plate:
    """Less was painted out than was asked for, and the plate says so."""
    smaller = np.stack([cv2.erode(r.view(np.uint8), np.ones((41, 41), np.uint8)).view(bool) for r in plate.region])
    out = np.where(smaller[..., None], plate.frames, frames)
    return Plate(out, smaller, plate.known & smaller)


def plate_ghost(plate: Plate, frames: np.ndarray, rng: Rng) -> Plate:
    """The hole is filled with the frame some time before: people come back where a mask missed them."""
    by = int(rng.integers(1, 6))
    out = np.where(plate.region[..., None], np.roll(frames, by, axis=0), plate.frames)
    return replace(plate, frames=out)


def plate_later(plate: Plate, _: np.ndarray, rng: Rng) -> Plate:
    """The plate's frames are in another order."""
    return replace(plate, frames=np.ascontiguousarray(plate.frames[rng.permutation(len(plate.frames))]))


def nan_pose(bodies: list[FrameBodies], rng: Rng) -> list[FrameBodies]:
    """Poses that are no numbers, in some frames."""
    return _bodies(bodies, rng, lambda b: replace(b, pose=np.full_like(b.pose, np.nan)))


def far_away(bodies: list[FrameBodies], rng: Rng) -> list[FrameBodies]:
    """Places at infinity."""
    return _bodies(bodies, rng, lambda b: replace(b, transl=np.full_like(b.transl, np.inf)))


def behind_camera(bodies: list[FrameBodies], rng: Rng) -> list[FrameBodies]:
    """Places behind the camera."""
    return _bodies(bodies, rng, lambda b: replace(b, transl=-np.abs(b.transl)))


def _bodies(bodies: list[FrameBodies], rng: Rng, change: Callable[[Body], Body]) -> list[FrameBodies]:
    hit = rng.uniform(size=len(bodies)) < 0.3
    there = [t for t, frame in enumerate(bodies) if frame.bodies]
    if there:
        hit[there[int(rng.integers(len(there)))]] = True
    return [FrameBodies(tuple(change(b) for b in f.bodies)) if hit[t] else f for t, f in enumerate(bodies)]


def fewer_bodies(bodies: list[FrameBodies], _: Rng) -> list[FrameBodies]:
    """The last frame is not answered for."""
    return bodies[:-1]


def strangers(bodies: list[FrameBodies], _: Rng) -> list[FrameBodies]:
    """Bodies of people nobody found."""
    return [FrameBodies(tuple(replace(b, track=b.track + 1000) for b in frame.bodies)) for frame in bodies]


def no_bodies(bodies: list[FrameBodies], _: Rng) -> list[FrameBodies]:
    """Nobody has a body."""
    return [FrameBodies(()) for _ in bodies]


def small_picture(rgba: np.ndarray, depth: np.ndarray, _: Rng) -> tuple[np.ndarray, np.ndarray]:
    """A picture of another size."""
    return rgba[::2, ::2], depth[::2, ::2]


def no_alpha(rgba: np.ndarray, depth: np.ndarray, _: Rng) -> tuple[np.ndarray, np.ndarray]:
    """A picture with three channels."""
    return rgba[..., :3], depth


def killed(*_: object) -> None:
    """The process is gone, as when the kernel runs out of memory or a driver crashes."""
    os.kill(os.getpid(), signal.SIGKILL)


def crashed(*_: object) -> None:
    """The process is gone in native code."""
    os.kill(os.getpid(), signal.SIGSEGV)


def nan_hits(hits: np.ndarray, _: Rng) -> np.ndarray:
    """A network counts in too few bits: scores are no numbers."""
    out = np.array(hits, np.float32).reshape(-1, 5).copy()
    out[:, 4] = np.nan
    return out


def nan_hits_boxes(hits: np.ndarray, _: Rng) -> np.ndarray:
    """Boxes are no numbers."""
    out = np.array(hits, np.float32).reshape(-1, 5).copy()
    out[:, :4] = np.nan
    return out


def wrong_hits(hits: np.ndarray, _: Rng) -> np.ndarray:
    """Boxes without scores."""
    return np.array(hits, np.float32).reshape(-1, 5)[:, :4]


@dataclass(frozen=True)
class Fault:
    """One kind of fault.

    Attributes:
        part: The model that is broken, a field of `Models`.
        change: What becomes of its answer.
        weight: How often a campaign draws it, beside the others.
        refused: Whether the clip can only be quarantined; else it may be released, if nothing of the people shows.
        deadly: The worker process dies.
    """

    part: str
    change: Callable
    weight: float = 1.0
    refused: bool = False
    deadly: bool = False


FAULTS: dict[str, Fault] = {
    "none": Fault("detector", lambda people, _: people),
    "drop_1": Fault("detector", drop_frames(1), 3),
    "drop_2": Fault("detector", drop_frames(2), 3),
    "drop_3": Fault("detector", drop_frames(3), 3),
    "drop_5": Fault("detector", drop_frames(5), 3),
    "drop_8": Fault("detector", drop_frames(8), 3),
    "drop_scattered": Fault("detector", drop_scattered(0.3), 3),
    "drop_track": Fault("detector", drop_track, 4),
    "drop_track_from": Fault("detector", drop_track_from, 4),
    "shrink": Fault("detector", shrink, 3),
    "shift": Fault("detector", shift, 3),
    "half_cover": Fault("detector", half_cover, 3),
    "empty_masks": Fault("detector", empty_masks, 2),
    "cover_without_masks": Fault("detector", cover_without_masks, 2),
    "nobody": Fault("detector", nobody, 1),
    "unsure": Fault("detector", unsure, 1),
    "swap_frames": Fault("detector", swap_frames, 2),
    "late": Fault("detector", late, 2),
    "fewer_frames": Fault("detector", fewer_frames, 0.5, refused=True),
    "other_shape": Fault("detector", other_shape, 0.5, refused=True),
    "nan_boxes": Fault("detector", nan_boxes, 1),
    "nan_landmarks": Fault("detector", nan_landmarks, 1),
    "detector_raises": Fault("detector", raises, 0.5, refused=True),
    "detector_memory": Fault("detector", memory, 0.5, refused=True),
    "plate_short": Fault("inpainter", plate_short, 0.5, refused=True),
    "plate_small": Fault("inpainter", plate_small, 0.5, refused=True),
    "plate_float": Fault("inpainter", plate_float, 0.5, refused=True),
    "plate_original": Fault("inpainter", plate_original, 3),
    "plate_original_some": Fault("inpainter", plate_original_some, 3),
    "plate_part": Fault("inpainter", plate_part, 3),
    "plate_region": Fault("inpainter", plate_region, 2, refused=True),
    "plate_ghost": Fault("inpainter", plate_ghost, 3),
    "plate_later": Fault("inpainter", plate_later, 1),
    "inpainter_raises": Fault("inpainter", raises, 0.5, refused=True),
    "nan_pose": Fault("recoverer", nan_pose, 1),
    "far_away": Fault("recoverer", far_away, 1),
    "behind_camera": Fault("recoverer", behind_camera, 1),
    "fewer_bodies": Fault("recoverer", fewer_bodies, 0.5, refused=True),
    "strangers": Fault("recoverer", strangers, 0.5),
    "no_bodies": Fault("recoverer", no_bodies, 0.5),
    "recoverer_raises": Fault("recoverer", raises, 0.5, refused=True),
    "small_picture": Fault("renderer", small_picture, 0.5),
    "no_alpha": Fault("renderer", no_alpha, 0.5),
    "renderer_raises": Fault("renderer", raises, 0.5),
    "renderer_killed": Fault("renderer", killed, 0.3, deadly=True),
    "renderer_crashed": Fault("renderer", crashed, 0.3, deadly=True),
    "verifier_raises": Fault("verifier", raises, 0.5, refused=True),
    "nan_scores": Fault("verifier", nan_hits, 1),
    "nan_hits": Fault("verifier", nan_hits_boxes, 1),
    "wrong_hits": Fault("verifier", wrong_hits, 0.5),
}
"""By name. `none` is the chain as it is: what it lets through is no fault's doing."""

_WRAPPERS = {
    "detector": Detecting,
    "inpainter": Filling,
    "recoverer": Recovering,
    "renderer": Rendering,
    "verifier": Looking,
}


def inject(models: Models, name: str, seed: int) -> Models:
    """Models one of which is broken.

    Args:
        models: Models that work.
        name: A key of `FAULTS`.
        seed: What chance decides.
    """
    fault = FAULTS[name]
    rng = np.random.default_rng([seed, list(FAULTS).index(name)])
    wrapper = _WRAPPERS[fault.part]
    return replace(models, **{fault.part: wrapper(getattr(models, fault.part), fault.change, rng)})
