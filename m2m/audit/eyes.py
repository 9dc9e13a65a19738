"""The audit's models: CenterFace, which made no mask, and SSDLite, which did, at frames that it did not see before.

A segmentation tells which pixels of a box are the person's; it finds nobody by itself.
"""

import cv2
import numpy as np

from m2m.audit.params import AuditParams
from m2m.augment.detect.boxes import suppress
from m2m.augment.detect.faces import CenterFace
from m2m.augment.detect.selfie import SelfieSegmenter
from m2m.augment.detect.ssdlite import SSDLite

SAME_PERSON = 0.6
PERSON = 0.5
"""Probability from which a pixel is a person's."""


class Eyes:
    """Finds faces and people.

    Args:
        params: Scores, scale, threads.

    Raises:
        InfrastructureError: A model package is missing.
    """

    def __init__(self, params: AuditParams) -> None:
        self._params = params
        cv2.setNumThreads(params.threads)
        self._faces = CenterFace(params.threads)
        self._people = SSDLite(params.threads)
        self._segmenter = SelfieSegmenter(params.threads)

    def faces(self, frame: np.ndarray, threshold: float) -> np.ndarray:
        """(N, 5) faces of a frame (H, W, 3) uint8 RGB: x0, y0, x1, y1, score, best first."""
        return self._faces.faces(frame, threshold, self._params.face_scale)

    def people(self, frame: np.ndarray, threshold: float) -> np.ndarray:
        """(N, 5) people of a frame (H, W, 3) uint8 RGB: x0, y0, x1, y1, score, best first."""
        return self._people.people(frame, threshold)

    def somebody(self, frame: np.ndarray) -> np.ndarray:
        """(H, W) bool: pixels of a frame (H, W, 3) uint8 RGB that belong to people."""
        return self._segmenter.full(frame) > PERSON

    def everybody(self, frame: np.ndarray, threshold: float) -> np.ndarray:
        """(N, 5) people of an original (H, W, 3) uint8 RGB: x0, y0, x1, y1, score, best first.

        They are looked for in the whole frame and in overlapping squares; a box that ends where its square ends is
        left out, because its middle may lie beside the person.
        """
        height, width = frame.shape[:2]
        side = min(height, width)
        hits = [self._people.people(frame, threshold, tiles=False)]
        for start in np.linspace(0, max(height, width) - side, 3 if height != width else 0).astype(int):
            x, y = (int(start), 0) if width > height else (0, int(start))
            tile = np.ascontiguousarray(frame[y : y + side, x : x + side])
            inside = self._people.people(tile, threshold, tiles=False) + np.array([x, y, x, y, 0], np.float32)
            edges = np.array([x, y, x + side, y + side])
            own = np.isin(edges, [0, width, height])  # the picture's own edges cut nobody off in the tile alone
            cut = (np.abs(inside[:, :4] - edges) < side / 50) & ~own
            hits.append(inside[~cut.any(1)])
        return suppress(np.concatenate(hits), SAME_PERSON)
