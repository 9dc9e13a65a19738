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
from m2m.augment.compose import behind, over
from m2m.augment.render.zbuffer import ZBufferRenderer

PLAIN, STRONG = 20, 48
"""Levels by which some channel differs from the plate at most where nothing is drawn, and at least where something is.
What lies between may be either: an encoder's noise, or a body that looks like what is behind it."""
AROUND = 8
"""Pixels around the outline that are looked at; farther away the encoder changes colours at sharp edges."""
SHORTEST = 30
"""Pixels of an outline that is clearly to be seen below which nothing can be said."""
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

    def look(self, t: int, output: np.ndarray, plate: np.ndarray, front: np.ndarray | None) -> None:
        """Adds a look at a frame.

        Args:
            t: Its number in the clip.
            output: (H, W, 3) uint8 RGB.
            plate: (H, W, 3) uint8 RGB.
            front: (H, W) bool, what stands before the bodies; None for nothing.
        """
        there = self._bodies.get(t)
        if there is None or not there.bodies:
            return
        meshes = [self._body.vertices(b.pose, b.transl) for b in there.bodies]
        rgba = self._renderer.render(meshes, self._body.faces, self._camera)[0]
        rgba = rgba if front is None else behind(rgba, front)
        outline = rgba[..., 3] > 0
        if outline.sum() < SMALLEST:
            return
        asked = cv2.absdiff(over(plate, rgba), plate).max(-1)
        drawn = cv2.absdiff(output, plate).max(-1)
        rim = int(((asked > STRONG) & _grown(~outline, 1)).sum())
        if rim < SHORTEST:
            return
        missing, beyond = (asked > STRONG) & (drawn <= PLAIN), (drawn > STRONG) & (asked <= PLAIN)
        off = (missing | beyond) & _grown(outline, AROUND)
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
            return Check(None, {"why": "no body is clearly to be seen, or what stands before them was not kept"})
        figures = {"looks": len(self._looks), "most_off": round(max(look.off for look in self._looks), 3)}
        limit = self._params.outline
        found = [
            look
            for i, look in enumerate(self._looks)
            if look.off > 3 * limit or sum(near.off > limit for near in self._looks[max(0, i - 1) : i + 2]) >= 2
        ]
        found = [look for look in found if look.off > limit]
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
