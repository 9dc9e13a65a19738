"""Intermediates that a user asked to keep: people and bodies as small files. Both are personal data.

People are JSON lines in COCO's conventions (boxes x, y, width, height; masks as compressed run lengths), one line a
frame, gzipped. Bodies are one npz: `frame` (N,), `track` (N,), `pose` (N, 55, 3) axis-angle in radians, `transl` (N, 3)
in metres, `camera` (focal, cx, cy, width, height).
"""

import gzip
import io
import json
import zipfile
from dataclasses import astuple
from typing import Any

import numpy as np
from pycocotools import mask as coco

from m2m.augment.bodies import Camera, FrameBodies
from m2m.augment.people import FramePeople


def run_lengths(mask: np.ndarray) -> dict[str, Any]:
    """A (H, W) bool mask in COCO's compressed run-length form."""
    encoded = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": [int(v) for v in encoded["size"]], "counts": encoded["counts"].decode("ascii")}


def people_line(frame: int, people: FramePeople) -> str:
    """One frame as a line of JSON."""
    persons = []
    for p in people.persons:
        x0, y0, x1, y1 = (round(float(v), 2) for v in p.box)
        person: dict[str, Any] = {
            "track": p.track,
            "bbox": [x0, y0, round(x1 - x0, 2), round(y1 - y0, 2)],
            "score": round(float(p.score), 4),
            "families": sorted(p.families),
            "segmentation": run_lengths(p.mask),
        }
        if p.landmarks is not None:
            visible = np.column_stack([p.landmarks.image, p.landmarks.visibility])
            person["landmarks"] = np.round(visible, 2).tolist()
        persons.append(person)
    return json.dumps({"frame": frame, "persons": persons, "cover": run_lengths(people.cover)}, separators=(",", ":"))


def people_file(lines: list[str]) -> bytes:
    """Gzipped JSON lines; the same lines give the same bytes."""
    return gzip.compress("".join(line + "\n" for line in lines).encode(), mtime=0)


def bodies_file(frames: list[tuple[int, FrameBodies]], camera: Camera) -> bytes:
    """The bodies of a clip as npz; the same bodies give the same bytes."""
    rows = [(i, b) for i, frame in frames for b in frame.bodies]
    arrays: dict[str, np.ndarray] = {
        "frame": np.array([i for i, _ in rows], np.int32),
        "track": np.array([b.track for _, b in rows], np.int32),
        "pose": np.array([b.pose for _, b in rows], np.float32).reshape(-1, 55, 3),
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
    return file.getvalue()
