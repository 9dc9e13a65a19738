"""Pieces: what one attacker found in one test, written when it is done, so that a run that was stopped goes on."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from m2m.files import write_atomic
from m2m.fingerprints import fingerprint

CODE_VERSION = "attack/1"
Arrays = dict[str, np.ndarray]


class Pieces:
    """A folder of them.

    Args:
        folder: Where.
        say: Tells what is done.

    Attributes:
        made: How many were made.
        found: How many an earlier run had made.
    """

    def __init__(self, folder: Path, say: Callable[[str], None] = lambda _: None) -> None:
        self._folder, self._say = folder, say
        self.made = self.found = 0

    def get(self, name: str, parts: Any, make: Callable[[], Arrays]) -> Arrays:
        """A piece; made if it is not there, or is of something else.

        Args:
            name: What it is, safe as a file name.
            parts: Everything it depends on, for `fingerprint`.
            make: Makes it.

        Raises:
            InfrastructureError: It cannot be written.
        """
        path = self._folder / f"{name}.{fingerprint(CODE_VERSION, parts)[:16]}.npz"
        if path.is_file():
            try:
                with np.load(path, allow_pickle=False) as data:
                    self.found += 1
                    return dict(data)
            except (OSError, ValueError, zipfile.BadZipFile):
                self.found -= 1  # a damaged one is made anew
        self._say(name)
        arrays = make()
        file = io.BytesIO()
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
        write_atomic(path, file.getvalue())
        self.made += 1
        return arrays
