"""Detect, inpaint, recover, compose and verify one shard, where one image holds all backends."""

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Output

from components.images import image


@dsl.component(base_image=image("recover"), install_kfp_package=False)
def augment(manifest: Input[Dataset], shard: int, params: dict, workers: int, composed: Output[Artifact]):
    """Writes the M2M clips of a shard without intermediates.

    Args:
        manifest: The curated manifest.
        shard: Which shard.
        params: The `augment` section.
        workers: Processes.
        composed: Records of what lies in the work store.
    """
    from pathlib import Path

    from m2m.artifacts import opened, stamp
    from m2m.augment.stages import augment_shard
    from m2m.params import section

    source, out = opened(manifest, "dataset"), Path(composed.path)
    done = augment_shard(source, shard, out, section("augment", params), workers=workers)
    stamp(composed, "composed", done, shard=shard)
