"""Results: what one stage made of one shard, as it travels between tasks. The outputs stay in the work store."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from m2m.errors import InputError
from m2m.files import write_atomic
from m2m.parsing import parse_json
from m2m.records import Record, parse
from m2m.store import Store, get_blob

FILE = "records.json"
SCHEMA = 1


@dataclass(frozen=True)
class Results:
    """What a stage made of a shard.

    Attributes:
        stage: The stage's name, as `detect`.
        shard: The shard's number.
        records: One a clip, sorted by name.
        licences: Licences of whatever made the outputs, sorted.
    """

    stage: str
    shard: int
    records: tuple[Record, ...]
    licences: tuple[str, ...] = ()


def write_results(
    folder: Path, stage: str, shard: int, records: Sequence[Record], licences: Sequence[str] = ()
) -> Results:
    """Writes results, whole or not at all; the same records in any order give the same bytes.

    Args:
        folder: Where; made if it is not there.
        stage: The stage's name.
        shard: The shard's number.
        records: One a clip.
        licences: Licences of whatever made the outputs.

    Raises:
        ValueError: A name is there twice.
        InfrastructureError: They cannot be written.
    """
    ordered = tuple(sorted(records, key=lambda r: r.name))
    if len({r.name for r in ordered}) != len(ordered):
        raise ValueError("names of records must be unique")
    results = Results(stage, shard, ordered, tuple(sorted(set(licences))))
    text = json.dumps({"schema": SCHEMA, **asdict(results)}, indent=1, sort_keys=True, allow_nan=False)
    write_atomic(folder / FILE, (text + "\n").encode())
    return results


def read_results(folder: Path, stage: str) -> Results:
    """The results of a stage.

    Raises:
        InputError: They are missing or damaged, or another stage's or another version's.
    """
    path = folder / FILE
    try:
        values = parse_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"{folder} holds no results: cannot read {FILE}: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{path} is damaged: {error}", "run its stage again") from error
    try:
        if values["schema"] != SCHEMA:
            raise InputError(f"{path} has schema {values['schema']}, not {SCHEMA}", "run its stage again")
        if values["stage"] != stage:
            raise InputError(f"{path} holds results of {values['stage']}, not of {stage}", "check the wiring")
        records = tuple(parse(record) for record in values["records"])
        if type(values["shard"]) is not int:
            raise TypeError(f"the shard is {values['shard']!r:.80}")
        results = Results(stage, values["shard"], records, tuple(map(str, values["licences"])))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path} is damaged: {error}", "run its stage again") from error
    return results


def fetch_outputs(record: Record, store: Store, folder: Path) -> None:
    """Writes the outputs of a record to a folder, from the work store, verified.

    Raises:
        MissingError: One is not in the store.
        DamagedError: One has other bytes.
    """
    for path, digest in record.outputs.items():
        get_blob(store, digest, folder / path)
