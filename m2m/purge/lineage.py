"""What belongs together in a data store: which published data sets show the people behind another one."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from m2m.clips import Clip, DatasetCard
from m2m.published import INDEX, fetch_published, published
from m2m.purge.proof import Left, Thing, each
from m2m.shards import Shard, read_folder
from m2m.store import Store
from m2m.tombstone import tombstone


@dataclass(frozen=True)
class Published:
    """A published data set."""

    rows: list[Clip]
    card: DatasetCard
    shards: dict[int, Shard]


def all_sets(store: Store) -> dict[str, Published]:
    """All published data sets by hash.

    Raises:
        InputError: One cannot be read.
    """
    found = {}
    with tempfile.TemporaryDirectory(prefix="m2m-purge-") as scratch:
        for name in published(store):
            found[name] = Published(*read_folder(fetch_published(name, store, Path(scratch) / name)))
    return found


def doomed_sets(
    dataset: str, sets: dict[str, Published], keep: frozenset[str], store: Store, remains: list[Left]
) -> list[str]:
    """Data sets that go: those that the data set was made from, and others made from these that show people.

    What a set was made from stays where yet another set that shows people was made from it.
    """
    doomed: list[str] = []
    seen: set[str] = set()  # a selection of all clips is its own parent: the same rows have the same hash
    at = sets[dataset].card.parent
    if at not in sets and tombstone(at, store) is None:
        remains.append(Left(store.uri, f"datasets/{at}", "is not published: where its originals are is not known"))
    while at and at not in seen:
        seen.add(at)
        if at not in sets:
            at = (tombstone(at, store) or {}).get("parent", "")
            continue
        if sets[at].card.private:
            break
        line = _children(at, sets, {at}) if not doomed else []
        others = [
            n for n, s in sets.items() if s.card.parent == at and not s.card.private and n not in (at, *doomed, *line)
        ]
        held = [n for n in (at, *line) if n in keep]
        remains += [Left(store.uri, f"datasets/{n}", "shows people, and is to be kept") for n in held]
        if others and at not in held:
            remains.append(Left(store.uri, f"datasets/{at}", f"the data set {others[0]} was made from it, too"))
            break
        doomed += [n for n in (*line, at) if n not in keep]
        at = sets[at].card.parent
    return doomed


def _children(name: str, sets: dict[str, Published], seen: set[str]) -> list[str]:
    """Data sets that show people and were made from one, at however many removes; the last ones first."""
    found = []
    for child in sorted(n for n, s in sets.items() if s.card.parent == name and not s.card.private):
        if child not in seen:
            seen.add(child)
            found += [*_children(child, sets, seen), child]
    return found


def shared_clips(doomed: dict[str, Published], kept: dict[str, Published]) -> set[str]:
    """Clips that a kept data set which shows people has as well, the same bytes under the same id."""
    going = {(c.clip_id, c.sha256) for other in doomed.values() for c in other.rows if c.sha256}
    staying = {(c.clip_id, c.sha256) for other in kept.values() if not other.card.private for c in other.rows}
    return {clip_id for clip_id, _ in going & staying}


def doomed_shards(
    doomed: dict[str, Published], kept: dict[str, Published], store: Store, orphans: bool, remains: list[Left]
) -> list[Thing]:
    """Shards to delete; those in which a kept data set has a clip stay."""
    needed = {o.shards[c.shard].key: name for name, o in kept.items() for c in o.rows if c.status == "ok"}
    wanted = {shard.key for other in doomed.values() for shard in other.shards.values()}
    present = set(store.keys("shards/"))
    both = sorted(wanted & needed.keys())
    remains += [Left(store.uri, key, f"the data set {needed[key]}, which is kept, has clips in it") for key in both]
    stray = present - wanted - needed.keys()
    if stray and not orphans:
        remains.append(Left(store.uri, "shards/*", f"{len(stray)} shard(s) that no published data set names"))
    going = sorted((wanted & present) - needed.keys()) + (sorted(stray) if orphans else [])
    digests = {key: key.removeprefix("shards/").removesuffix(".tar") for key in going}
    sizes = each(store.size, going)
    return [Thing(store.uri, key, "shard", digests[key], size) for key, size in zip(going, sizes, strict=True)]


def keys_of(store: Store, name: str) -> tuple[list[str], list[str]]:
    """Keys of a published data set: its index, without which nobody can begin to read it, and the rest."""
    index = f"datasets/{name}/{INDEX}"
    return [index], [key for key in store.keys(f"datasets/{name}/") if key != index]


def leftovers(store: Store, sets: dict[str, Published]) -> list[str]:
    """Keys of data sets whose purge was cut off when their index was gone."""
    keys = [key for key in store.keys("datasets/") if key.split("/")[1] not in sets]
    purged = {name for name in {key.split("/")[1] for key in keys} if tombstone(name, store) is not None}
    return [key for key in keys if key.split("/")[1] in purged]
