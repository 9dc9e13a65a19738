"""Windows: a clip cut at its shots and into overlapping stretches, so that memory does not grow with its length."""

import ctypes
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

FRAMES_BEHIND = 16


@dataclass(frozen=True)
class WindowParams:
    """How long windows are.

    Attributes:
        core: Frames a window delivers, at 432x240; fewer where frames are larger. Ten seconds at 30 frames/s should be
            one window: none is looked at twice. The first of a shot delivers
            `context` more, since it has none before it; the last has what is left.
        context: Frames before and after that it sees as well, inside the shot.
        pixels: Pixels the core may hold in all.
        ahead: Windows that are decoded, and people sought in them, while one is painted and drawn, and its frames are
            written beside; 0 does one thing after the other. For a GPU: each takes the memory of one more window.
    """

    core: int = 250
    context: int = 20
    pixels: int = 100 * 1280 * 720
    ahead: int = 0

    def __post_init__(self) -> None:
        if self.context < 1 or self.core < 2 * self.context:
            raise ValueError(f"1 <= context and 2 * context <= core must hold, not {self.context} and {self.core}")
        if self.ahead < 0:
            raise ValueError(f"ahead must be at least 0, not {self.ahead}")

    @property
    def frames_behind(self) -> int:
        """Finished frames that may wait to be written."""
        return FRAMES_BEHIND if self.ahead else 0

    def core_for(self, height: int, width: int) -> int:
        """Frames a window delivers at this size."""
        return max(2 * self.context, min(self.core, self.pixels // (height * width)))


class CutDetector(Protocol):
    """Tells where a shot begins."""

    def push(self, frame: np.ndarray) -> bool:
        """Whether this frame is the first of a new shot."""
        ...


@dataclass(frozen=True)
class Window:
    """A stretch of one shot.

    Attributes:
        frames: (T, H, W, 3) uint8 RGB: context, core, context.
        first: Index in the clip of the first frame of the core.
        start: Index in `frames` of the first frame of the core.
        stop: Index in `frames` after the last frame of the core.
        shot: Number of the shot from 0.
        overlap: Frames shared with the window before; 0 at the start of a shot.
    """

    frames: np.ndarray
    first: int
    start: int
    stop: int
    shot: int
    overlap: int


def windows(frames: Iterable[np.ndarray], cuts: CutDetector, params: WindowParams) -> Iterator[Window]:
    """Cuts a stream of frames into windows.

    The cores of all windows, in order, are the frames of the clip, each once. A window never spans a cut. Whoever asks
    for the next one should have let go of the last and of all that was made from it, or two are in memory at once.

    Args:
        frames: (H, W, 3) uint8 RGB, all of one size.
        cuts: Fresh, or the windows start in the middle of its memory.
        params: Lengths.
    """
    buffer = np.empty((0, 0, 0, 3), np.uint8)
    first = start = shot = overlap = filled = core = 0
    for frame in frames:
        core = core or params.core_for(*frame.shape[:2])
        if cuts.push(frame) and filled:
            yield Window(buffer[:filled], first, start, filled, shot, overlap)
            first += filled - start
            start = overlap = filled = 0
            shot += 1
            _give_back()
        if not filled:
            buffer = _room(core, params.context, frame)
        buffer[filled] = frame
        filled += 1
        # All windows but the last see as many frames and take as much memory. A core must be sure to follow, or the
        # tail joins this window: none has a core shorter than its context.
        if filled == core + 3 * params.context:
            stop = core + params.context
            yield Window(buffer[: stop + params.context], first, start, stop, shot, overlap)
            first += stop - start
            # A new array for every window: whoever holds a window keeps its frames, and it alone.
            rest, buffer = buffer[stop - params.context : filled], _room(core, params.context, frame)
            filled = len(rest)
            buffer[:filled] = rest
            del rest
            _give_back()
            start, overlap = params.context, 2 * params.context
    if filled > start:
        yield Window(buffer[:filled], first, start, filled, shot, overlap)


def _room(core: int, context: int, frame: np.ndarray) -> np.ndarray:
    """An array for the longest window; what is never written to takes no memory."""
    return np.empty((core + 3 * context, *frame.shape), frame.dtype)


def _give_back() -> None:
    """Gives memory that was freed back to the system: glibc keeps what lies between blocks still in use.

    Does nothing with another C library.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
