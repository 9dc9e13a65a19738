"""Spools in the work store: what did not reach the tracker before a pod was lost is sent by the next one."""

import json
from pathlib import Path

from m2m import spool
from m2m.errors import InputError
from m2m.files import file_sha256, write_atomic
from m2m.parsing import parse_json
from m2m.store import Store, checked

PREFIX = "tracking/"
INDEX = "spool.json"


def save(store: Store, path: Path) -> None:
    """Puts a spool, its state and its artifacts into a store.

    Raises:
        M2MError: The store does not take it.
    """
    prefix = f"{PREFIX}{path.stem}/"
    kept = {f: file_sha256(f) for f in sorted(spool.files(path).rglob("*")) if f.is_file()}
    for file, sha256 in kept.items():
        if not store.exists(prefix + sha256):
            store.put(file, prefix + sha256)
    entries, state = path.read_bytes(), path.with_suffix(".state")
    index = {
        "entries": entries[: entries.rfind(b"\n") + 1].decode(),
        "state": state.read_text() if state.exists() else "",
        "files": {f.relative_to(spool.files(path)).as_posix(): sha256 for f, sha256 in kept.items()},
    }
    store.write(prefix + INDEX, json.dumps(index).encode())


def fetch(store: Store, folder: Path) -> list[Path]:
    """Brings the spools of a store that are not in a folder there.

    Raises:
        M2MError: The store does not answer, or has other bytes than it should.
    """
    found = []
    for key in list(store.keys(PREFIX)):
        if not key.endswith(f"/{INDEX}"):
            continue
        path = folder / f"{checked(key).split('/')[1]}{spool.SUFFIX}"
        if path.exists():
            continue
        try:
            index = parse_json(store.read(key))
            files = {spool.kept(path, name): str(sha256) for name, sha256 in index["files"].items()}
            entries, state = index["entries"].encode(), index["state"].encode()
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{store.uri}/{key} is no spool: {error}", "look who wrote it, and delete it") from error
        for file, sha256 in files.items():
            store.get(key.removesuffix(INDEX) + sha256, file, sha256)
        if state:
            write_atomic(path.with_suffix(".state"), state)
        write_atomic(path, entries)
        found.append(path)
    return found


def drop(store: Store, path: Path) -> None:
    """Removes a spool that has arrived from a store.

    Raises:
        M2MError: The store does not answer.
    """
    prefix = f"{PREFIX}{path.stem}/"
    for key in (prefix + INDEX, *store.keys(prefix)):  # the index first: it names the rest
        store.delete(key)
