"""A data set to read, wherever it is: a folder, a packed folder, a manifest, or the hash of a published one."""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from m2m import shards
from m2m.errors import InputError
from m2m.published import fetch_published
from m2m.store import data_store

HASH = re.compile(r"[0-9a-f]{64}")


@contextmanager
def manifest(dataset: str | Path) -> Iterator[Path]:
    """The manifest folder of a data set; one that had to be fetched is gone after the block.

    Args:
        dataset: A folder with a manifest, or the hash of a published data set.

    Raises:
        InputError: There is no such data set.
        InfrastructureError: The store cannot be reached.
    """
    if not HASH.fullmatch(str(dataset)):
        if not Path(dataset).is_dir():
            raise InputError(f"{dataset} is not a data set", "name its folder, or the hash of a published one")
        yield Path(dataset)
        return
    with tempfile.TemporaryDirectory(prefix="m2m-") as scratch:
        yield fetch_published(str(dataset), data_store(), Path(scratch) / "manifest")


@contextmanager
def checkout(dataset: str | Path) -> Iterator[Path]:
    """The working folder of a data set, its videos in it and verified; fetched ones are gone after the block.

    Args:
        dataset: A working folder (as it is), a packed folder, a manifest folder (from the data store), or the hash of a
            published data set.

    Raises:
        InputError: There is no such data set, or its bytes are not what its manifest says.
        InfrastructureError: The store cannot be reached, or the disk is full.
    """
    with manifest(dataset) as folder, tempfile.TemporaryDirectory(prefix="m2m-") as scratch:
        if not (folder / shards.FILE).is_file():
            yield folder
            return
        out = Path(scratch) / "dataset"
        if (folder / "shards").is_dir():
            shards.unpack(folder, out)
        else:
            shards.fetch(folder, data_store(), out)
        yield out
