"""Probes and hashes the clips of a source and packs them into shards."""

from kfp import dsl
from kfp.dsl import Dataset, Output

from components.images import image


@dsl.component(base_image=image("base"), install_kfp_package=False)
def ingest(source: str, source_hash: str, params: dict, workers: int, dataset: Output[Dataset]):
    """Writes the manifest of a source.

    Args:
        source: A folder, a manifest, or `s3://bucket/prefix`.
        source_hash: What `snapshot` said of it; a source that has changed since is refused.
        params: The `ingest` section.
        workers: Processes.
        dataset: The manifest; the clips lie in the data store.
    """
    from pathlib import Path

    from m2m.artifacts import stamp
    from m2m.datasets.ingest import ingest as read
    from m2m.params import section

    how = {"workers": workers, "packed": True, "expected": source_hash}
    done = read(source, Path(dataset.path), section("ingest", params), **how)
    stamp(dataset, "dataset", done)
