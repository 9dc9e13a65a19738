"""Joins the audited shards to one data set."""

from typing import List  # noqa: UP035 - the SDK reads the annotation's text

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from components.images import image


@dsl.component(base_image=image("base"), install_kfp_package=False)
def merge(
    parts: Input[List[Dataset]],  # noqa: UP006
    manifest: Input[Dataset],
    params: dict,
    shards: int,
    dataset: Output[Dataset],
) -> str:
    """Writes the manifest of the finished data set; its clips lie in the data store.

    Args:
        parts: The audited shards.
        manifest: The curated manifest, whose every clip must be in one of them.
        params: The `augment` section.
        shards: Into how many shards the result is packed.
        dataset: The manifest.

    Returns:
        The hash under which the data set is published in the data store.
    """
    from pathlib import Path

    from m2m.artifacts import opened, stamp
    from m2m.merge import merge as join
    from m2m.params import section

    folders, source = [opened(part, "audited") for part in parts], opened(manifest, "dataset")
    card = join(folders, source, Path(dataset.path), section("augment", params), shards)
    stamp(dataset, "dataset", card)
    return card.hash
