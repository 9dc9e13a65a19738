"""The manifest, one row a clip: what is in an input, what a data set holds, and hashes that tell two apart."""

import csv
import dataclasses
import hashlib
import json
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from m2m.errors import InputError
from m2m.files import file_sha256, write_atomic
from m2m.fingerprints import canonical, fingerprint
from m2m.parsing import parse_json, typed
from m2m.tombstone import stop_if_purged
from m2m.video import SUFFIXES
from m2m.wording import printable

__all__ = [
    "Clip",
    "DatasetCard",
    "clip_ids",
    "data_hash",
    "file_sha256",
    "fingerprint",
    "read_card",
    "read_manifest",
    "scan",
    "shard",
    "slug",
    "tree",
    "write_card",
    "write_manifest",
]

MANIFEST = "clips.parquet"
CARD = "dataset.json"
SPLITS = frozenset({"train", "training", "val", "valid", "validation", "test", "testing"})
LONGEST = 120
MOST_CLIPS, MOST_BYTES, BATCH = 5_000_000, 4 << 30, 1024
"""What a manifest may come to, and rows that are read at a time."""
# Names that Windows keeps for devices, with any suffix.
RESERVED = frozenset({"con", "prn", "aux", "nul", *(f"{d}{i}" for d in ("com", "lpt") for i in range(1, 10))})

SCHEMA = pa.schema(
    [
        pa.field(name, kind, nullable=False)
        for name, kind in (
            ("clip_id", pa.string()),
            ("path", pa.string()),
            ("label", pa.string()),
            ("split", pa.string()),
            ("sha256", pa.string()),
            ("width", pa.int32()),
            ("height", pa.int32()),
            ("fps_num", pa.int64()),
            ("fps_den", pa.int64()),
            ("n_frames", pa.int64()),
            ("status", pa.string()),
            ("reason", pa.string()),
        )
    ]
)
PACKED = SCHEMA.append(pa.field("shard", pa.int32(), nullable=False)).append(
    pa.field("offset", pa.int64(), nullable=False)
)
"""The columns of a manifest whose videos lie in shards."""


@dataclass(frozen=True)
class Clip:
    """One row of a manifest.

    Attributes:
        clip_id: Its name, unique in the data set and safe as a file name.
        path: The video, relative to the data set's folder; absolute in what `scan` returns; empty if quarantined.
        label: Its class, or empty.
        split: `train`, `val` and so on, or empty.
        sha256: Hash of the video's bytes; empty where it was not read.
        width: Pixels; 0 where it was not read, as in the fields below.
        height: Pixels.
        fps_num: Frames a second, numerator.
        fps_den: Frames a second, denominator.
        n_frames: Decoded frames.
        status: `ok` or `quarantined`.
        reason: Why it was quarantined, in a word, or empty.
        shard: The tar that holds the video, see `m2m.shards`; -1 where none does.
        offset: Where the video's bytes begin in that tar; -1 where there is none.
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
    shard: int = -1
    offset: int = -1


@dataclass(frozen=True)
class DatasetCard:
    """What a data set is and what made it.

    Attributes:
        name: Its name.
        variant: `m2m`, `no_human`, `real` and so on.
        private: Whether the people in it were removed; False where originals are shown.
        parameters: Parameters of the stage that wrote it.
        code_version: Version of that stage's code.
        licences: Licences of whatever made it.
        parent: Hash of the data set it was made from, or empty.
        clips: Clips with status ok.
        quarantined: Clips refused.
        hash: `data_hash` of its rows.
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


def data_hash(clips: Sequence[Clip]) -> str:
    """The identity of a data set: its clips' ids, bytes, verdicts, labels and splits, in whatever order and place."""
    return fingerprint(*sorted([c.clip_id, c.sha256, c.status, c.label, c.split] for c in clips))


def shard(clips: Sequence[Clip], n: int) -> list[list[Clip]]:
    """Divides clips among `n` tasks, by id and not by order; sizes differ by one at most, some may be empty.

    Raises:
        ValueError: `n` is less than 1.
    """
    if n < 1:
        raise ValueError(f"n must be 1 or more, not {n}")
    ordered = sorted(clips, key=lambda c: c.clip_id)
    return [ordered[i::n] for i in range(n)]


def slug(name: str) -> str:
    """A relative path without suffix as a file name of ASCII letters, digits, `.`, `_` and `-`; `/` becomes `__`.

    It is empty where nothing of the name is left, and may be the same for several names.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    parts = [re.sub(r"[^A-Za-z0-9._-]+", "_", part).strip("._-") for part in plain.split("/")]
    return "__".join(p for p in parts if p)


def clip_ids(paths: Sequence[str]) -> list[str]:
    """Names of clips from their relative paths, in the same order: unique even where a system ignores case.

    An id depends on the paths and on nothing else. Where two would be equal, too long, empty or a name that some system
    reserves, the start of the path's hash is added.

    Args:
        paths: Different relative paths, with `/` between folders.

    Raises:
        ValueError: A path is there twice.
    """
    if len(set(paths)) != len(paths):
        raise ValueError("the paths are not unique")
    slugs = {p: slug(p.removesuffix(Path(p).suffix)) for p in paths}
    digits = {
        p: 0 if 0 < len(s) <= LONGEST and s.split(".")[0].lower() not in RESERVED else 8 for p, s in slugs.items()
    }
    while True:
        ids = {p: _with_hash(slugs[p], p, digits[p]) for p in paths}
        seen = Counter(i.lower() for i in ids.values())
        clashes = [p for p in paths if seen[ids[p].lower()] > 1 and digits[p] < 64]
        if not clashes:
            return [ids[p] for p in paths]
        for path in clashes:
            digits[path] = max(8, 2 * digits[path])


def title(path: Path) -> str:
    """What the data set of a source is called: its folder's or file's name, with what is not text written out."""
    return printable(path.resolve().stem)


def _with_hash(name: str, path: str, digits: int) -> str:
    if not digits:
        return name
    suffix = hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:digits]
    stem = name.replace(".", "_")[: LONGEST - digits - 1].rstrip("_-")  # con.x is reserved as con is
    return f"{stem or 'clip'}-{suffix}"


def scan(path: Path) -> list[Clip]:
    """The clips of an input, sorted by id. Videos are not opened.

    Args:
        path: A video; a folder of videos (in folders named after classes, perhaps in folders named after splits); a
            data set; or a manifest: `clips.parquet`, or a CSV `path,label[,split]` with paths relative to its folder.

    Returns:
        Clips with absolute paths. Those that a data set's manifest has quarantined are among them, still quarantined.

    Raises:
        InputError: There is nothing at `path`, no video in it, or a manifest is wrong or names a file that is missing;
            or they were purged.
    """
    try:
        return _scan(path)
    except InputError:
        for folder in (path, *path.absolute().parents):
            stop_if_purged(folder)
        raise


def _scan(path: Path) -> list[Clip]:
    if not path.exists():
        raise InputError(f"{path} does not exist", "name a video, a folder of videos, or a manifest")
    if path.is_dir():
        return _scan_dataset(path / MANIFEST) if (path / MANIFEST).is_file() else _scan_folder(path)
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return _scan_dataset(path)
    if suffix == ".csv":
        return _scan_csv(path)
    if not path.is_file():
        raise InputError(f"{path} is neither a file nor a folder")
    return _named({path.name: Clip("", str(path.absolute()))})


def _scan_folder(root: Path) -> list[Clip]:
    found: dict[str, str] = {}
    seen = {os.path.realpath(root)}
    for folder, folders, files in os.walk(root, followlinks=True, onerror=_refuse):
        # Links are followed, each real folder once: a link to a folder above would have no end.
        real = {d: os.path.realpath(Path(folder, d)) for d in sorted(folders) if not d.startswith(".")}
        folders[:] = [d for d, target in real.items() if target not in seen]
        seen.update(real.values())
        for name in files:
            file = Path(folder, name)
            if name.startswith(".") or file.suffix.lower() not in SUFFIXES or not file.is_file():
                continue
            relative = file.relative_to(root).as_posix()
            try:
                relative.encode()
            except UnicodeEncodeError as error:
                raise InputError(f"the name {relative!r} is not UTF-8", "rename it") from error
            found[relative] = str(file.absolute())
    if not found:
        raise InputError(f"there is no video in {root}", f"known suffixes: {' '.join(sorted(SUFFIXES))}")
    return tree(found)


def tree(files: Mapping[str, str]) -> list[Clip]:
    """Clips of a tree of videos: named after their relative paths, with the class and split that their folders name.

    Args:
        files: Where each video is, by its path relative to the root of the tree.

    Returns:
        Clips sorted by id.
    """
    found = {}
    for relative, path in files.items():
        above = relative.split("/")[:-1]
        split = above[0] if above and above[0].lower() in SPLITS else ""
        label = above[-1] if len(above) > bool(split) else ""
        found[relative] = Clip("", path, label, split)
    return _named(found)


def _refuse(error: OSError) -> None:
    raise InputError(f"cannot read {error.filename}: {error.strerror}") from error


def _scan_dataset(manifest: Path) -> list[Clip]:
    clips = []
    for clip in read_manifest(manifest):
        file = (manifest.parent / clip.path).absolute()
        if clip.status == "ok" and clip.shard >= 0:
            raise InputError(f"the videos of {manifest.parent} lie in shards", "m2m unpack it, or fetch it, first")
        if clip.status == "ok" and not file.is_file():
            raise InputError(f"{manifest} names {clip.path!r}, which is not there")
        clips.append(replace(clip, path=str(file) if clip.path else ""))
    return clips


def _scan_csv(path: Path) -> list[Clip]:
    found: dict[str, Clip] = {}
    missing: list[str] = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.reader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read {path}: {error}") from error
    for number, row in enumerate(rows, 1):
        if not row or (number == 1 and row[0].strip().lower() == "path"):
            continue
        if len(row) > 3 or not row[0]:
            raise InputError(f"{path}, row {number}: {row}", "a row is path,label or path,label,split")
        name, label, split = (*row, "", "")[:3]
        file_path = (path.parent / name).absolute()
        key = Path(name).as_posix().lstrip("/")
        if key in found:
            raise InputError(f"{path}, row {number}: {name!r} is there twice")
        if not _is_file(file_path):
            missing.append(f"row {number}: {name}")
        found[key] = Clip("", str(file_path), label.strip(), split.strip())
    if missing:
        raise InputError(f"{path} names {len(missing)} of {len(found)} files that are not there, first {missing[0]}")
    if not found:
        raise InputError(f"{path} names no video", "a row is path,label or path,label,split")
    return _named(found)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name too long to be one
        return False


def _named(found: dict[str, Clip]) -> list[Clip]:
    ids = clip_ids(list(found))
    return sorted((replace(c, clip_id=i) for i, c in zip(ids, found.values(), strict=True)), key=lambda c: c.clip_id)


def read_manifest(path: Path) -> list[Clip]:
    """The rows of a manifest, sorted by id.

    Args:
        path: A `clips.parquet`.

    Raises:
        InputError: It is missing, not a manifest, or an id is there twice.
    """
    try:
        with path.open("rb") as opened, pq.ParquetFile(opened) as file:  # Arrow would take a name for an address
            rows = list(_rows(file, path))
    except (OSError, pa.ArrowException, ValueError) as error:
        raise InputError(f"{path} is not a manifest: {' '.join(str(error).split())}") from error
    clips = sorted((Clip(**row) for row in rows), key=lambda c: c.clip_id)
    _check(clips, path)
    return clips


def _rows(file: pq.ParquetFile, path: Path) -> Iterator[dict[str, Any]]:
    """The rows, a few at a time: a value that is stored once for all of them is in memory for a few of them."""
    names, size = file.schema_arrow.names, 0
    schema = PACKED if "shard" in names else SCHEMA
    if set(names) != set(schema.names):
        raise InputError(f"{path} is not a manifest: its columns are {', '.join(names)}")
    if file.metadata.num_rows > MOST_CLIPS:
        raise InputError(f"{path} names {file.metadata.num_rows} clips, {MOST_CLIPS} are allowed", "divide it")
    for batch in file.iter_batches(BATCH, columns=schema.names, use_threads=False):
        table = pa.Table.from_batches([batch])
        size += table.nbytes
        if size > MOST_BYTES:
            raise InputError(f"{path} unpacks to more than {MOST_BYTES >> 30} GiB, which no manifest does")
        yield from table.select(schema.names).cast(schema).to_pylist()


def write_manifest(clips: Sequence[Clip], path: Path) -> None:
    """Writes a manifest, whole or not at all; the same rows in any order give the same bytes.

    The columns of shards are there if some clip lies in one.

    Raises:
        InputError: An id is there twice, or a status is unknown.
        InfrastructureError: The file cannot be written.
    """
    _check(clips, path)
    rows = [dataclasses.asdict(c) for c in sorted(clips, key=lambda c: c.clip_id)]
    data = pa.BufferOutputStream()
    schema = PACKED if any(c.shard >= 0 for c in clips) else SCHEMA
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), data, compression="zstd")
    write_atomic(path, data.getvalue().to_pybytes())


def _check(clips: Sequence[Clip], path: Path) -> None:
    twice = [i for i, n in Counter(c.clip_id for c in clips).items() if n > 1]
    if twice:
        raise InputError(f"{path}: the clip id {twice[0]!r} is there twice")
    for clip in clips:
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", clip.clip_id):
            raise InputError(f"{path}: the clip id {clip.clip_id!r} is not safe as a file name")
        if clip.status not in ("ok", "quarantined"):
            raise InputError(f"{path}: the status of {clip.clip_id!r} is {clip.status!r}, not ok or quarantined")


def read_card(folder: Path) -> DatasetCard:
    """The card of a data set.

    Raises:
        InputError: The folder is not a data set.
    """
    path = folder / CARD
    try:
        values = parse_json(path.read_text(encoding="utf-8"))
        return typed(DatasetCard, values)
    except OSError as error:
        raise InputError(f"{folder} is not a data set: cannot read {CARD}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path} is not the card of a data set: {error}") from error


def write_card(card: DatasetCard, folder: Path) -> None:
    """Writes the card of a data set, whole or not at all; the same card gives the same bytes.

    Raises:
        InfrastructureError: It cannot be written.
    """
    text = json.dumps(canonical(card), indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_atomic(folder / CARD, (text + "\n").encode())
