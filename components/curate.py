"""K-NEXUS: the classes that speak for the others."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from components.images import image


@dsl.component(base_image=image("base"), install_kfp_package=False)
def curate(dataset: Input[Dataset], params: dict, curated: Output[Dataset]) -> list[int]:
    """Writes the manifest of the selected classes.

    Args:
        dataset: A manifest.
        params: The `curate` section.
        curated: The manifest of what was selected, in the same shards, and why.

    Returns:
        The shards that hold selected clips.
    """
    from pathlib import Path

    from m2m.artifacts import opened, stamp
    from m2m.curate.dataset import curate as select
    from m2m.params import section

    source, out = opened(dataset, "dataset"), Path(curated.path)
    done = select(source, out, section("curate", params), published=True)
    stamp(curated, "dataset", hash=done.hash, clips=done.clips, classes=done.classes)
    return list(done.shards)
