"""Originals that came through: where the original shows a person, does the output show the same picture?

Frames are compared in small cells: by the brightness of every pixel, and by the cell's colour, of which encoders keep
less. So a grey head that is as bright as the face that was there is told from it. A cell is the original's if its
pixels differ by no more than the encoder's own noise and its colour is the same; a face or a person most of whose cells
are the original's has not been painted out. Of a person's box only the cells count that a segmentation takes for
somebody: what else lies in it is background, which may stay. Where it sees nobody, the middle of the box counts.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import cv2
import numpy as np

from m2m.audit.params import AuditParams
from m2m.audit.rows import Check
from m2m.augment.verify import box_overlap

LINES = 240
"""Height in pixels for which the size of a cell is meant."""
TRUNK = (0.3, 0.1, 0.7, 0.7)
"""The trunk in a person's box: x0, y0, x1, y1 in shares of it."""
FEWEST = 6
"""Cells below which nothing can be said."""
UNTOUCHED = 0.005
"""Share of cells that differ up to which an output may be its original; 15x35 pixels of 432x240 are more."""


@dataclass(frozen=True)
class Place:
    """Where an original shows somebody.

    Attributes:
        kind: `face` or `person`.
        box: x0, y0, x1, y1 in pixels.
    """

    kind: str
    box: tuple[float, float, float, float]

    @property
    def core(self) -> tuple[float, float, float, float]:
        """The part of the box that shows nothing but the person."""
        x0, y0, x1, y1 = self.box
        left, top, right, bottom = TRUNK if self.kind == "person" else (0.0, 0.0, 1.0, 1.0)
        width, height = x1 - x0, y1 - y0
        return x0 + left * width, y0 + top * height, x0 + right * width, y0 + bottom * height


def places(faces: np.ndarray, people: np.ndarray, seen: float) -> list[Place]:
    """Where an original shows somebody beyond doubt.

    Args:
        faces: (N, 5) x0, y0, x1, y1 in pixels, score.
        people: (N, 5), the same.
        seen: Score from which there is no doubt.
    """
    kinds = (("face", faces), ("person", people))
    found = [(kind, hit) for kind, hits in kinds for hit in hits if hit[4] >= seen]
    return [Place(kind, (float(h[0]), float(h[1]), float(h[2]), float(h[3]))) for kind, h in found]


@dataclass(frozen=True)
class Copy:
    """An output that shows what an original shows where somebody is.

    Attributes:
        frame: The output's number in the window.
        source: The original's number in the window.
        place: Where.
        share: Share of the cells there that are the original's.
    """

    frame: int
    source: int
    place: Place
    share: float


def between(looks: dict[int, list[Place]], n: int) -> list[list[Place]]:
    """Places in every frame, from looks at some of them: boxes that overlap from look to look move in a line.

    Args:
        looks: Places by frame, in order; the first and the last frame should be among them.
        n: Frames.

    Returns:
        A list a frame. A box that the next look does not find again is left out between the two.
    """
    out: list[list[Place]] = [list(looks.get(t, ())) for t in range(n)]
    times = sorted(looks)
    for start, stop in pairwise(times):
        for place in looks[start]:
            same = [p for p in looks[stop] if p.kind == place.kind]
            next_ = max(same, key=lambda p: box_overlap(p.box, place.box), default=None)
            if next_ is None or box_overlap(next_.box, place.box) < 0.3:
                continue
            for t in range(start + 1, stop):
                w = (t - start) / (stop - start)
                x0, y0, x1, y1 = ((1 - w) * a + w * b for a, b in zip(place.box, next_.box, strict=True))
                out[t].append(Place(place.kind, (x0, y0, x1, y1)))
    return out


class Cells:
    """A window's originals and outputs in cells; both are held as (T, H, W) uint8 brightness.

    Args:
        originals: (T, H, W, 3) uint8 RGB.
        outputs: (T, H, W, 3) uint8 RGB, of the same frames.
        params: Size of a cell, tolerance.
        somebody: (T, H, W) bool, where originals show people, as far as a segmentation sees them.
    """

    def __init__(
        self, originals: np.ndarray, outputs: np.ndarray, params: AuditParams, somebody: np.ndarray | None = None
    ) -> None:
        height, width = originals.shape[1:3]
        self.side = max(2, round(params.cell * height / LINES))
        self.shape = height // self.side, width // self.side
        self._tolerance = params.tolerance
        self.originals, self.outputs = self._bright(originals), self._bright(outputs)
        self._colours = [np.stack([self._small(frame) for frame in frames]) for frames in (originals, outputs)]
        self._somebody = None
        if somebody is not None:
            self._somebody = np.stack([self._small(mask.astype(np.uint8) * 255) >= 128 for mask in somebody])

    def __len__(self) -> int:
        return len(self.originals)

    def same(self) -> np.ndarray:
        """(T, rows, columns) bool: the cells of every output whose brightness is that of its own original."""
        pairs = zip(self.originals, self.outputs, strict=True)
        return np.stack([_mean(cv2.absdiff(a, b), self.side) <= self._tolerance for a, b in pairs])

    def copies(self, source: int, place: Place, alike: float) -> list[Copy]:
        """Outputs of the whole window that show what one original shows at a place.

        Args:
            source: Number of the original in the window.
            place: Where it shows somebody.
            alike: Share of cells from which an output is a copy.
        """
        at = self._inside(source, place)
        if at is None:
            return []
        rows, columns, chosen = at
        # Where the colour is another one the pixels are, too: only the rest needs a closer look.
        close = self._close(self._colours[0][source, rows, columns], self._colours[1][:, rows, columns])
        found = []
        for t in np.flatnonzero(close[:, chosen].mean(1) >= alike):
            share = float(self._equal(source, int(t), rows, columns)[chosen].mean())
            if share >= alike:
                found.append(Copy(int(t), source, place, share))
        return found

    def unlike(self, t: int, other: int) -> tuple[np.ndarray, np.ndarray]:
        """Twice (rows, columns) bool: cells in which two originals, and two outputs, differ by twice the tolerance."""
        pairs = ((frames[t], frames[other]) for frames in (self.originals, self.outputs))
        first, second = (_mean(cv2.absdiff(a, b), self.side) > 2 * self._tolerance for a, b in pairs)
        return first, second

    def share(self, source: int, t: int, place: Place) -> float | None:
        """Share of the cells at a place that an output has from an original; None where there are too few cells."""
        at = self._inside(source, place)
        return None if at is None else float(self._equal(source, t, *at[:2])[at[2]].mean())

    def _bright(self, frames: np.ndarray) -> np.ndarray:
        """(T, H, W) uint8 brightness of frames, sides cut to multiples of a cell's."""
        height, width = (n * self.side for n in self.shape)
        return np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)[:height, :width] for frame in frames])

    def _small(self, picture: np.ndarray) -> np.ndarray:
        """(rows, columns, ...) uint8, means of a picture's cells."""
        rows, columns = self.shape
        whole = np.ascontiguousarray(picture[: rows * self.side, : columns * self.side])
        return cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA)

    def _inside(self, source: int, place: Place) -> tuple[slice, slice, np.ndarray] | None:
        """Rows and columns of cells at a place, and (rows, columns) bool, which of them show nothing but the person."""
        if place.kind == "person" and self._somebody is not None:
            rows, columns = self._cells(place.box)
            chosen = self._somebody[source, rows, columns]
            if chosen.sum() >= 4 * FEWEST:
                return rows, columns, chosen
        rows, columns = self._cells(place.core)
        chosen = np.ones((max(0, rows.stop - rows.start), max(0, columns.stop - columns.start)), bool)
        return (rows, columns, chosen) if chosen.size >= FEWEST else None

    def _cells(self, box: tuple[float, float, float, float]) -> tuple[slice, slice]:
        """Rows and columns of the cells that lie inside of a box."""
        x0, y0, x1, y1 = (v / self.side for v in box)
        high, wide = self.shape
        return (
            slice(max(0, int(np.ceil(y0))), max(0, min(high, int(np.floor(y1))))),
            slice(max(0, int(np.ceil(x0))), max(0, min(wide, int(np.floor(x1))))),
        )

    def _close(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """(...) bool: colours (..., 3) uint8 that are alike; encoders change them more than brightness."""
        return np.abs(a.astype(np.int16) - b).max(-1) <= 3 * self._tolerance

    def _equal(self, source: int, t: int, rows: slice, columns: slice) -> np.ndarray:
        """(rows, columns) bool: cells of an output whose pixels and colour are those of an original."""
        high, wide = (slice(s.start * self.side, s.stop * self.side) for s in (rows, columns))
        pixels = _mean(cv2.absdiff(self.originals[source, high, wide], self.outputs[t, high, wide]), self.side)
        colours = self._colours[0][source, rows, columns], self._colours[1][t, rows, columns]
        return (pixels <= self._tolerance) & self._close(*colours)


def _mean(picture: np.ndarray, side: int) -> np.ndarray:
    """(rows, columns) float32, means of the cells of a picture (H, W) uint8 whose sides are multiples of a cell's."""
    height, width = picture.shape
    cells = picture.reshape(height // side, side, width // side, side)
    return cells.sum((1, 3), dtype=np.uint32).astype(np.float32) / (side * side)


class Copies:
    """Compares a clip with its original, window by window.

    Args:
        params: Cells, tolerance, thresholds.
    """

    def __init__(self, params: AuditParams) -> None:
        self._params = params
        self._changed: list[float] = []
        self._found: list[Copy] = []
        self._highest = 0.0
        self._peopled = 0

    def add(
        self,
        originals: np.ndarray,
        outputs: np.ndarray,
        looks: dict[int, list[Place]],
        somebody: np.ndarray | None = None,
    ) -> None:
        """Adds a window.

        Args:
            originals: (T, H, W, 3) uint8 RGB.
            outputs: (T, H, W, 3) uint8 RGB, of the same frames.
            looks: Where originals show somebody, by number in the window.
            somebody: (T, H, W) bool, where they do as far as a segmentation sees them.
        """
        first, cells = len(self._changed), Cells(originals, outputs, self._params, somebody)
        self._changed += (1 - cells.same().mean((1, 2))).tolist()
        for t, places in enumerate(between(looks, len(cells))):
            self._peopled += bool(places)
            for place in places:
                self._highest = max(self._highest, cells.share(t, t, place) or 0.0)
                copies = cells.copies(t, place, self._params.alike)
                self._found += [replace(c, frame=first + c.frame, source=first + c.source) for c in copies]

    def check(self, expect_people: bool) -> Check:
        """The verdict about the whole clip.

        Args:
            expect_people: Whether every clip must have somebody in it, so that an output that is its original
                throughout is one that was passed through.
        """
        if not self._changed:
            return Check(None, {"why": "there is no frame to compare"})
        dipped = dips(self._changed, self._params)
        whole = expect_people and max(self._changed) <= UNTOUCHED
        figures: dict[str, Any] = {
            "frames": len(self._changed),
            "with_people": self._peopled,
            "highest": round(self._highest, 3),
            "changed": round(float(np.mean(self._changed)), 4),
        }
        frames = sorted({c.frame for c in self._found} | set(dipped))
        if not frames and not whole:
            return Check(True, figures)
        best = sorted(self._found, key=lambda c: (-c.share, c.frame, c.source))[:5]
        why = "the output is the original throughout"
        if frames:
            shown = ", ".join(map(str, frames[:10])) + (", ..." if len(frames) > 10 else "")
            why = f"{len(frames)} frame(s) show what an original shows where somebody is: {shown}"
        copies = [
            {
                "frame": c.frame,
                "source": c.source,
                "kind": c.place.kind,
                "box": [round(v, 1) for v in c.place.box],
                "share": round(c.share, 3),
            }
            for c in best
        ]
        return Check(False, {**figures, "why": why, "copies": copies, "dips": dipped[:10]})


def dips(changed: Iterable[float], params: AuditParams) -> list[int]:
    """Frames that differ far less from their originals than the frames before and after them do.

    Somebody who is painted out in one frame and in the next but one is there in between; no detector needs to see it.

    Args:
        changed: Share of cells in which each output differs from its original.
        params: How deep and how long a dip is.
    """
    shares = np.fromiter(changed, float)
    found = []
    for t, share in enumerate(shares):
        before, after = shares[max(0, t - params.near) : t], shares[t + 1 : t + 1 + params.near]
        sides = min(before.max(initial=0), after.max(initial=0))
        if share <= UNTOUCHED and share < params.dip * sides:
            found.append(t)
    return found
