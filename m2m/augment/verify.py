"""Fail closed: nobody uncovered on the original, nobody left on the plate.

CenterFace takes no part in making the masks, so its errors are not theirs. Every detector looks again at a low score,
and the segmentation of people looks pixel by pixel, whatever the masks were made of in between.
A hit raises an alarm when its score is `alarm` or more once, or `low` or more in two of three neighbouring looks: one
weak hit on a texture is noise, the same weak hit twice is not.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from m2m.augment.contract import check_hits
from m2m.augment.missed import missed, rough, untouched
from m2m.augment.people import FramePeople
from m2m.augment.plate import Plate

Look = Callable[[np.ndarray], np.ndarray]
"""A detector: (H, W, 3) uint8 RGB to (N, 5) x0, y0, x1, y1, score."""


WHOLE = 0.95
"""Share of a box that counts as all of it: a box is not exact."""


@dataclass(frozen=True)
class VerifyParams:
    """How the verifier decides.

    Attributes:
        stride: Every how many frames it looks; never more than the frames for which evidence is held.
        low: Score from which a hit counts when it is seen again in a neighbouring look.
        alarm: Score from which one hit is enough.
        face_scale: Factor by which frames grow before CenterFace looks.
        face_covered: Share of a face's box that must be painted out.
        person_covered: Share of a person's box that must be painted out.
        pixel_score: Probability from which the segmentation's pixels count as a person's; those of the masks count from
            a lower one on.
        part: Share of the frame from which pixels of people that are not painted out count as one part.
        absent: The same for pixels that no mask holds, whatever other frames' masks paint out: smaller parts are what
            the masks had reasons to leave out.
        same: Share of the frame from which a part of a person counts that the plate shows as the original does.
        detail: Share of a box's pixels on the plate that must differ visibly from their neighbours for a hit to count.
            A smooth fill looks like a blurred face to a detector and can hold none: on 12 labelled clips the least
            detailed person has .08 and the least detailed face .07, a diffused fill under .01.
        spread: Frames before and after a doubt that are masked again with it.
        max_region: Mean share of the frame painted out above which a clip has no background left.
        on_doubt: `quarantine` the clip, or `blackout` the doubtful frames and their neighbours.
    """

    stride: int = 3
    low: float = 0.3
    alarm: float = 0.5
    face_scale: float = 1.5
    face_covered: float = 0.8
    person_covered: float = 0.4
    pixel_score: float = 0.7
    part: float = 0.0002
    absent: float = 0.005
    same: float = 0.001
    detail: float = 0.03
    spread: int = 12
    max_region: float = 0.85
    on_doubt: str = "quarantine"

    def __post_init__(self) -> None:
        if self.on_doubt not in ("quarantine", "blackout"):
            raise ValueError(f"on_doubt is quarantine or blackout, not {self.on_doubt!r}")
        if not 0 < self.low <= self.alarm <= 1:
            raise ValueError(f"0 < low <= alarm <= 1 must hold, not low={self.low}, alarm={self.alarm}")
        if self.stride < 1 or self.spread < self.stride:
            raise ValueError(f"1 <= stride <= spread must hold, not stride={self.stride}, spread={self.spread}")


@dataclass(frozen=True)
class Doubt:
    """Somebody who may be seen.

    Attributes:
        frame: Index in the window.
        box: x0, y0, x1, y1 in pixels.
        kind: `person` or `face`.
        where: `original` (not painted out) or `plate` (still there).
        source: The model that saw it.
        score: Its score.
        covered: Share of the box that is painted out.
    """

    frame: int
    box: tuple[float, float, float, float]
    kind: str
    where: str
    source: str
    score: float
    covered: float


def covered_share(region: np.ndarray, box: Iterable[float]) -> float:
    """Share of a box's pixels inside a region (H, W) bool; 1 for a box without a pixel in the frame."""
    x0, y0, x1, y1 = box
    part = region[max(0, int(y0)) : max(0, int(np.ceil(y1))), max(0, int(x0)) : max(0, int(np.ceil(x1)))]
    return float(part.mean()) if part.size else 1.0


def detail(frame: np.ndarray, box: Iterable[float]) -> float:
    """Share of a box's pixels whose brightness differs from their four neighbours' mean by 2 levels or more.

    Args:
        frame: (H, W, 3) uint8 RGB.
        box: x0, y0, x1, y1 in pixels.
    """
    x0, y0, x1, y1 = (max(0, int(v)) for v in box)
    part = np.ascontiguousarray(frame[y0:y1, x0:x1])
    return float(rough(part).mean()) if part.size else 0.0


def box_overlap(a: Iterable[float], b: Iterable[float]) -> float:
    """Intersection over the smaller box's area, in [0, 1]."""
    ax0, ay0, ax1, ay1 = a
    bx0, by0, bx1, by1 = b
    inter = max(0.0, min(ax1, bx1) - max(ax0, bx0)) * max(0.0, min(ay1, by1) - max(ay0, by0))
    smaller = min((ax1 - ax0) * (ay1 - ay0), (bx1 - bx0) * (by1 - by0))
    return inter / smaller if smaller > 0 else 0.0


def alarms(looks: list[list[Doubt]], params: VerifyParams) -> list[Doubt]:
    """The doubts that count: strong once, or weak in two of three neighbouring looks.

    Args:
        looks: Doubts of one model in one place, a list a look, in order of time.
        params: Thresholds.
    """
    found = []
    for i, look in enumerate(looks):
        near = [d for j in range(max(0, i - 2), min(len(looks), i + 3)) if j != i for d in looks[j]]
        found += [d for d in look if d.score >= params.alarm or any(box_overlap(d.box, n.box) > 0.3 for n in near)]
    return found


def look_times(n: int, first: int, start: int, stop: int, stride: int) -> list[int]:
    """Frames of a window that are looked at: a stride apart in the clip, and both ends of the core.

    Counted in the clip, so that two windows look at the same frames of what they share; offset by one, so as not to
    repeat the masks' own looks.

    Args:
        n: Frames of the window.
        first: Number in the clip of the core's first frame.
        start: Its index in the window.
        stop: Index after the core's last frame.
        stride: At most this far apart.
    """
    regular = [t for t in range(n) if (first - start + t) % stride == 1 % stride]
    return sorted({*regular, start, stop - 1})


@dataclass(frozen=True)
class Hits:
    """What one model saw in a window.

    Attributes:
        source: The model's name.
        kind: `person`, `face`, or `pixels`.
        looks: Frame and boxes (N, 5) of every look, in order of time; of `pixels` a (H, W) bool mask packed by row.
    """

    source: str
    kind: str
    looks: list[tuple[int, np.ndarray]]


class Verifier:
    """Looks at originals and plates of a window.

    Args:
        faces: Models that find faces, by name.
        people: Models that find people, by name.
        params: Thresholds.
        pixels: Models that give every pixel's probability (H, W) of being a person's, by name; they look at the
            originals only, since a fill may look like anything.
    """

    def __init__(
        self,
        faces: dict[str, Look],
        people: dict[str, Look],
        params: VerifyParams,
        pixels: dict[str, Look] | None = None,
    ) -> None:
        self.params = params
        self._models = [(n, "face", look) for n, look in faces.items()]
        self._models += [(n, "person", look) for n, look in people.items()]
        self._pixels = pixels or {}

    def look(self, frames: np.ndarray, times: list[int]) -> list[Hits]:
        """What every model sees on the originals; needs no masks, so it can run beside their making.

        Args:
            frames: (T, H, W, 3) uint8 RGB.
            times: Frames to look at, see `look_times`.
        """
        boxes = [
            Hits(name, kind, [(t, check_hits(model(frames[t]), name)) for t in times])
            for name, kind, model in self._models
        ]
        least = self.params.pixel_score
        return boxes + [
            Hits(name, "pixels", [(t, np.packbits(model(frames[t]) >= least, axis=-1)) for t in times])
            for name, model in self._pixels.items()
        ]

    def originals(self, frames: np.ndarray, hits: list[Hits], region: np.ndarray, cover: np.ndarray) -> list[Doubt]:
        """People and faces on the originals that are not painted out, or that no mask holds.

        What other frames' masks paint out of a frame must be known to be somebody there as well, or the person is
        borrowed from it as background. Where there is a doubt, boxes around it must be painted out whole: the rest of
        them may be the person.

        Args:
            frames: (T, H, W, 3) uint8 RGB.
            hits: What `look` saw on them.
            region: (T, H, W) bool, what is painted out.
            cover: (T, H, W) bool, what the masks hold; with it pixels are compared.
        """
        boxes = [h for h in hits if h.kind != "pixels"]
        doubts = self._judged(frames, boxes, region, "original")
        for seen in hits:
            if seen.kind == "pixels":
                doubts += self._missed(seen, region, cover)
        if not doubts:
            return doubts
        strict = Verifier({}, {}, replace(self.params, face_covered=WHOLE, person_covered=WHOLE))
        return doubts + [
            d
            for d in strict._judged(frames, boxes, region, "original")
            if d not in doubts
            and any(abs(d.frame - n.frame) <= self.params.spread and box_overlap(d.box, n.box) > 0 for n in doubts)
        ]

    def _missed(self, seen: Hits, region: np.ndarray, cover: np.ndarray) -> list[Doubt]:
        """Parts of people that a model of pixels sees and nobody paints out, or no mask holds; one look is enough."""
        doubts = []
        for t, packed in seen.looks:
            people = np.unpackbits(packed, axis=-1, count=cover.shape[2]).view(bool)
            boxes = [*missed(people, region[t], self.params.part), *missed(people, cover[t], self.params.absent)]
            for x0, y0, x1, y1 in sorted({tuple(box.tolist()) for box in boxes}):
                share = covered_share(region[t], (x0, y0, x1, y1))
                doubts.append(Doubt(t, (x0, y0, x1, y1), "person", "original", seen.source, 1.0, share))
        return doubts

    def plates(self, frames: np.ndarray, region: np.ndarray, times: list[int]) -> list[Doubt]:
        """People and faces on the plates where they were painted; elsewhere they equal the originals.

        A plate that shows what the last one showed is not looked at twice: the same weak hit on the same picture would
        be no second witness. But what is seen on it counts for all the times it stands for.

        Args:
            frames: (T, H, W, 3) uint8 RGB, the plates.
            region: (T, H, W) bool, what was painted.
            times: Frames to look at, see `look_times`.
        """
        stands: dict[int, list[int]] = {}
        last = -1
        for t in times:
            if not region[t].any():
                continue
            if last < 0 or _changed(frames[t], frames[last], region[t]):
                last = t
            stands.setdefault(last, []).append(t)
        if not stands:
            return []
        rows, columns = _around(region)
        shift = np.array([columns.start, rows.start, columns.start, rows.start, 0], np.float32)
        hits = [Hits(name, kind, []) for name, kind, _ in self._models]
        for t in stands:
            crop = np.ascontiguousarray(frames[t, rows, columns])
            for seen, (_, _, model) in zip(hits, self._models, strict=True):
                seen.looks.append((t, check_hits(model(crop), seen.source) + shift))
        doubts = self._judged(frames, hits, region, "plate")
        return [replace(doubt, frame=t) for doubt in doubts for t in stands[doubt.frame]]

    def untouched(self, plate: Plate, frames: np.ndarray, people: Sequence[FramePeople]) -> list[Doubt]:
        """People of any frame of whom a part is on the plate as on the original; before things are put back on it.

        Args:
            plate: What was painted.
            frames: (T, H, W, 3) uint8 RGB, the originals.
            people: Who was found in them, T entries.
        """
        doubts = []
        for t, box in untouched(plate, frames, people, self.params.same):
            x0, y0, x1, y1 = (float(v) for v in box)
            doubts.append(Doubt(t, (x0, y0, x1, y1), "person", "plate", "untouched", 1.0, 1.0))
        return doubts

    def _judged(self, frames: np.ndarray, hits: list[Hits], region: np.ndarray, where: str) -> list[Doubt]:
        doubts = []
        for seen in hits:
            looks = []
            for t, boxes in seen.looks:
                judged = [self._judge(seen, t, box, where, frames[t], region[t]) for box in boxes]
                looks.append([d for d in judged if d is not None])
            doubts += alarms(looks, self.params)
        return doubts

    def _judge(
        self, seen: Hits, t: int, hit: np.ndarray, where: str, frame: np.ndarray, region: np.ndarray
    ) -> Doubt | None:
        if hit[4] < self.params.low:
            return None
        share = covered_share(region, hit[:4])
        if where == "original":
            enough = self.params.face_covered if seen.kind == "face" else self.params.person_covered
            fine = share >= enough
        else:  # a ghost lies in what was painted; the rest of a plate is the original, where others have looked
            fine = share < 0.5 or detail(frame, hit[:4]) < self.params.detail
        box = (float(hit[0]), float(hit[1]), float(hit[2]), float(hit[3]))
        return None if fine else Doubt(t, box, seen.kind, where, seen.source, float(hit[4]), share)


def _changed(plate: np.ndarray, last: np.ndarray, region: np.ndarray) -> bool:
    """Whether a painted region shows anything else than the last time; a face of 8 pixels changes more than this."""
    return bool(((cv2.absdiff(plate, last).max(-1) > 16) & region).sum() >= 24)


def _around(region: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns around everything painted in a window, with a margin, so that models see the surroundings."""
    united = np.any(region, axis=0)
    height, width = united.shape
    rows, columns = np.flatnonzero(np.any(united, axis=1)), np.flatnonzero(np.any(united, axis=0))
    margin = max(16, height // 8)
    return (
        slice(max(0, rows[0] - margin), min(height, rows[-1] + 1 + margin)),
        slice(max(0, columns[0] - margin), min(width, columns[-1] + 1 + margin)),
    )


def add_doubts(cover: np.ndarray, doubts: list[Doubt], spread: int) -> np.ndarray:
    """The cover with every doubt's box, grown by a sixth on each side, in the frames around it.

    Args:
        cover: (T, H, W) bool.
        doubts: What to add.
        spread: Frames before and after.

    Returns:
        (T, H, W) bool, a superset of `cover`.
    """
    out = cover.copy()
    height, width = cover.shape[1:]
    for d in doubts:
        x0, y0, x1, y1 = d.box
        dx, dy = (x1 - x0) / 6, (y1 - y0) / 6
        if d.kind == "face":  # the head with its hair, not the face alone
            dx, dy = (x1 - x0) / 2, (y1 - y0) * 0.6
        ys = slice(max(0, int(y0 - dy)), min(height, int(np.ceil(y1 + dy))))
        xs = slice(max(0, int(x0 - dx)), min(width, int(np.ceil(x1 + dx))))
        out[max(0, d.frame - spread) : d.frame + spread + 1, ys, xs] = True
    return out
