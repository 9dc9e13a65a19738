"""Pose tracks of a window: many people, forward and then backward in time."""

from collections.abc import Callable, Iterator

import numpy as np

from m2m.augment.detect.blazepose import TORSO, Crop, Pose, PoseDetector, PoseLandmarker, unstretched
from m2m.augment.detect.params import DetectParams

MAX_PEOPLE = 12
DETECTOR_SCORE = 0.5
SAME_BODY = 0.2
"""A new crop whose centre lies within this share of a tracked crop's size is the tracked person."""

SLIDE = 6
"""Frames over which a track's movement tells that it slides from one person to another."""


Boxes = Callable[[int], np.ndarray | None]
"""Boxes (N, 5) in a frame, or None."""


class PoseTracker:
    """BlazePose over a window.

    A detection only says where to look: the landmark model's score starts and keeps a track. Forward, tracks start at
    detections. Backward, every track is followed to before its start; where it meets an earlier track the two are one.

    Args:
        params: Scores and strides.

    Raises:
        InfrastructureError: The model package is missing.
    """

    def __init__(self, params: DetectParams) -> None:
        self._params = params
        self._detector = PoseDetector(params.threads)
        self._landmarker = PoseLandmarker(params.threads)

    def track(self, frames: np.ndarray, boxes: Boxes, stretch: float = 1.0) -> list[dict[int, Pose]]:
        """Tracks everybody.

        Args:
            frames: (T, H, W, 3) uint8 RGB.
            boxes: Person boxes (N, 5) of another model by frame, None where it did not look: more places to look.
            stretch: How much wider the frames show things than they are.

        Returns:
            Poses by track id, T entries.
        """
        forward = list(self._forward(frames, boxes, stretch))
        return self._backward(frames, forward, stretch)

    def _forward(self, frames: np.ndarray, boxes: Boxes, stretch: float) -> Iterator[dict[int, Pose]]:
        active: dict[int, Crop] = {}
        next_id = 0
        past: list[dict[int, Pose]] = []
        for t, frame in enumerate(frames):
            poses: dict[int, Pose] = {}
            found = {k: self._landmarker.look(frame, c, self._params.pose_keep, stretch) for k, c in active.items()}
            # Where two tracks meet, one has slid off a person who is hidden and onto another: the one that moved more.
            for track in sorted(found, key=lambda k: moved(found[k], [p[k] for p in past[-SLIDE:] if k in p])):
                self._add(poses, track, found[track])
            for crop in self._places(frame, t, boxes(t), bool(poses), stretch):
                known = [p.following for p in poses.values()]
                if len(poses) < MAX_PEOPLE and not any(_same(crop, k) for k in known):
                    self._add(poses, next_id, self._landmarker.look(frame, crop, self._params.pose_birth, stretch))
                    next_id += 1
            yield poses
            past = [*past[1 - SLIDE :], poses]
            active = {track: pose.following for track, pose in poses.items()}

    def _places(self, frame: np.ndarray, t: int, boxes: np.ndarray | None, tracked: bool, stretch: float) -> list[Crop]:
        """Where somebody new may be."""
        p = self._params
        levels: tuple[int, ...] = ()
        if t % p.tile_stride == 0:
            levels = (1, 2, 3)
        elif t % p.search_stride == 0:
            levels = (1, 2)
        elif not tracked:
            levels = (1,)
        crops = self._detector.crops(unstretched(frame, stretch), DETECTOR_SCORE, levels) if levels else []
        return crops + [Crop.of_box(b[:4] / [stretch, 1, stretch, 1]) for b in (boxes if boxes is not None else ())]

    @staticmethod
    def _add(poses: dict[int, Pose], track: int, pose: Pose | None) -> int | None:
        """Adds a pose unless somebody is there already; returns who."""
        if pose is None or not 4 < pose.following.size < 4 * max(pose.mask.shape[0], 8 * pose.mask.shape[1]):
            return None
        for other, known in poses.items():
            if pose.near(known):
                return other
        poses[track] = pose
        return None

    def _backward(self, frames: np.ndarray, forward: list[dict[int, Pose]], stretch: float) -> list[dict[int, Pose]]:
        out: list[dict[int, Pose]] = [dict(poses) for poses in forward]
        joins: list[tuple[int, int]] = []
        for t in range(len(frames) - 2, -1, -1):
            for track, pose in out[t + 1].items():
                if track not in out[t] and len(out[t]) < MAX_PEOPLE:
                    found = self._landmarker.look(frames[t], pose.following, self._params.pose_keep, stretch)
                    met = self._add(out[t], track, found)
                    joins += [(track, met)] if met is not None else []
        return rename(out, joins)


def moved(pose: Pose | None, past: list[Pose]) -> float:
    """How far a torso has moved a frame since the first of its `past` poses, in sizes of its crop; 0 without a past."""
    if pose is None or not past:
        return 0.0
    apart = pose.landmarks.image[list(TORSO)] - past[0].landmarks.image[list(TORSO)]
    return float(np.hypot(*apart.T).mean()) / pose.following.size / len(past)


def _same(a: Crop, b: Crop) -> bool:
    return float(np.hypot(a.x - b.x, a.y - b.y)) < SAME_BODY * min(a.size, b.size)


def rename(poses: list[dict[int, Pose]], joins: list[tuple[int, int]]) -> list[dict[int, Pose]]:
    """Gives joined tracks one id, unless they appear in one frame together: then they are two people."""
    frames_of: dict[int, set[int]] = {}
    for t, there in enumerate(poses):
        for track in there:
            frames_of.setdefault(track, set()).add(t)
    name = {track: track for track in frames_of}
    for later, earlier in joins:
        a, b = name[later], name[earlier]
        if a != b and not frames_of[a] & frames_of[b]:
            frames_of[b] |= frames_of.pop(a)
            name = {track: b if n == a else n for track, n in name.items()}
    return [{name[track]: pose for track, pose in there.items()} for there in poses]
