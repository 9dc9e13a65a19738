"""Walking through the originals of a clip together with the people that `detect` has found in them."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from m2m.augment.intermediates import PeopleWindow
from m2m.augment.threads import ahead
from m2m.augment.window import Window, WindowParams, windows
from m2m.errors import QuarantineError


class KnownCuts:
    """The cuts that `detect` has found.

    Args:
        at: First frames of all shots but the first.
    """

    def __init__(self, at: Iterable[int]) -> None:
        self._at = frozenset(at)
        self._frames = 0

    def push(self, _: np.ndarray) -> bool:
        """Whether this frame is the first of a new shot."""
        self._frames += 1
        return self._frames - 1 in self._at


def walk(
    name: str,
    images: Iterable[np.ndarray],
    found: dict[str, Any],
    people: Iterator[PeopleWindow],
    params: WindowParams,
) -> Iterator[tuple[Window, PeopleWindow]]:
    """The windows of a clip and the people in each. As `windows`: let go of one before the next, or two are in memory.

    Args:
        name: The clip's id.
        images: (H, W, 3) uint8 RGB, in order.
        found: What `detect` said of the clip; its `cuts` are read.
        people: The people of the clip.
        params: Lengths of the windows, as `detect` had them.

    Raises:
        QuarantineError: `error`: the frames are not those in which people were sought.
    """
    for window in ahead(windows(images, KnownCuts(found["cuts"]), params), params.ahead):
        there = next(people, None)
        if there is None or (there.first, there.start, there.stop) != (window.first, window.start, window.stop):
            raise QuarantineError("error", f"{name} has other frames than those in which people were sought")
        yield window, there
        del window, there
