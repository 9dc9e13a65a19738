"""Shards: the videos of a data set in a few tars, content-addressed, that one task fetches and verifies alone.

A *packed* folder holds the tars; a *manifest folder* is the same without them, the tars being in a data store. A clip's
shard depends on its id alone, so a new clip changes one tar.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from m2m import tars
from m2m.clips import MANIFEST, Clip, DatasetCard, data_hash, read_card, read_manifest, write_card, write_manifest
from m2m.errors import InputError
from m2m.files import disk_errors, file_sha256, write_atomic
from m2m.parsing import parse_json, typed
from m2m.store import MissingError, Store
from m2m.tombstone import stop_if_purged, tombstone

FILE = "shards.json"


@dataclass(frozen=True)
class Shard:
    """One tar.

    Attributes:
        index: Its number.
        sha256: Hash of its bytes.
        size: Its bytes.
        clips: How many videos it holds; a manifest may name fewer.
    """

    index: int
    sha256: str
    size: int
    clips: int

    @property
    def key(self) -> str:
        """Where it lies in a data store."""
        return f"shards/{self.sha256}.tar"

    @property
    def name(self) -> str:
        """Where it lies in a packed folder."""
        return f"shards/{self.index:05}.tar"


def shard_of(clip_id: str, n: int) -> int:
    """The number of a clip's shard among `n`; the other clips do not matter.

    Raises:
        ValueError: `n` is less than 1.
    """
    if n < 1:
        raise ValueError(f"n must be 1 or more, not {n}")
    return int.from_bytes(hashlib.sha256(clip_id.encode()).digest()[:8]) % n


def shard_ids(folder: Path) -> list[int]:
    """The numbers of the shards that hold a clip of a manifest folder, sorted: what a pipeline loops over.

    Raises:
        InputError: It is not a manifest folder, or has no clip with status ok.
    """
    rows, _, _ = read_folder(folder)
    return sorted({c.shard for c in rows if c.status == "ok"})


def read_folder(folder: Path) -> tuple[list[Clip], DatasetCard, dict[int, Shard]]:
    """Manifest, card and shards of a packed folder or a manifest folder, known to belong together.

    Raises:
        InputError: It is none, has no clip with status ok, or its parts do not fit.
    """
    rows, card = _read_dataset(folder)
    shards = read_shards(folder)
    for clip in rows:
        if clip.status == "ok" and clip.shard not in shards:
            raise InputError(f"{folder}: {clip.clip_id} is in shard {clip.shard}, which {FILE} does not list")
        if clip.status == "ok" and clip.path != tars.member(clip):
            raise InputError(f"{folder}: {clip.clip_id} has the path {clip.path!r}, which no packed clip has")
    return rows, card, shards


def write_folder(rows: Sequence[Clip], card: DatasetCard, shards: Sequence[Shard], folder: Path) -> None:
    """Writes a manifest folder: what `read_folder` reads. Fewer rows than the shards hold are allowed.

    Raises:
        InputError: A row is wrong.
        InfrastructureError: It cannot be written.
    """
    write_card(card, folder)
    write_shards(shards, folder)
    write_manifest(rows, folder / MANIFEST)


def read_shards(folder: Path) -> dict[int, Shard]:
    """The shards of a packed folder or a manifest folder, by number.

    Raises:
        InputError: They are missing, or damaged.
    """
    path = folder / FILE
    try:
        shards = [typed(Shard, values) for values in parse_json(path.read_bytes())]
    except OSError as error:
        raise InputError(
            f"{folder} has no shards: cannot read {FILE}: {error.strerror}", "m2m pack it first"
        ) from error
    except (ValueError, TypeError) as error:
        raise InputError(f"{path} does not list shards: {error}") from error
    by_index = {s.index: s for s in shards}
    if len(by_index) != len(shards) or not all(re.fullmatch(r"[0-9a-f]{64}", str(s.sha256)) for s in shards):
        raise InputError(f"{path} does not list shards: a number is there twice, or a hash is none")
    if any(n < 0 for s in shards for n in (s.index, s.size, s.clips)):  # `typed` has seen that they are whole
        raise InputError(f"{path} does not list shards: a number is below 0")
    return by_index


def write_shards(shards: Sequence[Shard], folder: Path) -> None:
    """Writes the list of shards, whole or not at all.

    Raises:
        InfrastructureError: It cannot be written.
    """
    text = json.dumps([asdict(s) for s in sorted(shards, key=lambda s: s.index)], indent=1)
    write_atomic(folder / FILE, (text + "\n").encode())


def pack(dataset: Path, out: Path, n: int) -> list[Shard]:
    """Packs a working data set. The same clips give the same bytes.

    Args:
        dataset: A folder with a manifest, a card and videos.
        out: The packed folder; must not exist or be empty.
        n: Over how many shards to spread the clips; those that get none are left out.

    Returns:
        The shards, by number.

    Raises:
        InputError: The data set is damaged, has no clip, or `out` is not empty.
        InfrastructureError: The disk is full.
    """
    with new_folder(out) as building:
        return _pack(dataset, n, building, building / "shards", lambda *_: None)


def push(folder: Path, store: Store, out: Path, n: int | None = None) -> list[Shard]:
    """Puts the videos of a data set into a data store, as shards, and writes its manifest folder.

    Shards that are there already are not sent again.

    Args:
        folder: A packed folder, or a working data set.
        store: The data store.
        out: The manifest folder; must not exist or be empty.
        n: For a working data set: over how many shards to spread the clips.

    Returns:
        The shards, by number.

    Raises:
        InputError: The data set is damaged or has no clip, `n` is missing, or `out` is not empty.
        InfrastructureError: The store cannot be reached, or the disk is full.
    """

    def send(tar: Path, shard: Shard) -> None:
        _put(tar, shard, store)
        tar.unlink()

    with new_folder(out) as building:
        if not (folder / FILE).is_file():
            if n is None:
                raise InputError(f"{folder} is not packed", "say over how many shards to spread it")
            shards = _pack(folder, n, building, building / "shards", send)
            shutil.rmtree(building / "shards")
            return shards
        rows, card, by_index = read_folder(folder)
        for shard in by_index.values():
            _put(_verified(folder / shard.name, shard), shard, store)
        write_folder(rows, card, list(by_index.values()), building)
        return list(by_index.values())


def fetch(folder: Path, store: Store, out: Path, ids: Sequence[int] | None = None) -> list[Clip]:
    """Makes a working data set of some shards, or all; every tar and every video is verified.

    Args:
        folder: A manifest folder.
        store: The data store.
        out: The data set; must not exist or be empty.
        ids: Numbers of shards; by default all, and then the quarantined rows come along.

    Returns:
        The clips of the data set.

    Raises:
        InputError: A shard is unknown, has no clip in this manifest, is missing in the store or was purged, or has
            other bytes than it should; or `out` is not empty.
        InfrastructureError: The store cannot be reached, or the disk is full.
    """

    def get(shard: Shard, scratch: Path) -> Path:
        tar = scratch / f"{shard.index:05}.tar"
        try:
            store.get(shard.key, tar, shard.sha256)
        except MissingError as error:
            identity = read_card(folder).hash
            if tombstone(identity, store) is not None:
                raise InputError(f"the data set {identity} was purged from {store.uri}: it showed people") from error
            raise InputError(
                f"shard {shard.index} of {folder} is missing: {error.what}", "push the data set"
            ) from error
        return tar

    return _extract(folder, out, ids, get)


def unpack(packed: Path, out: Path) -> list[Clip]:
    """Makes a working data set of a packed folder; every tar and every video is verified.

    Args:
        packed: The packed folder.
        out: The data set; must not exist or be empty.

    Returns:
        The clips of the data set.

    Raises:
        InputError: A tar is missing or has other bytes than it should, or `out` is not empty.
        InfrastructureError: The disk is full.
    """
    return _extract(packed, out, None, lambda shard, _: _verified(packed / shard.name, shard))


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder to fill; at the end of the block it is at `out`, or gone if the block failed.

    Raises:
        InputError: `out` exists and is not an empty folder, or another run is filling it.
        InfrastructureError: The disk is full.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} exists and is not an empty folder", "name a new folder")
    with disk_errors(out.absolute().parent), building_of(out) as building:
        yield building
        building.replace(out)


@contextmanager
def building_of(out: Path) -> Iterator[Path]:
    """An empty folder beside `out` to be filled and renamed, for one run at a time; else removed at the end.

    Two that filled one folder could leave half of the one's files among the other's. The system releases the lock of a
    process that dies.

    Raises:
        InputError: Another run is filling it.
        OSError: It cannot be made.
    """
    building = out.absolute().parent / f".{out.name}.part"
    building.mkdir(parents=True, exist_ok=True)
    handle = os.open(building, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(f"another run is writing {out}", "wait for it, or name another folder") from error
        if not building.exists() or not os.path.samestat(building.stat(), os.fstat(handle)):
            raise InputError(f"another run has just written {out}", "look there, or run again")
        try:
            for left in building.iterdir():  # by a run that was killed
                shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
            yield building
        finally:
            shutil.rmtree(building, ignore_errors=True)
    finally:
        os.close(handle)


def _read_dataset(folder: Path) -> tuple[list[Clip], DatasetCard]:
    rows, card = read_manifest(folder / MANIFEST), read_card(folder)
    if data_hash(rows) != card.hash:
        raise InputError(f"manifest and card of {folder} do not belong together", "run what wrote them again")
    if not any(c.status == "ok" for c in rows):
        raise InputError(f"{folder} has no clip", "see the reasons of its quarantined ones")
    return rows, card


def _pack(dataset: Path, n: int, out: Path, folder: Path, done: Callable[[Path, Shard], None]) -> list[Shard]:
    """Writes one tar after the other, tells of each, then the manifest folder."""
    rows, card = _read_dataset(dataset)
    folder.mkdir()
    shards: list[Shard] = []
    packed = [replace(c, path="", shard=-1, offset=-1) for c in rows if c.status != "ok"]
    by_index: dict[int, list[Clip]] = {}
    for clip in rows:
        if clip.status == "ok":
            by_index.setdefault(shard_of(clip.clip_id, n), []).append(clip)
    for index, clips in sorted(by_index.items()):
        tar = folder / f"{index:05}.tar"
        packed += tars.write(tar, dataset, clips, index)
        shards.append(Shard(index, file_sha256(tar), tar.stat().st_size, len(clips)))
        done(tar, shards[-1])
    write_folder(packed, card, shards, out)
    return shards


def _put(tar: Path, shard: Shard, store: Store) -> None:
    if not store.exists(shard.key) or store.size(shard.key) != shard.size:
        store.put(tar, shard.key)


def _verified(tar: Path, shard: Shard) -> Path:
    try:
        found = file_sha256(tar)
    except OSError as error:
        stop_if_purged(tar.parents[1])
        raise InputError(f"shard {shard.index} is missing: cannot read {tar}: {error.strerror}", "pull it") from error
    if found != shard.sha256:
        raise InputError(f"{tar} has other bytes than {FILE} says: sha256 {found}, expected {shard.sha256}", "pull it")
    return tar


def _extract(folder: Path, out: Path, ids: Sequence[int] | None, get: Callable[[Shard, Path], Path]) -> list[Clip]:
    """Makes a working data set from tars that `get` brings, one after the other."""
    rows, card, shards = read_folder(folder)
    wanted: dict[int, list[Clip]] = {}
    for clip in rows:
        if clip.status == "ok":
            wanted.setdefault(clip.shard, []).append(clip)
    if ids is not None and not ids:
        raise InputError("no shard is named", f"{folder} has clips in {sorted(wanted)}")
    for index in ids or ():
        if index not in wanted:
            raise InputError(f"{folder} has no clip in shard {index}", f"it has clips in {sorted(wanted)}")
    chosen = [clip for clip in rows if ids is None or clip.shard in ids]
    clips = [replace(clip, shard=-1, offset=-1) for clip in chosen]
    if ids is not None:
        card = replace(card, parent=card.hash, clips=len(clips), quarantined=0, hash=data_hash(clips))
    with new_folder(out) as building:
        scratch = building / ".tars"
        (building / "videos").mkdir()
        scratch.mkdir()
        for index in sorted(wanted if ids is None else set(ids)):
            tars.read(get(shards[index], scratch), wanted[index], shards[index].clips, building)
            for tar in scratch.iterdir():
                tar.unlink()
        shutil.rmtree(scratch)
        write_card(card, building)
        write_manifest(clips, building / MANIFEST)
    return clips
