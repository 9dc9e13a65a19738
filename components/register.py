"""Publishes the releasable form of a data set as a version."""

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Output

from components.images import image


@dsl.component(base_image=image("base"), install_kfp_package=False)
def register(dataset: Input[Dataset], params: dict, released: Output[Artifact]):
    """Pushes a version with DVC. An empty `repository` in the parameters registers nothing and says so.

    Args:
        dataset: A merged data set that has passed the gate.
        params: The `register` section.
        released: The version: md5, git revision, tag.
    """
    from pathlib import Path

    from m2m.artifacts import opened, stamp
    from m2m.params import section
    from m2m.register import register_artifact

    done = register_artifact(opened(dataset, "dataset"), Path(released.path), section("register", params))
    stamp(released, "dataset", done)
