"""The data set pipeline: from a source of clips to a registered M2M data set."""

from typing import Any

from kfp import dsl
from kfp.dsl import PipelineTask

from components.audit import audit
from components.augment import augment
from components.compose import compose
from components.curate import curate
from components.describe import describe
from components.detect import detect
from components.gate import gate
from components.ingest import ingest
from components.inpaint import inpaint
from components.merge import merge
from components.recover import recover
from components.register import register
from components.report_failure import report_failure
from components.snapshot import snapshot
from m2m.cluster import ClusterParams, Stack
from pipelines.resources import fit

PARALLEL = 8
"""Shards in work at a time, as long as nobody asks for more."""


def dataset_pipeline(
    split: bool = True, cluster: ClusterParams | None = None, stack: Stack = "default"
) -> dsl.base_component.BaseComponent:
    """Wires the data set pipeline.

    Loops run over shards, never over clips, and what a loop takes from outside is a pipeline parameter or an artifact:
    `kfp.local` hands a loop's body the loop's item in place of another task's parameter.

    Args:
        split: Whether detect, inpaint, recover and compose are tasks of their own, with their intermediates in the work
            store, or one task.
        cluster: What the cluster is like; None for a run on this machine.
        stack: Which images a run on this machine takes, as `cluster.stack`.
    """

    def stages(manifest: Any, shard: Any, params: Any, workers: Any) -> tuple[PipelineTask, dict[str, Any]]:
        if not split:
            task = augment(manifest=manifest, shard=shard, params=params, workers=workers)
            return fit(task, "augment", cluster).set_caching_options(False), {}
        found = fit(detect(manifest=manifest, shard=shard, params=params, workers=workers), "detect", cluster, stack)
        people = found.set_caching_options(False).outputs["people"]
        clean = inpaint(manifest=manifest, people=people, shard=shard, params=params, workers=workers)
        moved = recover(manifest=manifest, people=people, shard=shard, params=params, workers=workers)
        plates = fit(clean, "inpaint", cluster, stack).set_caching_options(False).outputs["plates"]
        bodies = fit(moved, "recover", cluster, stack).set_caching_options(False).outputs["bodies"]
        drawn = compose(manifest=manifest, plates=plates, bodies=bodies, shard=shard, params=params, workers=workers)
        kept = {"plates": plates, "people": people, "bodies": bodies}
        return fit(drawn, "compose", cluster, stack).set_caching_options(False), kept

    @dsl.pipeline(
        name="m2m-dataset" if split else "m2m-dataset-fused",
        description="From clips of people to clips that show the motion and not the person.",
    )
    def pipeline(
        source: str,
        ingest_params: dict,
        curate_params: dict,
        augment_params: dict,
        audit_params: dict,
        gate_params: dict,
        register_params: dict,
        shards: int = 1,
        workers: int = 1,
    ):
        """From a source of clips to a registered M2M data set.

        Args:
            source: A folder, a manifest, or `s3://bucket/prefix`.
            ingest_params: The section `ingest` of the parameters; empty for the defaults, as in those below.
            curate_params: The section `curate`.
            augment_params: The section `augment`.
            audit_params: The section `audit`.
            gate_params: The section `gate`.
            register_params: The section `register`.
            shards: Into how many shards the result is packed.
            workers: Processes of each task.
        """
        failure = fit(report_failure(), "report-failure", cluster)
        with dsl.ExitHandler(failure, name="whole-run"):
            # Looks at the source anew in every run: what it says is what the later tasks are cached by.
            seen = fit(snapshot(source=source), "snapshot", cluster).set_caching_options(False)
            taken = ingest(source=source, source_hash=seen.output, params=ingest_params, workers=workers)
            fit(taken, "ingest", cluster).set_caching_options(False)
            chosen = curate(dataset=taken.outputs["dataset"], params=curate_params)
            fit(chosen, "curate", cluster).set_caching_options(False)
            manifest = chosen.outputs["curated"]
            with dsl.ParallelFor(chosen.outputs["Output"], name="shards", parallelism=PARALLEL) as shard:
                made, more = stages(manifest, shard, augment_params, workers)
                looked = audit(
                    manifest=manifest,
                    composed=made.outputs["composed"],
                    shard=shard,
                    params=audit_params,
                    made_with=augment_params,
                    workers=workers,
                    **more,
                )
                fit(looked, "audit", cluster).set_caching_options(False)
            parts = dsl.Collected(looked.outputs["audited"])
            whole = merge(parts=parts, manifest=manifest, params=augment_params, shards=shards)
            fit(whole, "merge", cluster).set_caching_options(False)
            merged = whole.outputs["dataset"]
            # The page tells why a run failed, so it comes before the gate.
            page = fit(describe(dataset=merged), "describe", cluster)
            passed = fit(gate(dataset=merged, params=gate_params).after(page), "gate", cluster).set_caching_options(
                False
            )
            version = register(dataset=merged, params=register_params).after(passed)
            fit(version, "register", cluster).set_caching_options(False)

    return pipeline
