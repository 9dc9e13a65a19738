"""The spool: what a run tells the tracker, written to disk first, so that an outage of the tracker loses nothing.

A spool is a file of JSON lines that only grows. Beside it lie `.state` (how much of it the tracker has), `.files`
(copies of artifacts until they are sent), `.refused` (what the tracker will never take, with its reason) and `.log`.
"""

import fcntl
import json
import os
import re
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from m2m.errors import InputError
from m2m.files import discard, temporary

SUFFIX = ".jsonl"

Event = dict[str, Any]
"""A JSON mapping; `event` is `open` (first in each spool), `params`, `tags`, `metrics`, `dataset`, `artifact` or
`close`."""


@dataclass(frozen=True)
class State:
    """How far the tracker is with a spool.

    Attributes:
        offset: Bytes of the spool that it has.
        run_id: Its id of the run, or empty as long as it has none.
        resumed: Whether the run was there before the spool.
        refused: How many entries it will never take.
        error: Why the last attempt failed, or empty.
    """

    offset: int = 0
    run_id: str = ""
    resumed: bool = False
    refused: int = 0
    error: str = ""


class Spool:
    """The writing end. A full disk costs entries and a line on stderr, never the run.

    Args:
        folder: Where spools lie; it is made.
        name: Start of the file's name, safe as one.

    Raises:
        InputError: The folder cannot be written.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f"{name}-{secrets.token_hex(4)}{SUFFIX}"
        self.lost = 0
        self._kept = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        except OSError as error:
            raise InputError(f"cannot write in {folder}: {error.strerror}", "choose another folder") from error
        # Held by the open file, so by the sender that inherits it too, until both are gone.
        fcntl.flock(self.handle, fcntl.LOCK_EX)

    def add(self, event: str, **values: Any) -> None:
        """Appends an entry."""
        line = (json.dumps({"event": event, **values}) + "\n").encode()
        start = os.fstat(self.handle).st_size
        try:
            written = os.write(self.handle, line)
            if written < len(line):
                os.ftruncate(self.handle, start)
                raise OSError(0, "the disk is full")
        except OSError as error:
            self._lose(error)

    def keep(self, file: Path) -> str:
        """Keeps a file until it is sent; a hard link where the disk can, so big ones cost nothing.

        Args:
            file: A file that is not changed in place later on. One that is replaced by renaming is kept as it was.

        Returns:
            Its path below `.files`, or nothing if the disk did not take it.

        Raises:
            InputError: There is no such file.
        """
        if not file.is_file():
            raise InputError(f"{file} is not a file", "an artifact is a file that was written before")
        name = f"{self._kept}/{file.name}"
        self._kept += 1
        target = files(self.path) / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                target.hardlink_to(file.resolve())
            except OSError:  # another file system, or one without hard links
                shutil.copyfile(file, target)
        except OSError as error:
            self._lose(error)
            return ""
        return name

    def close(self) -> None:
        """Closes the file; the lock goes with the last process that has it open."""
        os.close(self.handle)

    def _lose(self, error: OSError) -> None:
        self.lost += 1
        if self.lost == 1:
            print(f"m2m: cannot write {self.path}: {error.strerror}; the tracker will miss entries", file=sys.stderr)


def files(spool: Path) -> Path:
    """Folder of the artifacts that a spool keeps."""
    return spool.with_suffix(".files")


def kept(spool: Path, name: str) -> Path:
    """An artifact that a spool keeps. Spools also come from the work store, and what is sent is deleted afterwards.

    Raises:
        ValueError: The name leads out of the folder.
    """
    if not re.fullmatch(r"\d+/[^/\0]+", str(name)) or name.endswith("/.."):
        raise ValueError(f"{name!r} is no artifact of {spool.name}")
    return files(spool) / name


def log(spool: Path) -> Path:
    """What the sender of a spool had to say."""
    return spool.with_suffix(".log")


def pending(folder: Path) -> list[Path]:
    """The spools in a folder, sorted by name. One that has arrived is no longer there."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def read(spool: Path, offset: int = 0) -> Iterator[tuple[Event, int]]:
    """Entries from an offset on, each with the offset of its end; a line that is not finished is left out.

    Raises:
        OSError: The file cannot be read.
        ValueError: A line is not JSON.
    """
    with spool.open("rb") as file:
        file.seek(offset)
        for line in file:
            if not line.endswith(b"\n"):
                return
            offset += len(line)
            yield json.loads(line), offset


def read_state(spool: Path) -> State:
    """The state of a spool; if there is none, or half of one, that of a new one: sending twice does no harm."""
    with suppress(OSError, ValueError, TypeError):
        return State(**json.loads(spool.with_suffix(".state").read_bytes()))
    return State()


def write_state(spool: Path, state: State) -> None:
    """Replaces the state of a spool.

    Raises:
        OSError: It cannot be written.
    """
    path = spool.with_suffix(".state")
    part = temporary(path)
    try:
        part.write_text(json.dumps(asdict(state)))
        part.replace(path)  # not synced: an older state only sends something twice
    finally:
        discard(part)


def refuse(spool: Path, event: Event, why: str) -> None:
    """Puts an entry aside that the tracker will never take."""
    with spool.with_suffix(".refused").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"why": why, "entry": event}) + "\n")


def remove(spool: Path) -> None:
    """Removes a spool that has arrived. What was refused stays, for somebody to look at."""
    shutil.rmtree(files(spool), ignore_errors=True)
    for path in (spool, spool.with_suffix(".state"), log(spool)):
        path.unlink(missing_ok=True)


@contextmanager
def claimed(spool: Path) -> Iterator[bool]:
    """Whether this process may send a spool: neither its run nor another sender is at it."""
    try:
        handle = os.open(spool, os.O_RDONLY)
    except FileNotFoundError:
        yield False
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield spool.exists()  # another may have sent and removed it before the lock was ours
    finally:
        os.close(handle)
