"""IkeaFA (Toyer et al., 2017): folders of actions with GOPR####_<start>_<end>_<NN>.MP4; there is no official list."""

import re
from collections.abc import Iterable

from m2m.datasets.listed import Listed
from m2m.errors import InputError

NAME = re.compile(r"GOPR\d+_\d+_\d+_(\d+)", re.IGNORECASE)

TESTED = frozenset({9, 11, 13})
"""The last numbers of the names that the paper's lists test on; no number is on both sides."""


def read(names: Iterable[str]) -> list[Listed]:
    """Class and split of videos by folder and name; what is tested on is `val`.

    Raises:
        InputError: A name is not one of IkeaFA's, or is in no folder.
    """
    rows = []
    for name in names:
        found = NAME.search(name.rsplit("/", 1)[-1])
        if not found or "/" not in name:
            raise InputError(f"{name!r} is not a name of IkeaFA", "<action>/GOPR####_<start>_<end>_<NN>.MP4")
        rows.append(Listed(name, name.split("/")[-2], "val" if int(found[1]) in TESTED else "train"))
    return rows
