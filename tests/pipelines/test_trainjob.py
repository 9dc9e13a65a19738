"""The TrainJob: its job is one that Kubernetes takes, its names fit together, and it trains what the pipeline would."""

from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from m2m import params
from m2m.cluster import ClusterParams
from m2m.errors import InputError
from m2m.launch import SAVING
from pipelines.__main__ import main
from pipelines.trainjob import trainjob

CLUSTER = ClusterParams(
    tag="v1",
    registry="reg.example/m2m",
    pull_secret="registry",
    gpu="nvidia.com/gpu",
    train_gpus=8,
    gpu_pool="pool=a100",
    spot_pool="spot=yes",
    labels=("team=motion",),
    scratch_class="fast",
)
HASH = "ab" * 32
SECTIONS = {name: params.to_dict(params.load(name, "laptop")) for name in ("model", "pretrain")}


@pytest.fixture(scope="module")
def made() -> dict[str, dict]:
    return {document["kind"]: document for document in trainjob(HASH, SECTIONS, 3, 4, CLUSTER)}


def job_of(runtime: dict) -> dict:
    (job,) = runtime["spec"]["template"]["spec"]["replicatedJobs"]
    return job["template"]["spec"]


def test_kubernetes_takes_the_job_and_the_config_map(made):
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "node"},
        "spec": job_of(made["TrainingRuntime"]),
    }
    kubernetes_validate.validate(job, "1.36", strict=True)
    kubernetes_validate.validate(made["ConfigMap"], "1.36", strict=True)


def test_names_fit_together(made):
    pod = job_of(made["TrainingRuntime"])["template"]["spec"]
    (name,) = {document["metadata"]["name"] for document in made.values()}
    assert made["TrainJob"]["spec"]["runtimeRef"]["name"] == name
    assert {v["name"]: v for v in pod["volumes"]}["params"]["configMap"]["name"] == name
    assert {m["name"] for m in pod["containers"][0]["volumeMounts"]} == {v["name"] for v in pod["volumes"]}
    assert pod["containers"][0]["image"] == "reg.example/m2m/train:v1"
    assert pod["imagePullSecrets"] == [{"name": "registry"}]


def test_every_machine_has_its_gpus_and_what_they_need(made):
    pod = job_of(made["TrainingRuntime"])["template"]["spec"]
    assert made["TrainJob"]["spec"]["trainer"]["numNodes"] == 4
    resources = pod["containers"][0]["resources"]
    assert resources["limits"]["nvidia.com/gpu"] == "8" and resources["requests"]["cpu"] == "64"
    assert pod["nodeSelector"] == {"pool": "a100"}
    assert {t["key"] for t in pod["tolerations"]} == {"nvidia.com/gpu", "spot"}


def test_the_pods_are_confined_and_reach_each_other(made):
    template = job_of(made["TrainingRuntime"])["template"]
    (policy,) = [
        document
        for document in yaml.safe_load_all((Path(__file__).parents[2] / "k8s/run/network.yaml").read_text())
        if document["metadata"]["name"] == "m2m-training"
    ]
    labels = policy["spec"]["podSelector"]["matchLabels"]
    assert labels.items() <= template["metadata"]["labels"].items()
    assert policy["spec"]["ingress"] == [{"from": [{"podSelector": {"matchLabels": labels}}]}]
    container = template["spec"]["containers"][0]["securityContext"]
    assert container["readOnlyRootFilesystem"] and container["capabilities"] == {"drop": ["ALL"]}
    assert template["spec"]["securityContext"]["runAsNonRoot"]


def test_a_pod_that_must_go_has_time_to_save(made):
    assert job_of(made["TrainingRuntime"])["template"]["spec"]["terminationGracePeriodSeconds"] == SAVING


def test_the_command_trains_with_the_pipelines_parameters(made):
    assert yaml.safe_load(made["ConfigMap"]["data"]["params.yaml"]) == SECTIONS
    command = job_of(made["TrainingRuntime"])["template"]["spec"]["containers"][0]["command"]
    assert command[:5] == ["python", "-m", "m2m", "pretrain", HASH]
    assert command[command.index("--seed") + 1] == "3" and command[command.index("--processes") + 1] == "gpu"


def test_another_training_has_another_name(made):
    other = trainjob(HASH, SECTIONS, 4, 4, CLUSTER)[0]["metadata"]["name"]
    assert other != made["TrainJob"]["metadata"]["name"] and len(other) < 63


def test_the_command_line_writes_it(tmp_path, capsys):
    file = tmp_path / "job.yaml"
    given = ["--profile", "laptop", "--set", "cluster.gpu=nvidia.com/gpu", "--set", "pretrain.epochs=5"]
    assert main(["trainjob", str(file), "--pretrain", HASH, *given]) == 0
    documents = {d["kind"]: d for d in yaml.safe_load_all(file.read_text())}
    assert yaml.safe_load(documents["ConfigMap"]["data"]["params.yaml"])["pretrain"]["epochs"] == 5
    assert f"-f {file}" in capsys.readouterr().out


@pytest.mark.parametrize(("machines", "cluster"), [(0, CLUSTER), (2, ClusterParams())])
def test_what_cannot_be_is_said(machines, cluster):
    with pytest.raises(InputError):
        trainjob(HASH, SECTIONS, 0, machines, cluster)
