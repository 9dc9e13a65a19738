"""Where clips come from: a video, a folder, a list, a data set, a public set, or a prefix on S3."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, cast

from m2m.clips import CARD, MANIFEST, Clip, scan, tree
from m2m.datasets.digest import digests
from m2m.datasets.official import Listing, Official, listing, load
from m2m.datasets.split import canonical_split
from m2m.errors import InputError, QuarantineError
from m2m.store import MissingError, Store, open_store
from m2m.video import SUFFIXES

if TYPE_CHECKING:
    from m2m.s3 import S3Store


@dataclass(frozen=True)
class Entry:
    """One clip of a source, unopened.

    Attributes:
        clip: Its row; `path` is an absolute file, or a key under `bucket`.
        identity: What stands for its bytes: their sha256; `etag: ` and S3's; `unreadable: ` and why; empty where the
            source has quarantined it already.
        size: Bytes.
        bucket: s3://bucket/prefix, or empty for a file.
    """

    clip: Clip
    identity: str
    size: int
    bucket: str = ""

    @contextmanager
    def file(self, scratch: Path) -> Iterator[Path]:
        """Its video as a local file while the block lasts.

        Args:
            scratch: An empty folder where a copy may lie meanwhile.

        Raises:
            QuarantineError: `unreadable`: it is gone from the bucket.
            InfrastructureError: The bucket cannot be reached, or the disk is full.
        """
        if not self.bucket:
            yield Path(self.clip.path)
            return
        copy = scratch / f"clip{PurePosixPath(self.clip.path).suffix}"
        try:
            open_bucket(self.bucket).fetch(self.clip.path, copy)
        except MissingError as error:
            raise QuarantineError("unreadable", error.what) from error
        yield copy
        copy.unlink()

    def bring(self, target: Path, link: Callable[[Path, Path], None]) -> None:
        """Puts its video at another place: by `link(source, target)` if it is a file, fetched if it is in a bucket."""
        if self.bucket:
            open_bucket(self.bucket).fetch(self.clip.path, target)
        else:
            link(Path(self.clip.path), target)

    def is_at(self, file: Path) -> bool:
        """Whether a file is the source's own, under another name."""
        return not self.bucket and file.samefile(self.clip.path)


@dataclass(frozen=True)
class Found:
    """What a source holds.

    Attributes:
        entries: By clip id, with the names of splits that later stages know.
        notes: What a reader should know about it, in sentences.
        licences: Under what it comes, where that is known.
    """

    entries: tuple[Entry, ...]
    notes: tuple[str, ...] = ()
    licences: tuple[str, ...] = ()


def look(source: str | Official, cache: Store | None = None, workers: int = 4, progress: bool = False) -> Found:
    """What a source holds.

    Args:
        source: A path, as `m2m.clips.scan` takes it; s3://bucket/prefix, a tree of videos in folders of classes; a
            public set, or the YAML file that describes one.
        cache: Where hashes of local files are remembered.
        workers: Threads that hash.
        progress: Tell on stderr how far hashing is.

    Raises:
        InputError: There is no such source, no video in it, or its annotations are wrong.
        InfrastructureError: The bucket cannot be reached, or the cache cannot be written.
    """
    if isinstance(source, str) and source.startswith("s3://"):
        return Found(_canonical(_bucket(source)))
    if isinstance(source, str) and Path(source).suffix.lower() in (".yaml", ".yml"):
        source = load(Path(source))
    if isinstance(source, str):
        found, root = Listing(tuple(scan(Path(source))), (), ""), str(Path(source).absolute())
    else:
        found, root = listing(source), str(Path(source.videos).absolute())
    hashed = _hashed(found.clips, root, cache, workers, progress)
    return Found(_canonical(hashed), found.notes, (found.licence,) if found.licence else ())


def _canonical(found: Sequence[Entry]) -> tuple[Entry, ...]:
    return tuple(replace(e, clip=replace(e.clip, split=canonical_split(e.clip.split))) for e in found)


def _hashed(clips: Sequence[Clip], root: str, cache: Store | None, workers: int, progress: bool) -> list[Entry]:
    here = [c for c in clips if c.status == "ok"]
    hashed = digests([Path(c.path) for c in here], root, cache, workers, progress)
    found = [Entry(c, d.sha256, d.size) for c, d in zip(here, hashed, strict=True)]
    found += [Entry(replace(c, sha256=""), "", 0) for c in clips if c.status != "ok"]
    return sorted(found, key=lambda e: e.clip.clip_id)


def _bucket(uri: str) -> list[Entry]:
    seen = {}
    for key, size, etag in open_bucket(uri).listing():
        if key in (MANIFEST, CARD):
            raise InputError(f"{uri} is a data set and not a source of videos", "name its published hash instead")
        parts = PurePosixPath(key).parts
        if PurePosixPath(key).suffix.lower() in SUFFIXES and not any(p.startswith(".") for p in parts):
            seen[key] = (size, etag)
    if not seen:
        raise InputError(f"there is no video under {uri}", f"known suffixes: {' '.join(sorted(SUFFIXES))}")
    clips = tree({key: key for key in seen})
    return [Entry(c, f"etag: {seen[c.path][1]}", seen[c.path][0], uri) for c in clips]


@lru_cache
def open_bucket(uri: str) -> "S3Store":
    """The bucket at an address that begins with s3://.

    Raises:
        InputError: It is not an address on S3.
        InfrastructureError: boto3 is not installed.
    """
    return cast("S3Store", open_store(uri))
