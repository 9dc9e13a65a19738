"""Draws the bodies of one shard on its plates."""

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Output

from components.images import image


@dsl.component(base_image=image("recover"), install_kfp_package=False)
def compose(
    manifest: Input[Dataset],
    plates: Input[Artifact],
    bodies: Input[Artifact],
    shard: int,
    params: dict,
    workers: int,
    composed: Output[Artifact],
):
    """Writes the M2M clips.

    Args:
        manifest: The curated manifest.
        plates: What `inpaint` made of this shard.
        bodies: What `recover` found in this shard.
        shard: Which shard.
        params: The `augment` section.
        workers: Processes.
        composed: Records of what lies in the work store.
    """
    from pathlib import Path

    from m2m.artifacts import opened, stamp
    from m2m.augment.stages import compose_shard
    from m2m.params import section

    source, out = opened(manifest, "dataset"), Path(composed.path)
    parts = opened(plates, "plates"), opened(bodies, "bodies")
    done = compose_shard(source, *parts, shard, out, section("augment", params), workers=workers)
    stamp(composed, "composed", done, shard=shard)
