"""The camera's motion inside one window, seen on the background."""

import cv2
import numpy as np

SHIFT = 0.0045
"""Share of the frame's width that the background of a still camera may be off by."""
STILL = 0.3
"""Share of the picture's cornered cells that must stay for a still camera; one that moves keeps hardly any."""
CELLS = 8
"""Cells across the frame, so that a logo or a letterbox with many corners counts little."""
SAMPLE = 8
"""Frames between two looks at a still camera."""
CORNERS = 300
MINIMUM = 12
"""Tracked corners below which a motion is not believed."""


def _grey(frame: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)


def _tracks(a: np.ndarray, b: np.ndarray, known_a: np.ndarray, known_b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners of the background of one grey frame, found again in another.

    Corners rather than ORB: between neighbours their flow is exact to a tenth of a pixel, ORB's position to a half.

    Args:
        a: (H, W) uint8.
        b: (H, W) uint8.
        known_a: (H, W) bool, background of `a`.
        known_b: (H, W) bool, background of `b`.

    Returns:
        (N, 2) float32 points in `a` and in `b`; pixel centres are whole numbers.
    """
    nothing = np.zeros((0, 2), np.float32)
    start = cv2.goodFeaturesToTrack(a, CORNERS, 0.01, max(4, a.shape[1] // 54), mask=known_a.astype(np.uint8))
    if start is None:
        return nothing, nothing
    end, there, _ = cv2.calcOpticalFlowPyrLK(a, b, start, start.copy(), winSize=(21, 21), maxLevel=5)
    back, here, _ = cv2.calcOpticalFlowPyrLK(b, a, end, end.copy(), winSize=(21, 21), maxLevel=5)
    start, end, back = start[:, 0], end[:, 0], back[:, 0]
    good = (there[:, 0] > 0) & (here[:, 0] > 0) & (np.linalg.norm(start - back, axis=1) < 0.7)
    xy = np.rint(end).astype(int)
    inside = (xy >= 0).all(1) & (xy[:, 0] < b.shape[1]) & (xy[:, 1] < b.shape[0])
    good &= inside
    good[good] = known_b[xy[good, 1], xy[good, 0]]
    return start[good], end[good]


def is_still(frames: np.ndarray, people: np.ndarray) -> bool:
    """Whether the camera stands still over a window.

    Args:
        frames: (T, H, W, 3) uint8 RGB.
        people: (T, H, W) bool, pixels that are not background.

    Returns:
        True if enough of the picture stays within `SHIFT` of where it is in the middle frame; things that move by
        themselves may be in the majority. A picture without corners counts as still where most of it keeps its colour.
    """
    middle = len(frames) // 2
    reference = _grey(frames[middle])
    for t in range(0, len(frames), SAMPLE):
        known = ~(people[t] | people[middle])
        if t == middle or not known.any():
            continue
        grey = _grey(frames[t])
        a, b = _tracks(reference, grey, known, known)
        if len(a) >= MINIMUM:
            stays = np.linalg.norm(a - b, axis=1) <= SHIFT * frames.shape[2]
            cell = np.floor(a * (CELLS / frames.shape[2])).astype(int) @ np.array([1, 1000])
            staying = [bool(stays[cell == c].mean() >= 0.5) for c in np.unique(cell)]
            if np.mean(staying) < STILL:
                return False
        else:
            change = cv2.absdiff(cv2.GaussianBlur(reference, (0, 0), 2), cv2.GaussianBlur(grey, (0, 0), 2))
            if np.median(change[known]) > 4:
                return False
    return True


def register(frames: np.ndarray, people: np.ndarray) -> list[np.ndarray | None]:
    """The homographies between neighbouring frames.

    Args:
        frames: (T, H, W, 3) uint8 RGB.
        people: (T, H, W) bool, pixels that are not background.

    Returns:
        T - 1 matrices (3, 3) float64 that take a pixel of frame t to frame t + 1; None where the background cannot be
        followed.
    """
    steps: list[np.ndarray | None] = []
    greys = [_grey(f) for f in frames]
    for t in range(len(frames) - 1):
        a, b = _tracks(greys[t], greys[t + 1], ~people[t], ~people[t + 1])
        steps.append(_homography(a, b))
    return steps


def _homography(a: np.ndarray, b: np.ndarray) -> np.ndarray | None:
    if len(a) < MINIMUM:
        return None
    cv2.setRNGSeed(0)
    matrix, inliers = cv2.findHomography(a, b, cv2.USAC_MAGSAC, 1.0)
    if matrix is None or inliers is None or inliers.sum() < max(MINIMUM, 0.3 * len(a)):
        return None
    return matrix
