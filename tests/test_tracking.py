"""What a run logs arrives once, under the run that its fingerprint names, whatever happens on the way."""

import json
import math
import socket
import subprocess
import threading
import time
from pathlib import Path

import mlflow.data
import pytest
from mlflow import MlflowClient

from m2m import comparison, mirror, provenance, spool, tracking
from m2m.errors import InfrastructureError, InputError
from m2m.sender import deliver, replay
from m2m.store import open_store
from m2m.tracker import PARENT, Tracker
from m2m.tracking import finish_pipeline, open_run, tracking_uri
from tests.trackers import database, history, runs

F = "ab" * 32
VARIABLES = ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_RUN_ID", "M2M_PARENT_RUN", "M2M_PIPELINE_RUN")


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in (*VARIABLES, "M2M_WORK", "M2M_TRACKING", "RANK"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def uri(tmp_path):
    return database(tmp_path)


@pytest.fixture
def offline(monkeypatch):
    """Runs only fill their spools; tests send them with `replay`."""
    monkeypatch.setattr(tracking, "_start_sender", lambda out, uri: None)


def train(folder, steps, fingerprint=F, kind="pretrain", fail=False, **options) -> None:
    with open_run(kind, f"a {kind}", fingerprint, spool=folder, **options) as run:
        for step in steps:
            run.metrics({"loss": 1 / (step + 1)}, step)
        if fail:
            raise ZeroDivisionError


def send(folder, uri) -> None:
    done = replay(folder, Tracker(uri, settle=0))
    assert (done.left, done.refused, done.error) == (0, 0, "")
    assert not list(folder.iterdir())


def test_a_run_arrives_whole_in_sqlite(tmp_path, uri):
    curve = tmp_path / "curve.png"
    curve.write_bytes(b"png")
    with open_run(
        "pretrain",
        "tiny",
        F,
        spool=tmp_path / "spool",
        params={"model": {"depth": 2}, "lr": 1e-3},
        tags={"seed": 7},
        dataset=("Kinetics-150", "cd" * 32, "s3://store/datasets/cd"),
        uri=uri,
    ) as run:
        for step in range(300):
            run.metrics({"loss": 1 / (step + 1), "top-1 (val)": step / 300}, step)
        run.artifact(curve, "figures")
        curve.unlink()  # what was logged is kept until it is sent
    (found,) = runs(uri)
    assert found.info.run_id == run.id and found.info.status == "FINISHED" and found.info.run_name == "tiny"
    assert found.data.params == {"model.depth": "2", "lr": "0.001"}
    assert found.data.tags["m2m.fingerprint"] == F and found.data.tags["seed"] == "7"
    assert found.data.tags["m2m.data.input"] == "cd" * 32
    assert history(uri, run.id, "loss") == [(i, 1 / (i + 1)) for i in range(300)]
    assert len(history(uri, run.id, "top-1 _val_")) == 300
    data = found.inputs.dataset_inputs[0].dataset
    assert data.name == "Kinetics-150" and ("cd" * 32).startswith(data.digest)
    assert json.loads(data.profile) == {"hash": "cd" * 32}
    assert mlflow.data.get_source(data).uri == "s3://store/datasets/cd"
    client, copies = MlflowClient(uri), tmp_path / "copies"
    copies.mkdir()
    curves = client.download_artifacts(run.id, "figures/curve.png", str(copies))
    assert Path(curves).read_bytes() == b"png"
    packages = Path(client.download_artifacts(run.id, "environment.txt", str(copies))).read_text().lower()
    assert "\nmlflow==" in packages and packages.startswith("# python 3.1")
    assert not list((tmp_path / "spool").iterdir()), "what arrived is removed"


def test_the_code_revision_is_the_repositorys(monkeypatch):
    provenance.git_revision.cache_clear()
    monkeypatch.setenv("M2M_REVISION", "of an image")
    assert provenance.git_revision() == "of an image"
    provenance.git_revision.cache_clear()
    monkeypatch.delenv("M2M_REVISION")
    revision = provenance.git_revision()
    assert revision == "" or len(revision.removesuffix("-dirty")) == 40


def test_a_retry_goes_on_with_its_run_and_repeated_steps_are_there_once(tmp_path, uri, offline):
    with pytest.raises(ZeroDivisionError):
        train(tmp_path / "s", range(3), fail=True)
    send(tmp_path / "s", uri)
    (failed,) = runs(uri)
    assert failed.info.status == "FAILED"
    train(tmp_path / "s", range(2, 6))  # from the last checkpoint on
    train(tmp_path / "s", range(2), kind="align")
    train(tmp_path / "s", range(2), fingerprint="cd" * 32)
    send(tmp_path / "s", uri)
    found = runs(uri)
    assert len(found) == 3
    assert found[0].info.run_id == failed.info.run_id and found[0].info.status == "FINISHED"
    assert history(uri, failed.info.run_id, "loss") == [(i, 1 / (i + 1)) for i in range(6)]


def test_a_lost_state_sends_again_and_changes_nothing(tmp_path, uri, offline):
    train(tmp_path / "s", range(4), params={"lr": 1}, dataset=("d", "ef" * 32, "/data"))
    (path,) = spool.pending(tmp_path / "s")
    deliver(path, Tracker(uri, settle=0))
    before = runs(uri)[0].to_dictionary()
    path.with_suffix(".state").write_text('{"offset": 1')  # as a loss of power leaves it
    again = deliver(path, Tracker(uri, settle=0))
    (after,) = runs(uri)
    assert after.to_dictionary() == before
    assert history(uri, after.info.run_id, "loss") == [(i, 1 / (i + 1)) for i in range(4)]
    # Only the artifact could not be sent again: its copy was removed when it had arrived.
    assert again.refused == 1 and "no longer there" in path.with_suffix(".refused").read_text()


def test_what_the_tracker_will_never_take_is_put_aside_and_the_rest_arrives(tmp_path, uri, offline, capsys):
    train(tmp_path / "s", range(2), params={"lr": 1})
    send(tmp_path / "s", uri)
    train(tmp_path / "s", range(2, 4), params={"lr": 2})
    done = replay(tmp_path / "s", Tracker(uri, settle=0))
    assert (done.arrived, done.left, done.refused) == (1, 0, 1)
    (aside,) = (tmp_path / "s").iterdir()
    assert json.loads(aside.read_text())["entry"]["values"] == {"lr": "2"}
    (found,) = runs(uri)
    assert found.data.params["lr"] == "1" and len(history(uri, found.info.run_id, "loss")) == 4


def test_figures_that_are_not_finite_do_not_stop_the_others(tmp_path, uri, offline):
    with open_run("pretrain", "odd", F, spool=tmp_path / "s") as run:
        run.metrics({"loss": math.nan}, 0)
        run.metrics({"loss": math.inf}, 1)
        run.metrics({"loss": 1.0}, 2)
        with pytest.raises(ValueError):
            run.metrics({"loss": "much"}, 3)
    send(tmp_path / "s", uri)
    steps = history(uri, runs(uri)[0].info.run_id, "loss")
    assert [s for s, _ in steps] == [0, 1, 2] and math.isnan(steps[0][1]) and steps[1][1] > 1e308


def test_a_line_that_was_cut_off_is_left_out(tmp_path, uri, offline):
    train(tmp_path / "s", range(3))
    (path,) = spool.pending(tmp_path / "s")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1])[:-10])  # no end, and half a metric
    state = deliver(path, Tracker(uri, settle=0))
    (found,) = runs(uri)
    assert found.info.status == "RUNNING" and len(history(uri, found.info.run_id, "loss")) == 2
    assert state.offset == sum(len(line) for line in lines[:-2])


def test_a_wiped_tracker_gets_the_whole_run_again(tmp_path, uri, offline):
    train(tmp_path / "s", range(3))
    (path,) = spool.pending(tmp_path / "s")
    half = tmp_path / "s" / "half.jsonl"
    half.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-2]))
    deliver(half, Tracker(uri, settle=0))
    state = spool.read_state(half)
    path.rename(half)
    spool.write_state(half, state)
    other = tmp_path / "other"
    other.mkdir()
    fresh = database(other)
    tracker = Tracker(fresh, settle=0)
    assert replay(tmp_path / "s", tracker).left == 1
    assert replay(tmp_path / "s", tracker).arrived == 1
    assert len(history(fresh, runs(fresh)[0].info.run_id, "loss")) == 3


def test_the_environment_names_the_run_or_its_parent(tmp_path, uri, offline, monkeypatch):
    client = MlflowClient(uri)
    given = client.create_run(client.create_experiment("elsewhere", str(tmp_path / "artifacts"))).info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", given)
    train(tmp_path / "s", range(2))
    monkeypatch.setenv("MLFLOW_RUN_ID", "0" * 32)  # of another tracker
    monkeypatch.setenv("M2M_PARENT_RUN", given)
    train(tmp_path / "s", range(3), fingerprint="01")
    monkeypatch.delenv("M2M_PARENT_RUN")
    train(tmp_path / "s", range(4), fingerprint="02", parent=given)
    send(tmp_path / "s", uri)
    assert history(uri, given, "loss") == [(0, 1.0), (1, 0.5)]
    children = [r for r in runs(uri) if r.data.tags.get(PARENT) == given]
    assert {r.data.tags["m2m.fingerprint"] for r in children} == {"01", "02"}


def test_the_tasks_of_a_pipeline_run_have_one_parent_that_the_last_one_ends(tmp_path, uri, offline, monkeypatch):
    monkeypatch.setenv("M2M_PIPELINE_RUN", "experiment-7")
    train(tmp_path / "s", range(1), fingerprint="01")
    train(tmp_path / "s", range(1), fingerprint="02", kind="align")
    send(tmp_path / "s", uri)
    parents = {r.data.tags.get(PARENT) for r in runs(uri)} - {None}
    (parent,) = parents
    assert [r.info.status for r in runs(uri) if r.info.run_id == parent] == ["RUNNING"]
    with open_run("pipeline", "experiment-7", "experiment-7", spool=tmp_path / "s"):
        pass
    send(tmp_path / "s", uri)
    assert [r.info.status for r in runs(uri) if r.info.run_id == parent] == ["FINISHED"]
    assert len(runs(uri)) == 3


def test_a_finished_run_belongs_to_its_pipeline_run_and_an_interrupted_one_goes_on_under_the_next(
    tmp_path, uri, offline, monkeypatch
):
    monkeypatch.setenv("M2M_PIPELINE_RUN", "first")
    train(tmp_path / "s", range(2), fingerprint="01")
    with pytest.raises(ZeroDivisionError):
        train(tmp_path / "s", range(2), fingerprint="02", fail=True)
    send(tmp_path / "s", uri)
    monkeypatch.setenv("M2M_PIPELINE_RUN", "second")
    train(tmp_path / "s", range(2), fingerprint="01")
    train(tmp_path / "s", range(3), fingerprint="02")
    send(tmp_path / "s", uri)
    names = {r.info.run_id: r.info.run_name for r in runs(uri)}
    under = sorted(
        (r.data.tags["m2m.fingerprint"], names[r.data.tags[PARENT]]) for r in runs(uri) if PARENT in r.data.tags
    )
    assert under == [("01", "first"), ("01", "second"), ("02", "second")]


OPENED = {
    "kind": "pretrain",
    "fingerprint": F,
    "name": "x",
    "experiment": "m2m",
    "run_id": "",
    "parent": "",
    "time": 1,
    "pipeline": "p",
    "tags": {},
}


def test_processes_that_make_the_same_run_at_once_agree_on_one(uri, offline):
    trackers = [Tracker(uri, settle=2.0) for _ in range(3)]
    start, ids = threading.Barrier(3), []

    def work(tracker: Tracker) -> None:
        start.wait()
        ids.append(tracker.open(OPENED)[0])

    threads = [threading.Thread(target=work, args=(t,)) for t in trackers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 3 and len(set(ids)) == 1
    assert sorted(r.data.tags["m2m.kind"] for r in runs(uri)) == ["pipeline", "pretrain"]


@pytest.mark.parametrize("late", [1, 9], ids=["older", "younger"])
def test_a_process_that_stood_still_before_it_made_its_run_takes_what_the_others_settled_on(
    uri, offline, monkeypatch, late
):
    """It looked before there was a run, and makes its own after another process has long settled on one."""
    slow, quick = Tracker(uri, settle=0), Tracker(uri, settle=0)
    make, settled = MlflowClient.create_run, []

    def stand_still(client, *arguments, **named):
        monkeypatch.setattr(MlflowClient, "create_run", make)
        settled.append(quick.open({**OPENED, "pipeline": "", "time": 5})[0])
        return make(client, *arguments, **named)

    monkeypatch.setattr(MlflowClient, "create_run", stand_still)
    found = slow.open({**OPENED, "pipeline": "", "time": late})
    assert found == (settled[0], True)
    assert [r.info.run_id for r in runs(uri)] == settled


def test_a_broken_package_does_not_stop_a_training(tmp_path, monkeypatch):
    (tmp_path / "half_installed-1.0.dist-info").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    packages = provenance.environment().splitlines()
    assert any(line.startswith("numpy==") for line in packages)
    assert not any("half" in line for line in packages)


def test_nobody_takes_a_run_that_its_maker_then_gives_up(uri, offline, monkeypatch):
    """One makes a run, a second finds it; then a third, who looked before there was one, makes an older one."""
    trackers = {name: Tracker(uri, settle=0) for name in "abc"}
    opened = {**OPENED, "pipeline": ""}
    find, blind, ids, comes = Tracker._find, [trackers["a"], trackers["c"]], {}, iter("bc")

    def nap(_seconds):
        for name in comes:
            ids[name] = trackers[name].open({**opened, "time": 1})[0]
            return

    def look(self, *arguments):
        if self in blind:
            blind.remove(self)
            return None
        return find(self, *arguments)

    monkeypatch.setattr("m2m.tracker.time.sleep", nap)
    monkeypatch.setattr(Tracker, "_find", look)
    ids["a"] = trackers["a"].open({**opened, "time": 3})[0]
    assert len(ids) == 3 and len(set(ids.values())) == 1
    assert [r.info.run_id for r in runs(uri)] == [ids["a"]]


def test_a_spool_survives_its_pod_in_the_work_store(tmp_path, uri, offline):
    report = tmp_path / "report of class a&b.txt"
    report.write_text("fine")
    with open_run("evaluate", "e", F, spool=tmp_path / "pod1") as run:
        run.metrics({"top1": 0.5}, 1)
        run.artifact(report)
    store = open_store(tmp_path / "work")
    (path,) = spool.pending(tmp_path / "pod1")
    mirror.save(store, path)
    mirror.save(store, path)
    spool.remove(path)
    done = replay(tmp_path / "pod2", Tracker(uri, settle=0), store)
    assert (done.arrived, done.left) == (1, 0)
    (found,) = runs(uri)
    assert found.data.metrics == {"top1": 0.5}
    names = {a.path for a in MlflowClient(uri).list_artifacts(found.info.run_id)}
    assert names == {"environment.txt", report.name}
    assert not list(store.keys("")) and not list((tmp_path / "pod2").iterdir())


CLIMBING = ["../../secret", "0/../secret", "0/..", "/etc/hostname", "0/a/../../../secret", "..", "", "0/", 7]


@pytest.mark.parametrize("name", CLIMBING)
def test_no_artifact_of_a_spool_lies_elsewhere(tmp_path, name):
    with pytest.raises(ValueError, match="is no artifact"):
        spool.kept(tmp_path / "a.jsonl", name)


def test_a_spool_of_somebody_else_s_making_writes_sends_and_deletes_nothing_of_this_machine(tmp_path, uri, offline):
    name = CLIMBING[0]
    secret = tmp_path / "pod" / "secret"
    secret.parent.mkdir()
    secret.write_text("private")
    with open_run("evaluate", "e", F, spool=tmp_path / "theirs"):
        pass
    (path,) = spool.pending(tmp_path / "theirs")
    with path.open("a") as file:
        file.write(json.dumps({"event": "artifact", "file": name, "folder": ""}) + "\n")
    store = open_store(tmp_path / "work")
    mirror.save(store, path)
    replay(tmp_path / "pod", Tracker(uri, settle=0), store)
    (found,) = runs(uri)
    assert {a.path for a in MlflowClient(uri).list_artifacts(found.info.run_id)} == {"environment.txt"}
    assert secret.read_text() == "private"
    mirror.save(store, path)  # and an index that names a place to write to
    key = f"tracking/{path.stem}/spool.json"
    index = json.loads(store.read(key))
    store.write(key, json.dumps({**index, "files": {name: next(iter(index["files"].values()))}}).encode())
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=r"spool.json is no spool: .* is no artifact"):
        replay(tmp_path / "pod", Tracker(uri, settle=0), store)
    assert sorted(tmp_path.rglob("*")) == before and secret.read_text() == "private"


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"files": 1, "entries": "", "state": ""}', b"\xff"])
def test_a_damaged_index_of_a_spool_is_named(tmp_path, uri, data):
    store = open_store(tmp_path / "work")
    store.write("tracking/a-1/spool.json", data)
    with pytest.raises(InputError, match=r"a-1/spool.json is no spool: .*look who wrote it"):
        replay(tmp_path / "pod", Tracker(uri, settle=0), store)


def test_a_full_disk_costs_entries_and_not_the_run(tmp_path, uri, offline, monkeypatch, capsys):
    with open_run("pretrain", "x", F, spool=tmp_path / "s") as run:
        run.metrics({"loss": 1.0}, 0)

        def full(handle, data):
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(spool.os, "write", full)
            run.metrics({"loss": 2.0}, 1)
            run.metrics({"loss": 3.0}, 2)
        run.metrics({"loss": 4.0}, 3)
    assert capsys.readouterr().err.count("No space left on device") == 1
    send(tmp_path / "s", uri)
    assert history(uri, runs(uri)[0].info.run_id, "loss") == [(0, 1.0), (3, 4.0)]


@pytest.mark.parametrize(("name", "value"), [("M2M_TRACKING", "off"), ("RANK", "1")])
def test_a_run_that_is_not_tracked_takes_everything_and_writes_nothing(tmp_path, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with open_run("pretrain", "x", F, spool=tmp_path / "s", params={"a": 1}, dataset=("d", F, "/d")) as run:
        run.metrics({"loss": 1.0}, 0)
        run.text("a.txt", "a")
    assert run.id == "" and not list(tmp_path.iterdir())


def test_in_the_background_a_run_does_not_wait_and_arrives_all_the_same(tmp_path, uri, monkeypatch):
    monkeypatch.setenv("M2M_TRACKING", "background")
    train(tmp_path / "s", range(3), uri=uri)
    assert len(spool.pending(tmp_path / "s")) == 1, "the client alone takes longer to import"
    end = time.monotonic() + 60
    while spool.pending(tmp_path / "s"):
        assert time.monotonic() < end, "it never arrived"
        time.sleep(0.1)
    (found,) = runs(uri)
    assert found.info.status == "FINISHED" and len(history(uri, found.info.run_id, "loss")) == 3


def test_an_artifact_that_is_not_there_is_the_callers_mistake(tmp_path, offline):
    with pytest.raises(InputError, match="is not a file"), open_run("p", "x", F, spool=tmp_path) as run:
        run.artifact(tmp_path / "missing.png")


def test_a_password_in_the_address_is_not_shown(tmp_path, offline, monkeypatch):
    for name, value in tracking.HTTP.items():
        monkeypatch.setenv(name, value)
    train(tmp_path / "s", range(1))
    done = replay(tmp_path / "s", Tracker("http://user:secret@127.0.0.1:9"))
    assert done.left == 1 and "127.0.0.1" in done.error and "secret" not in done.error
    assert not any(b"secret" in path.read_bytes() for path in (tmp_path / "s").rglob("*") if path.is_file())


@pytest.mark.parametrize("text", ["mlruns", "./mlruns", "file:///tmp/mlruns", "ftp://host", "sqlite"])
def test_a_folder_of_files_is_no_tracker(tmp_path, text):
    with pytest.raises(InputError, match="is no tracker") as caught:
        tracking_uri(tmp_path, text)
    assert caught.value.code == 1
    with pytest.raises(InputError, match="is no tracker"), open_run("p", "x", F, spool=tmp_path, uri=text):
        pass


def test_the_tracker_is_the_environments_or_a_database_where_the_work_is(tmp_path, monkeypatch):
    assert tracking_uri(tmp_path / "out" / "tracking") == f"sqlite:///{tmp_path}/out/mlflow.db"
    monkeypatch.setenv("M2M_WORK", str(tmp_path / "work"))
    assert tracking_uri(tmp_path / "s") == f"sqlite:///{tmp_path / 'work' / 'mlflow.db'}"
    assert tracking.spool_folder(tmp_path / "out") == tmp_path / "work" / "tracking"
    monkeypatch.setenv("M2M_WORK", "s3://bucket/work")
    assert tracking_uri(tmp_path / "s") == ""
    assert tracking.spool_folder(tmp_path / "out") == tmp_path / "out" / ".m2m" / "tracking"
    with pytest.raises(InputError, match="no tracker to send to"):
        tracking.replay(tmp_path / "s")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://user:secret@mlflow.example")
    assert tracking_uri(tmp_path / "s") == "https://user:secret@mlflow.example"


def test_replay_says_when_the_tracker_cannot_be_opened(tmp_path):
    (tmp_path / "not.db").write_text("this is no database" * 100)
    with pytest.raises(InfrastructureError, match="does not answer") as caught:
        tracking.replay(tmp_path / "s", f"sqlite:///{tmp_path}/not.db")
    assert caught.value.code == 5


def test_the_saved_views_show_the_evaluations_best_first(tmp_path, uri, offline, monkeypatch):
    with pytest.raises(InputError, match="no evaluation to compare"):
        comparison.save(uri)
    train(tmp_path / "s", range(2))
    for name, top1 in (("a", 0.5), ("b", 0.9), ("c", 0.7)):
        with open_run("evaluate", name, name, spool=tmp_path / "s", params={"protocol": "ft"}) as run:
            run.metrics({"test_top1": top1}, 3)
    send(tmp_path / "s", uri)
    found = comparison.save(uri)
    names = {r.info.run_id: r.info.run_name for r in runs(uri)}
    assert [names[i] for i in found.runs] == ["b", "c", "a"]
    tags = MlflowClient(uri).get_experiment(found.experiment).tags
    for address in found.addresses("http://host:1").values():
        assert address.startswith("http://host:1/#/")
        if "viewStateShareKey=" in address:
            key = address.partition("viewStateShareKey=")[2].partition("&")[0]
            view = json.loads(tags[f"mlflow.sharedViewState.{key}"])
            assert {r.info.run_name for r in shown_by(view, uri, found.experiment)} == {"a", "b", "c"}


def shown_by(view, uri, experiment) -> list:
    """What MLflow finds with the filter and the order of a view."""
    order = [f"{view['orderByKey']} {'ASC' if view['orderByAsc'] else 'DESC'}"]
    return MlflowClient(uri).search_runs([experiment], view["searchFilter"], order_by=order)


def test_the_page_needs_a_demo_first(tmp_path):
    script = Path(__file__).parents[1] / "scripts" / "mlflow.sh"
    done = subprocess.run(["sh", str(script), str(tmp_path)], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1 and "run make demo first" in done.stderr


def test_a_server_that_never_answers_is_said_so():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(InfrastructureError, match="does not answer"):
            comparison.wait_for(f"http://127.0.0.1:{free.getsockname()[1]}", seconds=0)


@pytest.mark.parametrize(
    ("state", "status"), [("SUCCEEDED", "FINISHED"), ("FAILED", "FAILED"), ("CANCELLED", "KILLED")]
)
def test_a_pipelines_run_ends_as_the_pipeline_did(uri, tmp_path, offline, monkeypatch, capsys, state, status):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("M2M_WORK", str(tmp_path / "work"))
    monkeypatch.setenv("M2M_PIPELINE_RUN", "experiment-8")
    train(tmp_path / "work" / "tracking", range(1))
    finish_pipeline(state, "gate failed")
    send(tmp_path / "work" / "tracking", uri)
    assert "gate failed" in capsys.readouterr().out
    found = {r.data.tags["m2m.kind"]: r for r in runs(uri)}
    assert found["pipeline"].info.status == status
    assert found["pretrain"].data.tags["mlflow.parentRunId"] == found["pipeline"].info.run_id


def test_a_pipeline_without_a_name_is_only_told_of(monkeypatch, capsys):
    monkeypatch.delenv("M2M_PIPELINE_RUN", raising=False)
    finish_pipeline("FAILED", "no disk")
    assert "without a name: failed: no disk" in capsys.readouterr().out
