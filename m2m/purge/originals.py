"""The original videos of a working data set, known by their bytes: the records tell what they were made from."""

import csv
import os
from collections.abc import Iterable
from pathlib import Path

from m2m import shards
from m2m.augment.versions import mark
from m2m.clips import MANIFEST, Clip, DatasetCard, read_manifest, scan
from m2m.errors import InputError
from m2m.files import file_sha256
from m2m.purge.proof import Folder, Left, Thing
from m2m.records import Record
from m2m.tombstone import FILE
from m2m.video import SUFFIXES


class Originals:
    """What a purge deletes of the originals, and what it leaves.

    Args:
        source: What `m2m augment` was given, or a packed folder of it.
        card: The data set's card.
        records: The data set's records.

    Attributes:
        place: The folder that they lie in.
        things: Those from which the data set was made.
        remains: What else is there.

    Raises:
        InputError: There are no videos, or nobody knows any more what the data set was made from.
    """

    def __init__(self, source: Path, card: DatasetCard, records: Iterable[Record]) -> None:
        self._card = card
        self._marks = {record.fingerprint for record in records}
        self.root = source if source.is_dir() else source.parent
        self._whole = source.is_dir() or source.suffix in (".parquet", ".csv")
        self.place = Folder(self.root)
        self.things: list[Thing] = []
        self.remains: list[Left] = []
        packed = (source / shards.FILE).is_file()
        videos = sorted((source / "shards").glob("*.tar")) if packed else _videos(source)
        if not videos and (self.root / FILE).is_file():
            self._stays("*", f"were purged before: see {FILE} there")
            return
        if not self._marks:
            raise InputError(
                f"the records of the data set are gone: nobody knows any more what it was made from in {source}",
                "delete the originals where they are",
            )
        if packed:
            self._tars(source, read_manifest(source / MANIFEST))
        else:
            for path in videos:
                self._video(path)

    @property
    def tombstone(self) -> Path | None:
        """The folder in which to leave word; not one in which a single video lay among others."""
        return self.root if self.things and self._whole else None

    def _video(self, path: Path) -> None:
        key = path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)
        try:
            digest, links = file_sha256(path), path.stat().st_nlink
        except OSError as error:
            self._stays(key, f"cannot be read, so nobody knows whether the data set was made from it: {error.strerror}")
            return
        if not self._made_from(digest):
            self._stays(key, "the data set was not made from these bytes")
        elif path.is_symlink() or not path.resolve().is_relative_to(self.root.resolve()):
            self._stays(key, f"is a link: the original is {path.resolve()}, delete it there")
        else:
            self.things.append(Thing(self.place.uri, key, "original", digest, self.place.size(key)))
            if links > 1:
                self._stays(key, f"{links - 1} other name(s) of the same file (hard links), wherever they are")

    def _tars(self, packed: Path, clips: list[Clip]) -> None:
        for shard in shards.read_shards(packed).values():
            if not self.place.exists(shard.name):
                continue
            inside = [clip for clip in clips if clip.shard == shard.index]
            if len(inside) < shard.clips or not all(self._made_from(clip.sha256) for clip in inside):
                self._stays(shard.name, "holds videos from which the data set was not made")
            elif file_sha256(packed / shard.name) != shard.sha256:
                self._stays(shard.name, f"has other bytes than {shards.FILE} says")
            else:
                self.things.append(Thing(self.place.uri, shard.name, "original", shard.sha256, shard.size))

    def _made_from(self, sha256: str) -> bool:
        about = self._card.parameters, self._card.code_version
        return any(mark(sha256, about[0], shown, about[1]) in self._marks for shown in (False, True))

    def _stays(self, key: str, why: str) -> None:
        self.remains.append(Left(self.place.uri, key, why))


def _videos(source: Path) -> list[Path]:
    """The videos of a source; of a list those that are still there, for a purge may have been cut off."""
    manifest = source / MANIFEST if source.is_dir() else source
    if manifest.suffix == ".parquet" and manifest.is_file():
        return _there(manifest.parent, [clip.path for clip in read_manifest(manifest)])
    if source.suffix.lower() == ".csv" and source.is_file():
        with source.open(newline="", encoding="utf-8-sig") as file:
            return _there(source.parent, [row[0] for row in csv.reader(file) if row])
    try:
        return [Path(clip.path) for clip in scan(source)]
    except InputError:
        if (source / FILE).is_file() and not any(p.suffix.lower() in SUFFIXES for p in source.rglob("*")):
            return []
        raise


def _there(folder: Path, names: list[str]) -> list[Path]:
    """Files that are there; lists also have headings and quarantined clips."""
    found = [folder / name for name in names if name]
    return [path for path in found if os.path.lexists(path) and not path.is_dir()]
