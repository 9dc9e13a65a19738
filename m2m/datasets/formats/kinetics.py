"""Kinetics: csv `label,youtube_id,time_start,time_end,split`, or JSON; videos `<id>_<start>_<end>.mp4`.

The JSON is `{id: {"annotations": {"label", "segment": [start, end]}, "subset"}}`, in seconds.
"""

import csv
from pathlib import Path
from typing import Any

from m2m.datasets.listed import SPLITS, Listed
from m2m.errors import InputError
from m2m.parsing import parse_json

COLUMNS = ("label", "youtube_id", "time_start", "time_end", "split")


def read(annotations: Path, fold: int) -> list[Listed]:  # noqa: ARG001
    """The videos of the official lists.

    Args:
        annotations: A csv or a JSON file, or a folder of them; releases hold the same lists in both forms, so of a
            folder with any csv the JSON is not read.
        fold: Kinetics has one split.

    Raises:
        InputError: A file cannot be read or is not of that form, or has a video without a label: the test lists of some
            years.
    """
    files = [annotations]
    if annotations.is_dir():
        files = sorted(annotations.glob("*.csv")) or sorted(annotations.glob("*.json"))
    if not files:
        raise InputError(
            f"there is no csv and no JSON in {annotations}", "Kinetics' are train.csv, validate.csv and test.csv"
        )
    return [listed for file in files for listed in (_json if file.suffix.lower() == ".json" else _csv)(file)]


def _csv(path: Path) -> list[Listed]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file, strict=True)
            absent = [name for name in COLUMNS if name not in (table.fieldnames or ())]
            if absent:
                raise InputError(f"{path} has no column {absent[0]}", f"Kinetics has {','.join(COLUMNS)}")
            return [
                _listed(f"{path}, line {number}", *(row[name] for name in COLUMNS))
                for number, row in enumerate(table, 2)
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read {path}: {error}") from error


def _json(path: Path) -> list[Listed]:
    try:
        values = parse_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {error}") from error
    if not isinstance(values, dict):
        raise InputError(f"{path} does not name its videos", "Kinetics has {id: {annotations, subset}}")
    rows = []
    for name, value in values.items():
        try:
            about = value["annotations"]
            (start, end), label, split = about["segment"], about.get("label"), value["subset"]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"{path}: {name} is not as Kinetics has it", "annotations, segment, subset") from error
        rows.append(_listed(f"{path}, {name}", label, name, start, end, split))
    return rows


def _listed(where: str, label: Any, name: str, start: Any, end: Any, split: Any) -> Listed:
    try:
        span = f"{int(float(start)):06d}_{int(float(end)):06d}"
        part = SPLITS[split.strip().lower()]
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise InputError(f"{where}: {name} from {start} to {end} in {split} is no row of Kinetics") from error
    if not label or not isinstance(label, str):
        raise InputError(f"{where}: {name} has no label", "leave the list of unlabelled videos out")
    return Listed(f"{part}/{label}/{name}_{span}", label, part)
