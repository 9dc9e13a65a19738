"""Files that are there whole or not at all: temporary names, atomic puts, hashes, what a full disk says."""

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from m2m.errors import InfrastructureError

TEMPORARY = ".*.m2m-part"
"""Glob of the temporary files of this package; whatever matches it is left over from a run that was killed."""

DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS})
"""Errors of the disk and not of the file: the next file would meet them too."""


def temporary(path: Path) -> Path:
    """The temporary name of a file: in the same folder, so that renaming is atomic; at most 255 bytes."""
    return path.with_name(f".{path.name[:200]}.{os.getpid()}.m2m-part")


def commit(part: Path, path: Path) -> None:
    """Puts a finished temporary file in its place; after this returns it survives a loss of power.

    Raises:
        OSError: The disk refused.
    """
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def discard(part: Path) -> None:
    """Removes a temporary file if it is there. One that a broken disk keeps is removed by the next run's `clean`."""
    with suppress(OSError):
        part.unlink()


def write_atomic(path: Path, data: bytes, *, private: bool = False) -> None:
    """Writes a file whole or not at all, making its folder.

    Args:
        path: The file.
        data: Its bytes.
        private: Whether only its owner may read it.

    Raises:
        InfrastructureError: It cannot be written.
    """
    part = temporary(path)
    with disk_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            mode = 0o600 if private else 0o666
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
                file.write(data)
            commit(part, path)
        finally:
            discard(part)


def clean(root: Path) -> int:
    """Removes what killed runs left under a folder; only safe while nobody else writes there.

    Returns:
        How many files were removed.
    """
    stale = [p for p in root.rglob(TEMPORARY) if p.is_file() and not p.is_symlink()]
    for path in stale:
        discard(path)
    return len(stale)


def file_sha256(path: Path) -> str:
    """Hash of a file's bytes, 64 hexadecimal digits; the file is read in blocks.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def disk_error(error: OSError, folder: Path) -> InfrastructureError:
    """An error of writing, with the folder and the space left on it."""
    at = folder
    while not at.is_dir() and at != at.parent:
        at = at.parent
    free = shutil.disk_usage(at).free / 2**20
    why = error.strerror or str(error)
    advice = "free some space or choose another folder" if free < 64 else "check the folder"
    return InfrastructureError(f"cannot write in {folder}: {why} ({free:.1f} MiB free)", f"{advice}, then run again")


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turns any OSError of a block that writes in `folder` into an InfrastructureError."""
    try:
        yield
    except OSError as error:
        raise disk_error(error, folder) from error


class Transaction:
    """Several files that appear together at the end of a block, or none of them.

    Inside the block they are written under the names that `part` gives. Killed halfway through the end, it may leave
    some of them in place: whoever needs to know writes a record after it. When a disk fails there, those in place go.
    """

    def __init__(self) -> None:
        self._parts: dict[Path, Path] = {}

    def part(self, path: Path) -> Path:
        """The name under which to write a file until the end of the block; its folder is made.

        Raises:
            InfrastructureError: The folder cannot be made.
        """
        with disk_errors(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
        return self._parts.setdefault(path, temporary(path))

    def __enter__(self) -> "Transaction":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        placed: list[Path] = []
        try:
            if kind is None:
                for path, part in self._parts.items():
                    with disk_errors(path.parent):
                        commit(part, path)
                    placed.append(path)
        except BaseException:
            for path, part in self._parts.items():
                if path in placed or not part.exists():  # what was there before and was not reached stays
                    discard(path)
            raise
        finally:
            for part in self._parts.values():
                discard(part)
