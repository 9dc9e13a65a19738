"""The registry of checkpoints, and the folder that holds them."""

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from m2m.errors import InfrastructureError, InputError
from m2m.files import file_sha256, write_atomic

NOTES = "weights.json"
"""What is known of the folder's files: by checkpoint its hash, size, time, and the licence that a person accepted."""


@dataclass(frozen=True)
class Weight:
    """One checkpoint.

    Attributes:
        name: What M2M calls it.
        file: Its name in the folder of weights.
        source: Who publishes it.
        licence: Of the file.
        commercial: Whether the licence permits commercial use.
        used_by: Backends that load it, as stage/backend.
        url: Where it is fetched; empty where a person must.
        how: What that person does.
        sha256: Its hash or the first digits of it, as published; empty where none is.
    """

    name: str
    file: str
    source: str
    licence: str
    commercial: bool
    used_by: tuple[str, ...]
    url: str = ""
    how: str = ""
    sha256: str = ""

    @property
    def path(self) -> Path:
        """Where it lies, or would."""
        return folder() / self.file

    @property
    def advice(self) -> str:
        """How a user gets it."""
        accept = "" if self.accepted else f"m2m weights accept {self.name} && "
        if self.url:
            return f"{accept}m2m weights fetch {self.name}"
        after = "" if self.accepted else f", and then: m2m weights accept {self.name}"
        return f"{self.how}, and put it at {self.path}{after}"

    @property
    def accepted(self) -> bool:
        """Whether its licence needs nobody's consent, or has it."""
        return self.commercial or _notes().get(self.name, {}).get("licence") == self.licence


def folder() -> Path:
    """The folder of weights: M2M_WEIGHTS, or one in the user's cache."""
    given = os.environ.get("M2M_WEIGHTS")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(given).expanduser() if given else cache / "m2m" / "weights"


def _read() -> dict[str, Weight]:
    rows = yaml.safe_load(Path(__file__).with_name("registry.yaml").read_text())
    return {name: Weight(**{**row, "name": name, "used_by": tuple(row["used_by"])}) for name, row in rows.items()}


REGISTRY = _read()


def known(name: str) -> Weight:
    """A checkpoint by its name.

    Raises:
        InputError: There is none of that name.
    """
    if name not in REGISTRY:
        raise InputError(f"there is no checkpoint {name!r}", f"one of: {', '.join(REGISTRY)}")
    return REGISTRY[name]


def find_weight(name: str, given: str = "") -> Path:
    """The file of a checkpoint, verified.

    Args:
        name: A key of `REGISTRY`.
        given: A file of the user's own in its place; empty for the folder of weights.

    Raises:
        InputError: The user's own file is missing, a file is not the one that was published or first taken, or its
            licence was not accepted.
        InfrastructureError: It has not been fetched.
    """
    weight = REGISTRY[name]
    if given:
        own = Path(given).expanduser()
        if not own.is_file():
            raise InputError(f"there is no checkpoint at {own}", f"name a file, or leave it out: {weight.advice}")
        return own
    if not weight.path.is_file():
        raise InfrastructureError(f"the checkpoint {name} is not at {weight.path}", weight.advice)
    if not weight.accepted:
        raise InputError(f"the licence of {name} was not accepted: {weight.licence}", f"m2m weights accept {name}")
    check(weight)
    return weight.path


def check(weight: Weight, thoroughly: bool = False) -> str:
    """Compares a file with what was published, or where nothing is with what was seen first.

    A file of the size and time of the last check is not read again.

    Args:
        weight: Which; the file is there.
        thoroughly: Read it again in any case.

    Returns:
        Its sha256.

    Raises:
        InputError: It is another file.
    """
    stat, seen = weight.path.stat(), _notes().get(weight.name, {})
    as_before = (seen.get("size"), seen.get("mtime_ns")) == (stat.st_size, stat.st_mtime_ns)
    digest = seen["sha256"] if as_before and not thoroughly else file_sha256(weight.path)
    wanted = weight.sha256 or seen.get("sha256", "")
    if not digest.startswith(wanted):
        said = "as published" if weight.sha256 else "as it was when it was first seen"
        raise InputError(
            f"{weight.path} has the sha256 {digest}, and {weight.name} {said} has {wanted}",
            f"remove it, and get it again: {weight.advice}; or, if you changed it: m2m weights accept {weight.name}",
        )
    if not as_before:
        _note(weight, sha256=digest, size=stat.st_size, mtime_ns=stat.st_mtime_ns)
    return digest


def accept(weight: Weight) -> None:
    """Notes that a person accepts a checkpoint's licence, and its file as it is now.

    Raises:
        InfrastructureError: The folder of weights cannot be written.
    """
    when = datetime.now(UTC).isoformat(timespec="seconds")
    _note(weight, licence=weight.licence, accepted=when, sha256=None, size=None, mtime_ns=None)
    if weight.path.is_file():
        check(weight)


def _notes() -> dict[str, dict[str, Any]]:
    try:
        return json.loads((folder() / NOTES).read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InputError(
            f"{folder() / NOTES} cannot be read: {error}", "remove it; licences are accepted anew"
        ) from error


def _note(weight: Weight, **values: Any) -> None:
    notes = _notes()
    merged = {**notes.get(weight.name, {}), **values}
    notes[weight.name] = {key: value for key, value in merged.items() if value is not None}
    try:
        folder().mkdir(parents=True, exist_ok=True)
        write_atomic(folder() / NOTES, json.dumps(notes, indent=1, sort_keys=True).encode())
    except OSError as error:
        if "licence" in values:
            raise InfrastructureError(f"{folder() / NOTES} cannot be written: {error}", "set M2M_WEIGHTS") from error
        # A read-only volume of weights: what was seen is not remembered, and is read again next time.
