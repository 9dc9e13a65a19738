"""K-NEXUS: the classes that speak for the others."""

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Output

from components.images import image


@dsl.component(base_image=image("base"), install_kfp_package=False)
def curate(dataset: Input[Dataset], params: dict, curated: Output[Dataset], selection: Output[Artifact]) -> list[int]:
    """Writes the manifest of the selected classes.

    Args:
        dataset: A manifest.
        params: The `curate` section.
        curated: The manifest of what was selected, in the same shards.
        selection: Why.

    Returns:
        The shards that hold selected clips.
    """
    from pathlib import Path

    from m2m.artifacts import opened, stamp
    from m2m.curate import curate as select
    from m2m.params import section

    out = Path(curated.path)
    done = select(opened(dataset, "dataset"), out, section("curate", params), selection=Path(selection.path))
    stamp(curated, "dataset", hash=done.hash, clips=done.clips)
    stamp(selection, "selection", classes=list(done.classes))
    return list(done.shards)
