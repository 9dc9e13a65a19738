"""Purge of what is personal behind a published data set, in the data store and the work store."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from m2m.clips import DatasetCard
from m2m.errors import InputError, M2MError
from m2m.purge.history import History
from m2m.purge.intermediates import CACHES, KEY, Intermediates, small
from m2m.purge.lineage import Published, all_sets, doomed_sets, doomed_shards, keys_of, leftovers, shared_clips
from m2m.purge.proof import Left, Outside, Proof, Thing, finished, in_order, prove
from m2m.purge.runs import elsewhere
from m2m.purge.versions import gone_from, registered
from m2m.store import Store, data_store, work_store
from m2m.tombstone import bury

SETTLED = 3600.0
"""Seconds after which a put that has not finished is taken for one that was killed."""

OUT_OF_REACH = {
    "sources": "the original videos, where they came from, and copies that people made",
    "volumes": "scratch volumes go with their pods if their storage class deletes them; disks are not overwritten",
    "logs": "what a cluster keeps of its pods' output, but for what --runs and --also name",
    "tracker": "figures, names of runs and hashes of data sets; it was not looked into",
}


def purge_published(
    dataset: str,
    report: Path,
    *,
    yes: bool = False,
    keep: Sequence[str] = (),
    key: bool = False,
    orphans: bool = False,
    also: Sequence[str] = (),
    runs: Sequence[str] = (),
    repository: str = "",
    store: Store | None = None,
    work: Store | None = None,
) -> Proof:
    """Deletes what is personal behind a published data set from the data store, the work store, and where runs left it.

    Args:
        dataset: Its hash: of a data set that shows no people. It stays, and so do all others that show none.
        report: File of the proof, JSON.
        yes: Really delete; without it the proof says what would be deleted.
        keep: Hashes of published data sets to keep although they show the same people.
        key: Delete the secret of released names too: after that nobody can find a released clip's source again.
        orphans: Delete shards that no published data set names and blobs that no record names, too. Nothing must run on
            the stores meanwhile.
        also: Folders and prefixes on S3 that go as a whole: artifacts and logs of runs.
        runs: Folders and prefixes in which each run has a folder: those of runs that know of these clips go.
        repository: The git repository with DVC that versions were registered in: a URL, a bare one's folder, or a
            working copy, whose cache is purged as well.
        store: The data store; by default the one that M2M_STORE names.
        work: The work store; by default the one that M2M_WORK names.

    Returns:
        The proof, as it was written.

    Raises:
        InputError: The data set is not published or shows people, or another published one cannot be read: then nobody
            knows what it still needs; or a version that is still registered names the originals.
        InfrastructureError: Something could not be deleted, or a store fails. The proof says what; run it again.
    """
    store, work = store or data_store(), work or work_store()
    sets = all_sets(store)
    _check(dataset, keep, sets, store)
    remains: list[Left] = []
    doomed = {name: sets[name] for name in doomed_sets(dataset, sets, frozenset(keep), store, remains)}
    kept = {name: found for name, found in sets.items() if name not in doomed}
    old, shards, manifests = _in_data_store(store, sets, doomed, kept, orphans, remains)
    names = {clip.clip_id for found in (sets[dataset], *doomed.values()) for clip in found.rows}
    blobs, records, caches = _in_work_store(work, names - shared_clips(doomed, kept), kept, key, orphans, remains)
    shown = _hashes(doomed.values()) - _hashes(other for other in kept.values() if not other.card.private)
    made = {thing.sha256 for thing in blobs if thing.sha256}
    steps: list[Outside] = [(work, (blobs, records)), (work, (caches,)), (store, (shards,)), (store, (old,))]
    steps += elsewhere(also, runs, shown | made, (store, work), remains)
    steps += gone_from(registered(repository, remains), shown, remains) if repository else []
    remains += _out_of_reach(also, runs, repository)
    planned = [t for _, groups in steps for group in groups for t in group]
    planned += [t for groups in manifests.values() for group in groups for t in group]
    proof = Proof(dataset, False, tuple(planned), (), tuple(remains))
    if yes:
        proof.write(report)  # before anything goes: a proof that cannot be written is none
        done = [in_order(place, *groups) for place, groups in steps]
        whole = not any(failed for _, failed in done)
        for name, groups in manifests.items():
            if whole:
                bury(name, store, _about(sets[name].card, dataset))
                done.append(in_order(store, *groups))
            else:  # manifests tell what else there is
                why = "goes when all that it tells of is gone"
                done.append(([], [Left(t.place, t.name, why) for group in groups for t in group]))
        swept = [_sweep(place, 0 if orphans else SETTLED) for place in (store, work)]
        things = [thing for gone, _ in done for thing in gone]
        failed = [left for _, stuck in done for left in stuck] + [left for _, stuck, _ in swept for left in stuck]
        remains += [left for _, _, young in swept for left in young]
        proof = prove(proof, things, failed, remains, sum(n for n, _, _ in swept))
    return finished(proof, report)


def _in_data_store(
    store: Store,
    sets: dict[str, Published],
    doomed: dict[str, Published],
    kept: dict[str, Published],
    orphans: bool,
    remains: list[Left],
) -> tuple[list[Thing], list[Thing], dict[str, tuple[list[Thing], ...]]]:
    """What goes of the data store: leftovers, shards, and by data set its index and the rest of its manifest folder."""
    history = History(store, remains)
    shards = history.of(doomed_shards(doomed, kept, store, orphans, remains))
    files = {
        name: tuple(history.of(small(store, keys, "manifest")) for keys in keys_of(store, name)) for name in doomed
    }
    old = history.of(small(store, leftovers(store, sets), "manifest"))
    needed = {o.shards[c.shard].key for o in kept.values() for c in o.rows if c.status == "ok"}
    shards += history.hidden(("shards/", "datasets/"), {*needed, *(f"datasets/{name}/" for name in kept)})
    for name, other in sorted(kept.items()):
        if other.card.private:
            remains.append(Left(store.uri, f"datasets/{name}", "shows no people; names clips after their sources"))
    remains += history.rest([*shards, *old, *(t for groups in files.values() for group in groups for t in group)])
    return old, shards, files


def _in_work_store(
    work: Store, names: set[str], kept: dict[str, Published], key: bool, orphans: bool, remains: list[Left]
) -> tuple[list[Thing], list[Thing], list[Thing]]:
    """What goes of the work store: blobs, records and caches."""
    history, found = History(work, remains), Intermediates(work, remains)
    blobs, records = map(history.of, found.of_clips(names, kept, orphans))
    caches = [thing for prefix, kind in CACHES.items() for thing in small(work, found.under(prefix), kind)]
    caches = history.of([*caches, *found.secret(key)])
    blobs += history.hidden(("blobs/", "records/", *CACHES, *([KEY] if key else [])), found.needed)
    remains += history.rest([*blobs, *records, *caches])
    return blobs, records, caches


def _check(dataset: str, keep: Sequence[str], sets: dict[str, Published], store: Store) -> None:
    for name in (dataset, *keep):
        if name not in sets:
            raise InputError(f"no data set {name} is published in {store.uri}", "check the hash and M2M_STORE")
    if not sets[dataset].card.private:
        shown = sets[dataset].card.variant
        raise InputError(f"{dataset} is the variant {shown}, which shows people", "name the data set made of it")


def _hashes(sets: Iterable[Published]) -> set[str]:
    """Hashes of the videos of data sets."""
    return {clip.sha256 for found in sets for clip in found.rows if clip.sha256}


def _out_of_reach(also: Sequence[str], runs: Sequence[str], repository: str) -> list[Left]:
    """Where a purge does not look, as it was called."""
    found = []
    if not (also or runs):
        found.append(Left("runs", "*", "artifacts and logs of pipeline runs were not looked for: --runs, --also"))
    if not repository:
        found.append(Left("versions", "*", "a DVC remote and caches were not looked for: --repository"))
    return found + [Left(place, "*", why) for place, why in OUT_OF_REACH.items()]


def _about(card: DatasetCard, by: str) -> dict[str, str]:
    return {"variant": card.variant, "parent": card.parent, "purged_with": by}


def _sweep(place: Store, age: float) -> tuple[int, list[Left], list[Left]]:
    """Removes what killed puts left: how many, what could not be removed, and what may still be at work."""
    try:
        n, young = place.clean(age), place.unfinished()
    except M2MError as error:
        return 0, [Left(place.uri, "*", f"remains of puts that were killed could not be removed: {error.what}")], []
    why = f"{young} put(s) not finished, begun less than {SETTLED / 60:.0f} minutes ago or since: purge again later"
    return n, [], [Left(place.uri, "*", why)] if young else []
