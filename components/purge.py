"""Deletes the personal data behind a released data set."""

from kfp import dsl
from kfp.dsl import Artifact, Output

from components.images import image


@dsl.component(base_image=image("base"), install_kfp_package=False)
def purge(dataset: str, yes: bool, also: list, runs: list, repository: str, proof: Output[Artifact]):
    """Writes what was deleted, and that it is gone.

    Args:
        dataset: Hash of a merged data set.
        yes: Really delete; without it the proof says what would go.
        also: Addresses of what goes as a whole: artifacts and logs of runs.
        runs: Addresses where each run has a folder: those that know of these clips go.
        repository: The git repository with DVC that versions were registered in; empty: none is looked at.
        proof: Every object with its hash, and what remains and why.
    """
    from pathlib import Path

    from m2m.artifacts import stamp
    from m2m.purge import purge_published

    done = purge_published(dataset, Path(proof.path), yes=yes, also=also, runs=runs, repository=repository)
    stamp(proof, "report", deleted=done.deleted, remaining=len(done.remains))
