"""Inpainting by a network that sees some frames of a window at once."""

from collections.abc import Callable, Sequence

import numpy as np

from m2m.augment.devices import halving
from m2m.augment.inpaint.morphology import spread, widen
from m2m.augment.inpaint.params import InpaintParams
from m2m.augment.inpaint.passes import Blend, Pass, passes
from m2m.augment.plate import Plate
from m2m.errors import InputError

Network = Callable[[np.ndarray, int], np.ndarray]
"""Fills frames.

From (F, H, W, 3) float32 RGB in [-1, 1], exactly 0 (grey) where nothing may be seen, and N, it makes (N, H, W, 3)
float32 in [-1, 1]: the first N frames, filled; the others are references.
"""

LEAST = 2
"""Frames below which a pass is not cut when memory is short: motion needs two."""


class NeuralInpainter:
    """Fills a region with what a network makes of it.

    The network never gets a pixel that may hold a person: what lies within the guard of a cover, in space or in time,
    and the region itself are grey in whatever it sees, references too.

    Args:
        network: See `Network`.
        params: The guard, and which frames it sees at once.
        size: Width and height that it is made for; None for any.
        advice: What to do at another size.
    """

    def __init__(
        self, network: Network, params: InpaintParams, size: tuple[int, int] | None = None, advice: str = ""
    ) -> None:
        self._network = network
        self._params = params
        self._size = size
        self._advice = advice
        self._most = 2 * params.e2fgvi.neighbours + 1  # less once memory was short

    def fill(self, frames: np.ndarray, region: np.ndarray, sources: np.ndarray) -> Plate:
        """Paints out a region; see `Inpainter`. Nothing of it counts as known: the network does not tell what it saw.

        Raises:
            InputError: The frames do not have the size that the network is made for.
            InfrastructureError: The GPU's memory does not suffice for two frames.
        """
        length, height, width = region.shape
        if self._size not in (None, (width, height)):
            raise InputError(
                f"{self._params.backend} works at {self._size[0]}x{self._size[1]} only, not at {width}x{height}",
                self._advice,
            )
        hidden = self._hidden(region, sources)
        out, blend = frames.copy(), Blend(self._params.e2fgvi.blend)
        for one in passes(length, self._params.e2fgvi):
            # Frames before the first neighbour are in no later pass.
            _write(out, region, blend, one.neighbours[0])
            if not any(region[t].any() for t in one.neighbours):
                continue
            for t, image in zip(one.neighbours, self._predict(frames, hidden, one), strict=True):
                blend.add(t, image[region[t]], one.weight(t))
        _write(out, region, blend, length)
        return Plate(out, region, region & False)

    def _hidden(self, region: np.ndarray, sources: np.ndarray) -> np.ndarray:
        """(T, H, W) bool, what the network does not see."""
        guarded = np.stack([widen(people, self._params.guard) for people in sources])
        return spread(guarded, self._params.guard_frames) | region

    def _predict(self, frames: np.ndarray, hidden: np.ndarray, one: Pass) -> list[np.ndarray]:
        """What the network makes of the neighbours of a pass, (H, W, 3) float32 each.

        Where memory is short the pass is cut into shorter ones, and so are those after it.
        """
        fitted = []

        def work(neighbours: Sequence[int]) -> list[np.ndarray]:
            seen = [*neighbours, *one.part(tuple(neighbours))]
            shown = np.where(hidden[seen, ..., None], np.float32(0), frames[seen] / np.float32(127.5) - 1)
            filled = self._network(shown, len(neighbours))
            fitted.append(len(neighbours))
            return list(filled)

        done: list[np.ndarray] = []
        for begin in range(0, len(one.neighbours), self._most):
            piece = one.neighbours[begin : begin + self._most]
            done += halving(work, piece, LEAST)
            if max(fitted) < len(piece):
                self._most = max(fitted)
        return done


def _write(out: np.ndarray, region: np.ndarray, blend: Blend, before: int) -> None:
    """Writes finished colours, in [-1, 1], into the regions of their frames."""
    for t, colours in blend.done(before):
        out[t][region[t]] = np.clip(np.rint((colours + 1) * 127.5), 0, 255).astype(np.uint8)
