"""Hashes of many files, quick where nothing has changed: what was hashed is remembered by size and time."""

import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from m2m.files import file_sha256
from m2m.fingerprints import fingerprint
from m2m.parsing import parse_json
from m2m.progress import counter
from m2m.store import MissingError, Store

SETTLED = 2.0
"""Seconds since a file's last change from which it is remembered: within a tick of the clock it may change unseen."""


SAVED_EVERY = 60.0
"""Seconds after which what has been hashed is remembered."""


@dataclass(frozen=True)
class Digest:
    """What a file's bytes are.

    Attributes:
        sha256: Their hash, or `unreadable: ` and why.
        size: Bytes; 0 where the file cannot be read.
    """

    sha256: str
    size: int


def digests(
    files: Sequence[Path], root: str, cache: Store | None, workers: int = 4, progress: bool = False
) -> list[Digest]:
    """Hashes files, in their order.

    Args:
        files: Absolute paths.
        root: The source they belong to; one memory a source.
        cache: Where hashes are remembered, by path, size and times of the last change; None hashes all of them.
            What is hashed is remembered every minute, so a run that is killed loses no more than that.
        workers: Threads; hashing is done outside of Python's lock.
        progress: Tell on stderr how far it is.

    Raises:
        InfrastructureError: The cache cannot be written.
    """
    key = f"digests/{fingerprint(root)}.json"
    known = _recall(cache, key)
    fresh: dict[str, list] = {}

    def one(file: Path) -> Digest:
        try:
            stat = file.stat()
            was, now = known.get(str(file)), [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_nlink]
            if was is not None and _same(was[:4], now):
                fresh[str(file)] = [*now, was[4]]
                return Digest(was[4], stat.st_size)
            settled = time.time() - stat.st_mtime > SETTLED
            digest = file_sha256(file)
            if settled:
                fresh[str(file)] = [*now, digest]
            return Digest(digest, stat.st_size)
        except OSError as error:
            return Digest(f"unreadable: {error.strerror}", 0)

    found: list[Digest] = []
    saved = time.monotonic()
    with ThreadPoolExecutor(workers) as pool, counter(len(files), "file", "hashing", progress) as count:
        for digest in pool.map(one, files):
            found.append(digest)
            count()
            if cache is not None and time.monotonic() - saved > SAVED_EVERY:
                cache.write(key, json.dumps({**known, **fresh}, sort_keys=True).encode())
                saved = time.monotonic()
    if cache is not None and fresh != known:
        cache.write(key, json.dumps(fresh, sort_keys=True).encode())
    return found


def _same(was: list[int], now: list[int]) -> bool:
    """Whether a file is the one that was hashed, by its size, the times of its last changes and its number of names.

    The first of the times is what copying programs and clocks that jump put back; the second is the system's own, and
    also changes when a data set links to the file.
    """
    return was[:2] == now[:2] and (was[2] == now[2] or was[3] != now[3])


def _recall(cache: Store | None, key: str) -> dict[str, list]:
    """What was remembered; nothing where it is missing or damaged, and so all is hashed again."""
    if cache is None:
        return {}
    try:
        values = parse_json(cache.read(key))
    except (MissingError, ValueError):
        return {}
    whole = isinstance(values, dict) and all(isinstance(v, list) and len(v) == 5 for v in values.values())
    return values if whole else {}
