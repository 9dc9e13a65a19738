"""How much of the people is left, on a drawn clip whose every pixel is known."""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest

from m2m.clips import MANIFEST, data_hash, read_card, read_manifest, write_card, write_manifest
from m2m.errors import InputError
from m2m.reproduce.data import DATASET, make_data, truth_of
from m2m.reproduce.graph import Node
from m2m.reproduce.left import FILE, people_left
from m2m.video import VideoParams, Writer, read

STUDIO = {"actions": ["wave"], "clips": 1, "test_clips": 1, "size": [128, 96], "fps": 8, "seconds": 1.0, "plain": True}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    """A node's folder with two drawn clips."""
    folder = tmp_path_factory.mktemp("draw") / "drawn"
    folder.mkdir()
    make_data(Node("draw", "toy", "0", {}, {"studio": STUDIO}), folder, {}, folder.parent, 1)
    return folder


def changed(drawn: Path, to: Path, change) -> Path:
    """A node that has made of every frame what `change(frame, people)` gives."""
    (to / DATASET / "videos").mkdir(parents=True)
    (to / "of").symlink_to(drawn, target_is_directory=True)
    truth, rows = truth_of(drawn), []
    for clip in read_manifest(drawn / DATASET / MANIFEST):
        with np.load(truth[clip.clip_id], allow_pickle=False) as known:
            people = np.unpackbits(known["masks"], axis=-1, count=clip.width).any(1).astype(bool)
        path = to / DATASET / "videos" / f"{clip.clip_id}.mp4"
        with Writer(path, (clip.width, clip.height), Fraction(clip.fps_num, clip.fps_den), VideoParams()) as writer:
            for frame, where in zip(read(drawn / DATASET / clip.path), people, strict=True):
                writer.write(change(frame.image.copy(), where))
        rows.append(replace(clip, path=f"videos/{path.name}"))
    write_manifest(rows, to / DATASET / MANIFEST)
    write_card(replace(read_card(drawn / DATASET), hash=data_hash(rows)), to / DATASET)
    return to


def inverted(frame: np.ndarray, where: np.ndarray) -> np.ndarray:
    frame[where] ^= 0x80
    return frame


def upper_half(frame: np.ndarray, where: np.ndarray) -> np.ndarray:
    rows = np.flatnonzero(where.any(1))
    below = np.arange(len(frame))[:, None] >= rows.mean() if len(rows) else np.zeros((len(frame), 1), bool)
    return inverted(frame, where & below)


def test_all_is_left_of_who_was_never_touched_and_nothing_of_who_was_painted_over(drawn, tmp_path):
    found = people_left(drawn)
    assert found is not None and found["value"] == 1.0 and 0 <= found["chance"] < 0.3
    same = people_left(changed(drawn, tmp_path / "same", lambda frame, where: frame))
    gone = people_left(changed(drawn, tmp_path / "gone", inverted))
    half = people_left(changed(drawn, tmp_path / "half", upper_half))
    assert same["value"] > 0.95 and gone["value"] < 0.02 and 0.25 < half["value"] < 0.75
    assert same["chance"] == gone["chance"] == found["chance"]


def test_what_was_counted_is_counted_again_only_of_other_clips(drawn, tmp_path):
    folder = changed(drawn, tmp_path / "same", lambda frame, where: frame)
    first = people_left(folder)
    (folder / FILE).write_text(json.dumps({"data_hash": read_card(folder / DATASET).hash, "value": 0.5}))
    assert people_left(folder) == {"value": 0.5}
    (folder / FILE).write_text(json.dumps({"data_hash": "another", "value": 0.5}))
    assert people_left(folder) == first


def test_mannequins_are_nobody_and_clips_that_were_not_drawn_unknown(drawn, tmp_path):
    other = tmp_path / "drawn"
    other.mkdir()
    make_data(Node("draw", "toy", "0", {}, {"studio": {**STUDIO, "mannequins": True}}), other, {}, tmp_path, 1)
    assert people_left(other) == {"value": 0.0}
    fetched = changed(drawn, tmp_path / "fetched", lambda frame, where: frame)
    (fetched / "of").unlink()
    assert people_left(fetched) is None


def test_a_clip_without_truth_is_named(drawn, tmp_path):
    folder = changed(drawn, tmp_path / "same", lambda frame, where: frame)
    rows = [replace(row, clip_id=f"other-{row.clip_id}") for row in read_manifest(folder / DATASET / MANIFEST)]
    write_manifest(rows, folder / DATASET / MANIFEST)
    with pytest.raises(InputError, match="no truth of the clip other-"):
        people_left(folder)


def test_a_damaged_truth_is_named(drawn, tmp_path):
    copied = tmp_path / "drawn"
    copytree(drawn, copied)
    (copied / FILE).unlink(missing_ok=True)
    for path in truth_of(copied).values():
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match=r"the truth of .* cannot be counted"):
        people_left(copied)
