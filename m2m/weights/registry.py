"""The registry of checkpoints, and the folder that holds them."""

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from m2m.errors import InfrastructureError, InputError
from m2m.files import file_sha256


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
        size: Bytes, as published; 0 where that is not.
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
    size: int = 0

    @property
    def path(self) -> Path:
        """Where it lies, or would."""
        return folder() / self.file

    @property
    def advice(self) -> str:
        """How a user gets it."""
        return f"m2m weights fetch {self.name}" if self.url else f"{self.how}, and put it at {self.path}"


def folder() -> Path:
    """The folder of weights: M2M_WEIGHTS, or one in the user's cache."""
    given = os.environ.get("M2M_WEIGHTS")
    cache_home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(given).expanduser() if given else cache_home / "m2m" / "weights"


def _read() -> dict[str, Weight]:
    rows = yaml.safe_load(Path(__file__).with_name("registry.yaml").read_text())
    return {name: Weight(name=name, **{**row, "used_by": tuple(row["used_by"])}) for name, row in rows.items()}


REGISTRY = _read()


def find_weight(name: str, given: str = "") -> Path:
    """The file of a checkpoint, verified.

    Args:
        name: A key of `REGISTRY`.
        given: A file of the user's own in its place; empty for the folder of weights.

    Raises:
        InputError: The user's own file is missing, or a file is not the one that was published.
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
    verify(weight)
    return weight.path


def verify(weight: Weight) -> None:
    """Compares a file with what was published, or with what was taken first.

    Raises:
        InputError: It is another file.
    """
    wanted = weight.sha256
    found = _digest(weight.path, weight.path.stat().st_mtime_ns)
    if not found.startswith(wanted):
        raise InputError(
            f"{weight.path} has the sha256 {found}, and {weight.name} as published begins with {wanted}",
            f"remove it, and get it again: {weight.advice}",
        )


@cache
def _digest(path: Path, _: int) -> str:
    return file_sha256(path)
