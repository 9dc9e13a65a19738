"""Kinetics: csv files `label,youtube_id,time_start,time_end,split`; videos `<id>_<start>_<end>.mp4`."""

import csv
from pathlib import Path

from m2m.datasets.listed import SPLITS, Listed
from m2m.errors import InputError

COLUMNS = ("label", "youtube_id", "time_start", "time_end", "split")


def read(annotations: Path, fold: int) -> list[Listed]:  # noqa: ARG001
    """The videos of the official csv files.

    Args:
        annotations: A csv, or a folder of them.
        fold: Kinetics has one split.

    Raises:
        InputError: A file cannot be read, lacks a column, or has a row without a label: the test lists of some years.
    """
    files = sorted(annotations.glob("*.csv")) if annotations.is_dir() else [annotations]
    if not files:
        raise InputError(f"there is no csv in {annotations}", "Kinetics' are train.csv, val.csv and test.csv")
    return [listed for file in files for listed in _file(file)]


def _file(path: Path) -> list[Listed]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file, strict=True)
            absent = [name for name in COLUMNS if name not in (table.fieldnames or ())]
            if absent:
                raise InputError(f"{path} has no column {absent[0]}", f"Kinetics has {','.join(COLUMNS)}")
            return [_row(path, number, row) for number, row in enumerate(table, 2)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read {path}: {error}") from error


def _row(path: Path, number: int, row: dict[str, str]) -> Listed:
    try:
        name, start, end = row["youtube_id"], int(float(row["time_start"])), int(float(row["time_end"]))
        split = SPLITS[row["split"].strip().lower()]
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path}, line {number}: {','.join(str(v) for v in row.values())}") from error
    if not row["label"]:
        raise InputError(f"{path}, line {number}: {name} has no label", "leave the list of unlabelled videos out")
    return Listed(f"{split}/{row['label']}/{name}_{start:06d}_{end:06d}", row["label"], split)
