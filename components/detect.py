"""Finds the people of one shard."""

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Output

from components.images import image


@dsl.component(base_image=image("detect"), install_kfp_package=False)
def detect(manifest: Input[Dataset], shard: int, params: dict, workers: int, people: Output[Artifact]):
    """Writes who is where in every frame. What it finds is personal data and stays in the work store.

    Args:
        manifest: The curated manifest.
        shard: Which shard of it.
        params: The `augment` section.
        workers: Processes.
        people: Records of what lies in the work store.
    """
    from pathlib import Path

    from m2m.artifacts import opened, stamp
    from m2m.augment.stages import detect_shard
    from m2m.params import section

    source, out = opened(manifest, "dataset"), Path(people.path)
    done = detect_shard(source, shard, out, section("augment", params), workers=workers)
    stamp(people, "people", done, shard=shard)
