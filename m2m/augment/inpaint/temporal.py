"""The background from the other frames of a window, Navier-Stokes for what no frame shows."""

import numpy as np

from m2m.augment.inpaint.background import fill_still
from m2m.augment.inpaint.morphology import spread, widen
from m2m.augment.inpaint.motion import is_still
from m2m.augment.inpaint.neighbours import fill_moving
from m2m.augment.inpaint.params import InpaintParams
from m2m.augment.plate import Plate


class TemporalInpainter:
    """Borrows the background from other frames of the same window.

    A frame in which the mask missed a person must not hand that person on. So pixels near a cover, in space or in time,
    are never copied, several samples must agree, and a moving camera's samples must fit around the region.

    Args:
        params: See `InpaintParams`.
    """

    def __init__(self, params: InpaintParams) -> None:
        self.params = params

    def fill(self, frames: np.ndarray, region: np.ndarray, sources: np.ndarray) -> Plate:
        """Paints out a region; see `Inpainter`."""
        if not region.any():
            return Plate(frames, region, region & False)
        guarded = np.empty_like(sources)
        for t, people in enumerate(sources):
            guarded[t] = widen(people, self.params.guard)
        untrusted = spread(guarded, self.params.guard_frames)
        del guarded
        if is_still(frames, sources):
            filled, known = fill_still(frames, region, untrusted, self.params)
        else:
            filled, known = fill_moving(frames, region, untrusted, sources, self.params)
        return Plate(filled, region, known)
