"""What backends promise, checked where their answers meet the chain.

A model that fails silently (numbers that are none, a list that is too short, a plate that is still the original) must
not end in a clip that looks finished: whatever breaks a promise refuses the clip.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from m2m.augment.bodies import FrameBodies
from m2m.augment.people import FramePeople, Person
from m2m.augment.plate import Plate
from m2m.errors import QuarantineError


def check_people(people: Sequence[FramePeople], frames: np.ndarray) -> None:
    """A detector's answer: every frame, masks of its size, in the cover, and numbers.

    Args:
        people: What a detector found.
        frames: (T, H, W, 3), what it was asked about.

    Raises:
        QuarantineError: `error`.
    """
    n, height, width = frames.shape[:3]
    _expect(len(people) == n, "detector", f"people of {len(people)} frames for {n}")
    for t, there in enumerate(people):
        cover = there.cover
        _expect(cover.shape == (height, width), "detector", f"a cover of {cover.shape} in frames of {(height, width)}")
        for person in there.persons:
            _expect(_finite(person), "detector", f"numbers that are none of person {person.track} in frame {t}")
            inside = person.mask.shape == cover.shape and not (person.mask & ~cover).any()
            _expect(inside, "detector", f"a cover without the mask of person {person.track} in frame {t}")


def check_hits(hits: np.ndarray, model: str) -> np.ndarray:
    """What a model of the verifier saw, as (N, 5) numbers.

    Args:
        hits: x0, y0, x1, y1, score; or nothing.
        model: Its name.

    Raises:
        QuarantineError: `error`.
    """
    hits = np.asarray(hits)
    if not hits.size:
        return np.zeros((0, 5), np.float32)
    _expect(hits.ndim == 2 and hits.shape[1] == 5, model, f"hits of the shape {hits.shape}")
    _expect(bool(np.isfinite(hits).all()), model, "hits that are no numbers")
    return hits


def check_plate(plate: Plate, frames: np.ndarray, region: np.ndarray) -> None:
    """An inpainter's answer: every frame, whole, and all of the region painted.

    Args:
        plate: What it made.
        frames: (T, H, W, 3) uint8 RGB, the originals.
        region: (T, H, W) bool, what it was asked to paint out.

    Raises:
        QuarantineError: `error`.
    """
    _expect(
        plate.frames.shape == frames.shape and plate.frames.dtype == frames.dtype,
        "inpainter",
        f"a plate of {plate.frames.shape} {plate.frames.dtype} for frames of {frames.shape}",
    )
    masks = [plate.region, plate.known] + ([] if plate.front is None else [plate.front])
    _expect(all(m.shape == region.shape for m in masks), "inpainter", "masks of another size than the plate")
    _expect(not (region & ~plate.region).any(), "inpainter", "less painted than was asked for")


def check_bodies(bodies: Sequence[FrameBodies], people: Sequence[FramePeople]) -> None:
    """A recoverer's answer: every frame, numbers, nobody whom no detector found.

    Raises:
        QuarantineError: `error`.
    """
    _expect(len(bodies) == len(people), "recoverer", f"bodies of {len(bodies)} frames for {len(people)}")
    known = {p.track for there in people for p in there.persons}
    for t, there in enumerate(bodies):
        for body in there.bodies:
            finite = np.isfinite(body.pose).all() and np.isfinite(body.transl).all()
            _expect(bool(finite), "recoverer", f"a pose of person {body.track} in frame {t} that is no number")
            _expect(body.track in known, "recoverer", f"a body of person {body.track}, whom nobody found")


def check_picture(rgba: np.ndarray, base: np.ndarray) -> None:
    """A renderer's answer: a picture as large as the one it lies on, with alpha.

    Raises:
        QuarantineError: `error`.
    """
    good = rgba.shape == (*base.shape[:2], 4) and rgba.dtype == np.uint8
    _expect(good, "renderer", f"a picture of {rgba.shape} {rgba.dtype} for one of {base.shape[:2]}")


def _finite(person: Person) -> bool:
    numbers: Iterable[np.ndarray] = [person.box]
    if person.landmarks is not None:
        marks = person.landmarks
        numbers = [person.box, marks.image, marks.depth, marks.visibility, marks.presence, marks.world]
    return bool(np.isfinite(person.score)) and all(np.isfinite(values).all() for values in numbers)


def _expect(held: bool, who: str, what: str) -> None:
    if not held:
        raise QuarantineError("error", f"{who} gave {what}", {"backend": who})
