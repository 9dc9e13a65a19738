"""Originals that came through: where the original shows a person, does the output show the same picture?

Frames are compared in small cells: by the brightness of every pixel, and by the cell's colour, of which encoders keep
less. So a grey head that is as bright as the face that was there is told from it. A cell is the original's if its
pixels differ by no more than the encoder's own noise and its colour is the same; a face or a person most of whose cells
are the original's has not been painted out. Of a person's box only the cells count that a segmentation takes for
somebody: what else lies in it is background, which may stay. Where it sees nobody, the middle of the box counts.
"""

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from m2m.audit.cells import Cells, Copy, Place
from m2m.audit.params import AuditParams
from m2m.audit.rows import Check
from m2m.augment.verify import box_overlap

UNTOUCHED = 0.005
"""Share of cells that differ up to which an output may be its original; 15x35 pixels of 432x240 are more."""


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
