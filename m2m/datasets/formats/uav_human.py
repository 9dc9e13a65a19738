"""UAV-Human (Li et al., 2021): everything is in the files' names, P###S##G##B##H##UC######LC######A###R#_*.avi."""

import re
from collections.abc import Iterable

from m2m.datasets.listed import Listed
from m2m.errors import InputError

NAME = re.compile(r"P(\d{3})S\d+G\d+B\d+H\d+UC\d+LC\d+A(\d{3})R\d+_\d+")

TESTED = frozenset(
    (1, 3, 4, 9, 22, 23, 24, 31, 41, 54, 58, 60, 66, 72, 74, 75, 91, 92, 93, 94, 95, 96, 97, 99, 101,
     104, 107, 108, 109, 113)
)  # fmt: skip
"""The 30 of 119 subjects whose videos are tested on in cross-subject version 1."""


def read(names: Iterable[str]) -> list[Listed]:
    """Class and split of videos by their names: cross-subject version 1, what is tested on is `val`.

    Raises:
        InputError: A name is not one of UAV-Human's.
    """
    rows = []
    for name in names:
        found = NAME.search(name.rsplit("/", 1)[-1])
        if not found:
            raise InputError(f"{name!r} is not a name of UAV-Human", "P###S##G##B##H##UC######LC######A###R#_*.avi")
        subject, action = found.groups()
        rows.append(Listed(name, f"A{action}", "val" if int(subject) in TESTED else "train"))
    return rows
