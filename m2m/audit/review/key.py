"""The key of a review: which item of the page is which clip, and which are plants. It is not on the page.

It lies in the data set's folder of records, for its owner alone; `m2m purge` deletes it with them.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from m2m.errors import InputError
from m2m.files import disk_errors, write_atomic
from m2m.fingerprints import canonical
from m2m.parsing import parse_json, typed

FOLDER = Path(".m2m") / "review"
SCHEMA = 1
Part = Literal["doubtful", "sample", "plant"]


@dataclass(frozen=True)
class Item:
    """One question of the page.

    Attributes:
        item: Its id on the page, by chance.
        part: Why it is there: a check doubts the clip, it was drawn by chance, or somebody was put into it.
        clip_id: The clip that is shown, with the plant if it is one.
        sha256: Hash of the clip's file.
        doubts: Of a doubtful clip the checks that failed, each with the hash of what it measured.
        plant: What was put in: kind, frames, where it comes from.
    """

    item: str
    part: Part
    clip_id: str
    sha256: str
    doubts: dict[str, str] = field(default_factory=dict)
    plant: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Key:
    """All items of a review.

    Attributes:
        review: Its id, the same for the same question about the same data.
        dataset: Hash of the data set.
        page: Version of the page.
        seed: Of the sample.
        population: Clips from which the sample was drawn.
        shared: Plants that were made of clips which are in the sample too, for want of others.
        items: In the order of the page.
    """

    review: str
    dataset: str
    page: str
    seed: int
    population: int
    shared: int
    items: tuple[Item, ...]

    def named(self) -> Mapping[str, Item]:
        """Items by id."""
        return {item.item: item for item in self.items}

    def count(self, part: Part) -> int:
        """How many items there are of a part."""
        return sum(item.part == part for item in self.items)


def private_folder(dataset: Path) -> Path:
    """The folder of keys, pages and answers, readable by its owner alone; it is made.

    Raises:
        InfrastructureError: It cannot be made.
    """
    folder = dataset / FOLDER
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
    return folder


def write_key(key: Key, dataset: Path) -> Path:
    """Writes a key.

    Raises:
        InfrastructureError: It cannot be written.
    """
    path = private_folder(dataset) / f"{key.review}.json"
    text = json.dumps({"schema": SCHEMA, **canonical(key)}, indent=1, sort_keys=True, allow_nan=False)
    write_atomic(path, (text + "\n").encode(), private=True)
    return path


def read_key(review: str, dataset: Path) -> Key:
    """The key of a review.

    Raises:
        InputError: There is no such review of this data set, or its key is damaged.
    """
    path = dataset / FOLDER / f"{review}.json"
    if not re.fullmatch(r"[0-9a-f]{32}", review) or not path.is_file():
        raise InputError(
            f"{dataset} has no review {review!r:.80}", "name the data set for which m2m audit review wrote the page"
        )
    try:
        values = parse_json(path.read_bytes())
        if values.pop("schema") != SCHEMA:
            raise ValueError("another schema")
        key = typed(Key, values)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{path} is damaged: {error!r}", "m2m audit review again") from error
    return key
