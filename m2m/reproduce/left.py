"""How much of the people is left in a data set whose clips were drawn, so that it is known where they were."""

import json
from pathlib import Path
from zipfile import BadZipFile

import cv2
import numpy as np

from m2m.clips import MANIFEST, Clip, read_card, read_manifest
from m2m.errors import InputError, QuarantineError
from m2m.files import write_atomic
from m2m.reproduce.data import DATASET, drawn_folder, truth_of
from m2m.reproduce.found import read_if_there
from m2m.video import read

FILE = "left.json"
TOLERANCE = 16
"""Most levels, of 255, by which a pixel differs that looks the same: more than the compression makes of it."""


def people_left(folder: Path) -> dict[str, float] | None:
    """The share of the people's pixels that look as in the drawn clips.

    What it says is how much of their looks is in a data set, not whether anybody is recognised by it: a face that is
    blurred has hardly a pixel left and may be known all the same, a grey sleeve is left where a grey body is drawn.

    Args:
        folder: Of a node that has made a data set; the result is kept there.

    Returns:
        `value`, the share in [0, 1] over all clips, and `chance`, the same of the true backgrounds, which show nobody;
        None: the clips were not drawn.

    Raises:
        InputError: A file of the data set, of the drawn clips or of their truth is missing or damaged.
    """
    card = read_card(folder / DATASET)
    known = read_if_there(folder / FILE)
    if known is not None and known.get("data_hash") == card.hash:
        return {name: float(known[name]) for name in ("value", "chance") if name in known}
    try:
        drawn = drawn_folder(folder)
    except InputError:
        return None
    source = read_card(drawn / DATASET)
    if source.private:  # mannequins: there never was anybody
        found = {"value": 0.0}
    else:
        truth = truth_of(drawn)
        originals = {clip.clip_id: clip for clip in read_manifest(drawn / DATASET / MANIFEST)}
        counts = np.zeros(3, np.int64)
        for clip in read_manifest(folder / DATASET / MANIFEST):
            if clip.status != "ok":
                continue
            if clip.clip_id not in truth or clip.clip_id not in originals:
                raise InputError(f"{drawn} has no truth of the clip {clip.clip_id}", "draw the data set again")
            original = drawn / DATASET / originals[clip.clip_id].path
            try:
                counts += _count(clip, folder / DATASET / clip.path, original, truth[clip.clip_id])
            except (OSError, ValueError, KeyError, EOFError, BadZipFile, QuarantineError) as error:
                raise InputError(f"the truth of {clip.clip_id} cannot be counted: {error}", "make it again") from error
        same, behind, all_ = (int(count) for count in counts)
        if not all_:
            return None
        found = {"value": same / all_, "chance": behind / all_}
    write_atomic(folder / FILE, (json.dumps({"data_hash": card.hash, **found}, indent=1) + "\n").encode())
    return found


def _count(clip: Clip, shown: Path, original: Path, truth: Path) -> np.ndarray:
    """Pixels of people that look the same in the video, in the background behind them, and all, (3,) int64."""
    with np.load(truth, allow_pickle=False) as values:
        people = np.any(np.unpackbits(values["masks"], axis=-1, count=clip.width), axis=1, keepdims=False)
    still, moving = truth.with_suffix(".png"), truth.with_suffix(".mkv")
    picture = np.asarray(cv2.imread(str(still)))[..., ::-1] if still.is_file() else None
    plates = [picture] * len(people) if picture is not None else [frame.image for frame in read(moving)]
    counts = np.zeros(3, np.int64)
    for where, plate, ours, theirs in zip(people, plates, read(shown), read(original), strict=True):
        person = theirs.image[where].astype(np.int16)
        counts += [*(_alike(other[where], person) for other in (ours.image, plate)), len(person)]
    return counts


def _alike(pixels: np.ndarray, others: np.ndarray) -> int:
    return int((abs(pixels.astype(np.int16) - others) <= TOLERANCE).all(-1).sum())
