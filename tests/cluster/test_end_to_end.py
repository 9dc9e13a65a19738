"""On a real KFP backend: upload, run, kill a pod in mid-work, see it go on, read back, schedule, purge.

M2M_CLUSTER_ENDPOINT is KFP's API. M2M_CLUSTER_SOURCE is an s3:// prefix for the clips; M2M_STORE, M2M_WORK and the
credentials (AWS_*) must be the cluster's own and in reach from here; kubectl must be allowed to delete pods.
M2M_CLUSTER_NAMESPACE (by default kubeflow) is where pods run, M2M_CLUSTER_USER_NAMESPACE what KFP's API is told (empty
on a server without users), M2M_CLUSTER_REGISTRY where `make images PUSH=1 REGISTRY=...` put the images.
"""

import json
import os
import subprocess
import time
from collections.abc import Callable

import kfp_server_api
import pytest

from m2m.checkout import checkout
from m2m.clips import MANIFEST, read_manifest
from m2m.store import data_store, open_store, work_store
from m2m.studio import StudioParams, draw_dataset
from pipelines.__main__ import main
from pipelines.cluster import Cluster

NEEDED = ("M2M_CLUSTER_ENDPOINT", "M2M_CLUSTER_SOURCE", "M2M_STORE", "M2M_WORK")
HOUR = 3600.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(os.environ.get(name) for name in NEEDED),
        reason=f"no cluster is given: set {', '.join(NEEDED)} (see this file)",
    ),
]


def pods(run: str, *arguments: str) -> str:
    """kubectl on the pods of a run."""
    namespace = os.environ.get("M2M_CLUSTER_NAMESPACE", "kubeflow")
    command = ["kubectl", "--namespace", namespace, *arguments, "--selector", f"pipeline/runid={run}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def wait(found: Callable[[], object], what: str, seconds: float = HOUR) -> object:
    end = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < end, f"{what} did not come within {seconds:.0f} s"
        time.sleep(5)
    return value


def options() -> list[str]:
    namespace = os.environ.get("M2M_CLUSTER_USER_NAMESPACE", "")
    return ["--endpoint", os.environ["M2M_CLUSTER_ENDPOINT"], *(["--namespace", namespace] if namespace else [])]


def submit(capsys, *arguments: str) -> str:
    registry = f"cluster.registry={os.environ.get('M2M_CLUSTER_REGISTRY', 'm2m')}"
    assert main(["submit", *arguments, *options(), "--set", registry]) == 0
    return capsys.readouterr().out.split()[1]


def service(api: type):
    """A client of one of KFP's services, with the token that `submit` uses."""
    cluster = Cluster(os.environ["M2M_CLUSTER_ENDPOINT"], os.environ.get("M2M_CLUSTER_USER_NAMESPACE", ""))
    return api(cluster.client)


def ended(run: str) -> str:
    state = service(kfp_server_api.RunServiceApi).run_service_get_run(run).state
    return state if state in ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED") else ""


def datasets() -> set[str]:
    return {key.split("/")[1] for key in data_store().keys("datasets/") if key.endswith("/index.json")}


def records() -> dict[str, bytes]:
    store = work_store()
    return {key: store.read(key) for key in store.keys("records/")}


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> str:
    """Four studio clips, uploaded."""
    folder = tmp_path_factory.mktemp("drawn")
    uri = f"{os.environ['M2M_CLUSTER_SOURCE'].rstrip('/')}/{int(time.time())}"
    store = open_store(uri)
    for path in draw_dataset(folder / "clips", StudioParams(2, 2, fps=8, seconds=3.0)):
        store.put(path, path.relative_to(folder / "clips").as_posix())
    return uri


def test_a_run_survives_a_lost_pod_and_what_it_made_is_purged(source, capsys):
    fixed = ["dataset", "--source", source, "--profile", "laptop"]
    fixed += ["--set", "ingest.shards=1", "--set", "curate.classes=2", "--set", "gate.max_quarantined=0.5"]
    before_sets, before = datasets(), records()
    run = submit(capsys, *fixed)

    def found_people() -> set[str]:
        return {
            key
            for key, text in records().items()
            if key not in before and any(path.startswith("people/") for path in json.loads(text)["outputs"])
        }

    first = wait(found_people, "a record of detect")
    kept = {key: text for key, text in records().items() if key in first}
    listed = json.loads(pods(run, "get", "pods", "--output", "json"))["items"]
    (detect,) = (
        pod["metadata"]["name"]
        for pod in listed
        if pod["status"]["phase"] == "Running" and any("m2m/detect" in c["image"] for c in pod["spec"]["containers"])
    )
    namespace = os.environ.get("M2M_CLUSTER_NAMESPACE", "kubeflow")
    kill = ["kubectl", "--namespace", namespace, "delete", "pod", detect, "--grace-period=0", "--force"]
    subprocess.run(kill, check=True, capture_output=True)

    assert wait(lambda: ended(run), "the end of the run") == "SUCCEEDED"
    assert kept.items() <= records().items()  # what was finished was not done again
    merged = datasets() - before_sets
    held = {}
    for identity in merged:
        with checkout(identity) as folder:
            card = json.loads((folder / "dataset.json").read_text())
            held[card["variant"]] = (identity, read_manifest(folder / MANIFEST))
    identity, rows = held["m2m"]
    assert len(rows) == 4

    assert main(["schedule", *fixed, *options(), "--cron", "30 3 29 2 *", "--name", "m2m-end-to-end"]) == 0
    api = service(kfp_server_api.RecurringRunServiceApi)
    everything = api.recurring_run_service_list_recurring_runs(page_size=200).recurring_runs or []
    (made,) = (schedule for schedule in everything if schedule.display_name == "m2m-end-to-end")
    try:
        assert made.trigger.cron_schedule.cron == "0 30 3 29 2 *"
    finally:
        api.recurring_run_service_delete_recurring_run(made.recurring_run_id)

    gone = submit(capsys, "purge", "--dataset", identity, "--yes")
    assert wait(lambda: ended(gone), "the end of the purge") == "SUCCEEDED"
    assert identity in datasets() and held["real"][0] not in datasets()
    assert not {key for key in first if key in set(work_store().keys("records/"))}
