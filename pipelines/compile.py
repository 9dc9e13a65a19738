"""Pipelines as files: what a KFP backend takes."""

from pathlib import Path

from kfp import compiler
from kfp.compiler.compiler_utils import KubernetesManifestOptions

from m2m.cluster import ClusterParams
from m2m.errors import InputError
from pipelines.dataset import dataset_pipeline
from pipelines.experiment import WIRINGS, experiment_pipeline
from pipelines.purge import purge_pipeline


def compile_all(out: Path, cluster: ClusterParams | None = None, manifests: bool = False) -> list[Path]:
    """Compiles every pipeline; the same code gives the same bytes.

    Args:
        out: A folder; made where absent.
        cluster: What the cluster is like; None for the defaults.
        manifests: As Pipeline and PipelineVersion resources, for an API server in Kubernetes-native mode.

    Returns:
        The files.

    Raises:
        InputError: The folder cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write in {out}: {error.strerror}", "choose another folder") from error
    cluster = cluster or ClusterParams()
    made = []
    for pipeline in (
        dataset_pipeline(split=True, cluster=cluster),
        dataset_pipeline(split=False, cluster=cluster),
        *(experiment_pipeline(cluster=cluster, wiring=wiring) for wiring in WIRINGS),
        purge_pipeline(cluster=cluster),
    ):
        path = out / f"{pipeline.name}.yaml"
        options = KubernetesManifestOptions(pipeline_name=pipeline.name) if manifests else None
        compiler.Compiler().compile(
            pipeline, str(path), kubernetes_manifest_format=manifests, kubernetes_manifest_options=options
        )
        made.append(path)
    return made
