"""Paints the people of one shard out, and looks whether anybody is left."""

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Output

from components.images import image


@dsl.component(base_image=image("inpaint"), install_kfp_package=False)
def inpaint(
    manifest: Input[Dataset], people: Input[Artifact], shard: int, params: dict, workers: int, plates: Output[Artifact]
):
    """Writes the plates; a clip in which somebody may still be seen is quarantined.

    Args:
        manifest: The curated manifest.
        people: What `detect` found in this shard.
        shard: Which shard.
        params: The `augment` section.
        workers: Processes.
        plates: Records of what lies in the work store.
    """
    from pathlib import Path

    from m2m.artifacts import opened, stamp
    from m2m.augment.stages import inpaint_shard
    from m2m.params import section

    source, found, out = opened(manifest, "dataset"), opened(people, "people"), Path(plates.path)
    done = inpaint_shard(source, found, shard, out, section("augment", params), workers=workers)
    stamp(plates, "plates", done, shard=shard)
