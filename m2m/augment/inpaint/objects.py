"""Objects: what people hold, kick or throw is part of the action and is put back on the plate, never a person's pixel.

A thing is told by its colours. They must be seen beyond every person's box, in a patch that differs from the background
and is no shadow, away from every cover or else large and away from every mask, in two frames at least; and they must be
rare on the people: on all of them, and on each height of each body, since white shoes are few pixels and would pass for
a ball. In doubt nothing is kept.
"""

from collections.abc import Iterator

import cv2
import numpy as np

from m2m.augment.inpaint.consensus import largest
from m2m.augment.inpaint.morphology import widen
from m2m.augment.people import FramePeople, Person
from m2m.augment.plate import Plate

DIFFERENT = 24
"""Levels of a channel from which a pixel is not the background."""
RIM = 2
"""Pixels around a person's mask that are never kept, at 432x240."""
RING = 4
"""Pixels around a person's mask whose colours are the person's too, where they are not the background."""
HEIGHTS = 6
"""Parts of a body, from the head down, whose colours count by themselves."""
SEEN, SEEN_FRAMES = 20, 2
"""Pixels of a patch away from covers that shows what colours things have, at 432x240, and frames with one."""
COVERED, OFF = 60, 4
"""Pixels of such a patch that a cover may hold, and how many pixels it then is from every person's mask."""
LEAST, MOST = 10, 0.02
"""Pixels of a thing at 432x240, and its largest share of the frame."""
RARE, RARE_PART, RARE_SCENE, RARE_UNKNOWN = 8.0, 3.0, 2.0, 8.0
"""Factors by which a colour must be more frequent on things than on people, on a part of a body, in the scene, and in
the scene where the background behind the pixel is not known."""
SUPPORT = 0.05
"""Share of a thing that must stand before a known background, unless it was there a frame before or is one later."""
BITS = 4
_SQUARE = np.ones((3, 3), np.uint8)


def put_back(plate: Plate, frames: np.ndarray, people: list[FramePeople], forbidden: np.ndarray) -> Plate:
    """The plate with the things that people handle; its frames are changed in place.

    Args:
        plate: The plate without them.
        frames: (T, H, W, 3) uint8 RGB, the source.
        people: T entries.
        forbidden: (T, H, W) bool, where nothing may be kept.

    Returns:
        The plate; the things are the source's pixels and no longer in its region.
    """
    kept = find_objects(plate, frames, people, forbidden)
    if not kept.any():
        return plate
    np.copyto(plate.frames, frames, where=kept[..., None])
    return Plate(plate.frames, plate.region & ~kept, plate.known & ~kept, kept)


def find_objects(plate: Plate, frames: np.ndarray, people: list[FramePeople], forbidden: np.ndarray) -> np.ndarray:
    """Pixels of things in the region of a plate; arguments as in `put_back`.

    Returns:
        (T, H, W) bool, inside the region, at least `RIM` pixels off every person's mask.
    """
    moving = np.zeros_like(plate.region)
    for t, (frame, under) in enumerate(zip(frames, plate.frames, strict=True)):
        where = (largest(cv2.absdiff(frame, under)) > DIFFERENT) & plate.region[t] & plate.known[t] & ~forbidden[t]
        where[where] = ~_shaded(frame[where], under[where])
        moving[t] = where
    things = _colours_of_things(frames, moving, people)
    out, wait = np.zeros_like(moving), np.zeros_like(moving)
    if things is None:
        return out
    alike = (things > RARE * _colours_of_people(frames, people)) & (things > 1e-4)
    alike &= things > RARE_PART * _colours_of_parts(frames, moving, people)
    scene = _colours_of_scene(plate, frames, moving, people)
    known, unknown = alike & (things > RARE_SCENE * scene), alike & (things > RARE_UNKNOWN * scene)
    size = frames.shape[1] * frames.shape[2]
    for t, frame in enumerate(frames):
        hidden = plate.region[t] & ~plate.known[t] & ~forbidden[t]
        sure, patch = moving[t].copy(), hidden.copy()
        sure[sure] = known[_bins(frame[sure])]
        patch[patch] = unknown[_bins(frame[patch])]
        patch |= sure
        if not patch.any():
            continue
        off = ~widen(_mask(people[t]), max(RIM, round(RIM * frames.shape[2] / 432)))
        closed = cv2.morphologyEx((patch & off).view(np.uint8), cv2.MORPH_CLOSE, _SQUARE).view(bool)
        for part, area in _patches(closed & (moving[t] | hidden) & off, LEAST, size):
            (out if (sure & part).sum() >= SUPPORT * area else wait)[t] |= part
    _carry(out, wait, size)
    return out


def _carry(out: np.ndarray, wait: np.ndarray, size: int) -> None:
    """Adds patches that were there a frame before, or are there a frame later, in place."""
    last = len(out) - 1
    for step, order in ((-1, range(1, last + 1)), (1, range(last - 1, -1, -1))):
        for t in order:
            near = out[t + step]
            if not (wait[t].any() and near.any()):
                continue
            around = cv2.dilate(near.view(np.uint8), np.ones((13, 13), np.uint8)).view(bool)
            for part, area in _patches(wait[t], 1, size):
                if (around & part).sum() > 0.5 * area and area < 2.5 * near.sum():
                    out[t] |= part


def _patches(mask: np.ndarray, least: int, size: int) -> Iterator[tuple[np.ndarray, int]]:
    """Connected parts of a mask that are neither too small nor too large for a thing, with their areas."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8))
    for label in range(1, count):
        area = int(stats[label, cv2.CC_STAT_AREA])
        if max(least, least * size / (432 * 240)) <= area <= MOST * size:
            yield labels == label, area


def _mask(people: FramePeople) -> np.ndarray:
    """(H, W) bool, the people's masks united."""
    return np.any([p.mask for p in people.persons] or [np.zeros(people.cover.shape, bool)], axis=0)


def _shaded(pixels: np.ndarray, under: np.ndarray) -> np.ndarray:
    """(N,) bool, whether pixels (N, 3) are their background in a shadow: a shadow under the feet tells of them."""
    lit, bare = pixels.astype(np.float32), under.astype(np.float32)
    ratio = lit.sum(-1) / np.maximum(bare.sum(-1), 1)
    off = largest(np.abs(lit - ratio[..., None] * bare))
    return (ratio > 0.35) & (ratio < 1.02) & (off <= 10 + 0.06 * largest(bare))


def _bins(pixels: np.ndarray) -> np.ndarray:
    """The cell of the colour cube of (..., 3) uint8 pixels, intp."""
    r, g, b = (pixels[..., k].astype(np.intp) >> (8 - BITS) for k in range(3))
    return (r << (2 * BITS)) | (g << BITS) | b


class _Colours:
    """How frequent colours are; counts are shared with the neighbouring cells."""

    def __init__(self) -> None:
        self._counts = np.zeros(1 << (3 * BITS), np.float64)

    def add(self, pixels: np.ndarray) -> None:
        """Counts (N, 3) pixels."""
        self._counts += np.bincount(_bins(pixels), minlength=len(self._counts))

    def shares(self, least: int = 1) -> np.ndarray:
        """(4096,) frequencies; all 0 where fewer pixels were counted."""
        total = self._counts.sum()
        if total < least:
            return np.zeros_like(self._counts)
        cube = np.pad(self._counts.reshape((1 << BITS,) * 3), 1)
        for axis in range(3):
            cube = (np.roll(cube, 1, axis) + 2 * cube + np.roll(cube, -1, axis)) / 4
        return cube[1:-1, 1:-1, 1:-1].ravel() / total


def _colours_of_things(frames: np.ndarray, moving: np.ndarray, people: list[FramePeople]) -> np.ndarray | None:
    """Colours seen beyond the boxes; None where there are too few to tell."""
    colours, seen = _Colours(), 0
    for t, there in enumerate(people):
        beyond = moving[t].copy()
        for person in there.persons:
            x0, y0, x1, y1 = person.box
            beyond[max(0, int(y0)) : int(np.ceil(y1)) + 1, max(0, int(x0)) : int(np.ceil(x1)) + 1] = False
        if not beyond.any():
            continue
        off = ~widen(_mask(there), max(OFF, round(OFF * beyond.shape[1] / 432)))
        part = _large(beyond & ~there.cover, SEEN) | _large(beyond & off, COVERED)
        colours.add(frames[t][part])
        seen += bool(part.any())
    return colours.shares() if seen >= SEEN_FRAMES else None


def _large(mask: np.ndarray, least: int) -> np.ndarray:
    """The patches of a mask (H, W) bool that are solid and large enough."""
    opened = cv2.morphologyEx(mask.view(np.uint8), cv2.MORPH_OPEN, _SQUARE).view(bool)
    return np.any([part for part, _ in _patches(opened, least, mask.size)] or [mask & False], axis=0)


def _colours_of_people(frames: np.ndarray, people: list[FramePeople]) -> np.ndarray:
    """Colours inside the masks of all people."""
    colours = _Colours()
    for t, there in enumerate(people):
        inside = cv2.erode(_mask(there).view(np.uint8), np.ones((5, 5), np.uint8)).view(bool)
        colours.add(frames[t][inside])
    return colours.shares()


def _colours_of_parts(frames: np.ndarray, moving: np.ndarray, people: list[FramePeople]) -> np.ndarray:
    """The highest share of each colour on any height of any person's body."""
    parts: dict[tuple[int, int], _Colours] = {}
    brush = np.ones((2 * RING + 1, 2 * RING + 1), np.uint8)
    for t, there in enumerate(people):
        for person in there.persons:
            rows, pixels = _body(person, frames[t], moving[t], brush)
            for k in np.unique(rows):
                parts.setdefault((person.track, int(k)), _Colours()).add(pixels[rows == k])
    return np.max([c.shares(200) for c in parts.values()] or [np.zeros(1 << (3 * BITS))], axis=0)


def _body(person: Person, frame: np.ndarray, moving: np.ndarray, brush: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pixels of a person and, of the ring around, those that are not background: part of the body, and colours."""
    mask = person.mask
    ys = np.flatnonzero(mask.any(1))
    if not len(ys):
        return np.zeros(0, int), np.zeros((0, 3), np.uint8)
    use = mask | (moving & cv2.dilate(mask.view(np.uint8), brush).view(bool))
    part = (np.nonzero(use)[0] - ys[0]) * HEIGHTS // (ys[-1] + 1 - ys[0])
    return np.clip(part, 0, HEIGHTS - 1), frame[use]


def _colours_of_scene(plate: Plate, frames: np.ndarray, moving: np.ndarray, people: list[FramePeople]) -> np.ndarray:
    """Colours of the background, of every third pixel."""
    colours = _Colours()
    for t, there in enumerate(people):
        bare = (~plate.region[t] | plate.known[t]) & ~moving[t] & ~there.cover
        colours.add(frames[t][bare][::3])
    return colours.shares()
