"""Tracks: one person through a window, from sightings by several models."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from m2m.augment.detect.boxes import inside, iou
from m2m.augment.detect.looks import Looks, pose_box
from m2m.augment.detect.params import DetectParams

SAME_BOX = 0.3
PART_OF = 0.6
DOUBLE = 0.5
SAME_MASK = 0.7
MAX_OVERLAP = 10
FACE_POINTS = slice(0, 11)
REACH = 6
"""Frames within which a box goes on with a track."""


@dataclass
class Track:
    """One person.

    Attributes:
        boxes: (4,) box by frame, where a model saw the person.
        scores: Score by frame.
        poses: Ids of the pose tracks it is made of, by frame.
        witnesses: Frames in which each family saw the person.
    """

    boxes: dict[int, np.ndarray] = field(default_factory=dict)
    scores: dict[int, float] = field(default_factory=dict)
    poses: dict[int, int] = field(default_factory=dict)
    witnesses: dict[str, set[int]] = field(default_factory=dict)

    def see(self, t: int, family: str, box: np.ndarray, score: float) -> None:
        """A sighting; the first of a frame gives its box."""
        self.boxes.setdefault(t, np.asarray(box[:4], np.float32))
        self.scores[t] = max(score, self.scores.get(t, 0.0))
        self.witnesses.setdefault(family, set()).add(t)

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

    def absorb(self, other: "Track") -> None:
        """Takes over another track's sightings; a pose knows the person's extent better than a box."""
        for t, box in other.boxes.items():
            if t not in self.boxes or (t in other.poses and t not in self.poses):
                self.boxes[t] = box
            self.scores[t] = max(other.scores[t], self.scores.get(t, 0.0))
        for t, pose in other.poses.items():
            self.poses.setdefault(t, pose)
        for family, times in other.witnesses.items():
            self.witnesses.setdefault(family, set()).update(times)

    def families(self, t: int, nearby: int) -> frozenset[str]:
        """Families that saw the person near a frame.

        Segmentation tells no person from a person-coloured blob, and it shares its maker with the pose model: it
        counts beside SSDLite or a face, never beside a pose alone.
        """
        seen = {f for f, times in self.witnesses.items() if any(abs(s - t) <= nearby for s in times)}
        return frozenset(seen if seen & {"ssdlite", "face"} else seen - {"selfie"})


def assign(scores: np.ndarray, least: float) -> list[tuple[int, int]]:
    """Pairs (row, column) of the highest total score, each above `least`."""
    if not scores.size:
        return []
    rows, columns = linear_sum_assignment(-np.where(scores > least, scores, 0))
    return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if scores[r, c] > least]


def build_tracks(looks: Looks, params: DetectParams) -> list[Track]:
    """Everybody in a window, in order of appearance.

    Args:
        looks: The evidence.
        params: Scores and reaches.
    """
    tracks = _pose_tracks(looks)
    for t in sorted(looks.boxes):
        _add_boxes(tracks, t, looks.boxes[t], params)
    for t in sorted(looks.faces):
        _add_faces(tracks, t, looks)
    tracks = _without_doubles([track for track in tracks if len(track.boxes) > 1 or len(looks) == 1], looks)
    tracks = _stitch(tracks, params.gap)
    for track in tracks:
        _add_selfie(track, looks)
    return sorted(tracks, key=lambda track: (track.first, *track.boxes[track.first].tolist()))


def _pose_tracks(looks: Looks) -> list[Track]:
    tracks: dict[int, Track] = {}
    for t, poses in enumerate(looks.poses):
        for name, pose in sorted(poses.items()):
            track = tracks.setdefault(name, Track())
            track.see(t, "pose", pose_box(pose, looks.width), pose.landmarks.score)
            track.poses[t] = name
    return list(tracks.values())


def _near(tracks: Iterable[Track], t: int) -> list[Track]:
    """Tracks with a sighting within reach of a frame."""
    return [track for track in tracks if any(abs(s - t) <= REACH for s in track.boxes)]


def _nearest(track: Track, t: int) -> np.ndarray:
    """The box in a frame, or of the sighting nearest to it."""
    return (
        track.box_at(t) if track.first <= t <= track.last else track.boxes[min(track.boxes, key=lambda s: abs(s - t))]
    )


def _add_boxes(tracks: list[Track], t: int, boxes: np.ndarray, params: DetectParams) -> None:
    """SSDLite's boxes of one frame: they join tracks, are parts of somebody, or start a track."""
    known = _near(tracks, t)
    there = np.array([_nearest(track, t) for track in known], np.float32).reshape(-1, 4)
    pairs = dict(assign(iou(boxes, there), SAME_BOX))
    for row, column in pairs.items():
        known[column].see(t, "ssdlite", boxes[row], float(boxes[row, 4]))
    for row, box in enumerate(boxes):
        if row in pairs:
            continue
        part = inside(box[None], there)[0]
        if len(part) and part.max() >= PART_OF:  # a half seen by one model, the whole by the other
            whole = int(part.argmax())
            if iou(box[None], there[whole][None])[0, 0] >= 0.15:
                known[whole].see(t, "ssdlite", there[whole], float(box[4]))
        elif box[4] >= params.box_birth:
            track = Track()
            track.see(t, "ssdlite", box, float(box[4]))
            tracks.append(track)


def _add_faces(tracks: list[Track], t: int, looks: Looks) -> None:
    """Faces of one frame: each belongs to the person whose head is there, or starts a track."""
    near = _near(tracks, t)
    for face in looks.faces[t]:
        centre, size = (face[:2] + face[2:4]) / 2, float((face[2:4] - face[:2]).max())
        best, owner = 1.0, None
        for track in near:
            distance = _head_distance(track, t, centre, looks) / size
            if distance < best:
                best, owner = distance, track
        if owner is None:
            owner = Track()
            tracks.append(owner)
            near.append(owner)
        owner.see(t, "face", face if not owner.boxes else _nearest(owner, t), float(face[4]))


def _head_distance(track: Track, t: int, centre: np.ndarray, looks: Looks) -> float:
    """Pixels between a face's centre and where a track has its head."""
    if t in track.poses and track.poses[t] in looks.poses[t]:
        head = looks.poses[t][track.poses[t]].landmarks.image[FACE_POINTS].mean(0)
        return float(np.hypot(*(head - centre)))
    x0, y0, x1, y1 = (float(v) for v in _nearest(track, t))
    if set(track.witnesses) == {"face"}:
        return float(np.hypot((x0 + x1) / 2 - centre[0], (y0 + y1) / 2 - centre[1]))
    # In a body's box the head may be anywhere in the upper half.
    dx = max(x0 - centre[0], 0, centre[0] - x1)
    dy = max(y0 - centre[1], 0, centre[1] - (y0 + y1) / 2)
    return float(np.hypot(dx, dy))


def _without_doubles(tracks: list[Track], looks: Looks) -> list[Track]:
    """Joins a track that runs inside a longer one to it: one person seen twice."""
    kept: list[Track] = []
    for track in sorted(tracks, key=lambda k: k.first - k.last):
        owner = next((other for other in kept if _doubles(track, other, looks)), None)
        if owner is None:
            kept.append(track)
        else:
            owner.absorb(track)
    return kept


def _doubles(track: Track, other: Track, looks: Looks) -> bool:
    """Whether a track runs inside a longer one. Two long tracks with poses of their own are two people, unless the
    masks of the poses coincide.
    """
    common = [t for t in track.boxes if other.first <= t <= other.last]
    if 2 * len(common) <= len(track.boxes):
        return False
    together = sorted(track.poses.keys() & other.poses.keys())
    if len(together) > 0.2 * len(track.boxes) and len(track.boxes) >= 0.34 * len(other.boxes):
        masks = [(looks.pose_mask(t, track.poses[t]), looks.pose_mask(t, other.poses[t])) for t in together]
        return float(np.median([(a & b).sum() / max(min(a.sum(), b.sum()), 1) for a, b in masks])) > SAME_MASK
    return float(np.median([inside(track.boxes[t][None], other.box_at(t)[None])[0, 0] for t in common])) > DOUBLE


def _stitch(tracks: list[Track], gap: int) -> list[Track]:
    """Joins a track's end to another's start over at most `gap` frames, or a short overlap, by where the boxes are."""
    tracks = sorted(tracks, key=lambda k: (k.first, k.last))
    scores = np.zeros((len(tracks), len(tracks)))
    for i, a in enumerate(tracks):
        for j, b in enumerate(tracks):
            if 0 < b.first - a.last <= gap:
                scores[i, j] = continuation(a.boxes[a.last], b.boxes[b.first], b.first - a.last)
            elif i < j and a.first < b.first and a.last < b.last and 0 <= a.last - b.first < MAX_OVERLAP:
                apart = len(a.poses.keys() & b.poses.keys()) >= 3  # two poses at once: two people
                scores[i, j] = 0 if apart else iou(a.box_at(b.first)[None], b.boxes[b.first][None])[0, 0]
    followed = dict(assign(scores, 0.2))
    heads = {i: i for i in range(len(tracks))}
    for i in range(len(tracks)):  # in order of time: a head is final before its followers ask for it
        if i in followed:
            heads[followed[i]] = heads[i]
            tracks[heads[i]].absorb(tracks[followed[i]])
    return [tracks[i] for i in range(len(tracks)) if heads[i] == i]


def continuation(a: np.ndarray, b: np.ndarray, frames: int) -> float:
    """How likely one person's box went from `a` to `b`, in [0, 1]: near for its size and of like height.

    People cross about their own width in a third of a second; the tolerance grows from half a box to one and a half.
    """
    size_a, size_b = a[2:4] - a[:2], b[2:4] - b[:2]
    scale = float(np.sqrt(max(size_a.max(), 1) * max(size_b.max(), 1)))
    apart = float(np.hypot(*((a[:2] + a[2:4]) / 2 - (b[:2] + b[2:4]) / 2))) / scale
    alike = float(min(size_a.max(), size_b.max()) / max(size_a.max(), size_b.max(), 1))
    tolerance = 0.5 + min(frames / 25, 1.0)
    return max(0.0, 1 - apart / tolerance) * alike


def _add_selfie(track: Track, looks: Looks) -> None:
    """The whole frame's segmentation as a witness: it fills the person's mask, or enough of the box."""
    for t, box in track.boxes.items():
        person = looks.segmented(t, 0.5)
        if t in track.poses and track.poses[t] in looks.poses[t]:
            where, least = looks.pose_mask(t, track.poses[t]), 0.5
        else:
            where, least = np.zeros_like(person), 0.3
            x0, y0, x1, y1 = (max(0, int(v)) for v in box)
            where[y0:y1, x0:x1] = True
        if where.any() and person[where].mean() >= least:
            track.witnesses.setdefault("selfie", set()).add(t)
