"""Who is in which clip: a table that the owner of a data set writes, or the studio."""

import csv
import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from m2m.errors import InputError

NEEDED = ("clip_id", "person", "place")
CLOTHES = "clothes"
"""Column whose values say which clips of a person show the same clothes."""
NUMBERS_OF_CLASSES = (2, 12)
"""Values a column has to have to be an attribute that is worth guessing; at most half as many as there are persons, or
the attribute would be the person."""


@dataclass(frozen=True)
class PeopleTable:
    """Who, where and what.

    Attributes:
        clip_ids: N clips, sorted.
        persons: (N,) int64 numbers of persons.
        places: (N,) int64 numbers of places.
        clothes: (N,) int64 numbers of a person's clothes; None where they are not known.
        attributes: Words for each clip by name of the attribute.
    """

    clip_ids: tuple[str, ...]
    persons: np.ndarray
    places: np.ndarray
    clothes: np.ndarray | None
    attributes: dict[str, tuple[str, ...]]

    def only(self, clip_ids: tuple[str, ...]) -> "PeopleTable":
        """The rows of these clips, which must be in it; numbers stay as they are."""
        at = {c: i for i, c in enumerate(self.clip_ids)}
        rows = [at[c] for c in clip_ids]
        clothes = None if self.clothes is None else self.clothes[rows]
        attributes = {k: tuple(v[i] for i in rows) for k, v in self.attributes.items()}
        return PeopleTable(clip_ids, self.persons[rows], self.places[rows], clothes, attributes)


def read_people(path: Path) -> PeopleTable:
    """Reads a table `clip_id,person,place[,clothes][,attribute...]`.

    Columns that have fewer than 2 values, more than 12 or more than one for two persons are left out.

    Raises:
        InputError: It cannot be read, lacks a column or a value, or names a clip twice.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            names = list(reader.fieldnames or ())
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read {path}: {error}") from error
    missing = [name for name in NEEDED if name not in names]
    if missing:
        raise InputError(f"{path} has no column {missing[0]!r}", f"it needs {', '.join(NEEDED)}")
    if not rows:
        raise InputError(f"{path} names no clip")
    for number, row in enumerate(rows, 2):
        if None in row or any(row[name] in (None, "") for name in names):
            raise InputError(f"{path}, row {number}: a value is missing or too many")
    rows.sort(key=lambda row: row["clip_id"])
    ids = tuple(row["clip_id"] for row in rows)
    twice = next((a for a, b in itertools.pairwise(ids) if a == b), None)
    if twice is not None:
        raise InputError(f"{path} names the clip {twice!r} twice", "an attacker needs clips of one person each")
    columns = {name: tuple(row[name] for row in rows) for name in names}
    fewest, most = NUMBERS_OF_CLASSES
    most = min(most, len(set(columns["person"])) // 2)
    attributes = {
        name: values
        for name, values in columns.items()
        if name not in (*NEEDED, CLOTHES) and fewest <= len(set(values)) <= most
    }
    clothes = _numbers(columns[CLOTHES]) if CLOTHES in columns else None
    return PeopleTable(ids, _numbers(columns["person"]), _numbers(columns["place"]), clothes, attributes)


def _numbers(words: tuple[str, ...]) -> np.ndarray:
    return np.unique(np.array(words), return_inverse=True)[1].astype(np.int64)
