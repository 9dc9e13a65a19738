"""People: what the detect stage finds in the frames of one window.

Image coordinates are pixels of the frame as processed, x right, y down; the centre of the top left pixel is (0.5, 0.5).
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, Protocol, overload

import numpy as np

FAMILIES = ("pose", "selfie", "ssdlite", "face", "mask_rcnn")
"""Model families that make masks. CenterFace is the verifier's and takes no part."""


SUFFICIENT = "mask_rcnn"
"""The family that confirms a person alone, as in the paper."""


def confirms(families: Collection[str]) -> bool:
    """Whether these model families together are sure of a person: two agree, or one that suffices says so."""
    return len(families) >= 2 or SUFFICIENT in families


class PackedMask:
    """A field for a (H, W) bool mask that is held with eight pixels a byte: masks of a window wait in memory together.

    Reading it makes a new array.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._key = f"_{name}"

    @overload
    def __get__(self, instance: None, owner: type) -> "PackedMask": ...

    @overload
    def __get__(self, instance: object, owner: type) -> np.ndarray: ...

    def __get__(self, instance: object | None, owner: type) -> Any:
        if instance is None:
            raise AttributeError("a mask has no default")  # how a dataclass asks for one
        packed, width = instance.__dict__[self._key]
        return np.unpackbits(packed, axis=-1, count=width).view(bool)

    def __set__(self, instance: object, mask: np.ndarray) -> None:
        instance.__dict__[self._key] = np.packbits(mask, axis=-1), mask.shape[-1]


@dataclass(frozen=True)
class Landmarks:
    """The 33 BlazePose landmarks of one person in one frame.

    Attributes:
        image: (33, 2) float32, pixels of the frame.
        depth: (33,) float32, pixels at the scale of `image`, smaller is nearer, relative to the hips.
        visibility: (33,) float32 in [0, 1], the landmark is in the picture and not hidden.
        presence: (33,) float32 in [0, 1], the landmark is in the picture.
        world: (33, 3) float32, metres, origin between the hips, x right, y down, z away from the camera.
        score: Confidence in [0, 1] that the crop holds a person.
        hands: (2, 21, 3) float32, metres, the landmarks of the left and the right hand in axes of their own, all NaN
            for a hand that was not seen; None where neither was looked for or seen.
    """

    image: np.ndarray
    depth: np.ndarray
    visibility: np.ndarray
    presence: np.ndarray
    world: np.ndarray
    score: float
    hands: np.ndarray | None = None


@dataclass(frozen=True)
class Person:
    """One person in one frame.

    Attributes:
        track: Id, the same for one person as long as a track holds; unique in a shot's window.
        box: (4,) float32 x0, y0, x1, y1 in pixels, end exclusive.
        score: Confidence in [0, 1].
        mask: (H, W) bool, the best single estimate of the visible person, not widened.
        families: Model families that saw this person here or nearby in the track; a body needs two,
            or `SUFFICIENT`.
        landmarks: Where the pose model saw the person in this frame, else None.
    """

    track: int
    box: np.ndarray
    score: float
    mask: PackedMask = PackedMask()
    families: frozenset[str] = frozenset()
    landmarks: Landmarks | None = None

    @property
    def confirmed(self) -> bool:
        """Two model families agree that this is a person, or one that suffices says so."""
        return confirms(self.families)

    def renamed(self, track: int) -> "Person":
        """The same person under another track id."""
        return replace(self, track=track)


@dataclass(frozen=True)
class FramePeople:
    """Everybody in one frame.

    Attributes:
        persons: The people, tracked; order by track id.
        cover: (H, W) bool, the union of all evidence at low scores, widened in space and time: what must not be
            released. It always contains the persons' masks, and also evidence that belongs to no track.
    """

    persons: tuple[Person, ...]
    cover: PackedMask = PackedMask()

    @property
    def confirmed(self) -> tuple[Person, ...]:
        """The people of whom the models are sure, see `Person.confirmed`."""
        return tuple(p for p in self.persons if p.confirmed)


class Detector(Protocol):
    """Finds the people of one window of frames; a window never spans a cut."""

    def detect(self, frames: np.ndarray, stretch: float = 1.0) -> list[FramePeople]:
        """Detects people in a window.

        Args:
            frames: (T, H, W, 3) uint8 RGB.
            stretch: How much wider the frames show things than they are. People, masks and landmarks lie on the frames
                as they are; `world` landmarks do not know of it.

        Returns:
            T entries. The same frames give the same people, bit for bit.
        """
        ...
