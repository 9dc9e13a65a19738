"""Which frames a network for video inpainting sees at once, and how what it says in several passes becomes one picture.

The frames of a pass and their order are those of E2FGVI (Li et al., CVPR 2022), but for a bound on the references.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from m2m.augment.inpaint.params import E2FGVIParams


@dataclass(frozen=True)
class Pass:
    """What a network sees at once.

    Attributes:
        centre: The frame that the pass is about.
        neighbours: Frames that it fills, in order.
        references: Frames that it only looks at, in order; none is a neighbour.
    """

    centre: int
    neighbours: tuple[int, ...]
    references: tuple[int, ...]

    def part(self, neighbours: tuple[int, ...]) -> tuple[int, ...]:
        """The references of some of the neighbours alone: the nearest, and as large a share of them, in order."""
        count = len(self.references) * len(neighbours) // len(self.neighbours)
        return nearest(self.references, neighbours[len(neighbours) // 2], count)

    def weight(self, frame: int) -> float:
        """How much a pass counts for a neighbour: 1 at the centre, falling evenly to one step above 0 at the last."""
        reach = max(self.centre - self.neighbours[0], self.neighbours[-1] - self.centre)
        return 1 - abs(frame - self.centre) / (reach + 1)


def nearest(frames: tuple[int, ...], centre: int, count: int) -> tuple[int, ...]:
    """The `count` frames that are nearest to another, in order; of two as near the earlier."""
    return tuple(sorted(sorted(frames, key=lambda i: (abs(i - centre), i))[:count]))


def passes(length: int, params: E2FGVIParams) -> Iterator[Pass]:
    """The passes over a window.

    One every `step` frames: the frames up to `neighbours` before and after it, and as references every
    `reference_stride`-th frame of the window that is none of them, at most `references`, the nearest. So no pass has
    more than 2 neighbours + 1 + references frames, however long the window is.

    Args:
        length: Frames of the window.
        params: See `E2FGVIParams`.

    Yields:
        Passes in the order of their centres; every frame is a neighbour in at least one.
    """
    for centre in range(0, length, params.step):
        near = tuple(range(max(0, centre - params.neighbours), min(length, centre + params.neighbours + 1)))
        far = tuple(i for i in range(0, length, params.reference_stride) if i not in near)
        yield Pass(centre, near, nearest(far, centre, params.references))


class Blend:
    """Colours of frames that several passes fill, as their mean.

    `fade` weighs a pass by how near its centre is (`Pass.weight`, normalised), so that one pass fades into the next.
    `halving` is what E2FGVI's released script does: each pass counts as much as all before it, so that of three the
    last has a half, and the one around the frame itself a quarter.

    Args:
        kind: `fade` or `halving`.
    """

    def __init__(self, kind: str) -> None:
        self._halving = kind == "halving"
        self._colours: dict[int, np.ndarray] = {}
        self._weight: dict[int, float] = {}

    def add(self, frame: int, colours: np.ndarray, weight: float) -> None:
        """What a pass says of a frame, float32, of the same shape in every pass."""
        if frame not in self._colours:
            self._colours[frame], self._weight[frame] = colours, weight
            return
        self._weight[frame] += weight
        share = 0.5 if self._halving else weight / self._weight[frame]
        self._colours[frame] = self._colours[frame] + share * (colours - self._colours[frame])

    def done(self, before: int) -> Iterator[tuple[int, np.ndarray]]:
        """Takes out the frames before another."""
        for frame in sorted(t for t in self._colours if t < before):
            del self._weight[frame]
            yield frame, self._colours.pop(frame)
