"""The manifest of a data set: one row a clip, identity by content."""

import csv
import hashlib
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from m2m.errors import InputError

SUFFIXES = frozenset(".3gp .avi .flv .m4v .mkv .mov .mp4 .mpeg .mpg .mts .ogv .ts .webm .wmv".split())
"""File names that M2M takes for videos."""
MANIFEST, CARD = "clips.parquet", "dataset.json"
LONGEST_ID = 100


@dataclass(frozen=True)
class Clip:
    """One row of the manifest.

    Attributes:
        clip_id: Unique in the data set, safe as a file name.
        path: Relative to the data set; empty where there is no video.
        label: Its class, or empty.
        split: `train`, `val`, `test`, or empty.
        sha256: Of the video's bytes, or empty.
        width: Pixels; 0 where not known.
        height: Pixels; 0 where not known.
        fps_num: Numerator of the frame rate; 0 where not known.
        fps_den: Its denominator.
        n_frames: Frames; 0 where not known.
        status: `ok` or `quarantined`.
        reason: Why it is quarantined, in a word.
    """

    clip_id: str
    path: str
    label: str = ""
    split: str = ""
    sha256: str = ""
    width: int = 0
    height: int = 0
    fps_num: int = 0
    fps_den: int = 1
    n_frames: int = 0
    status: str = "ok"
    reason: str = ""


SCHEMA = pa.schema([(f.name, pa.int64() if f.type is int else pa.string()) for f in fields(Clip)])


@dataclass(frozen=True)
class DatasetCard:
    """`dataset.json`.

    Attributes:
        name: Of the data set.
        variant: `real`, `m2m`, `mesh_on_real`, `no_human`, `blur`, `pixelate` or `blackout`.
        private: Whether the original people are gone.
        parameters: What it was made with.
        code_version: Of the stage that made it.
        licences: Of the models and data that made it.
        parent: Hash of the data it was made from.
        clips: Clips with status ok.
        quarantined: Clips refused.
        hash: Identity of the content (`data_hash`).
    """

    name: str
    variant: str
    private: bool
    parameters: dict[str, Any]
    code_version: str
    licences: tuple[str, ...]
    parent: str
    clips: int
    quarantined: int
    hash: str


def fingerprint(*parts: Any) -> str:
    """sha256 of values in canonical JSON: the same values give the same 64 hexadecimal digits anywhere."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """sha256 of a file, read in blocks.

    Raises:
        InputError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error


def data_hash(clips: Iterable[Clip]) -> str:
    """Identity of a data set: what each clip is and holds, whatever their order."""
    return fingerprint(sorted([c.clip_id, c.sha256, c.label, c.split, c.status] for c in clips))


def slug(name: str) -> str:
    """A name that is safe on every file system and in every page: letters, digits, `_`, `-`, `.`, never leading `-` or `.`."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", plain).strip("._-")[:LONGEST_ID].rstrip("._-") or "clip"


def clip_ids(names: list[str]) -> list[str]:
    """One id a name, unique even where case is ignored; a name whose slug is taken gets part of its own hash.

    Args:
        names: Different names, without suffix.
    """
    slugs = [slug(n) for n in names]
    counts = Counter(s.casefold() for s in slugs)
    return [
        s if counts[s.casefold()] == 1 else f"{s}-{fingerprint(n)[:12]}" for n, s in zip(names, slugs, strict=True)
    ]


def scan(source: Path) -> list[Clip]:
    """The clips of an input.

    Args:
        source: A video; a folder, searched through (hidden names left out; a class folder is a label); a data set's folder
            or `clips.parquet`; or a csv with the columns `path` and optionally `label`, `split`. Paths are relative to it.

    Returns:
        Clips, not yet probed, in order of their ids.

    Raises:
        InputError: There is nothing there, no video in it, or a manifest that cannot be read.
    """
    if not source.exists():
        raise InputError(f"{source} does not exist")
    if source.is_file() and source.suffix == ".parquet":
        return [c for c in read_manifest(source) if c.status == "ok"]
    if source.is_file() and source.suffix == ".csv":
        return _listed(source)
    if source.is_file():
        return [Clip(slug(source.stem), source.name)]
    if (source / MANIFEST).is_file():
        return [c for c in read_manifest(source / MANIFEST) if c.status == "ok"]
    paths = sorted(p.relative_to(source) for p in source.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    paths = [p for p in paths if not any(part.startswith(".") for part in p.parts)]
    if not paths:
        raise InputError(f"{source} holds no video", f"known: {' '.join(sorted(SUFFIXES))}")
    ids = clip_ids(_distinct([p.as_posix() for p in paths]))
    found = [
        Clip(i, p.as_posix(), p.parts[-2] if len(p.parts) > 1 else "") for i, p in zip(ids, paths, strict=True)
    ]
    return sorted(found, key=lambda c: c.clip_id)


def _distinct(paths: list[str]) -> list[str]:
    """Paths without their suffix, but with it where two would be the same (`a.avi` beside `a.mp4`)."""
    bare = [p.rsplit(".", 1)[0] for p in paths]
    counts = Counter(bare)
    return [b if counts[b] == 1 else p for b, p in zip(bare, paths, strict=True)]


def _listed(source: Path) -> list[Clip]:
    try:
        with source.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read {source}: {error}") from error
    if not rows or "path" not in rows[0]:
        raise InputError(f"{source} must have a header with a column 'path' and at least one row")
    paths = [row["path"] or "" for row in rows]
    if len(set(paths)) < len(paths):
        twice = next(p for p in paths if paths.count(p) > 1)
        raise InputError(f"{source} names {twice} twice")
    for number, path in enumerate(paths, 2):
        if not path or not (source.parent / path).is_file():
            raise InputError(f"{source}, line {number}: there is no file {path!r}", "paths are relative to the csv")
    ids = clip_ids(_distinct(paths))
    found = [
        Clip(i, p, row.get("label") or "", row.get("split") or "") for i, p, row in zip(ids, paths, rows, strict=True)
    ]
    return sorted(found, key=lambda c: c.clip_id)


def write_manifest(clips: Iterable[Clip], path: Path) -> None:
    """Writes `clips.parquet` in order of the ids, atomically; the same clips give the same bytes.

    Raises:
        InputError: Two clips share an id.
    """
    rows = sorted(clips, key=lambda c: c.clip_id)
    for a, b in zip(rows, rows[1:], strict=False):
        if a.clip_id == b.clip_id:
            raise InputError(f"two clips are named {a.clip_id}")
    part = path.with_name(f".{path.name}.part")
    pq.write_table(pa.Table.from_pylist([asdict(c) for c in rows], schema=SCHEMA), part, compression="zstd")
    part.replace(path)


def read_manifest(path: Path) -> list[Clip]:
    """Reads `clips.parquet`.

    Raises:
        InputError: It is missing, no manifest, or names a path outside its data set.
    """
    try:
        table = pq.read_table(path)
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist") from error
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path} is not a manifest: {str(error).splitlines()[0]}") from error
    missing = set(SCHEMA.names) - set(table.schema.names)
    if missing:
        raise InputError(f"{path} is not a manifest: it has no column {', '.join(sorted(missing))}")
    try:
        rows = [Clip(**row) for row in table.select(SCHEMA.names).cast(SCHEMA).to_pylist()]
    except pa.ArrowException as error:
        raise InputError(f"{path} is not a manifest: {str(error).splitlines()[0]}") from error
    for row in rows:
        if Path(row.path).is_absolute() or ".." in Path(row.path).parts:
            raise InputError(f"{path} names {row.path!r}, which lies outside the data set")
        if row.clip_id != slug(row.clip_id):
            raise InputError(f"{path} has a clip_id that is not safe as a file name: {row.clip_id!r}")
    return rows


def write_card(card: DatasetCard, folder: Path) -> None:
    """Writes `dataset.json` atomically."""
    part = folder / f".{CARD}.part"
    part.write_text(json.dumps(asdict(card), indent=2, sort_keys=True) + "\n", encoding="utf-8")
    part.replace(folder / CARD)


def read_card(folder: Path) -> DatasetCard:
    """Reads `dataset.json`.

    Raises:
        InputError: It is missing or no card.
    """
    try:
        values = json.loads((folder / CARD).read_text(encoding="utf-8"))
        card = DatasetCard(**values)
    except OSError as error:
        raise InputError(f"{folder} is not a data set: cannot read {CARD}: {error.strerror}") from error
    except (ValueError, TypeError) as error:
        raise InputError(f"{folder / CARD} is not a data set card: {error}") from error
    return replace(card, licences=tuple(card.licences))
