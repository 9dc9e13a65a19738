"""Older versions of objects, in buckets that keep them: there a deletion only hides."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from m2m.errors import M2MError
from m2m.purge.proof import Left, Thing, each
from m2m.store import Store

if TYPE_CHECKING:  # only what needs S3 needs boto3
    from m2m.s3 import S3Store, Version

OLDER = "older version of "
MARKER = "delete marker"
COPIES = "replicas of the bucket and backups are out of reach: ask who runs it"
NAMED_AFTER_HASH = ("blobs/", "shards/")


class History:
    """The versions of all objects of a store; of a store that keeps none, nothing.

    Args:
        store: The store.
        remains: What is out of reach is added here.

    Raises:
        InputError: The bucket keeps versions, and the rights do not reach to list them.
    """

    def __init__(self, store: Store, remains: list[Left]) -> None:
        self._store = store
        self._versions: dict[str, list[Version]] = {}
        if not store.uri.startswith("s3://"):
            return
        remains.append(Left(store.uri, "*", COPIES))
        self._bucket = cast("S3Store", store)
        try:
            kept = self._bucket.versioned()
        except M2MError as error:
            why = f"older versions of objects, if the bucket keeps them: it cannot be asked, {error.what}"
            remains.append(Left(store.uri, "*", why))
            return
        for version in self._bucket.versions("") if kept else ():
            self._versions.setdefault(version.key, []).append(version)

    def of(self, things: Iterable[Thing]) -> list[Thing]:
        """The things with all their versions and delete markers, the older ones before what hides them."""
        return [version for thing in things for version in self._all(thing)]

    def hidden(self, prefixes: Sequence[str], needed: Iterable[str] = ()) -> list[Thing]:
        """Versions of objects that were deleted before, and only hidden by that.

        Args:
            prefixes: Where to look.
            needed: Keys, or folders with `/` at the end, that are left alone.
        """
        stay = set(needed)
        found = []
        for key, versions in sorted(self._versions.items()):
            if any(version.latest and not version.marker for version in versions):
                continue
            folders = {key[: i + 1] for i, letter in enumerate(key) if letter == "/"}
            if key.startswith(tuple(prefixes)) and not stay & {key, *folders}:
                found += self._all(Thing(self._store.uri, key, "what was hidden", "", 0))
        return found

    def rest(self, things: Iterable[Thing]) -> list[Left]:
        """What is left of older versions when things are gone."""
        going = {thing.name for thing in things if thing.place == self._store.uri}
        found = [v for versions in self._versions.values() for v in versions if v.marker or not v.latest]
        n = sum(f"{version.key}?versionId={version.id}" not in going for version in found)
        return [Left(self._store.uri, "*", f"{n} older version(s) of objects that stay")] if n else []

    def _all(self, thing: Thing) -> list[Thing]:
        versions = self._versions.get(thing.key, [])
        if not versions:
            return [thing]
        current = [v for v in versions if v.latest and not v.marker]
        older = [v for v in versions if v not in current]
        hashes = each(self._sha256, older)
        kinds = [MARKER if v.marker else OLDER + thing.kind for v in older]
        found = [
            Thing(thing.place, v.key, kind, sha256, v.size, v.id)
            for v, kind, sha256 in zip(older, kinds, hashes, strict=True)
        ]
        return found + [replace(thing, version=v.id) for v in current]

    def _sha256(self, version: "Version") -> str:
        if version.marker:
            return ""
        if version.key.startswith(NAMED_AFTER_HASH):
            return version.key.rpartition("/")[2].removesuffix(".tar")
        return hashlib.sha256(self._bucket.read_version(version.key, version.id)).hexdigest()
