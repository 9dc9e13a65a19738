"""Published data sets: manifest folders in a data store, named by the hash of their data."""

import json
import re
from pathlib import Path

from m2m.errors import InputError
from m2m.files import file_sha256
from m2m.parsing import parse_json
from m2m.shards import new_folder, read_folder
from m2m.store import MissingError, Store
from m2m.tombstone import tombstone

INDEX = "index.json"


def publish(folder: Path, store: Store) -> str:
    """Puts a manifest folder into a data store, with whatever other files lie in it, as the audit.

    A reader sees all of it or nothing, also where the data set was published before with another card.

    Args:
        folder: A manifest folder whose shards are in the store.
        store: The data store.

    Returns:
        The data set's hash, 64 hexadecimal digits.

    Raises:
        InputError: It is not a manifest folder, its parts do not belong together, or a shard is not in the store.
        InfrastructureError: The store cannot be reached.
    """
    _, card, shards = read_folder(folder)
    identity = card.hash
    for shard in shards.values():
        if not store.exists(shard.key):
            raise InputError(f"shard {shard.index} of {folder} is not in {store.uri}", "push the data set first")
    files = {p.name: p for p in sorted(folder.iterdir()) if p.is_file() and not p.name.startswith(".")}
    hashes = {name: file_sha256(path) for name, path in files.items()}
    for name, path in files.items():
        store.put(path, _key(identity, hashes[name], name))
    index = json.dumps({"schema": 1, "files": hashes}, indent=1, sort_keys=True) + "\n"
    store.write(f"datasets/{identity}/{INDEX}", index.encode())
    return identity


def fetch_published(identity: str, store: Store, folder: Path) -> Path:
    """Writes the manifest folder of a published data set, verified.

    Args:
        identity: The data set's hash.
        store: The data store.
        folder: Where; must not exist or be empty.

    Returns:
        `folder`.

    Raises:
        InputError: No such data set is published, what is there is damaged or has another hash, or `folder` is not
            empty.
        InfrastructureError: The store cannot be reached, or the disk is full.
    """
    if not re.fullmatch(r"[0-9a-f]{64}", identity):
        raise InputError(f"{identity!r} is not the hash of a data set", "it has 64 hexadecimal digits")
    key = f"datasets/{identity}/{INDEX}"
    try:
        index = parse_json(store.read(key))
        files = {str(name): str(sha256) for name, sha256 in index["files"].items()}
    except MissingError as error:
        if tombstone(identity, store) is not None:
            raise InputError(f"the data set {identity} was purged from {store.uri}: it showed people") from error
        raise InputError(
            f"no data set {identity} is published in {store.uri}", "check the hash and M2M_STORE"
        ) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{store.uri}/{key} is damaged: {error}", "publish the data set again") from error
    with new_folder(folder) as building:
        for name, sha256 in files.items():
            # The name is safe: as a part of a key it has no slash and no dots that climb.
            store.get(_key(identity, sha256, name), building / name, sha256)
        found = read_folder(building)[1].hash
        if found != identity:
            raise InputError(f"what is published in {store.uri} as {identity} is the data set {found}")
    return folder


def published(store: Store) -> list[str]:
    """The hashes of all published data sets, sorted."""
    names = (key.split("/") for key in store.keys("datasets/"))
    return [parts[1] for parts in names if len(parts) == 3 and parts[2] == INDEX]


def _key(identity: str, sha256: str, name: str) -> str:
    if "/" in name:
        raise InputError(f"{name!r} is not the name of a file of a data set")
    return f"datasets/{identity}/{sha256}/{name}"
