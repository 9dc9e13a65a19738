"""What pipelines ask of a cluster; the same for all tasks of a compiled pipeline, and no input of any."""

import re
from dataclasses import dataclass
from typing import Literal

_NAME = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_PAIR = re.compile(rf"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?{_NAME}=({_NAME})?")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


Stack = Literal["default", "paper"]


@dataclass(frozen=True)
class ClusterParams:
    """The section `cluster`: read when a pipeline is compiled, submitted or scheduled.

    Attributes:
        registry: Registry and folder of the images, `registry.example.org/m2m`.
        stack: `default`, or `paper` for the images that hold the paper's own models: detectron2, E2FGVI, OSX.
        weights_claim: Name of a volume claim with their weights, mounted read-only as M2M_WEIGHTS; empty for none.
        tag: Tag of all images; empty for the hash of what each holds.
        pull_secret: Name of the secret with the registry's credentials, in the run's namespace; empty for none.
        gpu: Resource name of the GPUs to ask for where they help, `nvidia.com/gpu`; empty for none.
        train_gpus: GPUs of a pod that pre-trains, aligns or evaluates; processors and memory grow with them.
        gpu_pool: `KEY=VALUE` that the nodes with these GPUs are labelled with; empty for any node.
        spot_pool: `KEY=VALUE` of the taint of nodes that may go away at any time; empty keeps tasks off them. Only
            tasks that lose little are let on: what is done lies in the work store.
        labels: `KEY=VALUE` each, on every pod and scratch volume: whose costs these are.
        scratch_class: Storage class of the scratch volumes; empty for the cluster's default.
        shard_gib: The largest shard's videos in GiB: scratch volumes are sized from it.
    """

    registry: str = "m2m"
    tag: str = ""
    stack: Stack = "default"
    weights_claim: str = ""
    pull_secret: str = ""
    gpu: str = ""
    train_gpus: int = 1
    gpu_pool: str = ""
    spot_pool: str = ""
    labels: tuple[str, ...] = ("app.kubernetes.io/part-of=m2m",)
    scratch_class: str = ""
    shard_gib: float = 4.0

    def __post_init__(self) -> None:
        if not self.registry or self.registry.endswith("/") or "://" in self.registry:
            raise ValueError(f"registry is as registry.example.org/m2m, not {self.registry!r}")
        if self.tag and not _TAG.fullmatch(self.tag):
            raise ValueError(f"tag is an image's tag, not {self.tag!r}")
        for name, pairs in (
            ("gpu_pool", [self.gpu_pool] if self.gpu_pool else []),
            ("spot_pool", [self.spot_pool] if self.spot_pool else []),
            ("labels", self.labels),
        ):
            if wrong := [pair for pair in pairs if not _PAIR.fullmatch(pair)]:
                raise ValueError(f"{name}: {wrong[0]!r} is not KEY=VALUE as Kubernetes writes labels")
        if self.gpu_pool and not self.gpu:
            raise ValueError("gpu_pool without gpu: name the resource as well, nvidia.com/gpu")
        if not 1 <= self.train_gpus <= 64:
            raise ValueError(f"train_gpus is 1 to 64, not {self.train_gpus}")
        if self.train_gpus > 1 and not self.gpu:
            raise ValueError("train_gpus without gpu: name the resource as well, nvidia.com/gpu")
        if not 0 < self.shard_gib <= 1024:
            raise ValueError(f"shard_gib is above 0 and up to 1024, not {self.shard_gib}")
