"""What attackers work on: variants of the same clips, matched by clip id, and pictures of the people in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from m2m.augment.bodies import Camera, FrameBodies
from m2m.augment.body.mannequin import Mannequin
from m2m.augment.intermediates import read_bodies, read_camera
from m2m.clips import Clip, data_hash, read_card, read_manifest, scan
from m2m.errors import InputError
from m2m.fingerprints import fingerprint
from m2m.video import probe, read

REAL, CONTROL = "real", "no_human"
BODY_JOINTS = 22
"""Pelvis to wrists: what the picture of a person is cut around."""
MARGIN = 1.3
"""Side of the square around a person beside the larger extent of its joints."""


@dataclass(frozen=True)
class Variant:
    """One data set.

    Attributes:
        name: `real`, `m2m`, `no_human` and so on.
        folder: Where it lies.
        clips: Its clips by id, with absolute paths.
        hash: Identity of its rows.
    """

    name: str
    folder: Path
    clips: dict[str, Clip]
    hash: str


@dataclass(frozen=True)
class Material:
    """Data sets of the same clips.

    Attributes:
        variants: By name.
        clip_ids: Clips that all of them have, sorted.
        missing: How many clips some variant lacks.
    """

    variants: dict[str, Variant]
    clip_ids: tuple[str, ...]
    missing: int

    @property
    def labels(self) -> tuple[str, ...]:
        """What is done in each clip; empty where nobody says so."""
        first = next(iter(self.variants.values()))
        return tuple(first.clips[c].label for c in self.clip_ids)

    @property
    def bodies(self) -> Path | None:
        """A folder that holds the bodies of all clips, if some data set kept them."""
        for variant in self.variants.values():
            folder = variant.folder / "bodies"
            if folder.is_dir() and all((folder / f"{c}.npz").is_file() for c in self.clip_ids):
                return folder
        return None


def gather(datasets: Sequence[Path], originals: Path | None = None) -> Material:
    """Opens data sets that were made of the same clips.

    Args:
        datasets: Folders, one a variant.
        originals: What they were made from: a folder of videos, or a data set; it becomes the variant `real`.

    Raises:
        InputError: Two are of one variant, or they have no clip in common.
    """
    variants: dict[str, Variant] = {}
    for folder in datasets:
        card = read_card(folder)
        if card.variant in variants:
            raise InputError(
                f"{folder} and {variants[card.variant].folder} are both {card.variant}", "name one of them"
            )
        rows = [c for c in scan(folder) if c.status == "ok"]
        found = {c.clip_id: c for c in rows}
        variants[card.variant] = Variant(
            card.variant, folder, found, data_hash(read_manifest(folder / "clips.parquet"))
        )
    if originals is not None:
        if REAL in variants:
            raise InputError(f"{variants[REAL].folder} are the originals already", "leave --originals out")
        rows = [c for c in scan(originals) if c.status == "ok"]
        # Nobody hashed them: size and time of change tell a changed file.
        marks = [(c.clip_id, *_mark(Path(c.path))) for c in rows]
        variants[REAL] = Variant(REAL, originals, {c.clip_id: c for c in rows}, fingerprint(marks))
    if not variants:
        raise InputError("there is nothing to attack", "name data sets that m2m augment wrote")
    every = [set(v.clips) for v in variants.values()]
    common = set.intersection(*every)
    if not common:
        raise InputError(
            f"{', '.join(str(v.folder) for v in variants.values())} have no clip in common",
            "name variants that were made of the same videos",
        )
    return Material(variants, tuple(sorted(common)), len(set.union(*every)) - len(common))


def _mark(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


@dataclass(frozen=True)
class Track:
    """The main person of a clip, as the bodies tell.

    Attributes:
        frames: (T,) int64 frames in which there is a body.
        pose: (T, 55, 3) float32 SMPL-X poses.
        transl: (T, 3) float32 metres.
        camera: The scene's camera.
    """

    frames: np.ndarray
    pose: np.ndarray
    transl: np.ndarray
    camera: Camera


def read_track(path: Path) -> Track | None:
    """The person who is there longest, of those the nearest; None if nobody is."""
    bodies: dict[int, FrameBodies] = read_bodies(path)
    camera = read_camera(path)
    rows: dict[int, list] = {}
    for frame in sorted(bodies):
        for body in bodies[frame].bodies:
            rows.setdefault(body.track, []).append((frame, body))
    if not rows:
        return None
    best = max(rows.values(), key=lambda r: (len(r), -float(np.median([b.transl[2] for _, b in r]))))
    return Track(
        np.array([f for f, _ in best]),
        np.stack([b.pose for _, b in best]),
        np.stack([b.transl for _, b in best]),
        camera,
    )


def squares(track: Track, body: Mannequin, frames: np.ndarray) -> np.ndarray:
    """Squares around a person, all of one size so that a squat is seen as one.

    Args:
        track: The person.
        body: The body that was drawn.
        frames: (K,) frames; where the person is not there, the nearest time counts.

    Returns:
        (K, 3) float64 centre x, centre y, side, in pixels.
    """
    near = np.abs(track.frames[None] - frames[:, None]).argmin(1)
    points = np.stack(
        [
            track.camera.project(body.joints(p, t)[:BODY_JOINTS])
            for p, t in zip(track.pose[near], track.transl[near], strict=True)
        ]
    )
    low, high = points.min(1), points.max(1)
    side = MARGIN * float((high - low).max())
    return np.column_stack([(low + high) / 2, np.full(len(frames), side)])


def cut_squares(images: Sequence[np.ndarray], where: np.ndarray, size: int) -> np.ndarray:
    """Squares of images as (K, size, size, 3) uint8; beyond the picture its edge goes on."""
    out = []
    for image, (x, y, side) in zip(images, where, strict=True):
        scale = size / max(side, 1.0)
        matrix = np.array([[scale, 0, size / 2 - x * scale], [0, scale, size / 2 - y * scale]])
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        out.append(cv2.warpAffine(image, matrix, (size, size), flags=how, borderMode=cv2.BORDER_REPLICATE))
    return np.stack(out)


def read_frames(path: Path, count: int, size: tuple[int, int] | None = None) -> tuple[np.ndarray, list[np.ndarray]]:
    """Numbers and pictures of `count` frames spread over a clip; fewer where it has fewer."""
    images = [frame.image for frame in read(path, size)]
    if not images:
        raise InputError(f"{path} has no frame", "take it out of the data set")
    take = np.unique(np.linspace(0, len(images) - 1, count).round().astype(int))
    return take, [images[i] for i in take]


def crops(material: Material, variant: str, count: int, size: int) -> tuple[np.ndarray, int]:
    """Pictures of the person of every clip, cut where the drawn body is, whatever the variant shows there.

    Args:
        material: Data sets, of which one kept its bodies.
        variant: Whose pictures.
        count: Frames a clip.
        size: Side in pixels.

    Returns:
        (N, count, size, size, 3) uint8 RGB in the order of clip ids, and how many clips have no body: their middle is
        taken.
    """
    folder = material.bodies
    if folder is None:
        raise InputError("no data set kept its bodies, which say where people are", "m2m augment --keep bodies")
    body, out, without = Mannequin(), [], 0
    for name in material.clip_ids:
        track = read_track(folder / f"{name}.npz")
        path = Path(material.variants[variant].clips[name].path)
        frame = (track.camera.width, track.camera.height) if track else _size(path)
        at, images = read_frames(path, count, frame)
        if track is None:
            without += 1
            where = np.tile([frame[0] / 2, frame[1] / 2, float(min(frame))], (len(at), 1))
        else:
            where = squares(track, body, at)
        shown = cut_squares(images, where, size)
        out.append(shown[np.linspace(0, len(shown) - 1, count).round().astype(int)])
    return np.stack(out), without


def _size(path: Path) -> tuple[int, int]:
    info = probe(path)
    return info.width, info.height
