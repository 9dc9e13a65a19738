"""One person through a window, from sightings by several models."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

BODIES = frozenset({"pose", "ssdlite", "mask_rcnn"})
"""Families whose boxes are a body's."""
REACH = 6
"""Frames within which a box goes on with a track."""


@dataclass
class Track:
    """One person.

    Attributes:
        boxes: (4,) box by frame, where a model saw the person.
        scores: Score by frame.
        poses: Ids of the pose tracks it is made of, by frame.
        instances: Rows in `Looks.boxes` of the boxes with a mask of their own that it is made of, by frame.
        heads: (2,) middle of the face by frame, where a pose or a face shows it.
        witnesses: Frames in which each family saw the person.
    """

    boxes: dict[int, np.ndarray] = field(default_factory=dict)
    scores: dict[int, float] = field(default_factory=dict)
    poses: dict[int, int] = field(default_factory=dict)
    instances: dict[int, int] = field(default_factory=dict)
    heads: dict[int, np.ndarray] = field(default_factory=dict)
    witnesses: dict[str, set[int]] = field(default_factory=dict)

    def see(self, t: int, family: str, box: np.ndarray, score: float) -> None:
        """A sighting; the first of a frame gives its box."""
        self.boxes.setdefault(t, np.asarray(box[:4], np.float32))
        self.scores[t] = max(score, self.scores.get(t, 0.0))
        self.witnesses.setdefault(family, set()).add(t)

    @property
    def is_face(self) -> bool:
        """Only faces saw this person: the boxes are a face's, not a body's."""
        return not BODIES & set(self.witnesses)

    @property
    def first(self) -> int:
        """First frame of a sighting."""
        return min(self.boxes)

    @property
    def last(self) -> int:
        """Last frame of a sighting."""
        return max(self.boxes)

    def box_at(self, t: int) -> np.ndarray:
        """(4,) box in a frame, interpolated between sightings and held outside them."""
        times = sorted(self.boxes)
        stack = np.stack([self.boxes[s] for s in times])
        return np.array([np.interp(t, times, stack[:, k]) for k in range(4)], np.float32)

    def head_near(self, t: int) -> tuple[int, np.ndarray] | None:
        """The frame within reach of `t`, and the place, where the head was seen last or is seen next."""
        near = min((s for s in self.heads if abs(s - t) <= REACH), key=lambda s: abs(s - t), default=None)
        return None if near is None else (near, self.heads[near])

    def absorb(self, other: "Track") -> None:
        """Takes over another track's sightings; a pose knows the person's extent better than a box."""
        for t, box in other.boxes.items():
            if t not in self.boxes or (t in other.poses and t not in self.poses):
                self.boxes[t] = box
            self.scores[t] = max(other.scores[t], self.scores.get(t, 0.0))
        for t, pose in other.poses.items():
            self.poses.setdefault(t, pose)
        for t, row in other.instances.items():
            self.instances.setdefault(t, row)
        for t, head in other.heads.items():
            self.heads.setdefault(t, head)
        for family, times in other.witnesses.items():
            self.witnesses.setdefault(family, set()).update(times)

    def seen_by(self, family: str) -> set[int]:
        """Frames in which a family saw the person."""
        return self.witnesses.get(family, set())

    def families(self, t: int, nearby: int) -> frozenset[str]:
        """Families that saw the person near a frame.

        Segmentation tells no person from a person-coloured blob, and it shares its maker with the pose model: it
        counts beside a model of boxes or a face, never beside a pose alone.
        """
        seen = {f for f, times in self.witnesses.items() if any(abs(s - t) <= nearby for s in times)}
        return frozenset(seen if seen & {"ssdlite", "mask_rcnn", "face"} else seen - {"selfie"})

    def nearest(self, t: int) -> np.ndarray:
        """(4,) the box in a frame, or outside the track that of the sighting nearest to it."""
        return self.box_at(min(max(t, self.first), self.last))


def near(tracks: Iterable[Track], t: int) -> list[Track]:
    """Tracks with a sighting within reach of a frame."""
    return [track for track in tracks if any(abs(s - t) <= REACH for s in track.boxes)]


def assign(scores: np.ndarray, least: float) -> list[tuple[int, int]]:
    """Pairs (row, column) of the highest total score, each above `least`."""
    if not scores.size:
        return []
    rows, columns = linear_sum_assignment(-np.where(scores > least, scores, 0))
    return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if scores[r, c] > least]
