"""All checks of one clip."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from m2m import video
from m2m.audit.container import check_file, check_names
from m2m.audit.copies import Copies, places
from m2m.audit.coverage import Coverage, Masked, read_masks
from m2m.audit.drawn import Drawn
from m2m.audit.eyes import Eyes
from m2m.audit.leakage import Leakage
from m2m.audit.params import AuditParams
from m2m.audit.residue import Residue
from m2m.audit.rows import Check, Row
from m2m.audit.text import Reader, Text
from m2m.audit.timing import Timing
from m2m.augment.body import BodyParams, make_body
from m2m.augment.intermediates import read_bodies, read_camera
from m2m.clips import Clip
from m2m.errors import InputError, M2MError, QuarantineError
from m2m.files import file_sha256

PIXELS = 240 * 432 * 240
"""Pixels of a window at most: outputs, originals and plates together are 225 MB then."""
BLACK = 24
"""Levels up to which everything is black: frames that were filled, `verify.on_doubt: blackout`."""
PICTURES = ("timing", "copies", "coverage", "leakage", "faces", "people", "plate", "shape", "bodies", "text")
"""Checks that need pictures."""


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
        painted: Whether people were painted out, not blurred or covered where they are.
        private: Whether it is meant to show none of the original people.
        expect_people: Whether there must have been somebody in it.
        people: Its record of people and masks; None if it was not kept.
        regions: What was painted out, where that is a record of its own.
        bodies: Its record of bodies; None if it was not kept.
        body: The body that was to be drawn; None where none is.
        occlude: Whether nothing was to be drawn over what stands before people.
    """

    clip: Clip
    video: Path
    original: Path | None = None
    plate: Path | None = None
    names: tuple[str, ...] = ()
    colour: tuple[int, int, int] | None = None
    painted: bool = True
    private: bool = True
    expect_people: bool = True
    people: Path | None = None
    regions: Path | None = None
    bodies: Path | None = None
    body: BodyParams | None = None
    occlude: bool = True

    def having(self, files: Mapping[str, Path]) -> "Subject":
        """The same with files, by the names of attributes."""
        return replace(self, **files)  # type: ignore[arg-type]


@dataclass(frozen=True)
class _Window:
    """Pictures of a part of a clip, each (T, H, W, 3) uint8 RGB; None for what there is not."""

    first: int
    outputs: np.ndarray
    originals: np.ndarray | None
    plates: np.ndarray | None
    masks: list[Masked]


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
        try:
            self._reader = Reader(params) if params.text_looks else None
        except ImportError:
            self._reader = None  # the check says so

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
            checks |= dict.fromkeys(PICTURES, Check(False, {"why": error.what}))
        return Row(subject.clip.clip_id, digest, checks)

    def _pictures(self, subject: Subject) -> dict[str, Check]:
        timing, windows = Timing(subject.clip, subject.video), Copies(self.params)
        residue, coverage, leakage = Residue(self.params), Coverage(self.params), Leakage(self.params)
        clip = subject.clip
        text = Text(self.params, self._reader, clip.n_frames, clip.fps_num / max(clip.fps_den, 1))
        drawn, no_bodies = _drawn(subject, self.params) if subject.private else (None, "")
        for window in self._windows(subject, timing):
            self._on_outputs(window, subject, residue, text, drawn)
            if window.originals is not None and subject.private:
                self._on_originals(window, windows, coverage, leakage)
            if window.plates is not None and subject.private:
                self._on_plates(window, residue)
        checks = {"timing": timing.check(), "text": text.check()}
        if not subject.private:
            shown = Check(None, {"why": "this variant shows the original people"})
            return checks | dict.fromkeys((name for name in PICTURES if name not in checks), shown)
        gone = Check(None, {"why": timing.gone or "there is no original to compare with"})
        no_plate = Check(None, {"why": "the plate was not kept"})
        no_masks = Check(None, {"why": "the masks were not kept"})
        compared = timing.compared
        checks["copies"] = windows.check(subject.expect_people) if compared else gone
        checks["coverage"] = no_masks if subject.people is None else coverage.check(timing.frames) if compared else gone
        ready = compared and subject.plate is not None and subject.people is not None
        missing = gone if not compared else no_plate if subject.plate is None else no_masks
        checks["leakage"] = leakage.check() if ready else missing
        checks["faces"] = residue.check("output")
        blurred = Check(None, {"why": "this variant shows where people are"})
        checks["people"] = residue.check("people") if subject.painted else blurred
        checks["plate"] = residue.check("plate") if subject.plate is not None else no_plate
        checks["shape"] = checks["bodies"] = Check(None, {"why": no_bodies})
        if drawn is not None:
            lost = no_plate if subject.plate is None else no_masks if subject.people is None else None
            checks["shape"] = lost or drawn.shape()
            checks["bodies"] = drawn.everybody() if subject.people is not None else no_masks
        return {name: checks[name] for name in PICTURES}

    def _on_outputs(self, window: _Window, subject: Subject, residue: Residue, text: Text, drawn: Drawn | None) -> None:
        looks = self._looks(window.first, len(window.outputs))
        for t, output in enumerate(window.outputs):
            text.look(window.first + t, output)
        if not subject.private:
            return
        for t in looks:
            faces = self._eyes.faces(window.outputs[t], self.params.low)
            residue.outputs(window.first + t, window.outputs[t], faces, subject.colour)
            if subject.painted:
                people = self._eyes.people(window.outputs[t], self.params.low)
                residue.people(window.first + t, window.outputs[t], people, subject.colour)
        if drawn is not None:
            plates = window.plates if window.plates is not None else ()
            for t, (output, plate, masks) in enumerate(zip(window.outputs, plates, window.masks, strict=False)):
                if masks.known and output.max() > BLACK:
                    front = masks.front if subject.occlude else None
                    drawn.look(window.first + t, output, plate, front)
            for t, masks in enumerate(window.masks):
                drawn.masked(window.first + t, {track: masks.tracks[track] for track in masks.confirmed})

    def _on_originals(self, window: _Window, windows: Copies, coverage: Coverage, leakage: Leakage) -> None:
        assert window.originals is not None
        n = min(len(window.outputs), len(window.originals))
        if not n:
            return
        regular = set(self._looks(window.first, n))
        seen = {}
        for t in sorted({0, n - 1} | regular):  # people in between are placed by the looks beside them
            frame = window.originals[t]
            faces, people = self._eyes.faces(frame, self.params.low), self._eyes.everybody(frame, self.params.low)
            seen[t] = places(faces, people, self.params.seen)
            black = window.outputs[t].max() <= BLACK
            if t in regular and t < len(window.masks) and not black:
                coverage.look(window.first + t, faces, people, window.masks[t].cover)
        somebody = np.stack([self._eyes.somebody(frame) for frame in window.originals[:n]])
        windows.add(window.originals[:n], window.outputs[:n], seen, somebody)
        for t, masks in enumerate(window.masks):
            coverage.masked(window.first + t, masks)
        if window.plates is not None and window.masks:
            n = min(n, len(window.plates), len(window.masks))
            covers = np.stack([masks.cover for masks in window.masks[:n]])
            leakage.add(window.originals[:n], window.plates[:n], covers)

    def _on_plates(self, window: _Window, residue: Residue) -> None:
        low = self.params.low
        for t in self._looks(window.first, len(window.plates)):  # type: ignore[arg-type]
            plate = window.plates[t]  # type: ignore[index]
            residue.plates(window.first + t, plate, self._eyes.faces(plate, low), "face", "centerface")
            residue.plates(window.first + t, plate, self._eyes.people(plate, low), "person", "ssdlite")

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

    def _windows(self, subject: Subject, timing: Timing) -> Iterator[_Window]:
        """The parts of a clip, one after the other."""
        clip = subject.clip
        size = (clip.width, clip.height) if clip.width and clip.height else None
        outputs = timing.watch(video.read(subject.video))
        originals = timing.compare(subject.original, size)
        plates = (f.image for f in video.read(subject.plate, size)) if subject.plate is not None else iter(())
        masks = read_masks(subject.people, subject.regions) if subject.people is not None else iter(())
        n, first = self._window(timing.pixels), 0
        while made := list(islice(outputs, n)):
            seen = list(islice(originals, n)) if timing.compared else []
            bare, covers = list(islice(plates, n)), _fitting(list(islice(masks, n)), made[0].shape[:2])
            stacked = np.stack(seen) if seen else None, np.stack(bare) if bare else None
            yield _Window(first, np.stack(made), *stacked, covers)
            first += len(made)
        for _ in originals:  # to the end, for their number
            pass


def _fitting(masks: list[Masked], size: tuple[int, ...]) -> list[Masked]:
    """The masks as they are.

    Raises:
        QuarantineError: They are of a picture of another size.
    """
    for found in masks:
        if found.cover.shape != size:
            rows, columns = found.cover.shape
            raise QuarantineError("unreadable", f"the masks are {columns}x{rows}, the clip is {size[1]}x{size[0]}")
    return masks


def _drawn(subject: Subject, params: AuditParams) -> tuple[Drawn | None, str]:
    """What compares the drawn bodies, or why there is nothing to compare."""
    if subject.body is None:
        return None, "this variant draws no bodies"
    if subject.bodies is None:
        return None, "the bodies were not kept"
    try:
        bodies, camera = read_bodies(subject.bodies), read_camera(subject.bodies)
    except (InputError, OSError) as error:
        raise QuarantineError("unreadable", f"the record of bodies is damaged: {error!r}") from error
    try:
        body = make_body(subject.body)
    except M2MError as error:  # a licensed body is not everywhere
        return None, error.what
    return Drawn(body, bodies, camera, subject.colour or (255, 255, 255), params), ""


def _check_bytes(digest: str, clip: Clip) -> Check:
    if digest == clip.sha256:
        return Check(True, {"sha256": digest})
    return Check(False, {"why": "the file has other bytes than the manifest says" if digest else "there is no file"})
