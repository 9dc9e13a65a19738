"""What the compiled pipelines must be: complete, stable, and free of what kfp or a cluster does silently wrong."""

from pathlib import Path

import pytest
import yaml
from kfp import components as sdk

from m2m import params
from m2m.cluster import ClusterParams
from m2m.errors import InputError
from pipelines import limits, resources
from pipelines.compile import compile_all
from pipelines.dataset import dataset_pipeline
from pipelines.experiment import TRAININGS, WIRINGS

GOLDEN = Path(__file__).parent / "golden"
CLUSTER = ClusterParams(
    tag="v1",
    registry="reg.example/m2m",
    pull_secret="registry",
    gpu="nvidia.com/gpu",
    gpu_pool="pool=a100",
    spot_pool="spot=yes",
    labels=("team=motion", "cost/centre=42"),
    scratch_class="fast",
    shard_gib=3.0,
)
ENVIRONMENT_INPUTS = {"M2M_STORE", "M2M_WORK", "MLFLOW_TRACKING_URI"}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory) -> dict[str, list[dict]]:
    """The documents of every compiled pipeline by name, with everything asked for."""
    made = compile_all(tmp_path_factory.mktemp("compiled"), CLUSTER)
    return {path.stem: list(yaml.safe_load_all(path.read_text())) for path in made}


def dags(spec: dict) -> dict[str, dict]:
    """Every DAG of a pipeline by component name, the root among them."""
    found = {name: c["dag"] for name, c in spec["components"].items() if "dag" in c}
    return {**found, "root": spec["root"]["dag"]}


def all_tasks(spec: dict) -> dict[str, dict]:
    return {f"{dag}/{name}": task for dag, body in dags(spec).items() for name, task in body["tasks"].items()}


def test_compiled_pipelines_equal_the_golden_files(tmp_path):
    made = compile_all(tmp_path, ClusterParams(tag="latest"))
    expected = {path.name: path.read_text() for path in sorted(GOLDEN.glob("*.yaml"))}
    assert {p.name for p in made} == set(expected)
    for path in made:
        assert path.read_text() == expected[path.name], (
            f"{path.name} changed; if that is meant: "
            "python -m pipelines compile tests/pipelines/golden --set cluster.tag=latest"
        )


def test_the_sdk_loads_what_was_compiled(tmp_path):
    for path in compile_all(tmp_path):
        loaded = sdk.load_component_from_file(str(path))
        assert loaded.name == path.stem


def test_kubernetes_manifests_are_pipeline_versions(tmp_path):
    for path in compile_all(tmp_path, manifests=True):
        kinds = {document["kind"] for document in yaml.safe_load_all(path.read_text())}
        assert "PipelineVersion" in kinds


def test_a_loop_takes_no_parameter_of_another_task(compiled):
    """kfp.local would hand over the loop's item in its place."""
    for spec, *_ in compiled.values():
        for where, task in all_tasks(spec).items():
            if "parameterIterator" not in task:
                continue
            item = task["parameterIterator"]["items"].get("inputParameter")
            for name, source in task["inputs"].get("parameters", {}).items():
                assert name == item or "taskOutputParameter" not in source, f"{where} takes {name}"


def test_no_field_of_a_loop_item_is_taken_for_an_attribute_of_kfps_own(compiled):
    """`item.name` is the channel's name, a constant, where a key of the item was meant."""
    for spec, *_ in compiled.values():
        for where, task in all_tasks(spec).items():
            for name, source in task.get("inputs", {}).get("parameters", {}).items():
                constant = str(source.get("runtimeValue", {}).get("constant", ""))
                assert "loop-item" not in constant, f"{where} takes {name} from kfp"


def test_loops_iterate_over_parameters_and_not_over_artifacts(compiled):
    """A loop over artifacts compiles, and then the backend refuses it."""
    for spec, *_ in compiled.values():
        for where, task in all_tasks(spec).items():
            assert "artifactIterator" not in task, where


def test_no_condition_and_no_loop_reads_a_named_output(compiled):
    """kfp.local takes a condition on a field of a NamedTuple for false; an unnamed return is called Output."""
    for spec, *_ in compiled.values():
        for where, task in all_tasks(spec).items():
            assert "triggerPolicy" not in task or "condition" not in task["triggerPolicy"], where
            if "parameterIterator" in task:
                item = task["parameterIterator"]["items"].get("inputParameter")
                source = task["inputs"]["parameters"].get(item, {})
                key = source.get("taskOutputParameter", {}).get("outputParameterKey", "Output")
                assert key == "Output", where


def test_a_task_that_fails_late_is_tried_again(compiled):
    """Argo counts the longest backoff from the first start."""
    checked = 0
    for spec, *more in compiled.values():
        platform = more[0]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
        for where, task in all_tasks(spec).items():
            if "retryPolicy" not in task:
                continue
            executor = spec["components"][task["componentRef"]["name"]]["executorLabel"]
            timeout = int(platform[executor]["activeDeadlineSeconds"])
            longest = int(task["retryPolicy"]["backoffMaxDuration"].rstrip("s"))
            assert longest > timeout, where
            checked += 1
    assert checked > 10


def test_every_task_asks_for_processors_and_memory_and_has_a_time_limit(compiled):
    for spec, *more in compiled.values():
        platform = more[0]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
        for name, executor in spec["deploymentSpec"]["executors"].items():
            needs = executor["container"]["resources"]
            assert needs["resourceCpuRequest"], name
            assert needs["resourceMemoryRequest"] == needs["resourceMemoryLimit"], name
            assert platform[name]["activeDeadlineSeconds"], name
            mapped = {v["envVar"] for m in platform[name]["configMapAsEnv"] for v in m["keyToEnv"]}
            assert mapped >= ENVIRONMENT_INPUTS, name


def test_only_what_helps_gets_a_gpu(compiled):
    wanting = {name for name, needs in resources.NEEDS.items() if needs.gpu}
    for spec, *_ in compiled.values():
        for name, executor in spec["deploymentSpec"]["executors"].items():
            stage = name.removeprefix("exec-")
            assert ("accelerator" in executor["container"]["resources"]) == (stage in wanting), name


def test_trainings_spread_over_the_gpus_asked_for_and_nothing_else_does(tmp_path):
    made = compile_all(tmp_path, ClusterParams(gpu="nvidia.com/gpu", train_gpus=4))
    seen = set()
    for path in made:
        spec = next(yaml.safe_load_all(path.read_text()))
        for name, executor in spec["deploymentSpec"]["executors"].items():
            stage, asked = name.removeprefix("exec-"), executor["container"]["resources"]
            spread = stage in ("pretrain", "align", "scratch", "evaluate")
            if "accelerator" in asked:
                assert asked["accelerator"]["resourceCount"] == ("4" if spread else "1"), stage
            assert float(asked["resourceCpuRequest"]) == resources.NEEDS[stage].cpu * (4 if spread else 1), stage
            seen |= {stage} if spread else set()
    assert seen == {"pretrain", "align", "scratch", "evaluate"}
    with pytest.raises(ValueError, match="train_gpus without gpu"):
        ClusterParams(train_gpus=2)


def test_what_holds_people_is_not_cached_and_the_source_is_looked_at_anew(compiled):
    fresh = {"snapshot", "ingest", "detect", "inpaint", "recover", "compose", "augment", "audit", "merge", "gate"}
    seen = set()
    for spec, *_ in compiled.values():
        for where, task in all_tasks(spec).items():
            stage = where.split("/")[1]
            if stage in fresh:
                seen.add(stage)
                assert not task.get("cachingOptions", {}).get("enableCache"), where
    assert seen == fresh


def test_the_stores_are_no_input_of_any_pipeline(compiled):
    for spec, *_ in compiled.values():
        for name in spec["root"].get("inputDefinitions", {}).get("parameters", {}):
            assert not any(word in name for word in ("store", "work_dir", "endpoint", "run_id")), name


def test_components_are_thin():
    for path in sorted((Path(__file__).parents[2] / "components").glob("*.py")):
        assert len(path.read_text().splitlines()) < 60, path.name


def test_each_wiring_of_the_experiment_trains_what_it_says_and_asks_for_no_more(compiled):
    trained = {"whole": {"pretrain", "align"}, "unaligned": {"pretrain"}, "scratch": {"scratch"}}
    for wiring, name in (("whole", ""), ("unaligned", "-unaligned"), ("scratch", "-scratch")):
        spec, *_ = compiled[f"m2m-experiment{name}"]
        stages = {e.removeprefix("exec-") for e in spec["deploymentSpec"]["executors"]}
        assert stages == trained[wiring] | {"evaluate", "summarize", "report-failure"}
        assert TRAININGS[wiring] == len(trained[wiring])
        asked = spec["root"]["inputDefinitions"]["parameters"]
        assert ("pretrain_set" in asked) == ("pretrain_params" in asked) == ("pretrain" in trained[wiring])
        assert ("align_set" in asked) == ("align_params" in asked) == ("also_set" in asked) == (wiring != "unaligned")
    assert set(WIRINGS) == set(TRAININGS) == set(trained)


def test_compiling_twice_gives_the_same_bytes(tmp_path):
    first, second = compile_all(tmp_path / "a"), compile_all(tmp_path / "b")
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]


def executors(compiled: dict[str, list[dict]]) -> list[tuple[str, dict, dict]]:
    """Stage, container and what Kubernetes is asked for, of every task."""
    found = []
    for spec, *more in compiled.values():
        platform = more[0]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
        for name, executor in spec["deploymentSpec"]["executors"].items():
            found.append((name.removeprefix("exec-"), executor["container"], platform[name]))
    return found


def test_images_have_the_registry_the_tag_and_the_pull_secret(compiled):
    for stage, container, asked in executors(compiled):
        assert container["image"].startswith("reg.example/m2m/") and container["image"].endswith(":v1"), stage
        assert asked["imagePullSecret"] == [
            {"secretName": "registry", "secretNameParameter": {"runtimeValue": {"constant": "registry"}}}
        ], stage


def test_shared_memory_is_counted_in_the_memory(compiled):
    """It lies in memory: more of it than the limit leaves would kill the task."""
    checked = 0
    for stage, container, asked in executors(compiled):
        needs = resources.NEEDS[stage]
        (*memory,) = (m for m in asked["emptyDirMounts"] if m.get("medium") == "Memory")
        assert bool(memory) == bool(needs.shm), stage
        if memory:
            checked += 1
            assert memory[0]["mountPath"] == "/dev/shm" and memory[0]["sizeLimit"] == f"{needs.shm}G"
            assert container["resources"]["resourceMemoryLimit"] == f"{needs.memory + needs.shm}G"
    assert checked == 3 + 2 + 2  # of the three wirings of the experiment


def test_scratch_is_a_volume_of_the_pod_sized_from_the_shard(compiled):
    for stage, container, asked in executors(compiled):
        needs = resources.NEEDS[stage]
        volumes = asked.get("genericEphemeralVolume", [])
        assert bool(volumes) == bool(needs.scratch), stage
        for volume in volumes:
            assert volume["mountPath"] == "/scratch" and volume["storageClassName"] == "fast", stage
            assert int(volume["size"].removesuffix("Gi")) >= needs.scratch * CLUSTER.shard_gib, stage
            assert volume["metadata"]["labels"]["team"] == "motion"
            assert {"name": "TMPDIR", "value": "/scratch"} in container["env"], stage


def test_costs_are_labelled_and_pods_know_their_run(compiled):
    for stage, _, asked in executors(compiled):
        assert asked["podMetadata"]["labels"] == {"team": "motion", "cost/centre": "42"}, stage
        (named,) = asked["fieldPathAsEnv"]
        assert named == {"name": "M2M_PIPELINE_RUN", "fieldPath": "metadata.labels['pipeline/runid']"}, stage


def test_gpu_tasks_go_to_the_pool_and_only_what_loses_little_to_spot_nodes(compiled):
    for stage, _, asked in executors(compiled):
        needs = resources.NEEDS[stage]
        assert asked.get("nodeSelector", {}).get("labels") == ({"pool": "a100"} if needs.gpu else None), stage
        tolerated = {t["key"] for t in asked.get("tolerations", [])}
        assert ("nvidia.com/gpu" in tolerated) == needs.gpu, stage
        assert ("spot" in tolerated) == needs.spot, stage
    kept = {"gate", "register", "purge", "merge", "report-failure", "snapshot", "ingest"}
    assert not any(resources.NEEDS[stage].spot for stage in kept)


def test_a_run_on_this_machine_asks_for_no_disk_of_a_pod():
    for executor in dataset_pipeline().pipeline_spec.deployment_spec["executors"].values():
        assert "env" not in executor["container"]


@pytest.mark.parametrize(
    "profile", [None, *sorted(p.stem for p in (Path(__file__).parents[2] / "profiles").glob("*.yaml"))]
)
def test_the_largest_run_stays_under_half_of_what_a_backend_takes(tmp_path, profile):
    """131,071 bytes for a task's input, 1 MiB for Argo's workflow."""
    sections = ("ingest", "curate", "augment", "audit", "gate", "register")
    arguments = {f"{name}_params": params.to_dict(params.load(name, profile)) for name in sections}
    for path in compile_all(tmp_path):
        limits.check(path.read_bytes(), arguments)
        assert len(path.read_bytes()) < 2**19
    assert limits.executor_input(arguments["ingest_params"]["shards"], arguments) < 131_071 // 2


def test_more_shards_than_an_input_holds_are_refused_before_anything_runs():
    limits.check(b"", {"ingest_params": {"shards": 90}})
    with pytest.raises(InputError, match="fewer, bigger shards"):
        limits.check(b"", {"ingest_params": {"shards": 100}})
    with pytest.raises(InputError, match="above half of 1048576"):
        limits.check(b"x" * 600_000, {})


def test_only_what_speaks_to_git_holds_the_deploy_key(compiled):
    for stage, _, asked in executors(compiled):
        held = {volume["secretName"] for volume in asked.get("secretAsVolume", [])}
        assert held == ({"m2m-git"} if stage in ("register", "purge") else set()), stage


def test_the_papers_models_are_in_images_of_their_own_with_a_gpu_and_their_weights(tmp_path):
    cluster = ClusterParams(stack="paper", weights_claim="models", gpu="nvidia.com/gpu", registry="reg.example/m2m")
    path = next(p for p in compile_all(tmp_path, cluster) if p.stem == "m2m-dataset")
    spec, platform = yaml.safe_load_all(path.read_text())
    asked = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    heavy = set()
    for name, executor in spec["deploymentSpec"]["executors"].items():
        container, stage = executor["container"], name.removeprefix("exec-")
        if "-paper:" in container["image"]:
            heavy.add(stage)
            assert container["resources"]["accelerator"]["resourceCount"] == "1", stage
            assert {"name": "M2M_WEIGHTS", "value": "/weights"} in container["env"], stage
            [claim] = asked[name]["pvcMount"]
            assert (claim["constant"], claim["mountPath"]) == ("models", "/weights")
        else:
            assert "pvcMount" not in asked[name], stage
    assert heavy == set(resources.PAPER_STAGES)
    images = [e["container"]["image"] for e in spec["deploymentSpec"]["executors"].values()]
    assert any(image.startswith("reg.example/m2m/inpaint-paper:") for image in images)


def test_a_run_here_takes_them_too_if_its_parameters_name_them():
    images = {
        e["container"]["image"].partition(":")[0]
        for e in dataset_pipeline(stack="paper").pipeline_spec.deployment_spec["executors"].values()
    }
    assert images == {"m2m/base", "m2m/detect", "m2m/detect-paper", "m2m/inpaint-paper", "m2m/recover-paper"}
