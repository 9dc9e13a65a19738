"""The files of one clip: how it is read, and what is written of it."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np

from m2m import video
from m2m.augment.bodies import Camera
from m2m.augment.compose import PAINTED
from m2m.augment.intermediates import json_lines
from m2m.augment.tally import Tally
from m2m.errors import QuarantineError
from m2m.files import Transaction, file_sha256
from m2m.video import VideoParams

NO_STRETCH = 0.02
"""Least difference of a picture's shape from its source's that is worth a thought: 16:9 at 432x240 is not."""
PREVIEW_HEIGHT = 240
PREVIEW = VideoParams(crf=28, preset="fast")


@dataclass(frozen=True)
class Format:
    """Size and time of a clip as it is processed.

    Attributes:
        size: Width and height in pixels, even.
        fps: Frames a second; the average where it varies.
        time_base: Seconds a tick where the frame rate varies, else None.
        stretch: How much wider than in the world things are in a picture of this size.
    """

    size: tuple[int, int]
    fps: Fraction
    time_base: Fraction | None
    stretch: float = 1.0

    @classmethod
    def read(cls, source: Path, size: tuple[int, int] | None) -> "Format":
        """The format in which a file is processed.

        Args:
            source: The file.
            size: Width and height; None for the file's own.

        Raises:
            QuarantineError: `unreadable`.
        """
        info = video.probe(source)
        size = size or (info.width // 2 * 2, info.height // 2 * 2)
        # A pixel more or less at the edge is no stretch.
        stretch = Fraction(size[0], size[1]) / (Fraction(info.width, info.height) * info.aspect)
        return cls(size, info.fps, info.time_base, 1.0 if abs(stretch - 1) < NO_STRETCH else float(stretch))

    @property
    def camera(self) -> Camera:
        """The camera of the clip's scene."""
        return Camera.default(*self.size, self.stretch)

    def plain(self) -> dict[str, Any]:
        """The format as JSON, for `Format.of`."""
        base = self.time_base
        return {
            "width": self.size[0],
            "height": self.size[1],
            "fps": [self.fps.numerator, self.fps.denominator],
            "time_base": [base.numerator, base.denominator] if base is not None else None,
            "stretch": self.stretch,
        }

    @classmethod
    def of(cls, values: dict[str, Any]) -> "Format":
        """The format that `plain` gave."""
        base = values["time_base"]
        size = values["width"], values["height"]
        return cls(size, Fraction(*values["fps"]), Fraction(*base) if base is not None else None, values["stretch"])


def stop_if_changed(source: Path, sha256: str) -> None:
    """Refuses a source with other bytes than it was hashed with: what is made of it would stand under another's hash.

    Raises:
        QuarantineError: `error`, which the next run tries again.
        OSError: It cannot be read.
    """
    found = file_sha256(source)
    if found != sha256:
        what = f"{source} has changed since it was hashed: run again; if a manifest names it, ingest it again first"
        raise QuarantineError("error", what, {"sha256": found, "expected": sha256})


class Decoded:
    """The images of a clip, their decoding timed and their time stamps kept for the writers.

    Args:
        path: The file.
        size: Width and height in pixels.
        tally: Times are added here.
    """

    def __init__(self, path: Path, size: tuple[int, int], tally: Tally) -> None:
        self._frames = video.read(path, size)
        self._tally = tally
        self.pts: deque[Fraction] = deque()

    def images(self) -> Iterator[np.ndarray]:
        """(H, W, 3) uint8 RGB, in order."""
        while True:
            with self._tally.timed("decode"):
                frame = next(self._frames, None)
            if frame is None:
                return
            self.pts.append(frame.pts)
            yield frame.image


class Outputs:
    """What is written of one clip: the files appear together at the end of the block, or none of them.

    Args:
        out: Folder of the results.
    """

    def __init__(self, out: Path) -> None:
        self._out = out
        self._open = ExitStack()
        self._files = Transaction()
        self.paths: dict[str, str] = {}

    def __enter__(self) -> "Outputs":
        self._open.enter_context(self._files)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)

    def file(self, word: str, path: str) -> Path:
        """The name under which to write a file until the end of the block.

        Args:
            word: What the file is; its key in `paths`.
            path: Its place, relative to the folder of the results.
        """
        self.paths[word] = path
        return self._files.part(self._out / path)

    def video(self, word: str, path: str, form: Format, params: VideoParams | None = None) -> video.Writer:
        """A video to write frame by frame, lossless where there are no parameters."""
        part, lossless = self.file(word, path), params is None
        made = video.Writer(part, form.size, form.fps, params, time_base=form.time_base, lossless=lossless)
        return self._open.enter_context(made)

    def lines(self, word: str, path: str) -> Callable[[dict[str, Any]], None]:
        """JSON lines to write one by one."""
        return self._open.enter_context(json_lines(self.file(word, path)))


class ClipWriter:
    """Writes the video of a clip, and its preview for the report.

    Args:
        outputs: Where to.
        name: The clip's id.
        form: The format of the frames.
        params: How the video is encoded.
        panes: What the preview shows, see `preview_panes`.
    """

    def __init__(self, outputs: Outputs, name: str, form: Format, params: VideoParams, panes: list[str]) -> None:
        width, height = form.size
        self._panes = panes
        self._small = (round(width * PREVIEW_HEIGHT / height / 2) * 2, PREVIEW_HEIGHT)
        side_by_side = Format((self._small[0] * len(panes), self._small[1]), form.fps, form.time_base)
        self._clip = outputs.video("video", f"videos/{name}.mp4", form, params)
        self._preview = outputs.video("preview", f".m2m/previews/{name}.mp4", side_by_side, PREVIEW)

    def write(self, image: np.ndarray, pts: Fraction, beside: dict[str, np.ndarray]) -> None:
        """Adds a frame.

        Args:
            image: (H, W, 3) uint8 RGB, what is released.
            pts: Its time in seconds.
            beside: Images of the preview's other panes by name.
        """
        self._clip.write(image, pts)
        shown = [cv2.resize(beside.get(pane, image), self._small, interpolation=cv2.INTER_AREA) for pane in self._panes]
        self._preview.write(np.hstack(shown), pts)


def preview_panes(variant: str, with_originals: bool) -> list[str]:
    """What a preview shows, from left to right; only painted variants have a plate."""
    return ["original"] * with_originals + ["plate"] * (variant in PAINTED) + [variant]


def clip_result(outputs: Outputs, form: Format, tally: Tally) -> dict[str, Any]:
    """What a record says of a finished clip."""
    return {"outputs": outputs.paths, "summary": tally.summary(), "n_frames": tally.frames, **form.plain()}
