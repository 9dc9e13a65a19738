"""Putting videos into a data set's folder without doubling them where that can be helped."""

import os
import shutil
from pathlib import Path

from m2m.clips import Clip
from m2m.errors import InputError


def place(source: Path, target: Path) -> None:
    """Puts a file under another name: as a hard link where the file system allows it, else as a copy.

    Both names are then one file: whoever changes the source in place changes the data set, and is found out by the
    hash in the manifest. Programs that write a new file and rename it change nothing here.

    Args:
        source: The file; a symbolic link is followed.
        target: A new name, or one that may be replaced.

    Raises:
        OSError: The file is gone, or the disk refused.
    """
    target.unlink(missing_ok=True)
    real = source.resolve(strict=True)
    try:
        os.link(real, target)
    except OSError:  # another file system, one without links, or a file of somebody else
        shutil.copyfile(real, target)


def video_path(clip: Clip, suffix: str) -> str:
    """Where a clip lies in a data set's folder, relative to it."""
    return f"videos/{clip.clip_id}{suffix.lower()}"


def sweep(folder: Path, wanted: set[str]) -> None:
    """Removes videos that no row of the manifest names.

    Args:
        folder: The data set.
        wanted: Paths relative to it.
    """
    for path in (folder / "videos").glob("*"):
        if path.relative_to(folder).as_posix() not in wanted:
            path.unlink()


def keep_apart(source: Path, out: Path, what: str) -> None:
    """Checks that a folder of results is not what it is made from, nor inside it, nor around it.

    Args:
        source: What is read.
        out: What is written.
        what: What `source` is, for the message.

    Raises:
        InputError: They overlap.
    """
    inside, root = out.resolve(), source.resolve()
    if inside.is_relative_to(root) or root.is_relative_to(inside):
        raise InputError(f"{out} and {what} {source} overlap", "name a folder apart from it for the result")
