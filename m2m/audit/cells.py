"""A window of frames in small cells, by which outputs are compared with originals."""

from dataclasses import dataclass

import cv2
import numpy as np

from m2m.audit.params import AuditParams

LINES = 240
"""Height in pixels for which the size of a cell is meant."""
TRUNK = (0.3, 0.1, 0.7, 0.7)
"""The trunk in a person's box: x0, y0, x1, y1 in shares of it."""
FEWEST = 6
"""Cells below which nothing can be said."""


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
