"""The experiment pipeline: what is a data set worth to a model?"""

from kfp import dsl

from components.align import align
from components.evaluate import evaluate
from components.pretrain import pretrain
from components.report_failure import report_failure
from components.summarize import summarize
from m2m.cluster import ClusterParams
from pipelines.resources import fit


def experiment_pipeline(cluster: ClusterParams | None = None) -> dsl.base_component.BaseComponent:
    """Wires the experiment pipeline.

    Args:
        cluster: What the cluster is like; None for a run on this machine.
    """

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
    ):
        """Pre-trains on one data set, aligns on another, and tests on others.

        Args:
            pretrain_set: Hash of a published data set.
            align_set: Hash of a published data set.
            downstream: What to test: `{"title", "dataset", "protocol", "seed"}` each. No key may be called as something
                that kfp's loop items have themselves: `test.name` is theirs.
            model_params: The section `model` of the parameters; empty for the defaults, as in those below.
            pretrain_params: The section `pretrain`.
            align_params: The section `align`.
            evaluate_params: The section `evaluate`.
            seed: Seed of pre-training and alignment.
        """
        failure = fit(report_failure(), "report-failure", cluster)
        with dsl.ExitHandler(failure, name="whole-run"):
            learned = pretrain(dataset=pretrain_set, params=pretrain_params, model=model_params, seed=seed)
            fit(learned, "pretrain", cluster)
            aligned = align(
                dataset=align_set,
                checkpoint=learned.outputs["checkpoint"],
                params=align_params,
                model=model_params,
                seed=seed,
            )
            fit(aligned, "align", cluster)
            with dsl.ParallelFor(downstream, name="tests", parallelism=8) as test:
                tested = evaluate(
                    dataset=test.dataset,
                    name=test.title,
                    protocol=test.protocol,
                    seed=test.seed,
                    checkpoint=aligned.outputs["aligned"],
                    params=evaluate_params,
                    model=model_params,
                )
                fit(tested, "evaluate", cluster)
            page = summarize(
                datasets=[pretrain_set, align_set], evaluations=dsl.Collected(tested.outputs["evaluation"])
            )
            fit(page, "summarize", cluster)

    return pipeline
