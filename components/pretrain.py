"""Pre-trains VideoMAE on a published data set."""

from kfp import dsl
from kfp.dsl import Metrics, Model, Output

from components.images import image


@dsl.component(base_image=image("train"), install_kfp_package=False)
def pretrain(dataset: str, params: dict, model: dict, seed: int, checkpoint: Output[Model], metrics: Output[Metrics]):
    """Writes an encoder. Checkpoints go to the work store on the way: a new pod goes on from the last one.

    Args:
        dataset: Hash of a published data set.
        params: The `pretrain` section.
        model: The `model` section.
        seed: Seed of weights, order and masks.
        checkpoint: The weights.
        metrics: The last epoch's figures.
    """
    from pathlib import Path

    from m2m.artifacts import stamp
    from m2m.launch import launch, processes
    from m2m.params import section

    settings = section("pretrain", params), section("model", model)
    out, gpus = Path(checkpoint.path), processes("gpu")
    done = launch("pretrain_set", dataset, out, *settings, count=gpus, seed=seed)
    stamp(checkpoint, "checkpoint", **done.about)
    metrics.metadata.update(done.metrics)
