"""What a task asks of the cluster: processors, memory, a GPU, time, further attempts, the stores' addresses."""

from dataclasses import dataclass

from kfp import kubernetes
from kfp.dsl import PipelineTask

CONFIG = "m2m"
"""Config map with the stores' and the tracker's addresses, and secret with the store's credentials."""

ADDRESSES = {"store": "M2M_STORE", "work": "M2M_WORK", "endpoint": "AWS_ENDPOINT_URL", "tracker": "MLFLOW_TRACKING_URI"}
CREDENTIALS = {"access-key": "AWS_ACCESS_KEY_ID", "secret-key": "AWS_SECRET_ACCESS_KEY"}


@dataclass(frozen=True)
class Needs:
    """What one kind of task needs.

    Attributes:
        cpu: Processors asked for, as Kubernetes writes them.
        memory: Memory asked for, which is the limit as well.
        hours: Time after which the task is stopped.
        retries: Further attempts. A retry finds what is done in the work store; one that cannot help has none.
        gpu: Whether a GPU helps.
    """

    cpu: str
    memory: str
    hours: float
    retries: int = 2
    gpu: bool = False


NEEDS = {
    "snapshot": Needs("1", "2G", 2),
    "ingest": Needs("4", "8G", 24),
    "curate": Needs("4", "8G", 12),
    "detect": Needs("4", "12G", 24, gpu=True),
    "inpaint": Needs("4", "16G", 24, gpu=True),
    "recover": Needs("4", "12G", 24, gpu=True),
    "compose": Needs("4", "8G", 24),
    "augment": Needs("4", "16G", 48, gpu=True),
    "audit": Needs("4", "8G", 24),
    "merge": Needs("2", "8G", 12),
    "gate": Needs("1", "1G", 0.5, retries=0),
    "describe": Needs("1", "4G", 1),
    "register": Needs("2", "4G", 12),
    "pretrain": Needs("8", "64G", 240, gpu=True),
    "align": Needs("8", "64G", 96, gpu=True),
    "evaluate": Needs("8", "64G", 48, gpu=True),
    "summarize": Needs("1", "4G", 1),
    "purge": Needs("1", "2G", 12),
    "report-failure": Needs("1", "1G", 0.5, retries=0),
}

BACKOFF_SECONDS = 5


def fit(task: PipelineTask, stage: str, gpu: bool = False) -> PipelineTask:
    """Asks for what a stage needs, and for the addresses of the stores.

    Argo counts the longest backoff from a task's *first* start: one shorter than the task's time would mean that a task
    which fails late is never tried again. So it is the time of all attempts.

    Args:
        task: A task of a pipeline.
        stage: A key of `NEEDS`.
        gpu: Ask for a GPU where it helps.
    """
    needs = NEEDS[stage]
    seconds = int(needs.hours * 3600)
    task.set_cpu_request(needs.cpu).set_memory_request(needs.memory).set_memory_limit(needs.memory)
    kubernetes.set_timeout(task, seconds)
    if needs.retries:
        longest = f"{seconds * (needs.retries + 1)}s"
        task.set_retry(
            needs.retries, backoff_duration=f"{BACKOFF_SECONDS}s", backoff_factor=2, backoff_max_duration=longest
        )
    if gpu and needs.gpu:
        task.set_accelerator_type("nvidia.com/gpu").set_accelerator_limit(1)
    kubernetes.use_config_map_as_env(task, CONFIG, ADDRESSES, optional=True)
    kubernetes.use_secret_as_env(task, CONFIG, CREDENTIALS, optional=True)
    return task
