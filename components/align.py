"""Aligns a pre-trained encoder on the labels of a published data set."""

from kfp import dsl
from kfp.dsl import Input, Metrics, Model, Output

from components.images import image


@dsl.component(base_image=image("train"), install_kfp_package=False)
def align(
    dataset: str,
    checkpoint: Input[Model],
    params: dict,
    model: dict,
    seed: int,
    also: str,
    aligned: Output[Model],
    metrics: Output[Metrics],
):
    """Writes an encoder that knows the labels.

    Args:
        dataset: Hash of a published data set.
        checkpoint: A pre-trained encoder.
        params: The `align` section.
        model: The `model` section.
        seed: Seed of head and order.
        also: Hash of a second data set, with a head of its own; empty: none.
        aligned: The weights.
        metrics: The last epoch's figures.
    """
    from pathlib import Path

    from m2m.artifacts import opened, stamp
    from m2m.launch import launch, processes
    from m2m.params import section

    settings = section("align", params), section("model", model)
    learned, out, gpus = opened(checkpoint, "checkpoint"), Path(aligned.path), processes("gpu")
    done = launch("align_set", dataset, learned, out, *settings, count=gpus, seed=seed, also=also or None)
    stamp(aligned, "checkpoint", **done.about)
    metrics.metadata.update(done.metrics)
