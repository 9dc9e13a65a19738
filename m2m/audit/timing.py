"""Frame count, frame rate and time stamps of an output against manifest and original."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from m2m import video
from m2m.audit.rows import Check
from m2m.clips import Clip
from m2m.errors import QuarantineError


class Timing:
    """What is seen of the times of an output and of its original while both are read.

    Args:
        clip: The output's row in the manifest.
        path: Its file.

    Raises:
        QuarantineError: It cannot be read.
    """

    def __init__(self, clip: Clip, path: Path) -> None:
        self._clip = clip
        self._info = video.probe(path)
        self._made: list[Fraction] = []
        self._seen: list[Fraction] = []
        self._original: video.VideoInfo | None = None
        self.pixels = self._info.width * self._info.height
        self.compared = False
        self.gone = ""

    @property
    def frames(self) -> int:
        """Frames of the output that were read."""
        return len(self._made)

    def watch(self, frames: Iterator[video.Frame]) -> Iterator[np.ndarray]:
        """The images of the output, their times noted."""
        for frame in frames:
            self._made.append(frame.pts)
            yield frame.image

    def compare(self, path: Path | None, size: tuple[int, int] | None) -> Iterator[np.ndarray]:
        """The images of the original, at the output's size, their times noted; nothing if it cannot be used."""
        if path is None:
            return iter(())
        try:
            self._original = video.probe(path)
        except QuarantineError as error:
            self.gone = error.what
            return iter(())
        self.compared = True
        return self._originals(path, size)

    def _originals(self, path: Path, size: tuple[int, int] | None) -> Iterator[np.ndarray]:
        for frame in video.read(path, size):
            self._seen.append(frame.pts)
            yield frame.image

    def check(self) -> Check:
        """The verdict, after all frames have been read."""
        clip, info = self._clip, self._info
        found = (len(self._made), info.fps, info.width, info.height)
        want = (clip.n_frames, Fraction(clip.fps_num, clip.fps_den or 1), clip.width, clip.height)
        wrong = []
        if found != want:
            wrong.append(
                f"frames, frames a second, width and height are {_words(found)}; the manifest has {_words(want)}"
            )
        if self._original is not None and self._made != self._seen:
            made, seen = (len(self._made), info.fps), (len(self._seen), self._original.fps)
            differ = f"{made[0]} frames at {made[1]}/s, the original has {seen[0]} at {seen[1]}/s"
            wrong.append(differ if made != seen else "the time stamps are not the original's")
        figures = {"frames": len(self._made), "fps": str(info.fps), "against_original": self._original is not None}
        return Check(not wrong, {**figures, "why": "; ".join(wrong)} if wrong else figures)


def _words(values: tuple) -> str:
    return ", ".join(map(str, values))
