"""Pose tracks that meet: who keeps the person. A stand-in for the landmark model says what each crop shows."""

import numpy as np
import pytest

from m2m.augment.detect.blazepose import Crop, Pose, pack
from m2m.augment.detect.params import DetectParams
from m2m.augment.detect.pose_tracks import PoseTracker, moved, rename
from m2m.augment.people import Landmarks

SIZE, HEIGHT, WIDTH = 40.0, 60, 200


def pose(x, name=0.0):
    """Somebody upright at x; the name hides in the depth."""
    image = np.tile(np.array([[x, 30.0]], np.float32), (33, 1))
    ones = np.ones(33, np.float32)
    marks = Landmarks(image, ones * name, ones, ones, np.zeros((33, 3), np.float32), 0.95)
    return Pose(marks, pack(np.zeros((HEIGHT, WIDTH), bool)), Crop(x, 30.0, SIZE, 0.0))


class Scene:
    """People by name and frame; a crop shows the nearest of those who are visible."""

    def __init__(self, paths):
        self.paths, self.t = paths, 0

    def look(self, frame, crop, threshold, stretch=1.0):
        t = int(frame[0, 0, 0])
        near = [(abs(x[t] - crop.x), x[t], name) for name, x in self.paths.items() if not np.isnan(x[t])]
        distance, x, name = min(near, default=(np.inf, 0, 0))
        return pose(x, name) if distance < SIZE / 2 else None

    def crops(self, frame, threshold, levels):
        t = int(frame[0, 0, 0])
        return [Crop(x[t], 30.0, SIZE, 0.0) for _, x in sorted(self.paths.items()) if not np.isnan(x[t])]


@pytest.fixture
def tracked(monkeypatch):
    def run(paths):
        scene = Scene(paths)
        for name in ("PoseDetector", "PoseLandmarker"):
            monkeypatch.setattr(f"m2m.augment.detect.pose_tracks.{name}", lambda *_: scene)
        n = len(next(iter(paths.values())))
        frames = np.broadcast_to(np.arange(n, dtype=np.uint8)[:, None, None, None], (n, HEIGHT, WIDTH, 3))
        return PoseTracker(DetectParams()).track(frames, lambda t: None)

    return run


def names(poses):
    """Track -> the people that it shows, in order of time."""
    out = {}
    for there in poses:
        for track, seen in there.items():
            out.setdefault(track, []).append(int(seen.landmarks.depth[0]))
    return out


@pytest.mark.parametrize("still", [1, 2])
def test_who_is_passed_in_front_keeps_the_track(tracked, still):
    """The other is hidden when they meet, and his crop finds the one in front: it is his track that ends."""
    walker = 3 - still
    at = np.linspace(60, 138, 40)
    at[(at > 92) & (at < 108)] = np.nan
    found = names(tracked({still: np.full(40, 100.0), walker: at}))
    whole = [track for track, people in found.items() if people == [still] * 40]
    assert len(whole) == 1
    assert sum(people.count(walker) for people in found.values()) >= 28


def test_movement_is_by_frame_and_size():
    path = [pose(10.0 + 2 * k) for k in range(4)]
    assert moved(path[3], path[:3]) == pytest.approx(2 / SIZE)
    assert moved(path[3], path[2:3]) == pytest.approx(2 / SIZE)
    assert moved(None, path) == moved(path[0], []) == 0


def test_tracks_that_share_a_frame_are_two_people():
    a, b = pose(1.0), pose(2.0)
    joined = rename([{0: a}, {1: b}], [(1, 0)])
    assert [sorted(there) for there in joined] == [[0], [0]]
    apart = rename([{0: a, 1: b}, {1: b}], [(1, 0)])
    assert [sorted(there) for there in apart] == [[0, 1], [1]]
