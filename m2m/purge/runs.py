"""What pipelines leave of their runs: artifacts and logs, in a folder of this machine or under a prefix on S3.

Manifests between tasks, pages and logs name clips after their sources. A run's folder goes as a whole; a backend's
cache may have handed a later run the artifacts of an earlier one, so runs are told by what lies in them.
"""

import hashlib
import io
import re
from collections.abc import Iterable
from pathlib import Path
from typing import cast

import pyarrow as pa
import pyarrow.parquet as pq

from m2m.errors import InputError
from m2m.files import file_sha256
from m2m.purge.history import History
from m2m.purge.proof import Folder, Left, Outside, Place, Thing, each
from m2m.store import Store

LARGEST = 256 << 20
"""Bytes of what is looked into: manifests and logs are smaller, and what travels between tasks holds no videos."""

RUN_ID = re.compile(r"(?:.*/)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/")
PROOF = (b'"things":', b'"remains":', b'"unfinished":')
"""What a proof of deletion has in it: it names what is gone, and is kept."""

HASH = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


def place_at(address: str) -> Place:
    """A folder, or a prefix on S3, with whatever lies there.

    Raises:
        InputError: There is no such folder, or it is no address.
    """
    if address.startswith("s3://"):
        from m2m.s3 import AnyKeys  # only what needs S3 needs boto3

        return AnyKeys(address)
    if not Path(address).is_dir():
        raise InputError(f"{address} is not a folder", "name a folder, or s3://bucket/prefix")
    return Folder(Path(address))


def elsewhere(
    also: Iterable[str], runs: Iterable[str], marks: set[str], stores: Iterable[Store | Place], remains: list[Left]
) -> list[Outside]:
    """What goes outside of the stores, by place.

    Args:
        also: Places that go as a whole.
        runs: Places in which each run has a folder; those go that know of the marks.
        marks: Hashes of originals and of what was made of them.
        stores: What these places must be apart from.
        remains: What stays there is added here.

    Raises:
        InputError: A place is not there, or overlaps with a store.
    """
    found: list[Outside] = []
    stores = list(stores)
    for address in also:
        keep_apart(address, stores)
        place = place_at(address)
        found.append((place, (whole(place, remains, kind="of a run"),)))
    for address in runs:
        keep_apart(address, stores)
        place = place_at(address)
        keys = runs_of(place, marks)
        found.append((place, (whole(place, remains, keys, "of a run"),)))
        others = len({_run(key) for key in place.keys("") if "/" in key} - {_run(key) for key in keys if "/" in key})
        if others:
            remains.append(Left(place.uri, "*", f"{others} run(s) in which nothing of these clips was found"))
    return found


def keep_apart(address: str, others: Iterable[Store | Place]) -> None:
    """Refuses a place that holds a store, or lies in one: there a purge takes single things.

    Raises:
        InputError: They overlap.
    """
    mine = place_at(address).uri + "/"
    for other in others:
        theirs = other.uri + "/"
        if mine.startswith(theirs) or theirs.startswith(mine):
            raise InputError(f"{address} and {other.uri} lie in one another", "name the folder of the run alone")


def whole(place: Place, remains: list[Left], keys: Iterable[str] | None = None, kind: str = "also") -> list[Thing]:
    """All things of a place, or some, with their older versions.

    Args:
        place: The place.
        remains: What is out of reach is added here.
        keys: Which; None: all.
        kind: What they are.
    """
    chosen = list(place.keys("") if keys is None else keys)
    things = each(lambda key: _thing(place, key, kind), chosen)
    history = History(cast(Store, place), remains)
    hidden = [] if keys is not None else history.hidden(("",))
    found = [*history.of(things), *hidden]
    remains += history.rest(found)
    return found


def runs_of(place: Place, marks: set[str]) -> list[str]:
    """Keys of the runs that know of some things.

    A run is what lies in one folder of the place, or in a folder that is named as backends name runs. A log that lies
    beside them goes with the run that it names.

    Args:
        place: Where each run has a folder.
        marks: Hashes of the things.
    """
    keys = list(place.keys(""))
    runs: dict[str, list[str]] = {}
    for key in keys:
        if "/" in key:
            runs.setdefault(_run(key), []).append(key)
    found = [run for run, inside in runs.items() if any(each(lambda key: _knows(place, key, marks), inside))]
    names = [run.rstrip("/").encode() for run in found]
    beside = [key for key in keys if "/" not in key and _knows(place, key, marks, names)]
    return [key for run in found for key in runs[run]] + beside


def _run(key: str) -> str:
    found = RUN_ID.match(key)
    return found[0] if found else key.split("/")[0] + "/"


def _knows(place: Place, key: str, marks: set[str], names: Iterable[bytes] = ()) -> bool:
    if place.size(key) > LARGEST:
        return False
    data = place.read(key)
    if data[:4] == b"PAR1":
        try:
            table = pq.read_table(io.BytesIO(data), columns=["sha256"], use_threads=False)
        except (pa.ArrowException, ValueError, OSError):
            return False  # not a manifest
        return not marks.isdisjoint(table.column("sha256").to_pylist())
    if all(word in data for word in PROOF):
        return False
    return any(name in data for name in names) or any(found.decode() in marks for found in HASH.findall(data))


def _thing(place: Place, key: str, kind: str) -> Thing:
    file = place.root / key if isinstance(place, Folder) else None
    digest = hashlib.sha256(place.read(key)).hexdigest() if file is None else file_sha256(file)
    return Thing(place.uri, key, kind, digest, place.size(key))
