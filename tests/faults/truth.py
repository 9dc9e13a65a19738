"""What a released clip shows of people whose every pixel is known."""

from dataclasses import dataclass

import cv2
import numpy as np

TELLING = 40
"""Levels by which a pixel of a person differs from what is behind: less tells nothing of the person."""
SAME = 16
"""Levels by which a pixel may differ from the original and still be it, after two encodings."""
PIECE = 24
"""Pixels that hang together from which a match with the same frame is no chance."""
GHOST = 64
"""The same with any other frame of the clip: there are many, and one of them has the colour of a fill."""


@dataclass(frozen=True)
class Leak:
    """Original pixels of a person in a released frame.

    Attributes:
        frame: The released frame.
        shown: The frame of the original that shows the person so.
        pixels: The largest piece.
    """

    frame: int
    shown: int
    pixels: int


def leaks(
    released: np.ndarray,
    drawn: np.ndarray,
    same: np.ndarray,
    frames: np.ndarray,
    plates: np.ndarray,
    people: np.ndarray,
    usual: np.ndarray | None = None,
    ghosts: int = 1,
) -> list[Leak]:
    """The original's people that a released clip shows, of its own frame or of another in the same place.

    Args:
        released: (T, H, W, 3) uint8 RGB, as read back from the file.
        drawn: (T, H, W) bool, where a body was drawn: the original cannot be there.
        same: (T, H, W) bool, where it was the original to the last level before it was encoded: a fill that has the
            colour of somebody's trousers is not.
        frames: (T, H, W, 3) uint8 RGB, the originals.
        plates: (T, H, W, 3) uint8 RGB, the same without people.
        people: (T, H, W) bool, the people's pixels.
        usual: (T, H, W, 3) uint8 RGB, what is released without any fault, if it was looked at: a pixel that is as it
            was there, a fill that has the colour of somebody's trousers, is no doing of the fault.
        ghosts: Every how many frames of the original a released frame is compared with; 0: with its own alone.

    Returns:
        At most one for a frame, the largest.
    """
    found = []
    rim = np.ones((3, 3), np.uint8)
    inner = [cv2.erode(mask.view(np.uint8), rim).view(bool) for mask in people]
    for t in range(len(released)):
        beside = range(t % ghosts, len(frames), ghosts) if ghosts else [t]
        worst = Leak(t, t, 0)
        open_to_view = ~cv2.dilate(drawn[t].view(np.uint8), rim).view(bool)
        changed = open_to_view & (_apart(released[t], plates[t]) > TELLING - SAME)
        if usual is not None:
            changed &= _apart(released[t], usual[t]) > SAME
        for s in beside:
            where = inner[s] & changed
            least = PIECE if s == t else GHOST
            if where.sum() < least:
                continue
            seen = where & (_apart(frames[s], plates[t]) > TELLING) & (_apart(released[t], frames[s]) <= SAME)
            if s == t:
                seen &= same[t]
            size = _largest(seen)
            if size >= max(least, worst.pixels + 1):
                worst = Leak(t, s, size)
        if worst.pixels:
            found.append(worst)
    return found


def _apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Levels by which pixels differ in the channel that differs most."""
    red, green, blue = cv2.split(cv2.absdiff(a, b))
    return cv2.max(cv2.max(red, green), blue)


def _largest(mask: np.ndarray) -> int:
    """Pixels of the largest piece that is no thread: rims match by chance."""
    solid = cv2.morphologyEx(mask.view(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(solid, connectivity=4)
    return int(stats[1:, cv2.CC_STAT_AREA].max(initial=0))
