"""What a source holds right now, in one hash: whether there is anything new for a pipeline to do."""

from collections.abc import Sequence
from dataclasses import dataclass

from m2m.datasets.source import Entry, look
from m2m.fingerprints import fingerprint
from m2m.store import Store, any_work_store

VERSION = "snapshot.1"


@dataclass(frozen=True)
class Snapshot:
    """The content of a source.

    Attributes:
        hash: Of the clips' ids, labels, splits and bytes; the same wherever the source lies. On S3 size and ETag stand
            for the bytes, so a bucket and a folder of the same videos have different hashes.
        clips: Clips that can be read, whatever is in them.
        bytes: Their size together.
    """

    hash: str
    clips: int
    bytes: int

    def __str__(self) -> str:
        return f"{self.clips} clips, {self.bytes / 2**20:.1f} MiB, snapshot {self.hash[:12]}"


def snapshot(source: str, *, cache: Store | None = None, workers: int = 4) -> Snapshot:
    """Hashes the content of a source. No video is decoded.

    Args:
        source: As `m2m.datasets.source.look` takes it.
        cache: Where hashes of local files are remembered by path, size and time of the last change, so that a second
            look at an unchanged tree reads no file; by default the work store, if M2M_WORK is set.
        workers: Threads that hash.

    Raises:
        InputError: There is no such source, or no video in it.
        InfrastructureError: The bucket cannot be reached, or the cache cannot be written.
    """
    return of(look(source, cache or any_work_store(), workers).entries)


def of(found: Sequence[Entry]) -> Snapshot:
    """The snapshot of what was found, in whatever order."""
    ordered = sorted(found, key=lambda e: e.clip.clip_id)
    rows = [[e.clip.clip_id, e.clip.label, e.clip.split, e.clip.status, e.identity, e.size] for e in ordered]
    there = [e for e in found if e.clip.status == "ok" and not e.identity.startswith("unreadable")]
    return Snapshot(fingerprint(VERSION, rows), len(there), sum(e.size for e in there))
