"""Purge of what is personal behind a published data set, in the data store and the work store."""

import json
from collections.abc import Sequence
from pathlib import Path

from m2m.clips import DatasetCard
from m2m.errors import InputError
from m2m.published import tombstone_key
from m2m.purge.intermediates import CACHES, Intermediates, small
from m2m.purge.lineage import all_sets, doomed_sets, doomed_shards, keys_of, leftovers, shared_clips
from m2m.purge.proof import Left, Proof, finished, in_order, prove
from m2m.store import Store, data_store, work_store

SETTLED = 3600.0
"""Seconds after which a put that has not finished is taken for one that was killed."""
VERSIONS = "older versions of objects, if the bucket keeps them, and backups are out of reach: ask who runs it"


def purge_published(
    dataset: str,
    report: Path,
    *,
    yes: bool = False,
    keep: Sequence[str] = (),
    key: bool = False,
    orphans: bool = False,
    store: Store | None = None,
    work: Store | None = None,
) -> Proof:
    """Deletes what is personal behind a published data set from the data store and the work store.

    Args:
        dataset: Its hash: of a data set that shows no people. It stays, and so do all others that show none.
        report: File of the proof, JSON.
        yes: Really delete; without it the proof says what would be deleted.
        keep: Hashes of published data sets to keep although they show the same people.
        key: Delete the secret of released names too: after that nobody can find a released clip's source again.
        orphans: Delete shards that no published data set names and blobs that no record names, too. Nothing must run on
            the stores meanwhile.
        store: The data store; by default the one that M2M_STORE names.
        work: The work store; by default the one that M2M_WORK names.

    Returns:
        The proof, as it was written.

    Raises:
        InputError: The data set is not published or shows people, or another published one cannot be read: then nobody
            knows what it still needs.
        InfrastructureError: Something could not be deleted, or a store fails. The proof says what; run it again.
    """
    store, work = store or data_store(), work or work_store()
    sets = all_sets(store)
    for name in (dataset, *keep):
        if name not in sets:
            raise InputError(f"no data set {name} is published in {store.uri}", "check the hash and M2M_STORE")
    if not sets[dataset].card.private:
        shown = sets[dataset].card.variant
        raise InputError(f"{dataset} is the variant {shown}, which shows people", "name the data set made of it")
    remains: list[Left] = []
    doomed = {name: sets[name] for name in doomed_sets(dataset, sets, frozenset(keep), store, remains)}
    kept = {name: found for name, found in sets.items() if name not in doomed}
    shards = doomed_shards(doomed, kept, store, orphans, remains)
    files = {name: small(store, keys_of(store, name), "manifest") for name in doomed}
    names = {clip.clip_id for found in (sets[dataset], *doomed.values()) for clip in found.rows}
    found = Intermediates(work, remains)
    blobs, records = found.of_clips(names - shared_clips(doomed, kept), kept, orphans)
    caches = [thing for prefix, kind in CACHES.items() for thing in small(work, found.under(prefix), kind)]
    caches += found.secret(key)
    old = small(store, leftovers(store, sets), "manifest")
    for name, other in sorted(kept.items()):
        if other.card.private:
            remains.append(Left(store.uri, f"datasets/{name}", "shows no people; names clips after their sources"))
    remains += [Left(place.uri, "*", VERSIONS) for place in (store, work) if place.uri.startswith("s3://")]
    planned = [*blobs, *records, *caches, *shards, *old, *(thing for things in files.values() for thing in things)]
    proof = Proof(dataset, False, tuple(planned), (), tuple(remains))
    if yes:
        done = [in_order(work, blobs, records), in_order(work, caches), in_order(store, shards), in_order(store, old)]
        whole = not any(failed for _, failed in done)
        for name, things in files.items():
            if whole:
                _bury(store, name, sets[name].card, dataset)
                done.append(in_order(store, things[:1], things[1:]))
            else:  # manifests tell what else there is
                done.append(([], [Left(t.place, t.key, "goes when all that it tells of is gone") for t in things]))
        unfinished = sum(place.clean(0 if orphans else SETTLED) for place in (store, work))
        things, failed = [t for gone, _ in done for t in gone], [f for _, stuck in done for f in stuck]
        proof = prove(proof, things, failed, unfinished)
    return finished(proof, report)


def _bury(store: Store, name: str, card: DatasetCard, by: str) -> None:
    """Leaves word of a data set that is purged, so that readers know, and a purge that was cut off goes on."""
    about = {"schema": 1, "variant": card.variant, "parent": card.parent, "purged_with": by}
    store.write(tombstone_key(name), (json.dumps(about, indent=1, sort_keys=True) + "\n").encode())
