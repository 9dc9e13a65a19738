"""Recovers the bodies of one shard's people."""

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Output

from components.images import image


@dsl.component(base_image=image("recover"), install_kfp_package=False)
def recover(
    manifest: Input[Dataset], people: Input[Artifact], shard: int, params: dict, workers: int, bodies: Output[Artifact]
):
    """Writes SMPL-X poses of the same people that were painted out.

    Args:
        manifest: The curated manifest.
        people: What `detect` found in this shard.
        shard: Which shard.
        params: The `augment` section.
        workers: Processes.
        bodies: Records of what lies in the work store.
    """
    from pathlib import Path

    from m2m.artifacts import opened, stamp
    from m2m.augment.stages import recover_shard
    from m2m.params import section

    source, found, out = opened(manifest, "dataset"), opened(people, "people"), Path(bodies.path)
    done = recover_shard(source, found, shard, out, section("augment", params), workers=workers)
    stamp(bodies, "bodies", done, shard=shard)
