"""What a work store keeps of clips: records and their outputs, caches, the secret of released names."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping

from m2m.parsing import parse_json
from m2m.purge.lineage import Published
from m2m.purge.proof import Left, Place, Thing, each
from m2m.records import Record, parse
from m2m.store import Store, blob_key

KEY = "release.key"
CACHES = {"embeddings/": "embeddings", "digests/": "file names"}
"""Caches that say something of originals; one file is about many clips, and all can be made again."""
OTHERS = {
    "checkpoints/": "trained models are not looked into: what was trained on originals may know them",
    "tracking/": "figures on their way to the tracker",
}


def small(place: Place, keys: Iterable[str], kind: str) -> list[Thing]:
    """Small things of one kind, read to know their hashes."""
    keys = list(keys)
    read = each(place.read, keys)
    return [_thing(place, key, data, kind) for key, data in zip(keys, read, strict=True)]


def _thing(place: Place, key: str, data: bytes, kind: str) -> Thing:
    return Thing(place.uri, key, kind, hashlib.sha256(data).hexdigest(), len(data))


class Intermediates:
    """What lies in a work store.

    Args:
        store: The store.
        remains: What stays is added here.

    Attributes:
        needed: Keys of the blobs that others need, once `of_clips` has looked.
    """

    def __init__(self, store: Store, remains: list[Left]) -> None:
        self._store = store
        self._remains = remains
        self._keys = list(store.keys(""))
        self.needed: set[str] = set()
        known = ("blobs/", "records/", *CACHES)
        tops = Counter(key.split("/")[0] + "/" if "/" in key else key for key in self._keys)
        for top, n in sorted(tops.items()):
            if top not in known and top != KEY:
                self._stays(f"{top}*" if top.endswith("/") else top, f"{n} object(s): {OTHERS.get(top, 'not known')}")

    def under(self, prefix: str) -> list[str]:
        """Keys that begin with a string."""
        return [key for key in self._keys if key.startswith(prefix)]

    def secret(self, key: bool) -> list[Thing]:
        """The secret of released names, if it is to go."""
        if KEY not in self._keys or key:
            return small(self._store, [KEY] if KEY in self._keys else [], "secret")
        self._stays(KEY, "finds the source of a released clip; deleted only on request")
        return []

    def of_clips(
        self, names: set[str], kept: Mapping[str, Published], orphans: bool
    ) -> tuple[list[Thing], list[Thing]]:
        """Blobs and records of clips; blobs that another record or a kept data set names stay.

        Args:
            names: The clips' ids.
            kept: Data sets that stay.
            orphans: Also the blobs that no record names.
        """
        keys = self.under("records/")
        read = each(self._store.read, keys)
        things = [_thing(self._store, key, data, "record") for key, data in zip(keys, read, strict=True)]
        parsed = [self._record(key, data) for key, data in zip(keys, read, strict=True)]
        mine = [(t, r) for t, r in zip(things, parsed, strict=True) if r is not None and r.name in names]
        others = {digest for r in parsed if r is not None and r.name not in names for digest in r.outputs.values()}
        released = {c.sha256: n for n, s in kept.items() if s.card.private for c in s.rows if c.sha256}
        self.needed = {blob_key(digest) for digest in (*others, *released)}
        kinds = {digest: _kind(path) for _, record in mine for path, digest in record.outputs.items()}
        stay = Counter(released[d] for d in kinds if d in released)
        for name, n in sorted(stay.items()):
            self._stays("blobs/*", f"{n} blob(s) are clips of the data set {name}, which is kept")
        shared = [d for d in kinds if d in others and d not in released]
        if shared:
            self._stays("blobs/*", f"{len(shared)} blob(s) that records of other clips name")
        present = set(self.under("blobs/"))
        going = {blob_key(d): kind for d, kind in kinds.items() if d not in released and d not in others}
        stray = present - {blob_key(d) for d in (*kinds, *others)}
        if orphans:
            going |= dict.fromkeys(stray, "orphan")
        elif stray:
            self._stays("blobs/*", f"{len(stray)} blob(s) that no record names")
        blobs = sorted(present & going.keys())
        sizes = each(self._store.size, blobs)
        found = [
            Thing(self._store.uri, key, going[key], key.rpartition("/")[2], size)
            for key, size in zip(blobs, sizes, strict=True)
        ]
        return found, [thing for thing, _ in mine]

    def _record(self, key: str, data: bytes) -> Record | None:
        try:
            return parse(parse_json(data))
        except (ValueError, TypeError, AttributeError) as error:
            self._stays(key, f"cannot be read, so nobody knows whose it is: {error}")
            return None

    def _stays(self, key: str, why: str) -> None:
        self._remains.append(Left(self._store.uri, key, why))


def _kind(path: str) -> str:
    """What an output is, from its path in the results."""
    return "previews" if path.startswith(".m2m/previews/") else path.split("/")[0]
