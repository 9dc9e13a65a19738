"""Records: what became of each item of a run, kept on disk so that a second run knows."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from m2m.files import file_sha256, write_atomic
from m2m.fingerprints import fingerprint


@dataclass(frozen=True)
class Item:
    """One thing to do.

    Attributes:
        name: Its name, unique in the run and safe as a file name.
        fingerprint: Hash of everything the result depends on: input, parameters, code version.
        payload: What the task gets; must be picklable.
    """

    name: str
    fingerprint: str
    payload: Any

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


def save(record: Record, store: Path) -> None:
    """Writes a record, whole or not at all.

    Raises:
        InfrastructureError: It cannot be written.
    """
    text = json.dumps(asdict(record), indent=1, sort_keys=True, allow_nan=False)
    write_atomic(_path(store, record.key), (text + "\n").encode())


def load(store: Path) -> list[Record]:
    """All records of a store. What is not a whole record is left out, and so its item is done again."""
    records = []
    for path in sorted(_path(store, "").parent.glob("*.json")):
        with suppress(OSError, ValueError, TypeError):
            record = Record(**json.loads(path.read_bytes()))
            if path.stem == record.key:
                records.append(record)
    return records


def keep(items: Sequence[Item], out: Path, store: Path, resume: bool) -> dict[str, Record]:
    """The records that still hold, by name.

    Other records of the same items are removed with their outputs: what was made with other parameters, or is damaged,
    does not stay among the results.

    Args:
        items: What is to be done.
        out: Folder of the results.
        store: Folder of the records.
        resume: Whether any record may hold.
    """
    current, names = {i.key for i in items}, {i.name for i in items}
    kept: dict[str, Record] = {}
    stale = []
    for record in load(store):
        if resume and record.key in current and record.reason != "error" and _outputs_whole(record, out):
            kept[record.name] = record
        elif record.name in names:
            stale.append(record)
    wanted = {path for record in kept.values() for path in record.outputs}
    for record in stale:
        for path in record.outputs.keys() - wanted:
            (out / path).unlink(missing_ok=True)
        _path(store, record.key).unlink(missing_ok=True)
    return kept


def _path(store: Path, key: str) -> Path:
    return store / "records" / f"{key}.json"


def _outputs_whole(record: Record, out: Path) -> bool:
    try:
        return all(file_sha256(out / path) == digest for path, digest in record.outputs.items())
    except OSError:
        return False
