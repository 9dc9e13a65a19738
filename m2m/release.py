"""The copy that may leave the house: keyed names and hashes, nothing of the sources.

A working data set names its clips after their sources; Kinetics' names are web addresses, UAV-Human's hold the
subject. A released one names them by HMAC-SHA256 under a secret that stays with the owner, so that the owner can find
a clip again and nobody else can link it to its source by name or by hash.
"""

import errno
import hashlib
import hmac
import os
import secrets
from dataclasses import replace
from pathlib import Path
from typing import Any

from m2m.audit.decisions import left_out
from m2m.audit.strings import named, source_names
from m2m.augment.licences import trials
from m2m.clips import Clip, DatasetCard, data_hash, read_card, read_manifest, write_card, write_manifest
from m2m.errors import GateError, InputError
from m2m.files import DISK_ERRORS, discard, disk_error, temporary
from m2m.shards import building_of

KEY_BYTES = 32
PATHS = frozenset({"smplx_path", "human_models", "weights"})
"""Parameters, of whatever section, that name files of the owner's machine."""


def read_key(path: Path) -> bytes:
    """The secret of a data set; made at the first use, readable by its owner alone.

    Args:
        path: Where the key lies.

    Raises:
        InputError: The file is too short to be a key, or cannot be read or written.
    """
    try:
        if not path.exists():
            _make_key(path)
        key = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot use the key {path}: {error.strerror}") from error
    if len(key) < KEY_BYTES:
        raise InputError(f"the key {path} has {len(key)} bytes", f"a key has at least {KEY_BYTES}")
    return key


def _make_key(path: Path) -> None:
    """Writes a new key, whole or not at all, and never in place of one that another run has just made.

    Raises:
        OSError: It cannot be written.
    """
    part = temporary(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            os.fsync(file.fileno())
        try:
            os.link(part, path)
        except OSError as error:
            if error.errno != errno.EEXIST:  # a file system without links
                part.replace(path)
    finally:
        discard(part)


def keyed(key: bytes, *parts: str) -> str:
    """An id of 32 hexadecimal digits that says nothing without the key."""
    return hmac.new(key, "\0".join(parts).encode(), hashlib.sha256).hexdigest()[:32]


def release(dataset: Path, out: Path, key_file: Path | None = None) -> DatasetCard:
    """Writes the releasable copy of an augmented data set. Labels and splits are published as they are.

    Clips of an audited data set that did not pass are left out, and those in which a person saw somebody.

    Args:
        dataset: A working data set.
        out: A folder that does not exist yet or is empty.
        key_file: The secret; by default one beside the work records of the data set.

    Returns:
        The card of the released data set.

    Raises:
        InputError: The variant shows the original people, a model had random weights, nothing is left to release,
            something in it names a source, a video is missing or has other bytes than the manifest says, or `out` is
            not empty.
        GateError: No clip passed the audit, or a person saw somebody in each.
    """
    card = read_card(dataset)
    if not card.private:
        raise InputError(f"{dataset} holds the variant {card.variant}, which shows the original people: not released")
    if random := trials(card.parameters):
        raise InputError(f"{dataset} is a trial: {', '.join(random)} had random weights", "make it with real ones")
    rows = read_manifest(dataset / "clips.parquet")
    if data_hash(rows) != card.hash:
        raise InputError(f"manifest and card of {dataset} do not belong together", "run m2m augment again, to the end")
    held = left_out(dataset, card.hash, rows)
    clips = [c for c in rows if c.status == "ok" and c.clip_id not in held]
    if held and not clips:
        name, why = min(held.items())
        raise GateError(f"no clip of {dataset} passed, for one {name}: {why}", "see audit.html; m2m audit review")
    if not clips:
        raise InputError(f"{dataset} has no clip that may be released")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} exists and is not an empty folder", "name a new folder")
    key = read_key(key_file or dataset / ".m2m" / "release.key")
    try:
        with building_of(out) as building:
            return _fill(building, out, dataset, card, rows, clips, key)
    except OSError as error:
        if error.errno in DISK_ERRORS:
            raise disk_error(error, out.parent) from error
        raise InputError(f"cannot write {out}: {error.strerror}") from error


def _fill(
    building: Path, out: Path, dataset: Path, card: DatasetCard, rows: list[Clip], clips: list[Clip], key: bytes
) -> DatasetCard:
    """Writes the releasable copy of some clips to a folder, and renames that to `out`."""
    (building / "videos").mkdir()
    released = []
    for clip in clips:
        name = keyed(key, "clip", clip.clip_id, clip.sha256)
        path = f"videos/{name}.mp4"
        source = dataset / clip.path
        if not source.resolve().is_relative_to(dataset.resolve()):
            raise InputError(f"the manifest of {dataset} names {clip.path}, which lies outside of it")
        digest = _copy(source, building / path)
        if digest != clip.sha256:
            raise InputError(f"{dataset / clip.path} has other bytes than the manifest says", "run m2m augment again")
        released.append(replace(clip, clip_id=name, path=path))
    released.sort(key=lambda c: c.clip_id)
    write_manifest(released, building / "clips.parquet")
    parent = keyed(key, "parent", card.hash)
    public = replace(
        card,
        name="released",
        parameters=_public(card.parameters),
        parent=parent,
        quarantined=0,
        clips=len(released),
        hash=data_hash(released),
    )
    if told := named(released, public, source_names(rows)):
        text, name = told[0]
        raise InputError(f"what would be released, {text!r}, names a source: {name!r}", "rename it, augment again")
    write_card(public, building)
    if out.exists():
        out.rmdir()
    building.rename(out)
    return public


def unreleased(dataset: Path) -> dict[str, str]:
    """The finished clips that `release` leaves out, and why.

    Raises:
        InputError: It is no data set, or its audit is damaged.
    """
    return left_out(dataset, read_card(dataset).hash, read_manifest(dataset / "clips.parquet"))


def _public(parameters: dict[str, Any]) -> dict[str, Any]:
    """Parameters without the paths of this machine."""
    public = {key: value for key, value in parameters.items() if key not in PATHS}
    return {key: _public(value) if isinstance(value, dict) else value for key, value in public.items()}


def _copy(source: Path, target: Path) -> str:
    """Copies a file without its times and returns the sha256 of what was copied."""
    digest = hashlib.sha256()
    try:
        with source.open("rb") as read, target.open("wb") as write:
            while block := read.read(1 << 20):
                digest.update(block)
                write.write(block)
    except FileNotFoundError as error:
        raise InputError(f"{source} is in the manifest and not on disk", "run m2m augment again") from error
    return digest.hexdigest()
