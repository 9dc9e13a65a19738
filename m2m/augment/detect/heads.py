"""Whose face is it: faces join the tracks of the people whose heads are there."""

import numpy as np

from m2m.augment.detect.blazepose import FACE
from m2m.augment.detect.looks import Looks
from m2m.augment.detect.track import Track, assign, near

UNSEEN = 0.5
"""Sizes of a face that a head is off, at the least, where only a box tells where it may be."""


def add_faces(tracks: list[Track], t: int, looks: Looks) -> None:
    """Faces of one frame: each belongs to the person whose head is there, or starts a track; nobody has two."""
    known, faces = near(tracks, t), looks.faces[t]
    fits = np.zeros((len(faces), len(known)))
    for row, face in enumerate(faces):
        centre, size = (face[:2] + face[2:4]) / 2, float((face[2:4] - face[:2]).max())
        fits[row] = [1 - _head_distance(track, t, centre, size, looks) / size for track in known]
    owners = dict(assign(fits, 0.0))
    for row, face in enumerate(faces):
        if row in owners:
            owner = known[owners[row]]
        else:
            owner = Track()
            tracks.append(owner)
        centre = (face[:2] + face[2:4]) / 2
        owner.see(t, "face", face if not owner.boxes or owner.is_face else _carried(owner, t, centre), float(face[4]))
        owner.heads.setdefault(t, centre)


def _carried(track: Track, t: int, head: np.ndarray) -> np.ndarray:
    """(4,) a body's box in a frame in which only its face was seen: it goes where the head goes."""
    box = track.nearest(t)
    last = track.head_near(t)
    return box if last is None or t <= track.last else box + np.tile(head - last[1], 2)


def _head_distance(track: Track, t: int, centre: np.ndarray, size: float, looks: Looks) -> float:
    """Pixels between the centre of a face of some size and where a track has its head."""
    if t in track.poses and track.poses[t] in looks.poses[t]:
        head = looks.poses[t][track.poses[t]].landmarks.image[FACE].mean(0)
        return float(np.hypot(*(head - centre)))
    if (last := track.head_near(t)) is not None:
        return float(np.hypot(*(last[1] - centre)))
    x0, y0, x1, y1 = (float(v) for v in track.nearest(t))
    # In a body's box the head may be anywhere in the upper half: whoever shows where the head is comes first.
    dx = max(x0 - centre[0], 0, centre[0] - x1)
    dy = max(y0 - centre[1], 0, centre[1] - (y0 + y1) / 2)
    return float(max(np.hypot(dx, dy), UNSEEN * size))
