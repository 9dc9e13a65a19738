"""The parameters of the inpaint stage."""

from dataclasses import dataclass, field
from typing import Literal

BACKENDS = ("temporal", "navier-stokes", "e2fgvi", "e2fgvi-hq")


@dataclass(frozen=True)
class E2FGVIParams:
    """How E2FGVI is run. At most 2 neighbours + 1 + references frames are in memory at once.

    Attributes:
        weights: A checkpoint; empty for the one in the folder of weights, `random` for trials of speed and memory.
        neighbours: Frames before and after its centre that a pass fills.
        step: Frames from one centre to the next.
        reference_stride: Frames from one reference to the next.
        references: Most references of a pass; the released script has no bound. With 9 the nearest are those it takes
            itself for a clip of 100 frames.
        blend: How passes that fill the same frame are averaged: `fade` (by how near their centres are) or `halving`
            (as released: the last has a half).
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        half: Half precision, on a GPU.
    """

    weights: str = ""
    neighbours: int = 5
    step: int = 5
    reference_stride: int = 10
    references: int = 9
    blend: Literal["fade", "halving"] = "fade"
    device: str = "auto"
    half: bool = True

    def __post_init__(self) -> None:
        if min(self.neighbours, self.reference_stride) < 1 or self.references < 0:
            raise ValueError("neighbours and reference_stride must be at least 1, references at least 0")
        if not 1 <= self.step <= self.neighbours:
            raise ValueError(f"1 <= step <= neighbours must hold, not {self.step} and {self.neighbours}")


@dataclass(frozen=True)
class InpaintParams:
    """How the region is filled.

    Attributes:
        backend: `temporal` (other frames, Navier-Stokes for the rest), `navier-stokes` (each frame alone), `e2fgvi` (a
            network for 432x240 only) or `e2fgvi-hq` (the paper's; any size).
        guard: Pixels around a source's cover that are never copied, nor shown to a network.
        guard_frames: Frames before and after a covered pixel in which it is not copied either: masks miss a frame.
        agree: Samples from different frames that must agree on a colour.
        tolerance: Largest difference of a channel, in levels, at which two samples agree.
        samples: Samples a pixel takes the median of.
        keyframes: Frames between two background models of a still camera; between them the fill fades.
        reach: Farthest frame that a moving camera borrows from.
        threads: Threads that make background models and fill frames; the bytes do not depend on them.
        e2fgvi: How the network is run.
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
    e2fgvi: E2FGVIParams = field(default_factory=E2FGVIParams)

    def __post_init__(self) -> None:
        if self.backend not in BACKENDS:
            raise ValueError(f"backend is one of {', '.join(BACKENDS)}, not {self.backend!r}")
        if not 1 <= self.agree <= self.samples:
            raise ValueError(f"1 <= agree <= samples must hold, not {self.agree} and {self.samples}")
        if min(self.guard, self.guard_frames, self.tolerance) < 0:
            raise ValueError("guard, guard_frames and tolerance must be at least 0")
        if min(self.keyframes, self.reach, self.threads) < 1:
            raise ValueError("keyframes, reach and threads must be at least 1")
