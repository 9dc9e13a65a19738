"""Where clips come from: a video, a folder, a list, a data set, or a prefix on S3 that others have filled."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, cast

from m2m.clips import CARD, MANIFEST, Clip, scan, tree
from m2m.datasets.digest import digests
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


def entries(source: str, cache: Store | None = None, workers: int = 4) -> list[Entry]:
    """What a source holds.

    Args:
        source: A path, as `m2m.clips.scan` takes it, or s3://bucket/prefix: a tree of videos in folders of classes.
        cache: Where hashes of local files are remembered.
        workers: Threads that hash.

    Returns:
        Entries by clip id, with the names of splits that later stages know.

    Raises:
        InputError: There is no such source, or no video in it.
        InfrastructureError: The bucket cannot be reached, or the cache cannot be written.
    """
    found = _bucket(source) if source.startswith("s3://") else _local(Path(source), cache, workers)
    return [replace(e, clip=replace(e.clip, split=canonical_split(e.clip.split))) for e in found]


def _local(path: Path, cache: Store | None, workers: int) -> list[Entry]:
    clips = scan(path)
    here = [c for c in clips if c.status == "ok"]
    hashed = digests([Path(c.path) for c in here], str(path.absolute()), cache, workers)
    found = [Entry(c, d.sha256, d.size) for c, d in zip(here, hashed, strict=True)]
    found += [Entry(replace(c, path="", sha256=""), "", 0) for c in clips if c.status != "ok"]
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
