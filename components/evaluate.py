"""Fine-tunes or probes an encoder on a downstream set and tests it."""

from kfp import dsl
from kfp.dsl import Artifact, ClassificationMetrics, Input, Metrics, Model, Output

from components.images import image


@dsl.component(base_image=image("train"), install_kfp_package=False)
def evaluate(
    dataset: str,
    name: str,
    protocol: str,
    checkpoint: Input[Model],
    params: dict,
    model: dict,
    seed: int,
    epoch: int,
    evaluation: Output[Artifact],
    metrics: Output[Metrics],
    confusion: Output[ClassificationMetrics],
):
    """Writes top-1 and top-5 with their number of clips and interval.

    Args:
        dataset: Hash of a published data set with a validation split.
        name: What the tables call it.
        protocol: `ft` (every weight learns) or `lp` (the head alone).
        checkpoint: An aligned or a pre-trained encoder.
        params: The `evaluate` section.
        model: The `model` section.
        seed: Seed of head and order.
        epoch: Test the model that the pre-training kept after so many epochs; 0: the last.
        evaluation: All figures, as the report reads them.
        metrics: Top-1 and top-5.
        confusion: Which class was taken for which.
    """
    from pathlib import Path

    from m2m.artifacts import opened, stamp
    from m2m.launch import launch, processes
    from m2m.params import section

    settings = section("evaluate", params), section("model", model)
    encoder, out = opened(checkpoint, "checkpoint"), Path(evaluation.path)
    test = {"name": name, "protocol": protocol, "seed": seed, "epoch": epoch}
    gpus = processes("gpu")
    done = launch("evaluate_set", dataset, encoder, out, *settings, **test, keep_model=False, count=gpus)
    stamp(evaluation, "evaluation", **done.about)
    metrics.metadata.update(done.metrics)
    confusion.log_confusion_matrix(done.figures["classes"], done.figures["confusion"])
