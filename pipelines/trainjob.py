"""Pre-training on several machines: a TrainJob of Kubeflow's Trainer, with the runtime that says how its pods look.

Its checkpoints lie in the work store. A run of the experiment pipeline with the same data set and parameters finds the
finished training there, so nothing is handed from the one to the other.
"""

import math
from typing import Any

import yaml

from components.images import image
from m2m.cluster import ClusterParams
from m2m.errors import InputError
from m2m.fingerprints import fingerprint
from m2m.launch import SAVING
from pipelines.images import address
from pipelines.resources import ADDRESSES, CONFIG, CREDENTIALS, NEEDS, SCRATCH, SCRATCH_GIB

API = "trainer.kubeflow.org/v1alpha1"
RESTARTS = 10
USER = 10001
PARAMS = "/etc/m2m/params.yaml"
POD = {"m2m.training": "true"}
"""Label of the pods: k8s/run/network.yaml lets them talk to each other."""


def trainjob(
    dataset: str, sections: dict[str, dict[str, Any]], seed: int, machines: int, cluster: ClusterParams
) -> list[dict[str, Any]]:
    """The resources of one training.

    Args:
        dataset: Hash of a published data set.
        sections: The sections `model` and `pretrain`.
        seed: Of weights, order and masks.
        machines: Pods that train one model, `cluster.train_gpus` GPUs each.
        cluster: What the cluster is like.

    Returns:
        A ConfigMap with the parameters, a TrainingRuntime and a TrainJob, all of one name.

    Raises:
        InputError: There is no such number of machines, or the cluster has no GPU to spread over.
    """
    if machines < 1:
        raise InputError(f"machines must be 1 or more, not {machines}")
    if machines > 1 and not cluster.gpu:
        raise InputError("several machines without GPUs", "name the resource: --set cluster.gpu=nvidia.com/gpu")
    name = f"m2m-pretrain-{fingerprint(dataset, sections, seed)[:12]}"
    about = {"name": name, "labels": _labels(cluster)}
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": about,
            "data": {"params.yaml": yaml.safe_dump(sections, sort_keys=False)},
        },
        {
            "apiVersion": API,
            "kind": "TrainingRuntime",
            "metadata": {**about, "labels": {**about["labels"], "trainer.kubeflow.org/framework": "torch"}},
            "spec": {
                "mlPolicy": {"numNodes": machines, "torch": {}},
                "template": {"spec": _jobs(_pod(name, dataset, seed, cluster), cluster)},
            },
        },
        {
            "apiVersion": API,
            "kind": "TrainJob",
            "metadata": about,
            "spec": {
                "runtimeRef": {"apiGroup": API.partition("/")[0], "kind": "TrainingRuntime", "name": name},
                "trainer": {"numNodes": machines},
            },
        },
    ]


def _jobs(pod: dict[str, Any], cluster: ClusterParams) -> dict[str, Any]:
    """A JobSet: when one pod goes, all start again and go on from the last checkpoint; alone it would wait for ever."""
    job = {"backoffLimit": 0, "template": {"metadata": {"labels": {**POD, **_labels(cluster)}}, "spec": pod}}
    return {
        "failurePolicy": {"maxRestarts": RESTARTS},
        "ttlSecondsAfterFinished": 86400,
        "replicatedJobs": [
            {
                "name": "node",
                "template": {
                    "metadata": {"labels": {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}},
                    "spec": job,
                },
            }
        ],
    }


def _pod(name: str, dataset: str, seed: int, cluster: ClusterParams) -> dict[str, Any]:
    needs = NEEDS["pretrain"].of(cluster.train_gpus)
    memory = f"{needs.memory + needs.shm}G"
    limits = {"memory": memory}
    if cluster.gpu:
        limits[cluster.gpu] = str(cluster.train_gpus)
    command = ["python", "-m", "m2m", "pretrain", dataset, f"{SCRATCH}/trained", "--params", PARAMS]
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": SAVING,  # the step in hand is finished and saved
        "priorityClassName": "m2m-batch",
        "serviceAccountName": "m2m-runner",
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "fsGroup": USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "node",
                "image": address(image("train"), cluster.registry, cluster.tag),
                "command": [*command, "--seed", str(seed), "--processes", "gpu"],
                "env": _environment(),
                "resources": {"requests": {"cpu": str(needs.cpu), "memory": memory}, "limits": limits},
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "volumeMounts": [
                    {"name": "params", "mountPath": PARAMS, "subPath": "params.yaml", "readOnly": True},
                    {"name": "tmp", "mountPath": "/tmp"},
                    {"name": "shm", "mountPath": "/dev/shm"},
                    {"name": "scratch", "mountPath": SCRATCH},
                ],
            }
        ],
        "volumes": [
            {"name": "params", "configMap": {"name": name}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "2G"}},
            {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": f"{needs.shm}G"}},
            {"name": "scratch", "ephemeral": {"volumeClaimTemplate": {"spec": _claim(needs.scratch, cluster)}}},
        ],
    }
    return pod | _place(cluster)


def _environment() -> list[dict[str, Any]]:
    """Addresses and credentials as the pipelines' tasks get them, none of them required."""

    def of(kind: str, keys: dict[str, str]) -> list[dict[str, Any]]:
        return [
            {"name": variable, "valueFrom": {kind: {"name": CONFIG, "key": key, "optional": True}}}
            for key, variable in keys.items()
        ]

    given = [*of("configMapKeyRef", ADDRESSES), *of("secretKeyRef", CREDENTIALS)]
    return [*given, {"name": "TMPDIR", "value": SCRATCH}, {"name": "HOME", "value": "/tmp"}]


def _claim(scratch: float, cluster: ClusterParams) -> dict[str, Any]:
    size = math.ceil(SCRATCH_GIB + scratch * cluster.shard_gib)
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": f"{size}Gi"}}}
    return claim | ({"storageClassName": cluster.scratch_class} if cluster.scratch_class else {})


def _place(cluster: ClusterParams) -> dict[str, Any]:
    """Nodes as the pipelines' tasks get them."""
    tolerations, found = [], {}
    if cluster.gpu:
        tolerations.append({"key": cluster.gpu, "operator": "Exists", "effect": "NoSchedule"})
    if cluster.gpu and cluster.gpu_pool:
        found["nodeSelector"] = _pairs((cluster.gpu_pool,))
    if cluster.spot_pool:
        key, value = cluster.spot_pool.split("=", 1)
        tolerations.append({"key": key, "operator": "Equal", "value": value, "effect": "NoSchedule"})
    if cluster.pull_secret:
        found["imagePullSecrets"] = [{"name": cluster.pull_secret}]
    return found | ({"tolerations": tolerations} if tolerations else {})


def _labels(cluster: ClusterParams) -> dict[str, str]:
    return _pairs(cluster.labels)


def _pairs(texts: tuple[str, ...]) -> dict[str, str]:
    return dict(text.split("=", 1) for text in texts)
