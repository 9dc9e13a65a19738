"""Every stage in its own image: the same bytes as without, what a container may do, and a container that is killed."""

import hashlib
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import docker
import pytest
from kfp.local import docker_task_handler
from requests.exceptions import ReadTimeout

from components.images import NAMES
from m2m.checkout import checkout
from m2m.datasets.ingest import ingest
from m2m.datasets.params import IngestParams
from m2m.errors import InputError
from m2m.params import to_dict
from m2m.report.results import read_result
from m2m.store import DATA, WORK, open_store
from m2m.studio import StudioParams, draw_dataset
from pipelines import containers
from pipelines.__main__ import main
from tests.containers import built, engine
from tests.pipelines import toys
from tests.pipelines.test_run import interrupted
from tests.sets import publish_set
from tests.trackers import database, runs
from tests.train import toysets
from tests.train.toysets import make_set

STRANGER = 54321
CONFINED = {
    "user": f"{STRANGER}:0",
    "read_only": True,
    "tmpfs": {"/tmp": ""},
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"],
    "network_mode": "host",
    "remove": True,
}
STAGES = ("detect", "inpaint", "recover", "base")


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("drawn") / "clips"
    draw_dataset(folder, StudioParams(2, 1, fps=8, seconds=1.0))
    return folder


@pytest.fixture
def addresses(monkeypatch, s3):
    """Stores on the S3 server, a prefix of their own each time."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def use(prefix: str) -> None:
        monkeypatch.setenv(DATA, f"s3://{s3.bucket}/{prefix}/store")
        monkeypatch.setenv(WORK, f"s3://{s3.bucket}/{prefix}/work")

    return use


def dataset(root: Path, source: Path, runner: str, *more: str) -> int:
    fixed = ["--source", str(source), "--root", str(root), "--output", str(root.with_suffix(".json"))]
    fixed += ["--set", "ingest.shards=1", "--set", "curate.classes=2", "--set", "gate.max_quarantined=0.5"]
    return main(["run", "dataset", "--runner", runner, *fixed, *more])


def videos(root: Path) -> dict[str, str]:
    """Every video of the merged data set by its place, with its bytes' hash."""
    with checkout(json.loads(root.with_suffix(".json").read_text())["dataset"]) as folder:
        found = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*.mp4"))}
    return found


@pytest.fixture
def tracker(tmp_path):
    """An MLflow server in a container of its own: its address, and that of its database."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path / "tracker"
    folder.mkdir()
    uri = database(folder)
    command = ["mlflow", "server", "--backend-store-uri", uri, "--host", "127.0.0.1", "--port", str(port)]
    mount = docker.types.Mount(str(folder), str(folder), type="bind")
    client = engine()
    more = {**CONFINED, "user": f"{os.getuid()}:{os.getgid()}", "remove": False, "mounts": [mount]}
    command += ["--workers", "1", "--artifacts-destination", str(folder / "artifacts")]
    quick = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    container = client.containers.run(built("base"), command, detach=True, environment=quick, **more)
    yield f"http://127.0.0.1:{port}", uri
    container.remove(force=True)
    client.close()


@pytest.fixture
def stranger(tmp_path, monkeypatch):
    """Tasks run as a user whom no image knows, in folders that anybody may write."""
    monkeypatch.setattr(os, "getuid", lambda: STRANGER)
    monkeypatch.setattr(os, "getgid", lambda: 0)
    for folder in [tmp_path, *itertools.takewhile(lambda p: p != Path(tempfile.gettempdir()), tmp_path.parents)]:
        folder.chmod(0o777)
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.slow
def test_the_pipeline_in_containers_makes_the_same_bytes_and_goes_on_where_one_was_killed(
    source, addresses, tracker, stranger, tmp_path, monkeypatch, capfd
):
    for name in STAGES:
        built(name)
    addresses("alone")
    assert dataset(tmp_path / "alone", source, "subprocess") == 0, capfd.readouterr()
    expected = videos(tmp_path / "alone")
    assert len(expected) == 2
    first = json.loads((tmp_path / "alone.json").read_text())

    addresses("contained")
    address, backend = tracker
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    with Killer(built("detect")) as killer:
        code = dataset(tmp_path / "contained", source, "docker")
    assert code == 0, capfd.readouterr()
    assert killer.killed, "no container was killed"
    assert videos(tmp_path / "contained") == expected
    assert json.loads((tmp_path / "contained.json").read_text())["dataset"] == first["dataset"]
    # What the killed container had finished was found, and not done again.
    (log,) = (tmp_path / "contained" / "runs").glob("*.log")
    assert "finished earlier" in log.read_text()
    # The tracker in its container has the pipeline's run, under the name of this very run.
    assert [run.info.run_name for run in runs(backend)] == [log.stem]
    client = engine()
    left = client.containers.list(all=True, ignore_removed=True, filters={"label": f"{containers.LABEL}={log.stem}"})
    assert not [(c.image.tags, c.attrs["State"]) for c in left]
    client.close()


@pytest.mark.slow
def test_the_experiment_in_confined_containers_trains_tests_and_reports(stranger, tmp_path, monkeypatch, capfd):
    """Pretrain, align, evaluate (FT and LP) and the page, each in the image `train`, with MLflow in it."""
    for name in ("train", "base"):
        built(name)
    for name in (DATA, WORK, "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    root = tmp_path / "root"
    root.mkdir()
    tracking = database(root)
    toys_hash = publish_set(make_set(tmp_path / "toys"), open_store(root / "store"), tmp_path)
    recipes = {"model": toysets.MODEL, "pretrain": toysets.PRETRAIN, "align": toysets.ALIGN}
    recipes |= {"evaluate": toysets.EVALUATE}
    (tmp_path / "tiny.yaml").write_text(json.dumps({name: to_dict(recipe) for name, recipe in recipes.items()}))
    command = ["run", "experiment", "--runner", "docker", "--root", str(root), "--output", str(tmp_path / "out.json")]
    command += ["--profile", str(tmp_path / "tiny.yaml"), "--pretrain", toys_hash, "--test", f"toys={toys_hash}"]
    assert main(command) == 0, capfd.readouterr()
    out = json.loads((tmp_path / "out.json").read_text())
    results = [read_result(Path(folder)) for folder in out["evaluations"]]
    assert sorted(r.protocol for r in results) == ["ft", "lp"]
    for result in results:
        assert {stage: len(rows) for stage, rows in result.curves.items()} == {"pretrain": 4, "align": 4, "evaluate": 3}
    page = Path(out["report"])
    assert "toys" in page.read_text() and page.stat().st_uid == STRANGER
    made = [path for path in (page.parents[1]).rglob("*") if path.is_file()]
    assert {path.stat().st_uid for path in made} == {STRANGER} and [p for p in made if p.name == "checkpoint.pt"]
    stages = sorted(run.data.tags["m2m.kind"] for run in runs(tracking) if "m2m.kind" in run.data.tags)
    assert stages == ["align", "evaluate", "evaluate", "pipeline", "pretrain"]
    assert not list((root / "scratch").iterdir())


class Killer(threading.Thread):
    """Kills the first container of an image when it has finished a clip: when the work store has a record more."""

    def __init__(self, image: str) -> None:
        super().__init__(daemon=True)
        self._image, self._over, self.killed = image, threading.Event(), False

    def __enter__(self) -> "Killer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        client, before = engine(), None
        while not self._over.is_set() and not self.killed:
            for container in client.containers.list(filters={"ancestor": self._image}):
                records = set(open_store(os.environ[WORK]).keys("records/"))
                before = records if before is None else before
                if records > before:
                    container.kill("SIGKILL")
                    self.killed = True
            time.sleep(0.05)
        client.close()


def killed_and_begun_again(
    image: str, command: list[str], reads: Path, s3, tmp_path: Path, key: str, wait: float = 0.0
) -> list[str]:
    """Logs of a container that is killed when the work store has such a key, and of another with an empty disk."""
    environment = {k: os.environ[k] for k in os.environ if k.startswith("AWS_") and "FILE" not in k}
    environment |= {WORK: f"{s3.uri}/work", DATA: f"{s3.uri}/store", "M2M_TRACKING": "off"}
    environment |= {"TMPDIR": "/scratch", "OMP_NUM_THREADS": "2"}
    client, seen, logs = engine(), open_store(f"{s3.uri}/work"), []
    for attempt in (1, 2):
        disk = tmp_path / f"disk{attempt}"
        disk.mkdir()
        disk.chmod(0o777)
        mounts = [
            docker.types.Mount("/scratch", str(disk), type="bind"),
            docker.types.Mount(str(reads), str(reads), type="bind", read_only=True),
        ]
        more = {**CONFINED, "remove": False, "environment": environment, "mounts": mounts}
        container = client.containers.run(built(image), command, detach=True, **more)
        if attempt == 1:
            end = time.monotonic() + 120
            while not any(seen.keys(key)):
                assert time.monotonic() < end, container.logs().decode()
                time.sleep(0.05)
            time.sleep(wait)
            container.kill("SIGKILL")
        status = container.wait()["StatusCode"]
        logs.append(container.logs().decode())
        container.remove(force=True)
        assert status == (137 if attempt == 1 else 0), logs[-1]
    client.close()
    return logs


DETECT = """
import sys
from pathlib import Path
from m2m.augment.stages import detect_shard
from m2m.params import section

detect_shard(Path(sys.argv[1]), 0, Path("/scratch/out"), section("augment", {}), workers=1)
"""


@pytest.mark.slow
def test_a_killed_stage_goes_on_in_another_container_with_an_empty_disk(source, s3, tmp_path):
    manifest = tmp_path / "manifest"
    ingest(str(source), manifest, IngestParams(shards=1), packed=True, store=open_store(f"{s3.uri}/store"))
    command = ["python3", "-c", DETECT, str(manifest)]
    logs = killed_and_begun_again("detect", command, manifest, s3, tmp_path, "records/")
    assert "finished earlier" not in logs[0] and "1 of 2 finished earlier" in logs[1]
    assert len(list(open_store(f"{s3.uri}/work").keys("records/"))) == 2


PRETRAIN = """
import json, sys
from pathlib import Path
from m2m.experiment import pretrain_set
from m2m.params import section

recipe, model = (section(name, json.loads(text)) for name, text in zip(("pretrain", "model"), sys.argv[2:]))
pretrain_set(sys.argv[1], Path("/scratch/out"), recipe, model, seed=0)
"""
EPOCHS, INTERVAL = 40, 4


@pytest.mark.slow
def test_a_killed_training_goes_on_in_another_container_and_loses_at_most_an_interval(s3, tmp_path):
    clips = make_set(tmp_path / "clips")
    recipe = {**to_dict(toysets.PRETRAIN), "epochs": EPOCHS, "checkpoint_every": INTERVAL}
    command = ["python3", "-c", PRETRAIN, str(clips), json.dumps(recipe), json.dumps(to_dict(toysets.MODEL))]
    logs = killed_and_begun_again("train", command, clips, s3, tmp_path, "checkpoints/", wait=0.5)
    reached = max(int(epoch) for epoch in re.findall(rf"epoch (\d+)/{EPOCHS}", logs[0]))
    onwards = int(re.search(rf"goes on after epoch (\d+) of {EPOCHS}", logs[1])[1])
    assert 0 < reached < EPOCHS
    assert reached - INTERVAL <= onwards and onwards % INTERVAL == 0
    assert (tmp_path / "disk2" / "out" / "checkpoint.pt").is_file()


@pytest.mark.parametrize("name", NAMES)
def test_an_image_has_a_numeric_user_labels_and_no_entrypoint(name):
    client = engine()
    config = client.images.get(built(name)).attrs["Config"]
    client.close()
    assert config["User"] == "10001:0"
    assert not config.get("Entrypoint")
    assert config["Labels"]["org.opencontainers.image.base.name"]
    assert "org.opencontainers.image.revision" in config["Labels"]
    assert not [e for e in config["Env"] if "CERT" in e or "INDEX" in e]


@pytest.mark.parametrize("name", STAGES)
def test_a_confined_container_with_a_foreign_user_finds_its_stage(name, tmp_path):
    tmp_path.chmod(0o777)
    script = (
        "import getpass, tempfile, m2m, kfp.dsl.executor_main, m2m.augment.dataset, m2m.augment.compose, m2m.s3;"
        "getpass.getuser(); tempfile.NamedTemporaryFile().close(); print(m2m.__version__)"
    )
    client = engine()
    mount = docker.types.Mount("/scratch", str(tmp_path), type="bind")
    out = client.containers.run(
        built(name), ["python3", "-c", script], mounts=[mount], environment={"TMPDIR": "/scratch"}, **CONFINED
    )
    client.close()
    assert out.decode().strip() == "0.1.0"


def test_git_reaches_its_hosts_as_a_user_without_a_name(tmp_path):
    """ssh itself refuses a uid that has no name before it connects."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "known_hosts").touch()
    (tmp_path / "ssh-privatekey").touch()
    tmp_path.chmod(0o755)
    mount = docker.types.Mount("/etc/m2m/git", str(tmp_path), type="bind", read_only=True)
    client = engine()
    command = ["git", "ls-remote", f"ssh://git@127.0.0.1:{port}/none"]
    with pytest.raises(docker.errors.ContainerError) as caught:
        client.containers.run(built("base"), command, mounts=[mount], stderr=True, **CONFINED)
    client.close()
    assert b"Connection refused" in caught.value.stderr, caught.value.stderr


def test_a_run_that_is_interrupted_leaves_no_container(source, tmp_path):
    for name in STAGES:
        built(name)
    command = [sys.executable, "-m", "pipelines", "run", "dataset", "--runner", "docker", "--source", str(source)]
    client = engine()

    def ours() -> list:
        labelled = client.containers.list(all=True, filters={"label": containers.LABEL})
        return [c for c in labelled if any(str(tmp_path) in mount["Source"] for mount in c.attrs["Mounts"])]

    with subprocess.Popen([*command, "--root", str(tmp_path / "root")], stderr=subprocess.PIPE, text=True) as run:
        end = time.monotonic() + 60
        while not ours():
            assert time.monotonic() < end and run.poll() is None
            time.sleep(0.1)
        run.send_signal(signal.SIGINT)
        assert run.wait(60) == 130, run.stderr.read()
    assert not ours()
    client.close()


def test_ctrl_c_in_a_loop_ends_its_containers_and_begins_no_other(tmp_path):
    """No signal of the terminal reaches a container, and kfp's loop would wait for it, and for all that come after."""
    assert interrupted(tmp_path, built("base")) == ["1.begun", "2.begun"]
    client = engine()
    (log,) = (tmp_path / "runs").glob("*.log")
    left = client.containers.list(all=True, ignore_removed=True, filters={"label": f"{containers.LABEL}={log.stem}"})
    client.close()
    assert not left


def test_a_container_that_began_while_the_run_was_stopped_is_removed():
    class Late(Busy):
        def run(self, *_, **__):
            stopped.set()
            return self

    stopped = threading.Event()
    late = Late(0, failures=0)
    with pytest.raises(KeyboardInterrupt):
        containers.run_container(late, "a:b", [], {}, stopped=stopped)
    assert not late.there
    with pytest.raises(KeyboardInterrupt):  # and no other begins: there is no engine at all
        containers.run_container(None, "a:b", [], {}, stopped=stopped)


def test_an_image_that_is_not_there_is_named(tmp_path, capsys, monkeypatch):
    engine()
    monkeypatch.setattr("pipelines.containers.images", lambda _: {"m2m/base:nothing"})
    with (
        pytest.raises(InputError, match="no image m2m/base:nothing on this engine"),
        containers.docker_runner(toys.failing, tmp_path, "name", threading.Event()),
    ):
        pass


def test_containers_are_given_what_lists_links_and_yaml_files_lead_to(tmp_path):
    for name in ("lists/a.mp4", "elsewhere/wave/b.mp4", "set/clap/c.mp4", "far/d.mp4", "splits/x_test_split1.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "lists/all.csv").write_text("a.mp4,wave\n../elsewhere/wave/b.mp4,wave\n")
    (tmp_path / "set/clap/d.mp4").symlink_to(tmp_path / "far/d.mp4")
    (tmp_path / "hmdb.yaml").write_text("format: hmdb51\nvideos: set\nannotations: splits\n")

    def given(source: str) -> set[str]:
        found = containers.seen(str(tmp_path / source))
        for path in found:
            assert not set(path.parents) & set(found), "one mount in another"
        return {path.relative_to(tmp_path).as_posix() for path in found}

    assert given("elsewhere") == {"elsewhere"}
    assert given("set") == {"set", "far"}
    assert given("hmdb.yaml") == {"hmdb.yaml", "set", "splits", "far"}
    assert {"lists", "elsewhere/wave"} <= given("lists/all.csv")
    with pytest.raises(InputError, match="does not exist"):
        containers.seen(str(tmp_path / "none"))


def test_no_engine_is_said_and_nothing_is_left(tmp_path):
    environment = {**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/none.sock"}
    command = [sys.executable, "-m", "pipelines", "run", "purge", "--dataset", "0" * 64, "--runner", "docker"]
    done = subprocess.run([*command, "--root", str(tmp_path / "root")], env=environment, capture_output=True, text=True)
    assert done.returncode == 5
    assert "no Docker engine answers" in done.stderr


class Gone:
    """A container that the engine has removed before anybody asked for its status, as with `auto_remove`."""

    def logs(self, **_):
        return iter(())

    def wait(self):
        raise docker.errors.NotFound("gone")

    def remove(self, **_):
        pass


class Engine:
    """An engine whose images are there and whose containers are gone."""

    containers = images = property(lambda self: self)

    def list(self):
        return []

    def pull(self, _):
        pass

    def run(self, *_, **__):
        return Gone()


class Busy:
    """An engine with one container, ended with a status, whose removal fails some times."""

    containers = property(lambda self: self)

    def __init__(self, status: int, failures: int) -> None:
        self.name, self._status, self._failures, self.there = "busy", status, failures, True

    def list(self, **_):
        return [self] if self.there else []

    def run(self, *_, **__):
        return self

    def logs(self, **_):
        return iter((b"line\n",))

    def wait(self):
        return {"StatusCode": self._status}

    def remove(self, **_):
        self._failures -= 1
        if self._failures >= 0:
            raise (docker.errors.APIError("device or resource busy"), ReadTimeout("no answer"))[self._failures % 2]
        self.there = False


@pytest.mark.parametrize("status", [0, 3, 137])
def test_a_container_that_cannot_be_removed_at_once_has_its_status_and_goes_later(status):
    """What a task did is not judged by how the engine tidies up, and nothing stays."""
    busy = Busy(status, failures=2)
    assert containers.run_container(busy, "a:b", [], {}, stopped=threading.Event()) == status
    assert busy.there
    containers.sweep(busy, "run")
    assert not busy.there


def test_a_container_that_stays_is_named(monkeypatch, capsys):
    monkeypatch.setattr(containers, "PATIENCE", 0.0)
    containers.sweep(Busy(0, failures=10), "run")
    assert "docker rm -f busy" in capsys.readouterr().err


def test_a_container_whose_status_nobody_knows_is_no_success():
    """When the first line fails kfp has mended it, and our own function may go."""
    assert docker_task_handler.run_docker_container(Engine(), "a:b", [], {}) == 0
    with pytest.raises(docker.errors.NotFound):
        containers.run_container(Engine(), "a:b", [], {}, stopped=threading.Event())
