"""A tiny laboratory: coloured figures whose persons, places and movements are known, as data sets of three variants."""

import csv
from fractions import Fraction
from pathlib import Path

import numpy as np

from m2m.augment.bodies import Body, Camera, FrameBodies
from m2m.augment.body.mannequin import Mannequin
from m2m.augment.intermediates import json_lines, people_line, write_bodies
from m2m.augment.people import FramePeople, Person
from m2m.clips import Clip, DatasetCard, data_hash, write_card, write_manifest
from m2m.files import file_sha256
from m2m.video import Writer

SIZE, FRAMES, FPS = (96, 64), 6, Fraction(6)
PERSONS, PLACES, LABELS = 6, 4, ("bow", "wave")


def laboratory(root: Path, persons: int = PERSONS, variants: tuple[str, ...] = ("real", "m2m", "no_human")) -> Path:
    """Writes the data sets `root/<variant>` and `root/people.csv`, which is returned.

    In `real` a person is a block in a colour of their own; in `m2m` it is grey; in `no_human` it is not there. Persons
    bend their arms by an angle of their own.
    """
    camera, body = Camera.default(*SIZE), Mannequin()
    rows: dict[str, list[Clip]] = {v: [] for v in variants}
    table = [["clip_id", "person", "place", "clothes", "tone", "size"]]
    for person in range(persons):
        colour = np.random.default_rng([7, person]).integers(40, 255, 3)
        for index in range(PLACES):
            place, label = (person + index) % PLACES, LABELS[index % 2]
            name = f"{label}_{person:02d}{index}"
            rng = np.random.default_rng([person, index])
            background = np.random.default_rng([3, place]).integers(60, 200, (*SIZE[::-1], 3)).astype(np.uint8)
            pose = np.zeros((FRAMES, 55, 3), np.float32)
            pose[:, 0, 0] = np.pi
            pose[:, 16, 2] = -1.2 + 0.15 * person + rng.normal(0, 0.01)
            pose[:, 17, 1] = 0.2 * np.sin(np.arange(FRAMES) + index)
            at = np.array([rng.uniform(-0.3, 0.3), 0, 6], np.float32)
            box = _box(camera.project(body.joints(pose[0], at)[:22]))
            for variant in variants:
                path = root / variant / "videos" / f"{name}.mp4"
                path.parent.mkdir(parents=True, exist_ok=True)
                with Writer(path, SIZE, FPS) as writer:
                    for frame in range(FRAMES):
                        image = background.copy()
                        if variant != "no_human":
                            image[box] = colour if variant == "real" else 128
                            image[box][frame : frame + 2] = 255 - image[box][:1, :1]
                        writer.write(image)
                clip = Clip(name, f"videos/{name}.mp4", label, "", file_sha256(path), *SIZE, 6, 1, FRAMES)
                rows[variant].append(clip)
            if "m2m" in variants:
                kept = root / "m2m"
                for folder in ("bodies", "people"):
                    (kept / folder).mkdir(parents=True, exist_ok=True)
                bodies = [(t, FrameBodies((Body(0, pose[t], at),))) for t in range(FRAMES)]
                write_bodies(kept / "bodies" / f"{name}.npz", bodies, camera)
                mask = np.zeros(SIZE[::-1], bool)
                mask[box] = True
                there = FramePeople((Person(0, np.array([0, 0, 9, 9], np.float32), 0.9, mask),), mask)
                with json_lines(kept / "people" / f"{name}.jsonl.gz") as write:
                    for t in range(FRAMES):
                        write({"window": 0, "context": False, **people_line(t, there)})
            table.append([name, f"p{person}", f"s{place}", f"c{index // 2}", f"t{person % 2}", f"z{person % 3}"])
    for variant, clips in rows.items():
        write_manifest(clips, root / variant / "clips.parquet")
        private = variant not in ("real", "mesh_on_real")
        card = DatasetCard("lab", variant, private, {}, "test", (), "", len(clips), 0, data_hash(clips))
        write_card(card, root / variant)
    with (root / "people.csv").open("w", newline="") as file:
        csv.writer(file).writerows(table)
    return root / "people.csv"


def _box(points: np.ndarray) -> tuple[slice, slice]:
    x0, y0 = np.maximum(points.min(0), 0).astype(int)
    x1, y1 = np.minimum(points.max(0), SIZE).astype(int)
    return slice(y0, max(y1, y0 + 4)), slice(x0, max(x1, x0 + 4))
