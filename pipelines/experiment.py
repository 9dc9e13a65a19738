"""The experiment pipeline: what is a data set worth to a model?"""

from collections.abc import Callable
from typing import Any, Literal, get_args

from kfp import dsl

from components.align import align
from components.evaluate import evaluate
from components.pretrain import pretrain
from components.report_failure import report_failure
from components.scratch import scratch
from components.summarize import summarize
from m2m.cluster import ClusterParams
from pipelines.resources import fit

Wiring = Literal["whole", "unaligned", "scratch"]
"""With a pre-training and an alignment, without the alignment, without the pre-training."""
WIRINGS: tuple[Wiring, ...] = get_args(Wiring)
TRAININGS: dict[Wiring, int] = {"whole": 2, "unaligned": 1, "scratch": 1}
"""How many trainings come before the tests."""


def experiment_pipeline(
    cluster: ClusterParams | None = None, wiring: Wiring = "whole"
) -> dsl.base_component.BaseComponent:
    """Wires the experiment pipeline.

    Args:
        cluster: What the cluster is like; None for a run on this machine.
        wiring: What is trained before the tests. Each is a pipeline with a name of its own.
    """
    make: dict[Wiring, Callable[[ClusterParams | None], Any]]
    make = {"whole": _whole, "unaligned": _unaligned, "scratch": _scratch}
    return make[wiring](cluster)


def _whole(cluster: ClusterParams | None) -> Any:
    @dsl.pipeline(name="m2m-experiment", description="Pre-train, align, fine-tune and probe.")
    def pipeline(
        pretrain_set: str,
        align_set: str,
        downstream: list[dict],
        model_params: dict,
        pretrain_params: dict,
        align_params: dict,
        evaluate_params: dict,
        seed: int = 0,
        also_set: str = "",
    ):
        """Pre-trains on one data set, aligns on another, and tests on others.

        Args:
            pretrain_set: Hash of a published data set.
            align_set: Hash of a published data set.
            downstream: What to test: `{"title", "dataset", "protocol", "seed", "epoch"}` each; the epoch is 0 but for a
                model that the pre-training has kept. No key may be called as something that kfp's loop items have
                themselves: `test.name` is theirs.
            model_params: The section `model` of the parameters; empty for the defaults, as in those below.
            pretrain_params: The section `pretrain`.
            align_params: The section `align`.
            evaluate_params: The section `evaluate`.
            seed: Seed of pre-training and alignment.
            also_set: Hash of a second data set of the alignment; empty: none.
        """
        with dsl.ExitHandler(fit(report_failure(), "report-failure", cluster), name="whole-run"):
            learned = pretrain(dataset=pretrain_set, params=pretrain_params, model=model_params, seed=seed)
            fit(learned, "pretrain", cluster)
            aligned = align(
                dataset=align_set,
                checkpoint=learned.outputs["checkpoint"],
                params=align_params,
                model=model_params,
                seed=seed,
                also=also_set,
            )
            fit(aligned, "align", cluster)
            _tests(
                aligned.outputs["aligned"],
                [pretrain_set, align_set, also_set],
                downstream,
                evaluate_params,
                model_params,
                cluster,
            )

    return pipeline


def _unaligned(cluster: ClusterParams | None) -> Any:
    @dsl.pipeline(name="m2m-experiment-unaligned", description="Pre-train, then fine-tune and probe what it learned.")
    def pipeline(
        pretrain_set: str,
        downstream: list[dict],
        model_params: dict,
        pretrain_params: dict,
        evaluate_params: dict,
        seed: int = 0,
    ):
        """Pre-trains, and tests the last model or those that were kept on the way: a curve.

        Args:
            pretrain_set: Hash of a published data set.
            downstream: What to test, as in `m2m-experiment`.
            model_params: The section `model` of the parameters; empty for the defaults, as in those below.
            pretrain_params: The section `pretrain`.
            evaluate_params: The section `evaluate`.
            seed: Seed of the pre-training.
        """
        with dsl.ExitHandler(fit(report_failure(), "report-failure", cluster), name="whole-run"):
            learned = pretrain(dataset=pretrain_set, params=pretrain_params, model=model_params, seed=seed)
            fit(learned, "pretrain", cluster)
            model = learned.outputs["checkpoint"]
            _tests(model, [pretrain_set], downstream, evaluate_params, model_params, cluster)

    return pipeline


def _scratch(cluster: ClusterParams | None) -> Any:
    @dsl.pipeline(name="m2m-experiment-scratch", description="Train from scratch, then fine-tune and probe.")
    def pipeline(
        align_set: str,
        downstream: list[dict],
        model_params: dict,
        align_params: dict,
        evaluate_params: dict,
        seed: int = 0,
        also_set: str = "",
    ):
        """Trains on the labels of a data set from nothing, and tests on others: TSN, I3D, TimeSformer.

        Args:
            align_set: Hash of a published data set.
            downstream: What to test, as in `m2m-experiment`.
            model_params: The section `model` of the parameters; empty for the defaults, as in those below.
            align_params: The section `align`.
            evaluate_params: The section `evaluate`.
            seed: Seed of the training.
            also_set: Hash of a second data set; empty: none.
        """
        with dsl.ExitHandler(fit(report_failure(), "report-failure", cluster), name="whole-run"):
            trained = scratch(dataset=align_set, params=align_params, model=model_params, seed=seed, also=also_set)
            fit(trained, "scratch", cluster)
            sets = [align_set, also_set]
            _tests(trained.outputs["aligned"], sets, downstream, evaluate_params, model_params, cluster)

    return pipeline


def _tests(encoder: Any, sets: list[Any], downstream: Any, params: Any, model: Any, cluster: Any) -> None:
    """Tests a model and writes the page; what a pipeline holds besides trainings."""
    with dsl.ParallelFor(downstream, name="tests", parallelism=8) as test:
        tested = evaluate(
            dataset=test.dataset,
            name=test.title,
            protocol=test.protocol,
            seed=test.seed,
            epoch=test.epoch,
            checkpoint=encoder,
            params=params,
            model=model,
        )
        fit(tested, "evaluate", cluster)
    page = summarize(datasets=sets, evaluations=dsl.Collected(tested.outputs["evaluation"]))
    fit(page, "summarize", cluster)
