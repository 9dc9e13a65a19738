"""All checks of one clip."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np

from m2m import video
from m2m.audit.container import check_file, check_names
from m2m.audit.copies import Copies
from m2m.audit.eyes import Eyes
from m2m.audit.params import AuditParams
from m2m.audit.residue import Residue
from m2m.audit.rows import Check, Row
from m2m.clips import Clip
from m2m.errors import QuarantineError
from m2m.files import file_sha256

PIXELS = 240 * 432 * 240
"""Pixels of a window at most: outputs, originals and plates together are 225 MB then."""


@dataclass(frozen=True)
class Subject:
    """A clip to audit.

    Attributes:
        clip: Its row in the manifest.
        video: Its file.
        original: The file that it was made from; None if that is gone.
        plate: The same without bodies; None if it was not kept.
        names: What the source is called.
        colour: Colour of the drawn bodies, RGB; None where none are drawn.
        private: Whether it is meant to show none of the original people.
        expect_people: Whether there must have been somebody in it.
    """

    clip: Clip
    video: Path
    original: Path | None = None
    plate: Path | None = None
    names: tuple[str, ...] = ()
    colour: tuple[int, int, int] | None = None
    private: bool = True
    expect_people: bool = True


class ClipAuditor:
    """Audits one clip after the other with models loaded once.

    Args:
        params: What to look at and from when on a check fails.
        eyes: The models; by default those that `Eyes` loads.

    Raises:
        InfrastructureError: A model package is missing.
    """

    def __init__(self, params: AuditParams, eyes: Eyes | None = None) -> None:
        self.params = params
        self._eyes = eyes or Eyes(params)

    def __call__(self, subject: Subject) -> Row:
        """Does all checks.

        What cannot be read fails; a check that needs what is gone is not done, and says so.

        Raises:
            OSError: The disk fails.
        """
        digest = file_sha256(subject.video) if subject.video.is_file() else ""
        checks = {
            "bytes": _check_bytes(digest, subject.clip),
            "file": check_file(subject.video),
            "names": check_names(subject.video, subject.names),
        }
        try:
            checks |= self._pictures(subject)
        except QuarantineError as error:
            unreadable = Check(False, {"why": error.what})
            checks |= dict.fromkeys(("timing", "copies", "faces"), unreadable)
        return Row(subject.clip.clip_id, digest, checks)

    def _pictures(self, subject: Subject) -> dict[str, Check]:
        timing, windows = _Timing(subject), Copies(self.params)
        residue = Residue(self.params)
        first = 0
        for outputs, originals, plates in self._windows(subject, timing):
            for t in self._looks(first, len(outputs)):
                faces = self._eyes.faces(outputs[t], self.params.low)
                residue.outputs(first + t, outputs[t], faces, subject.colour)
            if originals is not None:
                n = min(len(outputs), len(originals))
                if n:
                    ends = {0, n - 1}  # people in between are placed by the looks beside them
                    looks = {t: self._eyes.places(originals[t]) for t in sorted(ends | {*self._looks(first, n)})}
                    windows.add(originals[:n], outputs[:n], looks)
            if plates is not None:
                for t in self._looks(first, len(plates)):
                    self._on_plate(residue, first + t, plates[t])
            first += len(outputs)
        checks = {"timing": timing.check()}
        if not subject.private:
            shown = Check(None, {"why": "this variant shows the original people"})
            return {**checks, "copies": shown, "faces": shown, "plate": shown}
        gone = Check(None, {"why": timing.gone or "there is no original to compare with"})
        checks["copies"] = windows.check(subject.expect_people) if timing.compared else gone
        checks["faces"] = residue.check("output")
        no_plate = Check(None, {"why": "the plate was not kept"})
        checks["plate"] = residue.check("plate") if subject.plate is not None else no_plate
        return checks

    def _on_plate(self, residue: Residue, t: int, plate: np.ndarray) -> None:
        low = self.params.low
        residue.plates(t, plate, self._eyes.faces(plate, low), "face", "centerface")
        residue.plates(t, plate, self._eyes.people(plate, low), "person", "ssdlite")

    def _looks(self, first: int, n: int) -> list[int]:
        """Frames of a window that models look at: others than those from which masks were made and verified.

        Only these: two looks at neighbouring frames are hardly two witnesses. A clip too short for one gets one.
        """
        stride = self.params.stride
        regular = [t for t in range(n) if (first + t) % stride == 2 % stride]
        return regular or ([0] if n and not first else [])

    def _window(self, pixels: int) -> int:
        """Frames of a window: fewer where they are big, so that memory does not grow with them."""
        return max(2 * self.params.stride, min(self.params.window, PIXELS // max(pixels, 1)))

    def _windows(
        self, subject: Subject, timing: "_Timing"
    ) -> Iterator[tuple[np.ndarray, np.ndarray | None, np.ndarray | None]]:
        """Outputs, originals and plates, a window at a time, each (T, H, W, 3) uint8 RGB."""
        clip = subject.clip
        size = (clip.width, clip.height) if clip.width and clip.height else None
        outputs = timing.watch(video.read(subject.video))
        originals = timing.compare(subject.original, size)
        plates = (f.image for f in video.read(subject.plate, size)) if subject.plate is not None else None
        n = self._window(timing.pixels)
        while True:
            made = list(islice(outputs, n))
            seen = list(islice(originals, n)) if timing.compared else []
            bare = list(islice(plates, n)) if plates is not None else []
            if not made:
                for _ in originals:  # to the end, for their number
                    pass
                return
            yield np.stack(made), np.stack(seen) if seen else None, np.stack(bare) if bare else None


class _Timing:
    """Frame count, frame rate and time stamps of an output against manifest and original."""

    def __init__(self, subject: Subject) -> None:
        self._clip = subject.clip
        self._info = video.probe(subject.video)
        self._made: list[Fraction] = []
        self._seen: list[Fraction] = []
        self._original: video.VideoInfo | None = None
        self.pixels = self._info.width * self._info.height
        self.compared = False
        self.gone = ""

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


def _check_bytes(digest: str, clip: Clip) -> Check:
    if digest == clip.sha256:
        return Check(True, {"sha256": digest})
    return Check(False, {"why": "the file has other bytes than the manifest says" if digest else "there is no file"})
