"""Who is on the originals, or still on a plate, that boxes do not tell: pixels of people, and people who vanish.

The verifier's boxes say that somebody is there and how much of a box is painted out, not which half. Here every pixel
counts. What is found is masked once more, as any other doubt.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from m2m.augment.inpaint.motion import is_still
from m2m.augment.people import FramePeople
from m2m.augment.plate import Plate

RIM = np.ones((3, 3), np.uint8)
INNER = np.ones((5, 5), np.uint8)
FLICKER = 0.002
"""Share of the frame below which a gap in time is the flicker of weak evidence and nobody's absence."""
MOST = 0.5
"""Share of what is sure from which a frame has lost its people, and not a piece of evidence."""
DETAIL = 0.03
"""Share of a part's pixels that must differ visibly from their neighbours."""
OTHER = 24
"""Levels by which a pixel shows something else."""
HELD = 0.4
"""Share of a mask that the next frame's masks must cover, or it is lost."""
ALIKE = 0.7
"""Share of a lost mask's inner pixels with which the picture must go."""
ROOM = 0.2
"""Share of a lost mask's box that is added to each side."""
SAMPLES = 15
"""Frames of a window in which the background is looked up."""


def rough(image: np.ndarray) -> np.ndarray:
    """(H, W) bool, pixels of an RGB image 2 levels or more off the mean brightness of their four neighbours."""
    return np.abs(cv2.Laplacian(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.CV_16S)) >= 8


def missed(people: np.ndarray, region: np.ndarray, least: float) -> np.ndarray:
    """People of whom a part is not painted out.

    Args:
        people: (H, W) bool, where a model of its own sees people.
        region: (H, W) bool, what is painted out.
        least: Share of the frame below which a part is noise.

    Returns:
        (N, 4) float32, x0, y0, x1, y1 in pixels of all that hangs together with each part.
    """
    left = cv2.morphologyEx((people & ~region).view(np.uint8), cv2.MORPH_OPEN, RIM)
    if not left.any():
        return np.zeros((0, 4), np.float32)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(left)
    large = np.flatnonzero(stats[1:, cv2.CC_STAT_AREA] >= least * left.size) + 1
    _, whole, extent, _ = cv2.connectedComponentsWithStats(people.view(np.uint8))
    these = np.unique(whole[np.isin(labels, large)])
    x, y, width, height = extent[these[these > 0], :4].T
    return np.stack([x, y, x + width, y + height], -1).astype(np.float32)


def bridged(cover: np.ndarray, gap: int, where: np.ndarray | None = None) -> np.ndarray:
    """The cover without gaps in time.

    Nobody is gone for a moment: where a frame lacks a part of which frames before and after are sure, it is covered;
    where it lacks most, also what hangs together with it in either.

    Args:
        cover: (T, H, W) bool.
        gap: Frames in a row that may be missing.
        where: (T, H, W) bool, a gap counts if it reaches into it, and nothing but the part itself is covered, since
            people move in the time of a long gap; None: everywhere.

    Returns:
        (T, H, W) bool, a superset of `cover`.
    """
    out, n = cover.copy(), len(cover)
    for t in range(n):
        if where is not None and not where[t].any():
            continue
        for before in range(max(0, t - gap), t):
            for after in range(t + 1, min(n, before + gap + 2)):
                sure = cover[before] & cover[after]
                lost = sure & ~cover[t]
                if lost.sum() >= FLICKER * lost.size:
                    core = cv2.erode(lost.view(np.uint8), INNER).view(bool)
                    if where is not None:
                        out[t] |= _holding(lost, core & where[t])
                    elif lost.sum() < MOST * sure.sum():
                        out[t] |= _holding(lost, core)
                    else:
                        out[t] |= _holding((cover[before] | cover[after]) & ~cover[t], core)
    return out


def followed(frames: np.ndarray, people: Sequence[FramePeople]) -> np.ndarray:
    """Where people still are of whom a frame has no mask, though one beside it has.

    A mask that no mask of the next frame carries on is moved with the picture (optical flow), frame by frame, as long
    as the picture goes with it: who walks behind something, or out of the picture, is not where the flow says. It is
    done forwards and backwards in time. Whoever is lost is covered with a box and room: it costs background, and
    happens seldom.

    Args:
        frames: (T, H, W, 3) uint8 RGB, of one shot.
        people: Who was found there, T entries.

    Returns:
        (T, H, W) bool.
    """
    found = np.zeros(frames.shape[:3], bool)
    for order in (range(len(frames)), range(len(frames) - 1, -1, -1)):
        carried: list[np.ndarray] = []
        last: int | None = None
        for t in order:
            here = people[t].cover
            if last is not None:
                known = [person.mask for person in people[last].confirmed if person.mask.any()]
                lost = [m for m in (*known, *carried) if (m & here).sum() < HELD * m.sum()]
                carried = _moved(lost, frames[last], frames[t]) if lost else []
                for mask in carried:
                    found[t][_around(mask)] = True
            last = t
    return found


def _around(mask: np.ndarray) -> tuple[slice, slice]:
    """A box around a (H, W) bool mask with room for limbs, which move faster than a flow follows."""
    y, x = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    (top, bottom), (left, right) = ((int(line[0]), int(line[-1]) + 1) for line in (y, x))
    high, wide = round(ROOM * (bottom - top)), round(ROOM * (right - left))
    return slice(max(0, top - high), bottom + high), slice(max(0, left - wide), right + wide)


def _moved(masks: list[np.ndarray], before: np.ndarray, after: np.ndarray) -> list[np.ndarray]:
    """The masks of one frame in the next, those with which the picture goes."""
    grey = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (after, before)]
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(*grey, None)  # type: ignore[call-overload]
    y, x = np.mgrid[: len(after), : after.shape[1]].astype(np.float32)
    source = x + flow[..., 0], y + flow[..., 1]
    same = cv2.absdiff(cv2.remap(before, *source, cv2.INTER_LINEAR, borderValue=(0, 0, 0)), after).max(-1) <= OTHER
    moved = []
    for mask in masks:
        there = cv2.remap(mask.view(np.uint8), *source, cv2.INTER_NEAREST, borderValue=(0,)).view(bool)
        core = cv2.erode(there.view(np.uint8), INNER).view(bool)
        if core.any() and (core & same).sum() >= ALIKE * core.sum():
            moved.append(there)
    return moved


def _holding(mask: np.ndarray, core: np.ndarray) -> np.ndarray:
    """The connected parts of a (H, W) bool mask that hold pixels of a core."""
    _, labels = cv2.connectedComponents(mask.view(np.uint8))
    kept = np.unique(labels[core & mask])
    return np.isin(labels, kept[kept > 0])


def untouched(
    plate: Plate, frames: np.ndarray, people: Sequence[FramePeople], least: float
) -> list[tuple[int, np.ndarray]]:
    """Parts of people on whom nothing was painted: a plate that shows what the original shows is none.

    A mask may hold background, which a fill from other frames then shows again to the last level. So a part counts
    where no other frame is said to show it, or where other frames show something else there.

    Args:
        plate: What was painted of a window.
        frames: (T, H, W, 3) uint8 RGB, the originals.
        people: Who was found there, T entries.
        least: Share of the frame from which a part counts.

    Returns:
        Frame and box (4,) of the person, for each who is there.
    """
    found = []
    behind: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
    for t, there in enumerate(people):
        same = cv2.absdiff(plate.frames[t], frames[t]).max(-1) <= 1
        for person in there.confirmed:
            part = _parts(person.mask & same, frames[t], least)
            if not part.any():
                continue
            if behind is None:
                behind = _seen_behind(frames, np.stack([p.cover for p in people]))
            elsewhere = plate.known[t] & ~_another(frames[t], *behind)
            if _parts(part & ~elsewhere, frames[t], least).any():
                found.append((t, person.box))
    return found


def _another(frame: np.ndarray, background: np.ndarray, seen: np.ndarray, ever: np.ndarray) -> np.ndarray:
    """(H, W) bool, where a frame shows what is not the background, or where no frame can have shown one."""
    return ((cv2.absdiff(frame, background).max(-1) > OTHER) & seen) | ~ever


def _parts(mask: np.ndarray, frame: np.ndarray, least: float) -> np.ndarray:
    """(H, W) bool, the connected parts of a mask that are large and not all of one colour: black on black is nobody."""
    solid = cv2.morphologyEx(mask.view(np.uint8), cv2.MORPH_OPEN, INNER)
    if not solid.any():
        return solid.view(bool)
    uneven = rough(frame)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(solid)
    kept = [
        k
        for k in range(1, len(stats))
        if stats[k, cv2.CC_STAT_AREA] >= least * mask.size and uneven[labels == k].mean() >= DETAIL
    ]
    return np.isin(labels, kept)


def _seen_behind(frames: np.ndarray, cover: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What a still camera sees when nobody is there.

    Returns:
        (H, W, 3) uint8; (H, W) bool, where it is known; and (H, W) bool, where anything may have been seen, which is
        everywhere if the camera moves.
    """
    height, width = cover.shape[1:]
    if not is_still(frames, cover):
        return frames[0], np.zeros((height, width), bool), np.ones((height, width), bool)
    times = np.linspace(0, len(frames) - 1, min(SAMPLES, len(frames))).round().astype(int)
    seen = np.ma.masked_array(frames[times], np.broadcast_to(cover[times, ..., None], frames[times].shape))
    median = np.ma.median(seen, axis=0)
    return (
        median.filled(0).astype(np.uint8),
        ~np.ma.getmaskarray(median)[..., 0],
        np.any(~cover, axis=0, keepdims=False),
    )
