"""From tracks to the bodies of a scene: what every recoverer does before and after it poses a body."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from m2m.augment.bodies import Body, Camera, FrameBodies
from m2m.augment.people import FramePeople, Person
from m2m.augment.recover.rotations import log
from m2m.augment.recover.track import Motion

SAME_BOX = 0.6
"""Intersection over union of the boxes of two tracks from which they hold one person."""
INSIDE = 0.5
"""Share of a box, of a track without landmarks, inside the box of a track from which both hold one person."""

Tracks = dict[int, dict[int, Person]]
"""Track -> frame -> the person."""


def tracks_of(people: Sequence[FramePeople], stretch: float) -> Tracks:
    """The confirmed people by track and frame, as they are before the picture is stretched in width."""
    tracks: Tracks = {}
    for t, frame in enumerate(people):
        for person in frame.confirmed:
            tracks.setdefault(person.track, {})[t] = unstretched(person, stretch)
    return tracks


def unstretched(person: Person, stretch: float) -> Person:
    """A person in the picture as it is before it is stretched in width."""
    if stretch == 1:
        return person
    narrow = np.array([1 / stretch, 1], np.float32)
    mask, marks = person.mask, person.landmarks
    size = max(1, round(mask.shape[1] / stretch)), mask.shape[0]
    return replace(
        person,
        box=person.box * np.tile(narrow, 2),
        mask=cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST).astype(bool),
        landmarks=None if marks is None else replace(marks, image=marks.image * narrow),
    )


def square(camera: Camera) -> Camera:
    """The camera of the picture as it is before it is stretched in width."""
    width = round(camera.width / camera.stretch)
    return Camera(camera.focal, camera.cx / camera.stretch, camera.cy, width, camera.height)


def bodies_of(tracks: Tracks, motions: dict[int, Motion], frames: int, min_length: int) -> list[FrameBodies]:
    """One body a person and frame.

    Args:
        tracks: The confirmed people.
        motions: Track -> its body.
        frames: How many there are.
        min_length: A body that would be drawn in fewer frames than this (or than there are) is left out.

    Returns:
        An entry a frame; bodies in the order of their track ids.
    """
    long = {k: m for k, m in motions.items() if m.drawn.sum() >= min(min_length, frames)}
    order = single(tracks, {k: m.evidence for k, m in long.items()})
    bodies: list[list[Body]] = [[] for _ in range(frames)]
    for rank, track in enumerate(order):
        motion = long[track]
        pose = log(motion.local).astype(np.float32)
        transl = motion.transl.astype(np.float32)
        for k in np.flatnonzero(motion.drawn):
            t = motion.first + int(k)
            if motion.bare[k] and any(
                same_person(tracks, t, track, other, True)
                or (long[other].is_bare(t) and same_person(tracks, t, other, track, True))
                for other in order[:rank]
            ):
                continue  # one track ends where another has begun
            bodies[t].append(Body(track, pose[k], transl[k]))
    return [FrameBodies(tuple(sorted(b, key=lambda body: body.track))) for b in bodies]


def same_person(tracks: Tracks, t: int, track: int, other: int, bare: bool) -> bool:
    """Whether a track lies on another in a frame: nearly the same box or, if it is `bare`, mostly inside the other."""
    if t not in tracks[track] or t not in tracks[other]:
        return False
    one, two = tracks[track][t], tracks[other][t]
    bare = bare and not ("face" in one.families and "face" in two.families)  # two faces are two people
    a, b = one.box, two.box
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    common, area = float(np.prod(np.maximum(sides, 0))), float(np.prod(a[2:] - a[:2]))
    iou = common / max(area + float(np.prod(b[2:] - b[:2])) - common, 1e-9)
    return iou > SAME_BOX or (bare and common > INSIDE * area)


def single(tracks: Tracks, evidence: dict[int, float]) -> list[int]:
    """The tracks to draw: one body a person, where several tracks hold the same person.

    Going from the track with the most evidence to that with the least, a track is dropped that lies, in most of its
    frames, on one that is kept: nearly the same box, or, for a track without landmarks, mostly inside the other.

    Args:
        tracks: Track -> frame -> the person.
        evidence: Track -> its believed landmarks; only these tracks are considered.

    Returns:
        Track ids, that with the most evidence first.
    """
    kept: list[int] = []
    for track in sorted(evidence, key=lambda k: (-evidence[k], -len(tracks[k]), k)):
        own, bare = tracks[track], evidence[track] == 0
        if sum(any(same_person(tracks, t, track, other, bare) for other in kept) for t in own) <= len(own) / 2:
            kept.append(track)
    return kept
