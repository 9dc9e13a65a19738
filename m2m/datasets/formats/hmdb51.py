"""HMDB51 (Kuehne et al., 2011): `<class>_test_split<N>.txt` with `name.avi code`."""

from pathlib import Path

from m2m.datasets.listed import Listed, read_lines
from m2m.errors import InputError

CODES = {"0": "", "1": "train", "2": "val"}
"""What the code of a line means; 0 is in neither part of this split."""


def read(annotations: Path, fold: int) -> list[Listed]:
    """The videos of one of the three official splits; what is tested on is `val`.

    Args:
        annotations: The folder testTrainMulti_7030_splits.
        fold: 1 to 3.

    Raises:
        InputError: There is no such split, a file cannot be read, or a code is none of 0, 1 and 2.
    """
    ending = f"_test_split{fold}.txt"
    files = sorted(annotations.glob(f"*{ending}"))
    if not files:
        raise InputError(f"there is no *{ending} in {annotations}", "HMDB51's are in testTrainMulti_7030_splits")
    rows = []
    for file in files:
        label = file.name.removesuffix(ending)
        for line in read_lines(file):
            name, _, code = line.rpartition(" ")
            if code not in CODES:
                raise InputError(f"{file}: {line!r} has the code {code}, not 0, 1 or 2")
            if CODES[code]:
                rows.append(Listed(f"{label}/{name.strip()}", label, CODES[code]))
    return rows
