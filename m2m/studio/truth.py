"""The truth: what is known about a clip and about a data set, in a hidden folder beside the videos."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from m2m.augment.bodies import N_JOINTS
from m2m.files import write_atomic
from m2m.studio.clip import StudioClip
from m2m.studio.plan import TEST, Entry
from m2m.studio.recipe import StudioParams
from m2m.video import Writer

TRUTH = ".truth"
"""Hidden folder of the truth: M2M reads only videos that are not hidden."""
TABLE = "attributes.csv"
CLIPS, GROUPS = "clips.csv", "groups.csv"
"""A manifest as `m2m ingest` reads it, and the test clips of a gender that is rare in their class."""
COLUMNS = (
    *("clip_id", "label", "split", "scene", "place", "own", "gender", "skin", "build", "clothes", "identity", "hair"),
    *("top", "bottom", "occluder", "camera"),
)
NONE = "none"


def truth_paths(folder: Path, name: str) -> tuple[tuple[Path, ...], ...]:
    """The files that `write_truth` writes: one of each group is there."""
    return (
        (folder / f"{name}.npz",),
        (folder / f"{name}.png", folder / f"{name}.mkv"),
        (folder / f"{name}.json",),
    )


def write_truth(clip: StudioClip, folder: Path, name: str) -> None:
    """Writes what is known about a clip, every file whole or not at all.

    `name.npz` holds: label, name, seed, fps (2,) numerator and denominator, cuts, camera (5,) focal, cx, cy, width,
    height; masks (T, P, H, ceil(W / 8)) uint8, bit-packed along the rows (`np.unpackbits(masks, axis=-1, count=W)`);
    visible (T, P) bool; poses (T, P, 55, 3) and transl (T, P, 3) float32, zero where a person is not visible.
    Where there is any: objects (T, K, H, ceil(W / 8)), what people hold, throw or kick, and occluders
    (T, H, ceil(W / 8)), what stands before them, packed alike.
    The plates lie beside it: `name.png` where one picture holds for all frames, else `name.mkv` (FFV1, lossless).
    """
    frames, persons = clip.person_masks.shape[:2]
    visible = np.zeros((frames, persons), bool)
    poses = np.zeros((frames, persons, N_JOINTS, 3), np.float32)
    transl = np.zeros((frames, persons, 3), np.float32)
    for index, frame in enumerate(clip.bodies):
        for body in frame.bodies:
            visible[index, body.track] = True
            poses[index, body.track], transl[index, body.track] = body.pose, body.transl
    camera = clip.camera
    known: dict[str, Any] = {
        "label": clip.label,
        "name": name,
        "seed": clip.spec.seed,
        "fps": [clip.fps.numerator, clip.fps.denominator],
        "cuts": np.array(clip.cuts, np.int64),
        "camera": [camera.focal, camera.cx, camera.cy, camera.width, camera.height],
        "masks": np.packbits(clip.person_masks, axis=-1),
        "visible": visible,
        "poses": poses,
        "transl": transl,
    }
    for key, masks in (("objects", clip.object_masks), ("occluders", clip.occluder_masks)):
        if masks.any():
            known[key] = np.packbits(masks, axis=-1)
    data = io.BytesIO()
    np.savez_compressed(data, **known)
    write_atomic(folder / f"{name}.npz", data.getvalue())
    if clip.static:
        _, picture = cv2.imencode(".png", clip.plates[0][..., ::-1])
        write_atomic(folder / f"{name}.png", picture.tobytes())
        return
    with Writer(folder / f"{name}.mkv", clip.spec.size, clip.fps, lossless=True, decoded=False) as writer:
        for plate in clip.plates:
            writer.write(plate)


def row(entry: Entry, clip: StudioClip) -> dict[str, str]:
    """What is told of a clip in the table of attributes; of two persons joined by `+`.

    Who and what is seen in one clip alone is called after it; what there is none of is `none`.
    """
    spec = entry.spec
    who, wardrobe = spec.identity, spec.wardrobe
    clothes = entry.name if who is None else f"p{who.number:03d}c{spec.outfit}"
    clothes = clothes if wardrobe is None else f"w{wardrobe}"
    look = {key: "+".join(getattr(x, key) for x in clip.looks) for key in ("skin", "hair", "top", "bottom")}
    return {
        "clip_id": entry.clip_id,
        "label": spec.label,
        "split": entry.split,
        "scene": clip.scene,
        "place": entry.name if spec.place is None else f"s{spec.place}",
        "own": str(int(entry.own)),
        "gender": "+".join(clip.genders),
        "build": NONE if who is None or spec.mannequin else who.build,
        "clothes": NONE if spec.mannequin else clothes,
        "identity": entry.name if who is None else f"p{who.number:03d}",
        "occluder": spec.occluder or NONE,
        "camera": clip.movement,
        **look,
    }


def write_row(entry: Entry, clip: StudioClip, folder: Path) -> None:
    """Keeps the clip's row of the table; it is there last of all its files."""
    text = json.dumps(row(entry, clip), indent=1, sort_keys=True) + "\n"
    write_atomic(folder / f"{entry.name}.json", text.encode())


def tables(params: StudioParams, entries: Sequence[Entry], rows: Iterable[dict[str, str]]) -> dict[str, bytes]:
    """The tables of a data set by path relative to it."""
    out = {f"{TRUTH}/{TABLE}": _csv(COLUMNS, ([r[c] for c in COLUMNS] for r in rows))}
    if params.test_clips:
        out[CLIPS] = _csv(("path", "label", "split"), ((e.path, e.spec.label, e.split) for e in entries))
    if params.reversed and "gender" in params.attributes:
        rare = {"female": "women_in_men_biased", "male": "men_in_women_biased"}
        tested = [(e, e.spec.identity) for e in entries if e.split == TEST]
        lines = ((e.path, e.spec.label, rare[who.gender]) for e, who in tested if who is not None)
        out[GROUPS] = _csv(("path", "label", "group"), lines)
    return out


def _csv(header: Sequence[str], lines: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(lines)
    return text.getvalue().encode()
