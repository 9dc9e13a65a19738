"""Intermediates as files: people, plates, bodies. All are personal data; the same values give the same bytes.

People and regions are gzipped JSON lines. A line of people is a frame in COCO's conventions (boxes x, y, width, height;
masks as compressed run lengths); numbers are exact, so that a later stage sees what the one before has seen. Where all
stages ran in memory, a line also has the `region` that was painted out, and the `front`. Bodies are
one npz: `frame` (N,), `track` (N,), `pose` (N, 55, 3) axis-angle in radians, `transl` (N, 3) in metres, `camera`
(focal, cx, cy, width, height, stretch).
"""

import gzip
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from fractions import Fraction
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco

from m2m.arrays import read_arrays
from m2m.augment.bodies import N_JOINTS, Body, Camera, FrameBodies
from m2m.augment.people import FramePeople, Landmarks, Person
from m2m.augment.window import Window
from m2m.container import MOST_PIXELS
from m2m.errors import InputError, M2MError
from m2m.files import write_atomic
from m2m.parsing import parse_json

LONGEST_LINE = 64 << 20
"""Bytes of a line: the masks of one frame."""
MOST_LINES = 10_000
"""Frames of a window."""


@contextmanager
def json_lines(path: Path) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Writes gzipped JSON lines one by one: `with json_lines(path) as write: write({...})`."""
    with path.open("wb") as file, gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:

        def write(line: dict[str, Any]) -> None:
            packed.write(json.dumps(line, separators=(",", ":"), allow_nan=False).encode() + b"\n")

        yield write


def read_json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of such a file.

    Raises:
        InputError: It is damaged.
    """
    with _damage(path), gzip.open(path, "rb") as file:
        while line := file.readline(LONGEST_LINE + 1):
            values = parse_json(line) if len(line) <= LONGEST_LINE else None
            if not isinstance(values, dict):
                raise ValueError("a line is too long, or no mapping")
            yield values


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    """Whatever the bytes of a damaged file make its reader raise, as one error that names it."""
    try:
        yield
    except (M2MError, FileNotFoundError):
        raise
    except Exception as error:
        raise InputError(f"{path} is damaged: {error!r:.200}", "delete it and run its stage again") from error


def run_lengths(mask: np.ndarray) -> dict[str, Any]:
    """A (H, W) bool mask in COCO's compressed run-length form."""
    encoded = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": [int(v) for v in encoded["size"]], "counts": encoded["counts"].decode("ascii")}


def mask_of(encoded: dict[str, Any]) -> np.ndarray:
    """The (H, W) bool mask of a run-length form.

    Raises:
        ValueError: No picture is that large, or the runs do not fill it.
    """
    height, width = encoded["size"]
    if not (type(height) is type(width) is int and 0 < height * width <= MOST_PIXELS and height > 0):
        raise ValueError(f"a mask of {height!r:.20}x{width!r:.20} pixels")
    runs = _runs(encoded["counts"])
    if (runs < 0).any() or int(runs.sum()) != height * width:  # pycocotools leaves the rest as it was in memory
        raise ValueError(f"the runs of a mask come to {int(runs.sum())} pixels, {width}x{height} has {height * width}")
    return np.ascontiguousarray(coco.decode(encoded)).astype(bool)


def _runs(counts: str | bytes) -> np.ndarray:
    """The lengths in COCO's compressed form: five bits a letter, lowest first; from the fourth on differences."""
    letters = np.frombuffer(counts.encode("ascii") if isinstance(counts, str) else counts, np.uint8).astype(np.int64)
    codes, last = letters - 48, ((letters - 48) & 32) == 0
    if not last.size or not last[-1] or (codes < 0).any() or (codes > 63).any():
        raise ValueError("the runs of a mask are damaged")
    ends = np.flatnonzero(last)
    starts = np.concatenate([[0], ends[:-1] + 1])
    if (ends - starts).max() > 6:
        raise ValueError("a run of a mask is longer than any picture")
    shifts = 5 * (np.arange(codes.size) - np.repeat(starts, ends - starts + 1))
    values = np.add.reduceat((codes & 31) << shifts, starts)
    values -= ((codes[ends] >> 4) & 1) << (shifts[ends] + 5)
    values[1::2], values[2::2] = np.cumsum(values[1::2]), np.cumsum(values[2::2])
    return values


def people_line(frame: int, people: FramePeople) -> dict[str, Any]:
    """One frame's people as a JSON value; `landmarks` are x, y, visibility; `hands` are left and right, or null."""
    persons = []
    for p in people.persons:
        x0, y0, x1, y1 = (float(v) for v in p.box)
        person: dict[str, Any] = {
            "track": p.track,
            "bbox": [x0, y0, x1 - x0, y1 - y0],
            "score": float(p.score),
            "families": sorted(p.families),
            "segmentation": run_lengths(p.mask),
        }
        if p.landmarks is not None:
            marks = p.landmarks
            person["landmarks"] = _decimals(np.column_stack([marks.image, marks.visibility]))
            person["landmarks_3d"] = _decimals(np.column_stack([marks.world, marks.depth, marks.presence]))
            person["landmarks_score"] = float(marks.score)
            if marks.hands is not None:
                person["hands"] = [_decimals(hand) if np.isfinite(hand).all() else None for hand in marks.hands]
        persons.append(person)
    return {"frame": frame, "persons": persons, "cover": run_lengths(people.cover)}


def people_of(line: dict[str, Any]) -> FramePeople:
    """The people of a line, as they were."""
    return FramePeople(tuple(_person(p) for p in line["persons"]), mask_of(line["cover"]))


def _person(values: dict[str, Any]) -> Person:
    x, y, width, height = values["bbox"]
    marks = None
    if "landmarks" in values:
        flat, deep = (np.array(values[k], np.float32) for k in ("landmarks", "landmarks_3d"))
        score, hands = values["landmarks_score"], values.get("hands")
        marks = Landmarks(
            image=np.ascontiguousarray(flat[:, :2]),
            depth=np.ascontiguousarray(deep[:, 3]),
            visibility=np.ascontiguousarray(flat[:, 2]),
            presence=np.ascontiguousarray(deep[:, 4]),
            world=np.ascontiguousarray(deep[:, :3]),
            score=score,
            hands=None if hands is None else _hands(hands),
        )
    box = np.array([x, y, x + width, y + height], np.float32)
    return Person(
        values["track"], box, values["score"], mask_of(values["segmentation"]), frozenset(values["families"]), marks
    )


def _hands(values: list[Any]) -> np.ndarray:
    """(2, 21, 3) float32, NaN for a hand that was not seen."""
    nothing = np.full((21, 3), np.nan)
    return np.array([nothing if hand is None else hand for hand in values], np.float32)


def _decimals(values: np.ndarray) -> list[Any]:
    """Numbers as the shortest decimals that are read back as the same float32."""
    values = np.asarray(values, np.float32)
    short = np.array([float(str(v)) for v in values.ravel()]).reshape(values.shape)
    return np.where(short.astype(np.float32) == values, short, values.astype(np.float64)).tolist()


@dataclass(frozen=True)
class PeopleWindow:
    """The people of one window, its context too.

    Attributes:
        first: Index in the clip of the first frame of the core.
        start: Index in `people` of the first frame of the core.
        stop: Index in `people` after the last frame of the core.
        people: T frames.
    """

    first: int
    start: int
    stop: int
    people: list[FramePeople]

    @property
    def core(self) -> range:
        """Indices in `people` of the frames that this window delivers."""
        return range(self.start, self.stop)


def window_lines(window: Window, people: list[FramePeople]) -> Iterator[dict[str, Any]]:
    """The lines of a window, named after its first frame; frames of its context, which others deliver, say so."""
    for t, there in enumerate(people):
        frame = window.first + t - window.start
        yield {"window": window.first, "context": not window.start <= t < window.stop, **people_line(frame, there)}


def read_people(path: Path) -> Iterator[PeopleWindow]:
    """The windows of a clip, one in memory at a time.

    Raises:
        InputError: It is damaged.
    """
    with _damage(path):
        for _, group in groupby(read_json_lines(path), lambda line: line["window"]):
            lines = list(islice(group, MOST_LINES + 1))
            core = [t for t, line in enumerate(lines) if not line["context"]]
            if len(lines) > MOST_LINES or not core:
                raise ValueError(f"a window has {len(lines)} frames or more, {len(core)} of its own")
            yield PeopleWindow(lines[core[0]]["frame"], core[0], core[-1] + 1, [people_of(line) for line in lines])


@dataclass(frozen=True)
class Painting:
    """What a plate is, frame by frame.

    Attributes:
        region: (H, W) bool, what was painted out, or is to be obscured.
        black: The whole frame was filled with black.
        pts: Seconds from the first frame.
        front: (H, W) bool, what no body is drawn over; None for nothing.
    """

    region: np.ndarray
    black: bool
    pts: Fraction
    front: np.ndarray | None = None


def painting_line(
    frame: int, region: np.ndarray, borrowed: float, black: bool, pts: Fraction, front: np.ndarray | None = None
) -> dict[str, Any]:
    """One frame of a plate as a JSON value, but for its picture."""
    about = {"borrowed": borrowed, "black": black, "pts": [pts.numerator, pts.denominator]}
    return {"frame": frame, **painted(region, front), **about}


def painted(region: np.ndarray, front: np.ndarray | None) -> dict[str, Any]:
    """What was painted out of a frame (H, W) bool, and what stands before its bodies, as JSON values."""
    found = {"region": run_lengths(region)}
    return found if front is None else {**found, "front": run_lengths(front)}


def read_paintings(path: Path) -> Iterator[Painting]:
    """The frames of a plate, in order.

    Raises:
        InputError: It is damaged.
    """
    with _damage(path):
        for line in read_json_lines(path):
            front = mask_of(line["front"]) if "front" in line else None
            yield Painting(mask_of(line["region"]), line["black"], Fraction(*line["pts"]), front)


def write_bodies(path: Path, frames: list[tuple[int, FrameBodies]], camera: Camera) -> None:
    """Writes the bodies of a clip.

    Args:
        path: The npz.
        frames: Number in the clip and bodies.
        camera: The scene's camera.

    Raises:
        InfrastructureError: It cannot be written.
    """
    rows = [(i, b) for i, frame in frames for b in frame.bodies]
    arrays: dict[str, np.ndarray] = {
        "frame": np.array([i for i, _ in rows], np.int32),
        "track": np.array([b.track for _, b in rows], np.int32),
        "pose": np.array([b.pose for _, b in rows], np.float32).reshape(-1, N_JOINTS, 3),
        "transl": np.array([b.transl for _, b in rows], np.float32).reshape(-1, 3),
        "camera": np.array(astuple(camera), np.float64),
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            data = io.BytesIO()
            np.lib.format.write_array(data, array, allow_pickle=False)
            # A fixed date: np.savez would write the time of day into the file.
            archive.writestr(
                zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), data.getvalue(), zipfile.ZIP_DEFLATED
            )
    write_atomic(path, file.getvalue())


def read_bodies(path: Path) -> dict[int, FrameBodies]:
    """The bodies of a clip by frame; a frame without any is not there.

    Raises:
        InputError: The file is damaged.
    """
    with _damage(path):
        frame, track, pose, transl = read_arrays(path, ("frame", "track", "pose", "transl"))
        if pose.shape != (len(frame), N_JOINTS, 3) or transl.shape != (len(frame), 3):
            raise ValueError(f"poses are {pose.shape}, places {transl.shape}")
        found: dict[int, list[Body]] = {}
        for i, name, turned, at in zip(frame.tolist(), track.tolist(), pose, transl, strict=True):
            found.setdefault(i, []).append(Body(name, turned, at))
    return {i: FrameBodies(tuple(bodies)) for i, bodies in found.items()}


def read_camera(path: Path) -> Camera:
    """The camera of the scene in which the bodies of a clip stand.

    Raises:
        InputError: The file is damaged.
    """
    with _damage(path):
        (camera,) = read_arrays(path, ("camera",))
        focal, cx, cy, width, height, *stretch = camera.tolist()
        return Camera(focal, cx, cy, int(width), int(height), *stretch)
