"""Nobody has more rights than needed: every pod is of the standard `restricted`, every role names what it is for."""

import re
from pathlib import Path

import pytest
import yaml

from components.images import NAMES, PAPER
from m2m.cluster import ClusterParams
from pipelines.compile import compile_all
from pipelines.trainjob import trainjob
from tests.k8s.test_manifests import OVERLAYS, ROOT, RUNS, build, one, pods

DOCKERFILE = ROOT.parent / "docker" / "Dockerfile"
VOLUMES = {"configMap", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
CLUSTER = ClusterParams(tag="v1", gpu="nvidia.com/gpu", weights_claim="weights", stack="paper")
GIVEN = {
    "activeDeadlineSeconds",
    "configMapAsEnv",
    "emptyDirMounts",
    "fieldPathAsEnv",
    "genericEphemeralVolume",
    "imagePullSecret",
    "nodeSelector",
    "podMetadata",
    "pvcMount",
    "secretAsEnv",
    "secretAsVolume",
    "securityContext",
    "tolerations",
}
"""What a task of a pipeline may ask of Kubernetes: no path of a node is among it."""


@pytest.fixture(scope="module", params=OVERLAYS)
def overlay(request) -> tuple[str, list[dict]]:
    return request.param, build(ROOT / "overlays" / request.param)


def assert_restricted(name: str, pod: dict) -> None:
    """Kubernetes' Pod Security Standard `restricted`, and besides: no token, no writing to the image, limits."""
    for host in ("hostNetwork", "hostPID", "hostIPC"):
        assert not pod.get(host), f"{name}: {host}"
    for volume in pod.get("volumes", ()):
        assert set(volume) - {"name"} <= VOLUMES, f"{name}: {volume}"
    about = pod["securityContext"]
    assert about["runAsNonRoot"] is True and about.get("runAsUser", 1) > 0, name
    assert about["seccompProfile"] == {"type": "RuntimeDefault"}, name
    assert pod["automountServiceAccountToken"] is False, name
    for container in (*pod["containers"], *pod.get("initContainers", ())):
        own = container["securityContext"]
        assert own["capabilities"] == {"drop": ["ALL"]} and own["allowPrivilegeEscalation"] is False, name
        assert own["readOnlyRootFilesystem"] is True and not own.get("privileged"), name
        assert own.get("runAsNonRoot", True) and own.get("runAsUser", 1) > 0, name
        assert not any("hostPort" in port for port in container.get("ports", ())), name
        assert container["resources"]["requests"]["cpu"] and container["resources"]["limits"]["memory"], name
        assert re.search(r"[:@][\w.-]+$", container["image"]) and not container["image"].endswith(":latest"), name


def test_every_pod_of_the_manifests_is_confined(overlay):
    found = pods(overlay[1])
    assert {"mlflow", "postgres", "object-store", "buckets", "mlflow-backup"} <= set(found)
    for name, pod in found.items():
        assert_restricted(name, pod)


def test_the_pods_of_a_training_on_many_machines_are_confined():
    documents = trainjob("ab" * 32, {"model": {}, "pretrain": {}}, 0, 2, CLUSTER)
    (runtime,) = (d for d in documents if d["kind"] == "TrainingRuntime")
    (job,) = runtime["spec"]["template"]["spec"]["replicatedJobs"]
    assert_restricted("trainjob", job["template"]["spec"]["template"]["spec"])


def test_every_task_of_every_pipeline_is_confined(tmp_path):
    """What KFP adds by itself: no capabilities, no way to more rights. Its launcher needs the account's token."""
    for path in compile_all(tmp_path, CLUSTER):
        spec, platform = yaml.safe_load_all(path.read_text())
        executors = spec["deploymentSpec"]["executors"]
        asked = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
        assert executors and set(asked) == set(executors), path.name
        for name, executor in executors.items():
            assert asked[name]["securityContext"] == {"runAsNonRoot": True}, f"{path.name}: {name}"
            assert set(asked[name]) <= GIVEN, f"{path.name}: {name}: {set(asked[name]) - GIVEN}"
            container = executor["container"]
            assert container["resources"]["resourceMemoryLimit"], f"{path.name}: {name}"
            for variable in container.get("env", ()):
                assert not re.search("KEY|SECRET|PASSWORD|TOKEN", variable["name"]), f"{path.name}: {name}: {variable}"


def test_the_defaults_of_argo_filter_system_calls():
    argo = yaml.safe_load((ROOT / "kfp" / "argo.yaml").read_text())["data"]["workflowDefaults"]
    pod = yaml.safe_load(yaml.safe_load(argo)["spec"]["podSpecPatch"])
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}


def test_roles_name_what_they_are_for(overlay):
    name, documents = overlay
    assert not [d for d in documents if d["kind"].startswith("Cluster")]
    for role in (d for d in documents if d["kind"] == "Role"):
        for rule in role["rules"]:
            said = f"{role['metadata']['name']}: {rule}"
            assert not {"*"} & {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}, said
            assert not {"escalate", "bind", "impersonate"} & set(rule["verbs"]), said
            if {"secrets", "configmaps"} & set(rule["resources"]):
                assert rule["verbs"] == ["get"] and rule["resourceNames"], said
            if {"pods", "pods/log"} & set(rule["resources"]):
                assert not {"create", "delete", "deletecollection"} & set(rule["verbs"]), said
            assert not {"pods/exec", "serviceaccounts", "serviceaccounts/token"} & set(rule["resources"]), said
    for binding in (d for d in documents if d["kind"] == "RoleBinding"):
        assert [s["namespace"] for s in binding["subjects"]] == [RUNS[name]]
        assert all(s["kind"] == "ServiceAccount" and s["name"] != "default" for s in binding["subjects"])


def test_what_no_policy_names_is_not_reached(overlay):
    _, documents = overlay
    nothing = one(documents, "NetworkPolicy", "nothing-else")["spec"]
    assert nothing == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    runs = one(documents, "NetworkPolicy", "m2m-runs")["spec"]
    assert runs["policyTypes"] == ["Ingress", "Egress"] and runs["ingress"] == []
    for policy in (d for d in documents if d["kind"] == "NetworkPolicy"):
        for rule in (*policy["spec"].get("ingress", ()), *policy["spec"].get("egress", ())):
            assert rule.get("ports") or policy["metadata"]["name"] == "m2m-training", policy["metadata"]["name"]
    # Of the services, each reaches what its addresses name.
    reached = {
        (app, int(rule["ports"][0]["port"]))
        for d in documents
        if d["kind"] == "NetworkPolicy" and d["metadata"]["namespace"] == "m2m-system" and d["spec"]["podSelector"]
        for app in d["spec"]["podSelector"].get("matchExpressions", [{"values": []}])[0]["values"]
        for rule in d["spec"].get("egress", ())
    }
    assert reached == {("mlflow", 8333), ("buckets", 8333), ("mlflow", 5432), ("mlflow-backup", 5432)}
    labels = one(documents, "Namespace", "m2m-system")["metadata"]["labels"]
    assert {labels[f"pod-security.kubernetes.io/{mode}"] for mode in ("enforce", "warn", "audit")} == {"restricted"}


def test_no_password_is_an_argument(overlay):
    """Arguments are for everybody on the node to read."""
    compose = yaml.safe_load((ROOT.parent / "docker" / "compose.yaml").read_text())["services"]
    said = {name: str(service.get("command", "")) for name, service in compose.items()}
    for name, pod in pods(overlay[1]).items():
        said[name] = " ".join(str(c.get("command", "")) + str(c.get("args", "")) for c in pod["containers"])
    for name, text in said.items():
        assert not re.search(r"\$[({]?\w*(PASSWORD|SECRET|KEY)|//[^/\s]+:[^/\s]+@", text), name


def stages() -> dict[str, list[str]]:
    """The instructions of each stage of the Dockerfile, without comments, a continued line as one."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    found: dict[str, list[str]] = {}
    for line in filter(str.strip, text.splitlines()):
        if match := re.match(r"FROM .* AS ([\w-]+)", line):
            found[match[1]] = []
        elif found:
            found[list(found)[-1]].append(line.strip())
    return found


def test_images_run_as_somebody_without_rights():
    found = stages()
    assert {*NAMES, *PAPER} <= set(found)
    for name in (*NAMES, *PAPER):
        users = [line.split()[1] for line in found[name] if line.startswith("USER ")]
        assert users[-1] == "10001:0", name  # a number: Kubernetes cannot tell of a name whether it is root
        assert not [line for line in found[name] if line.startswith(("ADD ", "ENTRYPOINT ", "VOLUME "))], name
    whole = [line for lines in found.values() for line in lines]
    for line in whole:
        if line.startswith(("ENV ", "ARG ", "LABEL ")):
            assert not re.search("PASSWORD|SECRET|TOKEN|API_KEY|ACCESS_KEY", line), line
        assert "chmod 777" not in line and "curl" not in line and "wget" not in line, line


def test_what_goes_into_images_is_named_and_nothing_else():
    ignored = (DOCKERFILE.parent / "Dockerfile.dockerignore").read_text().split()
    assert ignored[0] == "*" and not {"!.env", "!.git", "!tests", "!."} & set(ignored)


def test_paths(tmp_path: Path):
    """The check above would find a path of a node."""
    pod = {"volumes": [{"name": "a", "hostPath": {"path": "/"}}]}
    with pytest.raises(AssertionError, match="hostPath"):
        assert_restricted("a", pod)
