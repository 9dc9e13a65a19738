"""Records: what became of each item of a run, kept so that a second run knows.

They lie in the folder of the results, beside the outputs, and in a work store if there is one, with the outputs as
blobs: there a run on another machine finds them.
"""

import json
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from m2m.files import file_sha256, write_atomic
from m2m.fingerprints import fingerprint
from m2m.parsing import parse_json, typed
from m2m.store import DamagedError, MissingError, Store, blob_key, get_blob, put_blob

LOOKS = 32
"""Small requests to a work store at a time."""

CALLS = 8
"""Files on their way to or from a work store at a time: each may be in several parts."""


@dataclass(frozen=True)
class Item:
    """One thing to do.

    Attributes:
        name: Its name, unique in the run and safe as a file name.
        fingerprint: Hash of everything the result depends on: input, parameters, code version.
        payload: What the task gets; must be picklable.
        limit: Seconds it may take; a worker that needs more is killed, and the item quarantined. None: as long as it
            takes.
    """

    name: str
    fingerprint: str
    payload: Any
    limit: float | None = None

    @property
    def key(self) -> str:
        """Name of its record. Two clips with the same bytes are two items: their outputs have different names."""
        return fingerprint(self.name, self.fingerprint)


@dataclass(frozen=True)
class Record:
    """What became of one item.

    Attributes:
        name: The item's name.
        fingerprint: The item's fingerprint.
        status: `ok` or `quarantined`.
        reason: Why it was quarantined, in a word; `error` is tried again by the next run.
        what: The same in a sentence.
        evidence: Figures behind the reason.
        outputs: sha256 by path, relative to the folder of the results.
        result: What the task returned.
    """

    name: str
    fingerprint: str
    status: str
    reason: str = ""
    what: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    result: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Name of its file."""
        return fingerprint(self.name, self.fingerprint)


def save(record: Record, folder: Path) -> None:
    """Writes a record, whole or not at all.

    Raises:
        InfrastructureError: It cannot be written.
    """
    write_atomic(_path(folder, record.key), _encoded(record))


def load(folder: Path) -> list[Record]:
    """All records of a folder. What is not a whole record is left out, and so its item is done again."""
    records = []
    for path in sorted(_path(folder, "").parent.glob("*.json")):
        with suppress(OSError):
            record = _decoded(path.read_bytes(), path.stem)
            if record is not None:
                records.append(record)
    return records


def keep(items: Sequence[Item], out: Path, folder: Path, resume: bool) -> dict[str, Record]:
    """The records that still hold, by name.

    Other records of the same items are removed with their outputs: what was made with other parameters, or is damaged,
    does not stay among the results.

    Args:
        items: What is to be done.
        out: Folder of the results.
        folder: Folder of the records.
        resume: Whether any record may hold.
    """
    current, names = {i.key for i in items}, {i.name for i in items}
    kept: dict[str, Record] = {}
    stale = []
    for record in load(folder):
        if resume and record.key in current and record.reason != "error" and _outputs_whole(record, out):
            kept[record.name] = record
        elif record.name in names:
            stale.append(record)
    wanted = {path for record in kept.values() for path in record.outputs}
    for record in stale:
        for path in record.outputs.keys() - wanted:
            (out / path).unlink(missing_ok=True)
        _path(folder, record.key).unlink(missing_ok=True)
    return kept


def share(record: Record, store: Store) -> None:
    """Writes a record to a work store; its outputs must be there already. One that would be tried again is left out.

    Raises:
        InputError: The store cannot be used.
        InfrastructureError: It cannot be written.
    """
    if record.reason != "error":
        store.write(_key(record.key), _encoded(record))


def join(
    items: Sequence[Item], kept: dict[str, Record], out: Path, folder: Path, store: Store, materialise: bool
) -> dict[str, Record]:
    """The records that hold here or in a work store, by name; what only holds here is copied there.

    Args:
        items: What is to be done.
        kept: The records that hold here, from `keep`.
        out: Folder of the results.
        folder: Folder of the records.
        store: The work store. A record there holds if its outputs are there, and whole where they are fetched.
        materialise: Fetch the outputs and write the records beside them.

    Raises:
        InputError: The store cannot be used.
        InfrastructureError: It cannot be reached, or the disk is full.
    """

    def look(item: Item) -> Record | None:
        """The record, if the store has it and its outputs."""
        record = kept.get(item.name)
        if record is not None:
            return record if _there(record, store, _key(record.key)) else None
        try:
            record = _decoded(store.read(_key(item.key)), item.key)
        except MissingError:
            return None
        return record if record is not None and _there(record, store) else None

    def bring(item: Item, there: Record | None) -> Record | None:
        """The record, if it holds here and there."""
        if item.name in kept:
            if there is None:
                _back_up(kept[item.name], out, store)
            return kept[item.name]
        if there is not None and materialise:
            try:
                for path, digest in there.outputs.items():
                    get_blob(store, digest, out / path)
            except (MissingError, DamagedError):
                return None
            save(there, folder)
        return there

    with ThreadPoolExecutor(LOOKS) as pool:
        found = list(pool.map(look, items))
    with ThreadPoolExecutor(CALLS) as pool:
        return {record.name: record for record in pool.map(bring, items, found) if record is not None}


def _there(record: Record, store: Store, *keys: str) -> bool:
    return all(map(store.exists, (*keys, *map(blob_key, record.outputs.values()))))


def _back_up(record: Record, out: Path, store: Store) -> None:
    for path in record.outputs:
        put_blob(store, out / path)
    share(record, store)


def _encoded(record: Record) -> bytes:
    return (json.dumps(asdict(record), indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def _decoded(data: bytes, key: str) -> Record | None:
    """The record in a file of a name, or None if it is not whole or another one."""
    try:
        record = parse(parse_json(data))
        return record if record.key == key else None
    except (ValueError, TypeError, AttributeError):
        return None


def parse(values: dict[str, Any]) -> Record:
    """A record from JSON.

    Raises:
        TypeError: A field is missing or unknown.
        ValueError: An output leads out of the folder, or has no hash.
    """
    record = typed(Record, values)
    for path, digest in record.outputs.items():
        at = PurePosixPath(path)
        if not path or at.is_absolute() or ".." in at.parts or not re.fullmatch(r"[0-9a-f]{64}", str(digest)):
            raise ValueError(f"the record of {record.name} has the output {path!r} with the hash {digest!r}")
    return record


def _key(key: str) -> str:
    return f"records/{key}.json"


def _path(folder: Path, key: str) -> Path:
    return folder / "records" / f"{key}.json"


def _outputs_whole(record: Record, out: Path) -> bool:
    try:
        return all(file_sha256(out / path) == digest for path, digest in record.outputs.items())
    except OSError:
        return False
