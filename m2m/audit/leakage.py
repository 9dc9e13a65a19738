"""Leakage: does something of the original shine through where it was masked?

Equal pixels prove nothing: a good fill shows the background that the original shows beside the person, and a few pixels
are equal by chance. What counts is a patch that the original shows only for a moment, as it shows a limb, and that the
plate shows for the same moment, with the same edges. A patch that stays is background to these eyes; where somebody
stands still, `copies` and `coverage` look.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from m2m.audit.cells import Cells
from m2m.audit.params import AuditParams
from m2m.audit.rows import Check

LAGS = (4, 8, 16, 32)
"""Frames before and after with which a patch is compared."""
STILL = 0.97
"""Share of the cells with edges, outside of the masks, that must not have changed for the camera to stand still."""
RANGE = 24
"""Levels between the brightest and the darkest pixel of a cell from which it has edges: flat ones never change."""
FEWEST = 50
"""Such cells below which nobody knows."""
EDGES = 12.0
"""Mean strength of edges, in levels of brightness a pixel (Scharr / 32), below which a correlation says nothing."""


@dataclass(frozen=True)
class Leak:
    """A patch of the original.

    Attributes:
        frame: Number in the clip.
        box: x0, y0, x1, y1 in pixels.
        pixels: Its area.
        likeness: Correlation of its gradients with the original's.
    """

    frame: int
    box: tuple[float, float, float, float]
    pixels: int
    likeness: float


class Leakage:
    """Looks for patches in a clip, window by window.

    Args:
        params: Cells, tolerance, thresholds.
    """

    def __init__(self, params: AuditParams) -> None:
        self._params = params
        self._found: list[Leak] = []
        self._frames = 0
        self._moving = 0
        self._first = 0

    def add(self, originals: np.ndarray, shown: np.ndarray, covers: np.ndarray) -> None:
        """Adds a window.

        Args:
            originals: (T, H, W, 3) uint8 RGB.
            shown: (T, H, W, 3) uint8 RGB, the plates of these frames.
            covers: (T, H, W) bool, what was masked.
        """
        cells = Cells(originals, shown, self._params)
        side, n = cells.side, len(cells)
        rows, columns = cells.shape
        cut = covers[:, : rows * side, : columns * side]
        inside: np.ndarray = np.all(
            cut.reshape(n, rows, side, columns, side), (2, 4)
        )  # whole cells: eroded by up to one
        same = cells.same()
        edged = _range(cells.originals, side) >= RANGE
        for t in range(n):
            fleeting = self._fleeting(cells, ~inside & edged, t)
            if fleeting is None:
                self._moving += bool(inside[t].any())
                continue
            self._frames += 1
            self._patches(cells, same[t] & fleeting & inside[t], t)
        self._first += n

    def _fleeting(self, cells: Cells, telling: np.ndarray, t: int) -> np.ndarray | None:
        """(rows, columns) bool: cells in which original and plate show what they show before and after nowhere.

        None where the camera moves, so that no time can be compared, or there is nothing before or nothing after.

        Args:
            cells: The window.
            telling: (T, rows, columns) bool, cells that tell whether the camera moves.
            t: The frame.
        """
        fleeting, sides = None, set()
        for lag in (*(-lag for lag in LAGS), *LAGS):
            other = t + lag
            if not 0 <= other < len(cells):
                continue
            outside = telling[t] & telling[other]
            unlike = cells.unlike(t, other)
            if outside.sum() < FEWEST or (~unlike[0][outside]).mean() < STILL:
                continue
            sides.add(lag > 0)
            both = unlike[0] & unlike[1]
            fleeting = both if fleeting is None else fleeting & both
        return fleeting if len(sides) == 2 else None

    def _patches(self, cells: Cells, where: np.ndarray, t: int) -> None:
        side = cells.side
        least = -(-self._params.patch // side**2)
        if where.sum() < least:
            return
        _, labels, stats, _ = cv2.connectedComponentsWithStats(where.astype(np.uint8), connectivity=4)
        for label in range(1, len(stats)):
            x, y, width, height, count = (int(v) for v in stats[label])
            if count < least:
                continue
            box = slice(y * side, (y + height) * side), slice(x * side, (x + width) * side)
            patch = np.kron(labels[y : y + height, x : x + width] == label, np.ones((side, side), bool))
            likeness = correlation(cells.originals[t], cells.outputs[t], box, patch)
            if likeness >= self._params.likeness:
                corners = tuple(float(v * side) for v in (x, y, x + width, y + height))
                self._found.append(Leak(self._first + t, corners, count * side**2, likeness))  # type: ignore[arg-type]

    def check(self) -> Check:
        """The verdict about the whole clip."""
        if not self._frames:
            why = "the camera moves, or the clip is too short: no moment can be told from another"
            return Check(None, {"why": why if self._moving else "nothing was masked"})
        figures = {"frames": self._frames, "moving": self._moving}
        if not self._found:
            return Check(True, figures)
        best = sorted(self._found, key=lambda leak: (-leak.pixels, leak.frame))[:5]
        top = best[0]
        why = f"{len(self._found)} patch(es) of the original inside of the masks, largest {top.pixels} px at frame "
        why += f"{top.frame}, gradients correlate {top.likeness:.2f}"
        shown = [
            {"frame": leak.frame, "kind": "patch", "source": "gradients", "box": list(leak.box), "score": round(v, 3)}
            for leak in best
            for v in (leak.likeness,)
        ]
        return Check(False, {**figures, "why": why, "sightings": shown})


def correlation(original: np.ndarray, shown: np.ndarray, box: tuple[slice, slice], patch: np.ndarray) -> float:
    """How alike the gradients of two pictures are in a patch.

    Args:
        original: (H, W) uint8.
        shown: (H, W) uint8.
        box: Rows and columns around the patch.
        patch: Bool, of the box's size: the patch.

    Returns:
        -1 to 1; 0 where the original has next to no edges, about which a correlation would say nothing.
    """
    rows, columns = box
    grown = slice(max(0, rows.start - 1), rows.stop + 1), slice(max(0, columns.start - 1), columns.stop + 1)
    gradients = []
    for picture in (original, shown):
        part = picture[grown]
        slopes = np.stack([cv2.Scharr(part, cv2.CV_32F, 1, 0), cv2.Scharr(part, cv2.CV_32F, 0, 1)]) / 32
        top, left = rows.start - grown[0].start, columns.start - grown[1].start
        gradients.append(slopes[:, top : top + patch.shape[0], left : left + patch.shape[1]][:, patch])
    a, b = gradients
    if float(np.hypot(*a).mean()) < EDGES:
        return 0.0
    return float((a * b).sum() / max(np.sqrt((a * a).sum() * (b * b).sum()), 1e-6))


def _range(frames: np.ndarray, side: int) -> np.ndarray:
    """(T, rows, columns) int: levels between the brightest and the darkest pixel of the cells of (T, H, W) uint8."""
    n, height, width = frames.shape
    cells = frames.reshape(n, height // side, side, width // side, side)
    return cells.max((2, 4)).astype(int) - cells.min((2, 4))
