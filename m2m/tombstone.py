"""Word that is left where something was purged, so that whoever looks for it later is told why it is gone."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from m2m.errors import InputError
from m2m.files import write_atomic
from m2m.parsing import parse_json
from m2m.store import MissingError, Store

FILE = "PURGED.json"
"""Name of the word that is left in a folder."""


def tombstone_key(identity: str) -> str:
    """Where word is left of a published data set that was purged."""
    return f"purged/{identity}.json"


def tombstone(identity: str, store: Store) -> dict[str, Any] | None:
    """What is known of a published data set that was purged; None where none was, or `identity` is no hash.

    Raises:
        InputError: The store cannot be used.
    """
    if not re.fullmatch(r"[0-9a-f]{64}", identity):
        return None
    try:
        return parse_json(store.read(tombstone_key(identity)))
    except MissingError:
        return None


def bury(identity: str, store: Store, about: Mapping[str, str]) -> None:
    """Leaves word of a published data set.

    Raises:
        InfrastructureError: It cannot be written.
    """
    store.write(tombstone_key(identity), _encoded(about))


def leave(folder: Path, about: Mapping[str, str]) -> None:
    """Leaves word in a folder.

    Args:
        folder: A data set, or a folder of originals.
        about: `what` was deleted, `when` and for which `dataset`.

    Raises:
        InfrastructureError: It cannot be written.
    """
    write_atomic(folder / FILE, _encoded(about))


def stop_if_purged(folder: Path) -> None:
    """Does nothing where no word was left; called where something is missing, or is about to be made anew.

    Raises:
        InputError: Something was purged from the folder.
    """
    path = folder / FILE
    try:
        about = parse_json(path.read_text(encoding="utf-8"))
        what, when, dataset = about["what"], about["when"], about["dataset"]
    except OSError:
        return
    except (ValueError, TypeError, KeyError):
        what, when, dataset = "something", "some time", "?"
    raise InputError(
        f"{what} of {folder} were purged on {when}, behind the data set {str(dataset)[:12]}: see {FILE} there",
        "nothing can be made from them again; name another folder",
    )


def _encoded(about: Mapping[str, str]) -> bytes:
    return (json.dumps({"schema": 1, **about}, indent=1, sort_keys=True) + "\n").encode()
