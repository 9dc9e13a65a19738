"""The parameters of the inpaint stage."""

from dataclasses import dataclass

BACKENDS = ("temporal", "navier-stokes")


@dataclass(frozen=True)
class InpaintParams:
    """How the region is filled.

    Attributes:
        backend: `temporal` (other frames, Navier-Stokes for the rest) or `navier-stokes` (each frame alone).
        guard: Pixels around a source's cover that are never copied.
        guard_frames: Frames before and after a covered pixel in which it is not copied either: masks miss a frame.
        agree: Samples from different frames that must agree on a colour.
        tolerance: Largest difference of a channel, in levels, at which two samples agree.
        samples: Samples a pixel takes the median of.
        keyframes: Frames between two background models of a still camera; between them the fill fades.
        reach: Farthest frame that a moving camera borrows from.
        threads: Threads that make background models and fill frames; the bytes do not depend on them.
    """

    backend: str = "temporal"
    guard: int = 5
    guard_frames: int = 2
    agree: int = 2
    tolerance: int = 24
    samples: int = 9
    keyframes: int = 12
    reach: int = 55
    threads: int = 2

    def __post_init__(self) -> None:
        if self.backend not in BACKENDS:
            raise ValueError(f"backend is one of {', '.join(BACKENDS)}, not {self.backend!r}")
        if not 1 <= self.agree <= self.samples:
            raise ValueError(f"1 <= agree <= samples must hold, not {self.agree} and {self.samples}")
        if min(self.guard, self.guard_frames, self.tolerance) < 0:
            raise ValueError("guard, guard_frames and tolerance must be at least 0")
        if min(self.keyframes, self.reach, self.threads) < 1:
            raise ValueError("keyframes, reach and threads must be at least 1")
