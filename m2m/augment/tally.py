"""The figures of one clip, added up frame by frame."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from m2m.augment.bodies import FrameBodies
from m2m.augment.people import FramePeople


@dataclass
class Tally:
    """The figures of one clip; each step adds its own.

    Attributes:
        frames: Frames in which people were looked for.
        with_people: Frames with a person on whom two models agree.
        tracks: Ids of confirmed people.
        shots: Shots seen.
        masked: Sum over frames of the share of pixels painted out.
        borrowed: Sum over frames with a region of the share filled from other frames.
        painted: Frames with a region.
        doubts: Doubts after the first look, by `where/kind/source`.
        remasked: Windows masked once more.
        blacked_out: Frames filled with black.
        with_bodies: Frames with a body drawn.
        without_body: Confirmed people of a frame who got no body, summed over frames.
        seconds: Time by step; `look` runs beside `detect`, and `wait` is what it takes longer.
    """

    frames: int = 0
    with_people: int = 0
    tracks: set[int] = field(default_factory=set)
    shots: int = 0
    masked: float = 0.0
    borrowed: float = 0.0
    painted: int = 0
    doubts: Counter[str] = field(default_factory=Counter)
    remasked: int = 0
    blacked_out: int = 0
    with_bodies: int = 0
    without_body: int = 0
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Adds the time of a block to a step."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[step] += time.perf_counter() - begin

    def found(self, people: FramePeople) -> None:
        """Counts a frame in which people were looked for."""
        self.frames += 1
        self.with_people += bool(people.confirmed)
        self.tracks |= {p.track for p in people.confirmed}

    def filled(self, region: np.ndarray, borrowed: float, black: bool) -> None:
        """Counts a frame of a plate.

        Args:
            region: (H, W) bool, what was painted out.
            borrowed: Share of it filled from other frames.
            black: Whether the whole frame was filled with black.
        """
        self.masked += float(region.mean())
        self.blacked_out += black
        if region.any():
            self.painted += 1
            self.borrowed += borrowed

    def embodied(self, people: FramePeople, bodies: FrameBodies) -> None:
        """Counts a frame with the bodies of its people."""
        drawn = {b.track for b in bodies.bodies}
        self.with_bodies += bool(drawn)
        self.without_body += len({p.track for p in people.confirmed} - drawn)

    def __add__(self, other: "Tally") -> "Tally":
        """The figures of two stages of one clip."""
        seconds = defaultdict(float, self.seconds)
        for step, spent in other.seconds.items():
            seconds[step] += spent
        joined = {"tracks": self.tracks | other.tracks, "doubts": self.doubts + other.doubts, "seconds": seconds}
        sums = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self) if f.name not in joined}
        return Tally(**{**sums, **joined})

    def plain(self) -> dict[str, Any]:
        """All of it as JSON, for `Tally.of`."""
        exact = {"tracks": sorted(self.tracks), "doubts": dict(self.doubts), "seconds": dict(self.seconds)}
        return {**vars(self), **exact}

    @classmethod
    def of(cls, values: dict[str, Any]) -> "Tally":
        """The tally that `plain` gave."""
        seconds = defaultdict(float, values["seconds"])
        return cls(
            **{**values, "tracks": set(values["tracks"]), "doubts": Counter(values["doubts"]), "seconds": seconds}
        )

    @property
    def masked_share(self) -> float:
        """Mean share of the picture that is painted out."""
        return self.masked / max(self.frames, 1)

    def summary(self) -> dict[str, Any]:
        """The figures as JSON: counts, shares in [0, 1], seconds."""
        return {
            "frames": self.frames,
            "shots": self.shots,
            "people": len(self.tracks),
            "frames_with_people": self.with_people,
            "frames_with_bodies": self.with_bodies,
            "people_without_body": self.without_body,
            "masked_share": round(self.masked_share, 4),
            "borrowed_share": round(self.borrowed / max(self.painted, 1), 4),
            "doubts": dict(sorted(self.doubts.items())),
            "windows_remasked": self.remasked,
            "frames_blacked_out": self.blacked_out,
            "seconds": {k: round(v, 3) for k, v in sorted(self.seconds.items())},
        }
