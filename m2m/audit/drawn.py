"""The drawn bodies: is what was drawn the asked body, of constant shape, at the recorded pose, and has everybody one?

A body whose proportions follow the person describes the person. The poses that were kept are drawn again with the asked
body; whatever the clip shows beyond that outline is a body of another shape.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from m2m.audit.params import AuditParams
from m2m.audit.rows import Check
from m2m.augment.bodies import BodyModel, Camera, FrameBodies
from m2m.augment.compose import over
from m2m.augment.render.zbuffer import ZBufferRenderer

CHANGED = 24
"""Levels by which some channel of an output must differ from the plate for something to be drawn there."""
AROUND = 8
"""Pixels around the outline that are looked at; farther away the encoder changes colours at sharp edges."""
DEEP = 4
"""Pixels inside of the outline from which what hides a body stands before it, and is no smaller body's rim."""
SMALLEST = 200
"""Pixels of an outline below which its rim is most of it."""


@dataclass(frozen=True)
class _Look:
    """One frame: by how many pixels the outline is off in the mean, and where."""

    frame: int
    off: float
    box: tuple[float, float, float, float]


class Drawn:
    """Compares drawn bodies with those that were asked for.

    Args:
        body: The asked body.
        bodies: The recorded poses by frame.
        camera: The scene's camera.
        colour: The asked colour, RGB.
        params: Thresholds.
    """

    def __init__(
        self,
        body: BodyModel,
        bodies: Mapping[int, FrameBodies],
        camera: Camera,
        colour: tuple[int, int, int],
        params: AuditParams,
    ) -> None:
        self._body = body
        self._bodies = bodies
        self._camera = camera
        self._params = params
        self._renderer = ZBufferRenderer(2, colour)
        self._looks: list[_Look] = []
        self._persons = 0
        self._without: list[tuple[int, tuple[float, float, float, float]]] = []

    def look(self, t: int, output: np.ndarray, plate: np.ndarray) -> None:
        """Adds a look at a frame.

        Args:
            t: Its number in the clip.
            output: (H, W, 3) uint8 RGB.
            plate: (H, W, 3) uint8 RGB.
        """
        there = self._bodies.get(t)
        if there is None or not there.bodies:
            return
        meshes = [self._body.vertices(b.pose, b.transl) for b in there.bodies]
        rgba = self._renderer.render(meshes, self._body.faces, self._camera)[0]
        outline = rgba[..., 3] > 0
        if outline.sum() < SMALLEST:
            return
        # Where body and plate look alike nothing can be said: both are taken to show the plate.
        asked = cv2.absdiff(over(plate, rgba), plate).max(-1) > CHANGED
        drawn = cv2.absdiff(output, plate).max(-1) > CHANGED
        rim = int((asked & _grown(~asked, 1)).sum())
        if not rim:
            return
        off = (asked ^ drawn) & _grown(outline, AROUND)
        _, pieces = cv2.connectedComponents((asked & ~drawn).astype(np.uint8))
        hidden = np.unique(pieces[~_grown(~outline, DEEP)])
        off &= ~np.isin(pieces, hidden[hidden > 0])
        self._looks.append(_Look(t, float(off.sum() / rim), _box(off)))

    def masked(self, t: int, tracks: Mapping[int, tuple[float, float, float, float]]) -> None:
        """Adds a frame's confirmed people: who has no body in it?

        Args:
            t: Its number in the clip.
            tracks: Boxes x0, y0, x1, y1 by track id.
        """
        there = self._bodies.get(t)
        have = {b.track for b in there.bodies} if there is not None else set()
        self._persons += len(tracks)
        self._without += [(t, box) for track, box in tracks.items() if track not in have]

    def shape(self) -> Check:
        """Whether the bodies are the asked one: their outline lies where that one's does."""
        if not self._looks:
            return Check(None, {"why": "no body is large enough to compare"})
        figures = {"looks": len(self._looks), "most_off": round(max(look.off for look in self._looks), 3)}
        found = [look for look in self._looks if look.off > self._params.outline]
        if not found:
            return Check(True, figures)
        best = sorted(found, key=lambda look: (-look.off, look.frame))[:5]
        why = f"{len(found)} of {len(self._looks)} frames show another body than the asked one: at frame "
        why += f"{best[0].frame} its outline is off by {best[0].off:.2f} pixels"
        shown = [
            {"frame": b.frame, "kind": "body", "source": "outline", "box": list(b.box), "score": round(b.off, 3)}
            for b in best
        ]
        return Check(False, {**figures, "why": why, "sightings": shown})

    def everybody(self) -> Check:
        """Whether confirmed people have bodies. That is told, and fails nothing: it exposes nobody."""
        figures = {"persons": self._persons, "without": len(self._without)}
        if not self._without:
            return Check(True, figures)
        flags = [
            {"frame": t, "kind": "person", "source": "track", "box": [round(v, 1) for v in box], "score": 1.0}
            for t, box in self._without[:5]
        ]
        why = f"{len(self._without)} of {self._persons} people in frames have no body"
        return Check(True, {**figures, "why": why, "flags": flags})


def _grown(mask: np.ndarray, by: int) -> np.ndarray:
    """A mask (H, W) bool grown by so many pixels."""
    return cv2.dilate(mask.astype(np.uint8), np.ones((2 * by + 1, 2 * by + 1), np.uint8)).view(bool)


def _box(mask: np.ndarray) -> tuple[float, float, float, float]:
    """x0, y0, x1, y1 around a mask (H, W) bool; zeros for an empty one."""
    ys, xs = np.nonzero(mask)
    return (float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1)) if len(ys) else (0.0,) * 4
