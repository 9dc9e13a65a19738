"""Diving48 V2 (Li et al., 2018): Diving48_V2_{train,test}.json, `[{vid_name, label, start_frame, end_frame}]`."""

from pathlib import Path

from m2m.datasets.listed import Listed
from m2m.errors import InputError
from m2m.parsing import parse_json

VOCABULARY = "Diving48_vocab.json"


def read(annotations: Path, fold: int) -> list[Listed]:  # noqa: ARG001
    """The videos of the official split; what is tested on is `val`. Of the labels 0 to 47 none has the number 30.

    Args:
        annotations: The folder of the two files, and of Diving48_vocab.json if classes are to be called by their parts
            (`Back_15som_05Twis_FREE`) and not by number.
        fold: Diving48 has one split.

    Raises:
        InputError: A file cannot be read, or a row is not one of V2's.
    """
    names = [f"{i:02d}" for i in range(48)]
    if (annotations / VOCABULARY).is_file():
        try:
            names = ["_".join(parts) for parts in _json(annotations / VOCABULARY)]
        except TypeError as error:
            raise InputError(f"{annotations / VOCABULARY} does not list the parts of classes: {error}") from error
    rows = []
    for kind, split in (("train", "train"), ("test", "val")):
        file = annotations / f"Diving48_V2_{kind}.json"
        for row in _json(file):
            try:
                rows.append(Listed(str(row["vid_name"]), names[range(len(names))[row["label"]]], split))
            except (KeyError, IndexError, TypeError) as error:
                raise InputError(f"{file}: {row} is not a row of Diving48 V2") from error
    return rows


def _json(path: Path) -> list:
    try:
        values = parse_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {error}") from error
    if not isinstance(values, list):
        raise InputError(f"{path} is not a list")
    return values
