"""The manifests without a cluster: kustomize builds them, Kubernetes' own schemas take them, and names fit together."""

import json
import shutil
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from pipelines import resources
from pipelines.compile import compile_all

ROOT = Path(__file__).parents[2] / "k8s"
OVERLAYS = sorted(path.name for path in (ROOT / "overlays").iterdir())
RUNS = {"standalone": "kubeflow", "profile": "team-motion"}

KFP = """
apiVersion: v1
kind: ConfigMap
metadata: {name: workflow-controller-configmap}
data: {executor: kept, workflowDefaults: "spec: {templateDefaults: {retryStrategy: {retryPolicy: OnError}}}"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: pipeline-install-config}
data: {LOG_LEVEL: info, ARTIFACT_RETENTION_DAYS: "-1"}
"""
"""What the component patches, as KFP's own manifests name it."""


def build(folder: Path) -> list[dict]:
    if not shutil.which("kubectl"):
        pytest.skip("kubectl is not installed")
    made = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    return list(yaml.safe_load_all(made.stdout))


@pytest.fixture(scope="module", params=OVERLAYS)
def overlay(request) -> tuple[str, list[dict]]:
    return request.param, build(ROOT / "overlays" / request.param)


def pods(documents: list[dict]) -> dict[str, dict]:
    """Specs of the pods that things make, by the name of what makes them."""
    found = {}
    for document in documents:
        spec = document.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if "template" in spec:
            found[document["metadata"]["name"]] = {
                **spec["template"]["spec"],
                "labels": spec["template"]["metadata"]["labels"],
            }
    return found


def one(documents: list[dict], kind: str, name: str) -> dict:
    (found,) = (d for d in documents if d["kind"] == kind and d["metadata"]["name"] == name)
    return found


def test_kubernetes_takes_everything_and_knows_every_field(overlay):
    _, documents = overlay
    assert len(documents) > 20
    for document in documents:
        kubernetes_validate.validate(document, "1.36", strict=True)


def test_the_schemas_are_strict(overlay):
    """The check above would find a misspelt field."""
    wrong = one(overlay[1], "Deployment", "mlflow") | {"specs": {}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, "1.36", strict=True)


def test_everything_of_a_run_is_in_the_runs_namespace_and_the_rest_is_not(overlay):
    name, documents = overlay
    where = {(d["kind"], d["metadata"]["name"]): d["metadata"].get("namespace") for d in documents}
    for key in (
        ("ConfigMap", "m2m"),
        ("ConfigMap", "kfp-launcher"),
        ("ServiceAccount", "m2m-runner"),
        ("NetworkPolicy", "m2m-runs"),
    ):
        assert where[key] == RUNS[name], key
    assert where["Deployment", "mlflow"] == "m2m-system"
    assert where["PriorityClass", "m2m-batch"] is None
    binding = one(documents, "RoleBinding", "m2m-runner")
    assert binding["subjects"][0]["namespace"] == RUNS[name]


def test_the_config_map_has_what_tasks_are_given(overlay):
    config = one(overlay[1], "ConfigMap", resources.CONFIG)
    assert set(config["data"]) == set(resources.ADDRESSES)
    launcher = one(overlay[1], "ConfigMap", "kfp-launcher")["data"]
    providers = yaml.safe_load(launcher["providers"])["s3"]["default"]
    assert providers["endpoint"] == config["data"]["endpoint"]
    assert providers["credentials"]["secretRef"]["secretName"] == resources.CONFIG
    keys = {providers["credentials"]["secretRef"][k] for k in ("accessKeyKey", "secretKeyKey")}
    assert keys == set(resources.CREDENTIALS)


def test_addresses_are_services_that_are_there_and_the_tracker_knows_its_name(overlay):
    _, documents = overlay
    services = {
        f"{d['metadata']['name']}.{d['metadata']['namespace']}.svc:{d['spec']['ports'][0]['port']}"
        for d in documents
        if d["kind"] == "Service"
    }
    config = one(documents, "ConfigMap", "m2m")["data"]
    named = {config[key].removeprefix("http://") for key in ("endpoint", "tracker")}
    assert named <= services
    (container,) = pods(documents)["mlflow"]["containers"]
    (hosts,) = (a.removeprefix("--allowed-hosts=").split(",") for a in container["args"] if "allowed-hosts" in a)
    assert config["tracker"].removeprefix("http://") in hosts
    for probe in ("startupProbe", "readinessProbe"):
        (header,) = container[probe]["httpGet"]["httpHeaders"]
        assert header["value"] in hosts


def test_no_secret_is_in_the_manifests_and_each_is_named(overlay):
    _, documents = overlay
    assert not [d for d in documents if d["kind"] == "Secret"]
    for name, pod in pods(documents).items():
        for container in pod["containers"]:
            for variable in container.get("env", []):
                secret = any(word in variable["name"] for word in ("PASSWORD", "SECRET", "KEY"))
                assert not secret or "secretKeyRef" in variable["valueFrom"], f"{name}: {variable['name']}"


def test_pods_are_confined_and_say_what_they_need(overlay):
    for name, pod in pods(overlay[1]).items():
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        for container in pod["containers"]:
            own = container["securityContext"]
            assert own["readOnlyRootFilesystem"] and not own["allowPrivilegeEscalation"], name
            assert own["capabilities"] == {"drop": ["ALL"]}, name
            assert container["resources"]["requests"]["cpu"] and container["resources"]["limits"]["memory"], name
            assert ":" in container["image"] and not container["image"].endswith(":latest"), name


def test_network_policies_let_through_what_is_needed(overlay):
    _, documents = overlay
    egress = one(documents, "NetworkPolicy", "m2m-runs")["spec"]["egress"]
    ports = {port["port"] for rule in egress for port in rule["ports"]}
    config = one(documents, "ConfigMap", "m2m")["data"]
    assert {int(config[key].rpartition(":")[2]) for key in ("endpoint", "tracker")} <= ports
    assert {53, 8887, 8888, 8080} <= ports  # names, KFP's API server, its metadata store
    (ingress,) = one(documents, "NetworkPolicy", "to-postgres")["spec"]["ingress"]
    (peers,) = (peer["podSelector"]["matchExpressions"][0]["values"] for peer in ingress["from"])
    using = {pod["labels"]["app"] for pod in pods(documents).values() if "postgres" in json.dumps(pod["containers"])}
    assert set(peers) == using - {"postgres"}


def test_the_component_patches_what_kfp_has_and_keeps_the_rest(tmp_path):
    (tmp_path / "kfp.yaml").write_text(KFP)
    shutil.copytree(ROOT / "kfp", tmp_path / "component")
    (tmp_path / "kustomization.yaml").write_text("resources: [kfp.yaml]\ncomponents: [component]\n")
    documents = build(tmp_path)
    argo = one(documents, "ConfigMap", "workflow-controller-configmap")["data"]
    assert argo["executor"] == "kept"
    defaults = yaml.safe_load(argo["workflowDefaults"])["spec"]
    assert defaults["templateDefaults"]["retryStrategy"]["retryPolicy"] == "Always"
    pod = yaml.safe_load(defaults["podSpecPatch"])
    assert pod["securityContext"]["fsGroup"] == 10001
    patched = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "a"},
        "spec": {**pod, "containers": [{"name": "a"}]},
    }
    kubernetes_validate.validate(patched, "1.36", strict=True)
    classes = {d["metadata"]["name"] for d in build(ROOT / "cluster")}
    assert pod["priorityClassName"] in classes
    install = one(documents, "ConfigMap", "pipeline-install-config")["data"]
    assert install["LOG_LEVEL"] == "info" and int(install["ARTIFACT_RETENTION_DAYS"]) > 0
    assert install["cronScheduleTimezone"] == "UTC"  # the default of --cluster-timezone


def test_the_quota_counts_the_class_that_pods_get():
    (quota,) = (
        d for d in yaml.safe_load_all((ROOT / "run" / "quota.yaml").read_text()) if "scopeSelector" in d["spec"]
    )
    (scope,) = quota["spec"]["scopeSelector"]["matchExpressions"]
    assert scope["values"] == [
        d["metadata"]["name"] for d in yaml.safe_load_all((ROOT / "cluster" / "priority.yaml").read_text())
    ]


SPECS = {
    "Pipeline": {"description", "displayName", "tags"},
    "PipelineVersion": {
        "codeSourceURL",
        "description",
        "displayName",
        "pipelineName",
        "pipelineSpec",
        "pipelineSpecURI",
        "platformSpec",
        "tags",
        "versionName",
    },
}
"""The fields that KFP 2.17's resource definitions know; an API server drops others without a word."""


def test_pipelines_as_resources_have_fields_that_kfp_knows(tmp_path):
    for path in compile_all(tmp_path, manifests=True):
        kinds = []
        for document in yaml.safe_load_all(path.read_text()):
            kinds.append(document["kind"])
            assert document["apiVersion"] == "pipelines.kubeflow.org/v2beta1"
            assert set(document.get("spec", {})) <= SPECS[document["kind"]], path.name
        assert "PipelineVersion" in kinds


def test_the_compose_file_names_an_address_that_the_tracker_knows():
    services = yaml.safe_load((ROOT.parent / "docker" / "compose.yaml").read_text())["services"]
    hosts = services["mlflow"]["command"].partition("--allowed-hosts=")[2].split(",")
    assert "localhost:5000" in hosts
    for name, service in services.items():
        for secret in ("SECRET_KEY", "PASSWORD"):
            for key, value in service.get("environment", {}).items():
                assert secret not in key or value.startswith("${"), f"{name}: {key}"
        assert all(port.startswith("${BIND:-127.0.0.1}:") for port in service.get("ports", []))
    if not shutil.which("docker-compose"):
        pytest.skip("docker-compose is not installed: the file is not checked by it")
    given = {"IMAGE": "a", "ACCESS_KEY": "b", "SECRET_KEY": "c", "DB_PASSWORD": "d", "PATH": "/usr/bin:/bin"}
    checked = subprocess.run(
        ["docker-compose", "-f", ROOT.parent / "docker" / "compose.yaml", "config", "-q"],
        env=given,
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stderr
