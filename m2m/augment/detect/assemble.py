"""People and cover of a window from all evidence: no model runs here."""

import cv2
import numpy as np

from m2m.augment.detect.boxes import box_of, fill_box
from m2m.augment.detect.cover import cover
from m2m.augment.detect.faces import bust_box
from m2m.augment.detect.looks import Looks
from m2m.augment.detect.params import DetectParams
from m2m.augment.detect.track import Track
from m2m.augment.detect.tracks import build_tracks, own_mask
from m2m.augment.people import FramePeople, Person

ASIDE = 1.5
"""How far a body reaches on either side of its face, in widths of the face."""


def assemble(looks: Looks, params: DetectParams) -> list[FramePeople]:
    """People and cover of a window."""
    people: list[list[Person]] = [[] for _ in range(len(looks))]
    for name, track in enumerate(build_tracks(looks, params)):
        for t in range(track.first, track.last + 1):
            people[t].append(_person(name, track, t, looks, params))
    masks = np.zeros((len(looks), looks.height, looks.width), bool)
    for t, there in enumerate(people):
        for person in there:
            masks[t] |= person.mask
    covers = cover(looks, masks, params)
    return [FramePeople(tuple(there), covers[t]) for t, there in enumerate(people)]


def _person(name: int, track: Track, t: int, looks: Looks, params: DetectParams) -> Person:
    families = track.families(t, params.nearby)
    pose = looks.poses[t].get(track.poses[t]) if t in track.poses else None
    box, score = track.box_at(t), track.scores.get(t, 0.0)
    mask = own_mask(track, t, looks)
    if t in track.instances:  # knows the person's extent better than the pose
        box = looks.boxes[t][track.instances[t], :4]
        mask = mask if mask.any() else _segmented_person(box, track, t, looks, params.segments)
        return Person(name, box, score, mask, families, pose.landmarks if pose else None)
    if pose is not None:
        return Person(name, track.boxes[t], pose.landmarks.score, mask, families, pose.landmarks)
    mask = _segmented_person(box, track, t, looks, params.segments)
    return Person(name, box_of(mask) if track.is_face else box, score, mask, families)


def _figure_of(face: np.ndarray, like: np.ndarray) -> np.ndarray:
    """(H, W) bool, where the body of a face may be, arms at its sides: others may stand in the same piece."""
    x0, y0, x1, y1 = (float(v) for v in face)
    out = np.zeros_like(like)
    fill_box(out, np.array([x0 - ASIDE * (x1 - x0), y0 - (y1 - y0), x1 + ASIDE * (x1 - x0), like.shape[0]]))
    return out


def _segmented_person(box: np.ndarray, track: Track, t: int, looks: Looks, segments: bool) -> np.ndarray:
    """The mask of somebody without one of his own: segmentation in the box, or the box where nothing explains it.

    Of a face it is head and shoulders, and of the connected piece of segmentation around it what a body may reach.
    """
    whole = np.zeros((looks.height, looks.width), bool)
    fill_box(whole, bust_box(box) if track.is_face else box)
    others = np.zeros_like(whole)
    for other in looks.poses[t]:
        others |= looks.pose_mask(t, other)
    for row in range(len(looks.boxes[t]) if segments and t in looks.boxes else 0):
        others |= looks.box_mask(t, row)
    person = looks.segmented(t, 0.5) & ~others
    if track.is_face:
        _, labels = cv2.connectedComponents(person.astype(np.uint8))
        under = labels[whole & person]
        piece = labels == np.bincount(under).argmax() if len(under) else whole
        return (piece & _figure_of(box, whole)) | whole
    part = person & whole
    explained = (part | (others & whole)).sum() >= 0.2 * whole.sum()
    return part if explained and part.any() else whole
