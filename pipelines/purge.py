"""The purge pipeline: deletes the personal data behind a released data set, and proves it."""

from kfp import dsl

from components.purge import purge
from components.report_failure import report_failure
from m2m.cluster import ClusterParams
from pipelines.resources import fit


def purge_pipeline(cluster: ClusterParams | None = None) -> dsl.base_component.BaseComponent:
    """Wires the purge pipeline.

    Args:
        cluster: What the cluster is like; None for a run on this machine.
    """

    @dsl.pipeline(name="m2m-purge", description="Deletes originals and intermediates, and proves it.")
    def pipeline(
        dataset: str,
        yes: bool = False,
        also: list = [],  # noqa: B006, as kfp wants it
        runs: list = [],  # noqa: B006
        repository: str = "",
    ):
        """Deletes what is personal behind a data set.

        Args:
            dataset: Hash of a merged data set.
            yes: Really delete; without it the proof says what would go.
            also: Addresses of what goes as a whole: artifacts and logs of runs.
            runs: Addresses where each run has a folder: those that know of these clips go.
            repository: The git repository with DVC that versions were registered in; empty: none is looked at.
        """
        failure = fit(report_failure(), "report-failure", cluster)
        with dsl.ExitHandler(failure, name="whole-run"):
            task = purge(dataset=dataset, yes=yes, also=also, runs=runs, repository=repository)
            fit(task, "purge", cluster).set_caching_options(False)

    return pipeline
