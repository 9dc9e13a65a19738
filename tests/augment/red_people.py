"""Clips with people in red, and models that know them: what the chain decides can be foretold."""

import numpy as np

from m2m.augment.bodies import Body, FrameBodies
from m2m.augment.people import FramePeople, Landmarks, Person
from m2m.augment.plate import Plate

H, W = 96, 128
BOX = (40.0, 20.0, 60.0, 80.0)
STUBBORN, WALL = 9, 7
"""Brightness of the top left pixel of clips that the painter leaves as they are, and whose cover is everything."""


def inside(box):
    mask = np.zeros((H, W), bool)
    x0, y0, x1, y1 = (int(v) for v in box)
    mask[y0:y1, x0:x1] = True
    return mask


PERSON = inside(BOX)


def red(frame):
    return (frame[..., 0] == 255) & (frame[..., 2] == 0)


def clip(n=30, seed=0):
    """A textured background with a person in red checks."""
    back = np.random.default_rng(seed).integers(40, 200, (H, W, 3), dtype=np.uint8)
    back = np.stack([back] * n)
    checks = np.indices((H, W)).sum(0) % 2 * 120
    back[:, PERSON] = np.stack([np.full((H, W), 255), checks, np.zeros((H, W), int)], -1)[PERSON]
    return back


def walking(n, seed=0):
    """The same with a person who goes to the right, a pixel a frame."""
    frames = clip(n, seed)
    back = frames[0].copy()
    back[PERSON] = 90
    for t in range(n):
        frames[t] = back
        moved = np.roll(PERSON, t, axis=1)
        frames[t][moved] = clip(1)[0][PERSON]
    return frames


class Seer:
    """Finds the red person, or misses it in the frames it is told to."""

    def __init__(self, families=("pose", "ssdlite"), misses=()):
        self.families, self.misses, self.seen = frozenset(families), set(misses), 0

    def detect(self, frames, stretch=1.0):
        found = []
        for frame in frames:
            missed = self.seen in self.misses or not red(frame).any()
            self.seen += 1
            mask = np.zeros((H, W), bool) if missed else red(frame)
            persons = () if missed else (self.person(frame, mask),)
            cover = np.ones((H, W), bool) if (frame[0, 0] == WALL).all() else mask
            found.append(FramePeople(persons, cover))
        return found

    def person(self, frame, mask):
        box = np.array(BOX, np.float32)
        return Person(0, box, 0.9, mask, self.families)


class Watcher(Seer):
    """Finds the red person wherever it is, with landmarks."""

    def person(self, frame, mask):
        rows, columns = (np.flatnonzero(mask.any(k)) for k in (1, 0))
        box = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float32)
        rng = np.random.default_rng(int(columns[0]))
        marks = [rng.normal(size=shape).astype(np.float32) for shape in ((33, 2), 33, 33, 33, (33, 3))]
        return Person(0, box, float(rng.random()), mask, self.families, Landmarks(*marks, score=float(rng.random())))


class Painter:
    def fill(self, frames, region, sources):
        if (frames[0, 0, 0] == STUBBORN).all():
            return LazyPainter().fill(frames, region, sources)
        out = frames.copy()
        out[region] = (0, 90, 0)
        return Plate(out, region, region & (np.arange(region.shape[2]) % 3 == 0))


class LazyPainter:
    """Paints nothing at all."""

    def fill(self, frames, region, sources):
        return Plate(frames, region, region & False)


class Recoverer:
    needs_frames = False

    def recover(self, people, camera, frames=None):
        return [
            FrameBodies(tuple(Body(p.track, np.zeros((55, 3)), np.array([0, 0, 4.0])) for p in f.confirmed))
            for f in people
        ]


class Mimic:
    """Poses that hold every number that was found, and the length of the window."""

    needs_frames = False

    def recover(self, people, camera, frames=None):
        return [FrameBodies(tuple(self.body(p, len(people), camera) for p in f.confirmed)) for f in people]

    def body(self, person, n, camera):
        pose = np.zeros((55, 3), np.float32)
        pose[:33] = person.landmarks.world * person.landmarks.presence[:, None] + person.landmarks.depth[:, None]
        pose[33:44, :2] = person.landmarks.image[:11] * person.landmarks.visibility[:11, None]
        pose[50] = person.score, person.landmarks.score, n
        return Body(person.track, pose, np.array([*person.box[:2], camera.focal], np.float32))


class Looker(Mimic):
    """A mimic that looks at the originals: its bodies hold what it saw of each person."""

    needs_frames = True

    def recover(self, people, camera, frames=None):
        bodies = []
        for there, seen, frame in zip(super().recover(people, camera), people, frames, strict=True):
            for body, person in zip(there.bodies, seen.confirmed, strict=True):
                body.pose[51] = frame[person.mask].mean(0)
            bodies.append(there)
        return bodies


class Model:
    faces = np.zeros((0, 3), np.int32)

    def vertices(self, pose, transl):
        return np.zeros((0, 3), np.float32)


class AllNumbers(Model):
    def vertices(self, pose, transl):
        return np.concatenate([pose, transl[None]])


class BlueBox:
    def render(self, meshes, faces, camera):
        rgba = np.zeros((H, W, 4), np.uint8)
        rgba[30:70, 45:55] = (0, 0, 255, 255)
        return rgba, np.zeros((H, W), np.float32)


class Barcode:
    """A picture of all bytes of the meshes: a body that differs in a bit looks different."""

    def render(self, meshes, faces, camera):
        rgba = np.zeros((H, W, 4), np.uint8)
        data = np.frombuffer(b"".join(m.astype(np.float32).tobytes() for m in meshes), np.uint8)
        rgba[8 : 8 + 4 * (len(data) // 96), :96, 2] = np.repeat(data[: len(data) // 96 * 96].reshape(-1, 96), 4, 0)
        rgba[8 : 8 + 4 * (len(data) // 96), :96, 3] = 255
        return rgba, np.zeros((H, W), np.float32)


def red_face(frame):
    """A face detector that knows the person."""
    rows, columns = (np.flatnonzero(red(frame).any(k)) for k in (1, 0))
    seen = red(frame).sum() > 0.2 * PERSON.sum()
    box = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1, 0.9) if seen else None
    return np.array([box] if seen else [], np.float32).reshape(-1, 5)
