"""Proofs of deletion: what was to go, that it is gone, what could not go, and what remains."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar, cast

from m2m.errors import InfrastructureError, InputError, M2MError
from m2m.files import disk_errors, write_atomic
from m2m.store import MissingError

if TYPE_CHECKING:  # only what needs S3 needs boto3
    from m2m.s3 import S3Store

CALLS = 8
"""Requests to a store at a time."""
SHOWN = 25
"""Entries of what remains that are printed."""

In = TypeVar("In")
Out = TypeVar("Out")


class Place(Protocol):
    """Where things lie: a store, or a folder of a user; the methods are those of `m2m.store.Store`."""

    uri: str

    def read(self, key: str) -> bytes:
        """The bytes under a key."""
        ...

    def size(self, key: str) -> int:
        """How many bytes are under a key."""
        ...

    def exists(self, key: str) -> bool:
        """Whether there is something under a key."""
        ...

    def keys(self, prefix: str) -> Iterator[str]:
        """All keys that begin with a string."""
        ...

    def delete(self, key: str) -> None:
        """Removes what is under a key."""
        ...


class Folder:
    """A user's folder as a place; unlike those of a store its files may be hidden and have any name.

    Args:
        root: The folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.uri = str(root.absolute())

    def read(self, key: str) -> bytes:
        """See Place."""
        try:
            return (self.root / key).read_bytes()
        except FileNotFoundError as error:
            raise MissingError(f"{self.uri}/{key} is missing") from error
        except OSError as error:
            raise InputError(f"cannot read {self.uri}/{key}: {error.strerror}") from error

    def size(self, key: str) -> int:
        """See Place."""
        try:
            return (self.root / key).stat().st_size
        except OSError as error:
            raise MissingError(f"{self.uri}/{key} is missing") from error

    def exists(self, key: str) -> bool:
        """See Place."""
        path = self.root / key
        return path.is_symlink() or path.is_file()

    def keys(self, prefix: str) -> Iterator[str]:
        """See Place."""
        top = self.root / prefix.rpartition("/")[0]  # what follows the last slash begins a name
        found = (p.relative_to(self.root).as_posix() for p in top.rglob("*") if p.is_symlink() or p.is_file())
        yield from sorted(key for key in found if key.startswith(prefix))

    def delete(self, key: str) -> None:
        """See Place."""
        with disk_errors(self.root):
            (self.root / key).unlink(missing_ok=True)


@dataclass(frozen=True)
class Thing:
    """One object.

    Attributes:
        place: Address of the store or folder.
        key: Its key there.
        kind: What it is, in a word or two.
        sha256: Hash of its bytes; empty for a delete marker, which has none.
        size: Its bytes.
        version: The server's name of this version of it; empty where none are kept.
    """

    place: str
    key: str
    kind: str
    sha256: str
    size: int
    version: str = ""

    @property
    def name(self) -> str:
        """Its key, with the version if there is one."""
        return f"{self.key}?versionId={self.version}" if self.version else self.key


Outside = tuple[Place, tuple[list[Thing], ...]]
"""What goes of a place that is no store, in the order in which it goes."""


@dataclass(frozen=True)
class Left:
    """What is still there: one object, or many under a prefix.

    Attributes:
        place: Address of the store or folder.
        key: Its key there, or a prefix with `*`.
        why: Why.
    """

    place: str
    key: str
    why: str


@dataclass(frozen=True)
class Proof:
    """What a purge did, or would do.

    Attributes:
        dataset: The data set behind which was purged.
        done: Whether anything was to be deleted; False for a look ahead.
        things: What was, or would be, deleted; after a purge each was looked for again and not found.
        failed: What was to be deleted and is still there.
        remains: What stays on purpose, or out of reach.
        unfinished: Remains of puts that were killed, removed as well; they have no key.
    """

    dataset: str
    done: bool
    things: tuple[Thing, ...] = ()
    failed: tuple[Left, ...] = ()
    remains: tuple[Left, ...] = ()
    unfinished: int = 0

    @property
    def deleted(self) -> int:
        """Objects that are gone."""
        return len(self.things) if self.done else 0

    @property
    def remaining(self) -> int:
        """Entries of what could not be deleted and of what stays."""
        return len(self.failed) + len(self.remains)

    def __str__(self) -> str:
        kinds: dict[str, list[int]] = {}
        for thing in self.things:
            kinds.setdefault(thing.kind, []).append(thing.size)
        verb = "deleted and looked for again" if self.done else "would be deleted"
        lines = [f"{len(self.things)} objects, {sum(t.size for t in self.things) / 2**20:.1f} MiB, {verb}"]
        lines += [f"  {len(n)} x {kind}, {sum(n) / 2**20:.1f} MiB" for kind, n in sorted(kinds.items())]
        lines += [f"  {self.unfinished} x remains of puts that were killed"] if self.unfinished else []
        lines += [f"  NOT deleted: {left.place}/{left.key}: {left.why}" for left in self.failed]
        lines += [f"  remains: {left.place}/{left.key}: {left.why}" for left in self.remains[:SHOWN]]
        more = len(self.remains) - SHOWN
        lines += [f"  and {more} more that remain, in the proof"] if more > 0 else []
        return "\n".join(lines)

    def write(self, path: Path) -> None:
        """Writes the proof as JSON.

        Raises:
            InfrastructureError: It cannot be written.
        """
        values = {"schema": 1, "deleted": self.deleted, "remaining": self.remaining, **asdict(self)}
        write_atomic(path, (json.dumps(values, indent=1, sort_keys=True) + "\n").encode())


def each(what: Callable[[In], Out], items: Iterable[In]) -> list[Out]:
    """Calls a function for all items, some at a time; results are in the items' order."""
    with ThreadPoolExecutor(CALLS) as pool:
        return list(pool.map(what, items))


def delete(place: Place, things: Sequence[Thing]) -> tuple[list[Thing], list[Left]]:
    """Deletes things and looks for each again: it must be in no listing, and reading it must find nothing.

    Args:
        place: Where they lie.
        things: What to delete.

    Returns:
        What is gone, and what is still there and why. A failure keeps nothing else from being deleted.
    """

    def one(thing: Thing) -> str:
        try:
            if thing.version:
                _versioned(place).delete_version(thing.key, thing.version)
            else:
                place.delete(thing.key)
        except M2MError as error:
            return f"it could not be deleted: {error.what}"
        return ""

    refused = each(one, things)
    listed = _listed(place, things)
    found = each(lambda thing: _still_there(place, thing), things)
    gone, failed = [], []
    for thing, why, there in zip(things, refused, found, strict=True):
        if there or thing.name in listed:
            failed.append(Left(thing.place, thing.name, why or there or "it was deleted and is still listed"))
        else:
            gone.append(thing)
    return gone, failed


def _versioned(place: Place) -> "S3Store":
    """The place, of which some things have versions: only one on S3 has such."""
    return cast("S3Store", place)


def _listed(place: Place, things: Sequence[Thing]) -> set[str]:
    """Names of all that the place still lists where things were."""
    prefixes = _outermost(sorted({thing.key.rpartition("/")[0] for thing in things}))
    if not any(thing.version for thing in things):
        return {key for prefix in prefixes for key in place.keys(prefix)}
    found = (version for prefix in prefixes for version in _versioned(place).versions(prefix))
    return {f"{version.key}?versionId={version.id}" for version in found}


def _still_there(place: Place, thing: Thing) -> str:
    if thing.version and not thing.sha256:
        return ""  # a delete marker cannot be read, there or not
    try:
        if thing.version:
            _versioned(place).read_version(thing.key, thing.version)
        else:
            place.read(thing.key)
    except MissingError:
        return ""
    except M2MError as error:
        return f"it cannot be said whether it is gone: {error.what}"
    return "it was deleted and can still be read"


def _outermost(prefixes: Sequence[str]) -> list[str]:
    """The prefixes under which all others lie, each a whole folder; many folders of one kind become one listing."""
    return sorted({prefix.split("/")[0] + "/" if prefix else "" for prefix in prefixes})


def prove(
    proof: Proof, things: Sequence[Thing], failed: Sequence[Left], remains: Sequence[Left], unfinished: int = 0
) -> Proof:
    """A look ahead with what came of it; what is gone is in the order of the look ahead."""
    order = {thing: i for i, thing in enumerate(proof.things)}
    things = sorted(things, key=order.__getitem__)
    gone, stuck, left = tuple(things), tuple(failed), tuple(remains)
    return replace(proof, done=True, things=gone, failed=stuck, remains=left, unfinished=unfinished)


def in_order(place: Place, *groups: Sequence[Thing]) -> tuple[list[Thing], list[Left]]:
    """Deletes groups one after the other; what tells of things that could not be deleted stays with them."""
    gone: list[Thing] = []
    failed: list[Left] = []
    for group in groups:
        if failed:
            failed += [Left(thing.place, thing.name, "tells of things that could not be deleted") for thing in group]
        else:
            done, failed = delete(place, group)
            gone += done
    return gone, failed


def finished(proof: Proof, report: Path) -> Proof:
    """Writes a proof.

    Raises:
        InfrastructureError: It says that something could not be deleted, or cannot be written.
    """
    proof.write(report)
    if proof.failed:
        first = proof.failed[0]
        raise InfrastructureError(
            f"{len(proof.failed)} object(s) could not be deleted, first {first.place}/{first.key}: {first.why}",
            f"the proof {report} lists all; put it right, then run again",
        )
    return proof
