"""Occluders: what stands before people, so that no body is drawn over it.

A pixel stands before everybody where the source stays what the background is, although a body is there: for as long as
a shot's window sees around the frame. Where the background is known from other frames that is enough. Where it is not,
a limb that the pose model sees must be far, so that somebody who stands still is not taken for furniture.

It says where no body is drawn, and nothing else: the plate shows there, so a mistake costs a piece of a body, and
never shows a person.
"""

import cv2
import numpy as np
from scipy.ndimage import maximum_filter1d, median_filter, minimum_filter1d

from m2m.augment.detect.cover import capsules
from m2m.augment.inpaint.consensus import largest
from m2m.augment.inpaint.morphology import spread, widen
from m2m.augment.people import FramePeople, Landmarks
from m2m.augment.plate import Plate

FRAMES = 20
"""Frames before and after in which a pixel must stay what it is."""
LEVELS = 24
"""Largest difference, in levels, of what stays."""
RIM = 2
"""Pixels around a person's mask that are the person's, at 432x240."""
VISIBLE, GROWN, SMOOTH = 0.5, 1.3, 6
"""Visibility from which a landmark is seen, how much wider than limbs what they cover is, and frames before and after
over whose median a visibility is judged."""
REACH = 40
"""Pixels around the cover within which bodies are drawn, at 432x240."""


def find_occluders(plate: Plate, frames: np.ndarray, people: list[FramePeople]) -> np.ndarray:
    """What stands before the people of a window.

    Args:
        plate: Its plate.
        frames: (T, H, W, 3) uint8 RGB, the source.
        people: T entries.

    Returns:
        (T, H, W) bool, near the covers.
    """
    height, width = plate.region.shape[1:]
    scale = width / 432
    changed, grey = np.zeros_like(plate.region), np.zeros(plate.region.shape, np.uint8)
    for t, frame in enumerate(frames):
        changed[t] = largest(cv2.absdiff(frame, plate.frames[t])) > LEVELS
        grey[t] = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    changed = spread(changed, FRAMES)
    size = 2 * FRAMES + 1
    highest, lowest = (f(grey, size, axis=0, mode="nearest") for f in (maximum_filter1d, minimum_filter1d))
    del grey
    visible = _visible(people)
    out = np.zeros_like(changed)
    for t, there in enumerate(people):
        cover = there.cover
        if not cover.any():
            continue
        persons = np.any([p.mask for p in there.persons] or [np.zeros((height, width), bool)], axis=0)
        beside = ~widen(persons, max(RIM, round(RIM * scale)))
        seen = np.zeros((height, width), bool)
        for p in there.persons:
            if p.landmarks is not None:
                seen |= capsules(p.landmarks, height, width, visible[t, p.track], VISIBLE, GROWN)
        known = plate.known[t] | ~plate.region[t]
        calm = ~changed[t] | ((highest[t] - lowest[t] <= LEVELS) & beside)
        near = widen(cover, round(REACH * scale))
        out[t] = ((~changed[t] & known) | (calm & ~seen)) & near
    return out


def _visible(people: list[FramePeople]) -> dict[tuple[int, int], np.ndarray]:
    """The visibility (33,) of the landmarks of each person by frame and track: medians over frames nearby."""
    tracks: dict[int, dict[int, Landmarks]] = {}
    for t, there in enumerate(people):
        for p in there.persons:
            if p.landmarks is not None:
                tracks.setdefault(p.track, {})[t] = p.landmarks
    out = {}
    for track, marks in tracks.items():
        seen = median_filter(np.stack([m.visibility for m in marks.values()]), (2 * SMOOTH + 1, 1), mode="nearest")
        out.update({(t, track): row for t, row in zip(marks, seen, strict=True)})
    return out
