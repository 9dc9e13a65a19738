"""What a task asks of the cluster: processors, memory, disk, a GPU, time, further attempts, the stores' addresses."""

import math
from dataclasses import dataclass, replace

from kfp import kubernetes
from kfp.dsl import PipelineTask

from m2m.cluster import ClusterParams, Stack
from pipelines.images import address

CONFIG = "m2m"
"""Config map with the stores' and the tracker's addresses and the experiment's name, and secret with credentials."""

ADDRESSES = {
    "store": "M2M_STORE",
    "work": "M2M_WORK",
    "endpoint": "AWS_ENDPOINT_URL",
    "tracker": "MLFLOW_TRACKING_URI",
    "experiment": "MLFLOW_EXPERIMENT_NAME",
}
CREDENTIALS = {"access-key": "AWS_ACCESS_KEY_ID", "secret-key": "AWS_SECRET_ACCESS_KEY"}
GIT_SECRET, GIT_FOLDER = "m2m-git", "/etc/m2m/git"
"""Secret with a deploy key and pinned known hosts, and where `register` and `purge` find it; no other task does."""

PAPER_STAGES = ("detect", "inpaint", "recover", "compose")
"""Stages that run in other images under `cluster.stack: paper`; compose draws with what recover's image holds."""

WEIGHTS = "/weights"
"""Where the claim of `cluster.weights_claim` is mounted."""

SCRATCH = "/scratch"
"""Where a task's own volume is mounted: temporary files and fetched shards."""

RUN_ID = "metadata.labels['pipeline/runid']"
"""Where a pod reads the id of its run; KFP labels every pod with it. An input would break the cache."""


@dataclass(frozen=True)
class Needs:
    """What one kind of task needs.

    Attributes:
        cpu: Processors asked for.
        memory: Memory asked for, in GB.
        hours: Time after which the task is stopped.
        retries: Further attempts. A retry finds what is done in the work store; one that cannot help has none.
        gpu: Whether a GPU helps.
        shm: Shared memory of data loaders in GB. It lies in memory, so it is added to the request and the limit.
        scratch: Disk of its own, in shards; none of them is bigger than `cluster.shard_gib`.
        spot: Whether it may run where nodes go away: it loses at most a clip or a checkpoint interval.
        spreads: Whether it uses `cluster.train_gpus` GPUs; processors and memory are those of one.
    """

    cpu: int
    memory: int
    hours: float
    retries: int = 2
    gpu: bool = False
    shm: int = 0
    scratch: float = 0
    spot: bool = False
    spreads: bool = False

    def of(self, gpus: int) -> "Needs":
        """What it needs on that many GPUs."""
        if not self.spreads:
            return self
        return replace(self, cpu=self.cpu * gpus, memory=self.memory * gpus, shm=self.shm * gpus)


SCRATCH_GIB = 2
"""What every scratch volume holds besides shards: compiled code, one clip in work."""

NEEDS = {
    "snapshot": Needs(1, 2, 2),
    "ingest": Needs(4, 8, 24, scratch=3),
    "curate": Needs(4, 8, 12, scratch=2),
    "detect": Needs(4, 12, 24, gpu=True, scratch=2, spot=True),
    # Plates are lossless: up to ten times the source, a clip at a time.
    "inpaint": Needs(4, 16, 24, gpu=True, scratch=3, spot=True),
    "recover": Needs(4, 12, 24, gpu=True, scratch=2, spot=True),
    "compose": Needs(4, 8, 24, scratch=3, spot=True),
    "augment": Needs(4, 16, 48, gpu=True, scratch=3, spot=True),
    "audit": Needs(4, 8, 24, scratch=3, spot=True),
    "merge": Needs(2, 8, 12, scratch=3),
    "gate": Needs(1, 1, 0.5, retries=0),
    "describe": Needs(1, 4, 1, scratch=2),
    "register": Needs(2, 4, 12, scratch=3),
    "pretrain": Needs(8, 56, 240, gpu=True, shm=8, scratch=16, spot=True, spreads=True),
    "align": Needs(8, 56, 96, gpu=True, shm=8, scratch=16, spot=True, spreads=True),
    "scratch": Needs(8, 56, 96, gpu=True, shm=8, scratch=16, spot=True, spreads=True),
    "evaluate": Needs(8, 56, 48, gpu=True, shm=8, scratch=16, spot=True, spreads=True),
    "summarize": Needs(1, 4, 1, scratch=2),
    "purge": Needs(1, 2, 12),
    "report-failure": Needs(1, 1, 0.5, retries=0),
}

BACKOFF_SECONDS = 5


def fit(task: PipelineTask, stage: str, cluster: ClusterParams | None, stack: Stack = "default") -> PipelineTask:
    """Asks for what a stage needs, and for the addresses of the stores.

    Argo counts the longest backoff from a task's *first* start: one shorter than the task's time would mean that a task
    which fails late is never tried again. So it is the time of all attempts.

    Args:
        task: A task of a pipeline.
        stage: A key of `NEEDS`.
        cluster: What the cluster is like; None for a run on this machine, where a task has no disk of its own.
        stack: Which images hold its models, as `cluster.stack`, which counts on a cluster.
    """
    on_cluster, cluster = cluster is not None, cluster or ClusterParams(stack=stack)
    needs = NEEDS[stage].of(cluster.train_gpus)
    heavy = cluster.stack == "paper" and stage in PAPER_STAGES
    image = f"{task.container_spec.image}-paper" if heavy else task.container_spec.image
    task.set_container_image(address(image, cluster.registry, cluster.tag))
    if heavy:
        needs = replace(needs, gpu=True)
        if cluster.weights_claim:
            kubernetes.mount_pvc(task, cluster.weights_claim, WEIGHTS)
            task.set_env_variable("M2M_WEIGHTS", WEIGHTS)
    if cluster.pull_secret:
        kubernetes.set_image_pull_secrets(task, [cluster.pull_secret])
    memory = f"{needs.memory + needs.shm}G"
    task.set_cpu_request(str(needs.cpu)).set_memory_request(memory).set_memory_limit(memory)
    _time(task, needs)
    if on_cluster:
        _disk(task, needs, cluster)
        if stage in ("register", "purge"):
            kubernetes.use_secret_as_volume(task, GIT_SECRET, GIT_FOLDER, optional=True)
    _nodes(task, needs, cluster)
    # Of any user but root: which one is the site's to say. KFP drops the capabilities.
    kubernetes.set_security_context(task, run_as_non_root=True)
    kubernetes.use_config_map_as_env(task, CONFIG, ADDRESSES, optional=True)
    kubernetes.use_secret_as_env(task, CONFIG, CREDENTIALS, optional=True)
    return kubernetes.use_field_path_as_env(task, "M2M_PIPELINE_RUN", RUN_ID)


def _time(task: PipelineTask, needs: Needs) -> None:
    seconds = int(needs.hours * 3600)
    kubernetes.set_timeout(task, seconds)
    if needs.retries:
        longest = f"{seconds * (needs.retries + 1)}s"
        task.set_retry(
            needs.retries, backoff_duration=f"{BACKOFF_SECONDS}s", backoff_factor=2, backoff_max_duration=longest
        )


def _disk(task: PipelineTask, needs: Needs, cluster: ClusterParams) -> None:
    # A root file system that may only be read still leaves /tmp.
    kubernetes.empty_dir_mount(task, "tmp", "/tmp", size_limit="2G")
    if needs.shm:
        kubernetes.empty_dir_mount(task, "shm", "/dev/shm", medium="Memory", size_limit=f"{needs.shm}G")
    if needs.scratch:
        size = f"{math.ceil(SCRATCH_GIB + needs.scratch * cluster.shard_gib)}Gi"
        kubernetes.add_ephemeral_volume(
            task,
            "scratch",
            SCRATCH,
            ["ReadWriteOnce"],
            size,
            storage_class_name=cluster.scratch_class or None,
            labels=_labels(cluster),
        )
        task.set_env_variable("TMPDIR", SCRATCH)


def _nodes(task: PipelineTask, needs: Needs, cluster: ClusterParams) -> None:
    for key, value in _labels(cluster).items():
        kubernetes.add_pod_label(task, key, value)
    if cluster.gpu and needs.gpu:
        task.set_accelerator_type(cluster.gpu).set_accelerator_limit(cluster.train_gpus if needs.spreads else 1)
        # Clusters with a GPU pool taint it with the resource's name, so that nothing else lands there.
        kubernetes.add_toleration(task, key=cluster.gpu, operator="Exists", effect="NoSchedule")
        if cluster.gpu_pool:
            kubernetes.add_node_selector(task, *cluster.gpu_pool.split("=", 1))
    if cluster.spot_pool and needs.spot:
        key, value = cluster.spot_pool.split("=", 1)
        kubernetes.add_toleration(task, key=key, operator="Equal", value=value, effect="NoSchedule")


def _labels(cluster: ClusterParams) -> dict[str, str]:
    return dict(label.split("=", 1) for label in cluster.labels)
