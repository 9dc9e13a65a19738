"""Arrays of an npz that others may have written: no code in it runs, and no small file fills the memory."""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

MOST_BYTES = 1 << 30
"""Of all arrays of a file: the bodies of a clip of an hour with ten people are half of it."""


def read_arrays(file: Path | BinaryIO, names: Sequence[str], most: int = MOST_BYTES) -> list[np.ndarray]:
    """Some arrays of an npz, in order.

    Args:
        file: The npz.
        names: Their names.
        most: Bytes to which the file may unpack.

    Raises:
        OSError: It cannot be read.
        zipfile.BadZipFile: It is none, or damaged.
        KeyError: An array is missing.
        ValueError: It would unpack to more, or an array is none of plain numbers.
    """
    with zipfile.ZipFile(file) as archive:
        entries = [archive.getinfo(f"{name}.npy") for name in names]
        size = sum(entry.file_size for entry in entries)
        if size > most:
            raise ValueError(f"it would unpack to {size / 2**20:.0f} MiB, {most / 2**20:.0f} MiB are allowed")
        return [_array(archive, entry) for entry in entries]


def _array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray:
    try:
        # No more than the announced size is unpacked; what the header in it promises beyond that is not there.
        return np.asarray(np.lib.format.read_array(io.BytesIO(archive.read(entry)), allow_pickle=False))
    except (MemoryError, OverflowError, NotImplementedError, RuntimeError) as error:  # a shape, or a way of packing
        raise ValueError(f"{entry.filename} cannot be read: {error}") from error
