"""What is submitted to reproduce the experiments, when, and how often; against stand-ins for KFP and a local MLflow."""

import functools
from pathlib import Path

import pytest
import yaml
from mlflow import MlflowClient

from m2m.cluster import ClusterParams
from m2m.errors import InfrastructureError, InputError
from m2m.reproduce.experiment import names, read_experiment
from m2m.reproduce.graph import build_graph
from m2m.reproduce.scale import read_scale
from m2m.reproduce.tracked import Runs
from m2m.tracking import FINGERPRINT, KIND
from pipelines import reproduce
from pipelines.__main__ import main
from pipelines.cluster import Cluster
from pipelines.submission import Submission, submissions
from tests.reproduce.toyscale import write_experiment, write_scale
from tests.trackers import database

HASHES = {name: f"{number:x}" * 64 for number, name in enumerate(("a", "b", "c"), 10)}
CLUSTER = ["--set", "cluster.tag=v1"]


built = functools.cache(reproduce.experiment_pipeline)


@pytest.fixture(autouse=True)
def once(monkeypatch):
    """Wires each pipeline once for all tests."""
    monkeypatch.setattr(reproduce, "experiment_pipeline", built)


@pytest.fixture
def tracker(tmp_path, monkeypatch) -> MlflowClient:
    """An empty MLflow, which the environment names."""
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database(tmp_path))
    return MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")


def say(tracker: MlflowClient, identity: str, status: str) -> None:
    """Lets a pre-training be in MLflow as the tracking of a run leaves it."""
    experiment = tracker.get_experiment_by_name("m2m")
    number = experiment.experiment_id if experiment else tracker.create_experiment("m2m")
    run = tracker.create_run(number, tags={KIND: "pretrain", FINGERPRINT: identity})
    if status != "RUNNING":
        tracker.set_terminated(run.info.run_id, status)


@pytest.fixture
def given(tmp_path) -> list[str]:
    """The command for an experiment of two rows that share a pre-training, on published sets."""
    published = {name: {"published": value} for name, value in HASHES.items()}
    scale = write_scale(tmp_path, seeds=(0,), draw=False, data=published)
    return ["reproduce", str(write_experiment(tmp_path)), "--profile", str(scale), *CLUSTER]


def planned(given: list[str], *more: str) -> tuple[Submission, ...]:
    """What a command wants to run."""
    scale = read_scale(given[3])
    return submissions(build_graph([read_experiment(name) for name in (given[1], *more)], scale), scale)


def in_state(kfp, state: str) -> None:
    """Lets all runs that have not ended be in a state."""
    for run in kfp.runs.values():
        if run.get("state") not in ("SUCCEEDED", "FAILED"):
            run["state"] = state


def submitted(kfp) -> list[str]:
    return [run["display_name"] for run in kfp.runs.values()]


def test_a_run_has_a_rows_own_data_sets_sections_and_tests(kfp, tracker, given):
    assert main(given) == 0
    (run,) = kfp.runs.values()
    sent = run["runtime_config"]["parameters"]
    assert run["display_name"].startswith("table-both-seed0-")
    assert (sent["pretrain_set"], sent["align_set"], sent["also_set"]) == (HASHES["a"], HASHES["a"], "")
    assert sent["seed"] == 0 and sent["pretrain_params"]["epochs"] == 2 and sent["model_params"]["width"] == 32
    test = {"protocol": "ft", "seed": 0, "epoch": 0}
    expected = [{"title": "one", "dataset": HASHES["a"], **test}, {"title": "two", "dataset": HASHES["b"], **test}]
    assert sent["downstream"] == expected
    version = kfp.versions[run["pipeline_version_reference"]["pipeline_version_id"]]
    spec = next(yaml.safe_load_all(version["text"]))
    assert spec["pipelineInfo"]["name"] == "m2m-experiment"
    wanted = {k for k, v in spec["root"]["inputDefinitions"]["parameters"].items() if not v.get("isOptional")}
    assert wanted <= set(sent) <= set(spec["root"]["inputDefinitions"]["parameters"])


def test_a_shared_pretraining_is_submitted_once_and_nothing_twice(kfp, tracker, given, capsys):
    both, other = planned(given)
    assert both.shared == other.shared and both.name != other.name
    assert main(given) == 0
    assert submitted(kfp) == [both.name]
    said = capsys.readouterr().out
    assert "1 submitted, 0 running, 0 finished, 1 held" in said and f"held       {both.name} pre-trains" in said
    for state in ("PENDING", "RUNNING", "PAUSED"):
        in_state(kfp, state)
        assert main(given) == 0
        assert submitted(kfp) == [both.name]
        assert "0 submitted, 1 running, 0 finished, 1 held" in capsys.readouterr().out


def test_what_is_held_begins_when_mlflow_has_the_pretraining_finished(kfp, tracker, given, capsys):
    both, other = planned(given)
    assert main(given) == 0
    for identity, status in ((both.shared, "RUNNING"), (both.shared, "FAILED"), ("0" * 64, "FINISHED")):
        say(tracker, identity, status)
        assert main(given) == 0 and submitted(kfp) == [both.name]
    say(tracker, both.shared, "FINISHED")
    assert main(given) == 0 and submitted(kfp) == [both.name, other.name]
    in_state(kfp, "SUCCEEDED")
    capsys.readouterr()
    assert main(given) == 0 and len(kfp.runs) == 2
    assert "0 submitted, 0 running, 2 finished, 0 held, 0 failed" in capsys.readouterr().out


def test_a_run_that_succeeded_has_pretrained_whatever_the_tracker_knows(kfp, tracker, given):
    assert main(given) == 0
    in_state(kfp, "SUCCEEDED")
    assert main(given) == 0
    assert submitted(kfp) == [one.name for one in planned(given)]


@pytest.mark.parametrize("state", ["FAILED", "CANCELED"])
def test_what_failed_is_submitted_again_and_that_is_said(kfp, tracker, given, capsys, state):
    assert main(given) == 0
    (first,) = list(kfp.runs)
    in_state(kfp, state)
    capsys.readouterr()
    assert main(given) == 0
    assert submitted(kfp) == [planned(given)[0].name] * 2
    assert f"again: run {first} was {state}" in capsys.readouterr().out


def test_rows_of_several_experiments_that_are_the_same_training_are_one_run(kfp, tracker, given, tmp_path):
    rows = {"mine": {"pretrain": "a", "align": "a"}}
    more = str(write_experiment(tmp_path, "another", rows=rows, compare=[], protocols=["lp"]))
    wanted = planned(given, more)
    assert [one.rows for one in wanted] == [("table/both", "another/mine"), ("table/other",)]
    tests = wanted[0].arguments["downstream"]
    assert {(t["title"], t["protocol"]) for t in tests} == {(s, p) for s in ("one", "two") for p in ("ft", "lp")}
    assert wanted[0].tasks == 4 + 2 + 2
    other_way = submissions(
        build_graph([read_experiment(more), read_experiment(given[1])], read_scale(given[3])), read_scale(given[3])
    )
    assert [one.name for one in other_way] == [one.name for one in wanted]


def test_a_run_that_another_call_has_begun_holds_those_that_need_its_pretraining(kfp, tracker, given, tmp_path, capsys):
    assert main(given) == 0
    (leader,) = submitted(kfp)
    capsys.readouterr()
    rows = {"alone": {"pretrain": "a"}, "free": {"pretrain": "c"}}
    curve = write_experiment(tmp_path, "curve", kind="curve", rows=rows, compare=[])
    assert main(["reproduce", str(curve), *given[2:]]) == 0
    assert len(kfp.runs) == 2 and submitted(kfp)[1].startswith("curve-free-")
    assert f"held       {leader} pre-trains" in capsys.readouterr().out


def test_a_name_covers_everything_that_a_run_depends_on(given, tmp_path):
    before = {one.name for one in planned(given)}
    assert before == {one.name for one in planned(given)}
    path = Path(given[3])
    values = yaml.safe_load(path.read_text())
    for section, key, value, same in (
        ("align", "lr", 0.5, False),
        ("evaluate", "views", [1, 1], False),
        ("pretrain", "checkpoint_every", 9, True),
    ):
        changed = {**values["params"], section: {**values["params"][section], key: value}}
        path.write_text(yaml.safe_dump({**values, "params": changed}))
        assert ({one.name for one in planned(given)} == before) == same, key
    data = {**values["data"], "b": {"published": "f" * 64}}
    path.write_text(yaml.safe_dump({**values, "data": data}))
    assert not {one.name for one in planned(given)} & before  # row `both` is tested on it, row `other` trained


def test_wirings_are_those_of_the_rows(kfp, tracker, given, tmp_path):
    rows = {
        "scratch": {"align": "a", "also": "b"},
        "curve": {"pretrain": "a"},
        "joint": {"pretrain": "b", "align": "a", "also": "c"},
    }
    path = write_experiment(tmp_path, "wired", rows=rows, compare=[])
    by_row = {one.rows[0]: one for one in planned([given[0], str(path), *given[2:]])}
    wirings = {name.partition("/")[2]: one.wiring for name, one in by_row.items()}
    assert wirings == {"scratch": "scratch", "curve": "unaligned", "joint": "whole"}
    assert by_row["wired/scratch"].shared == "" and by_row["wired/scratch"].arguments["also_set"] == HASHES["b"]
    assert by_row["wired/joint"].arguments["also_set"] == HASHES["c"]
    assert main(["reproduce", str(path), *given[2:]]) == 0
    assert len(kfp.runs) == 3  # nothing is shared
    held = {v["display_name"].rpartition("-")[0] for v in kfp.versions.values()} - {""}
    assert held >= {"m2m-experiment", "m2m-experiment-scratch", "m2m-experiment-unaligned"}


def paper(tmp_path: Path, **more: object) -> Path:
    """A file for --data in which everything that the paper's scale asks for is published."""
    wanted = [*read_scale("paper").data, *(f"reversed-gender_{body}" for body in ("real", "male", "female", "neutral"))]
    data = {name: {"published": f"{number:02x}" * 32} for number, name in enumerate(wanted, 16)}
    path = tmp_path / "data.yaml"
    path.write_text(yaml.safe_dump({"data": data, **more}))
    return path


@pytest.mark.parametrize("name", [*names(), "all"])
def test_every_experiment_of_the_paper_fits_into_its_runs(name, tmp_path):
    scale = read_scale("paper", paper(tmp_path))
    experiments = [read_experiment(one) for one in (names() if name == "all" else [name])]
    graph = build_graph(experiments, scale)
    wanted = submissions(graph, scale)
    assert all(one.tasks <= 100 for one in wanted)
    assert len({one.name for one in wanted}) == len(wanted)
    tests = [(one.name, str(test)) for one in wanted for test in one.arguments["downstream"]]
    assert len(tests) == len(set(tests)) == len({cell.node for cell in graph.cells})
    assert len(scale.seeds) * len({c.row for c in graph.cells}) >= len(wanted) / 5
    curves = [one for one in wanted if any(test["epoch"] for test in one.arguments["downstream"])]
    assert bool(curves) == (name in ("figure3", "all"))


def test_a_run_of_more_than_a_hundred_tasks_is_refused_before_anything_is_sent(kfp, tracker, tmp_path, capsys):
    data = paper(tmp_path, params={"pretrain": {"keep_every": 10}})
    command = ["reproduce", "figure3", "--profile", "paper", "--data", str(data), *CLUSTER]
    assert main(command) == 1
    said = capsys.readouterr().err
    assert "would be 103 tasks, above 100" in said and "pretrain.keep_every" in said
    assert not kfp.log


def test_a_table_of_groups_takes_what_each_row_is_tested_on_joined_and_published(tmp_path):
    file = paper(tmp_path)
    scale = read_scale("paper", file)
    graph = build_graph([read_experiment("table3")], scale)
    published = {name: source.published for name, source in scale.data.items()}
    for one in submissions(graph, scale):
        body = one.rows[0].partition("/")[2]
        assert {t["dataset"] for t in one.arguments["downstream"]} == {published[f"reversed-gender_{body}"]}
        assert one.arguments["align_set"] == published[f"gender_{body}"]
    values = yaml.safe_load(file.read_text())
    del values["data"]["reversed-gender_male"]
    file.write_text(yaml.safe_dump(values))
    with pytest.raises(InputError, match=r"reversed-gender_male \(gender_male joined .* docs/pipelines.md"):
        submissions(graph, read_scale("paper", file))


def test_a_dry_run_asks_nobody(kfp, given, capsys, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert main([*given, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert not kfp.log
    for one in planned(given):
        assert f"{one.name} " in said and f" {one.tasks} tasks  {', '.join(one.rows)}" in said
    assert "2 runs, 12 tasks" in said and "pretrain        1      0      1" in said and "together" in said


@pytest.mark.parametrize(
    ("change", "more", "says"),
    [
        ({"a": {"folder": "here"}}, [], r"a (it is a folder or a version)"),
        ({"a": {"wanted": "video of a"}, "b": {"wanted": "video of b"}}, [], "a (video of a); b (video of b)"),
        ({"b": None}, [], "needs the data set 'b'"),
        ({}, ["--rows", "nobody"], "no row 'nobody'"),
        ({}, ["--seeds", "one"], "--seeds is whole numbers"),
        ({}, ["--set", "model.width=3"], "sections of this pipeline: cluster"),
        ({}, ["--endpoint", ""], "no KFP endpoint is named"),
        ({}, ["--profile", "moon"], "there is no scale 'moon'"),
        ({}, ["--data", "nowhere.yaml"], "cannot read nowhere.yaml"),
    ],
)
def test_mistakes_are_named_and_nothing_is_sent(kfp, tracker, given, capsys, change, more, says):
    path = Path(given[3])
    values = yaml.safe_load(path.read_text())
    values["data"] = {k: v for k, v in {**values["data"], **change}.items() if v}
    path.write_text(yaml.safe_dump(values))
    assert main([*given, *more]) == 1
    assert says in capsys.readouterr().err and not kfp.log


def test_no_tracker_is_said(kfp, given, capsys, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert main(given) == 1
    assert "no tracker is named" in capsys.readouterr().err and not kfp.log


class Pause:
    """In place of a minute: what happens in it, one call after the other."""

    def __init__(self, *steps) -> None:
        self.steps = list(steps)

    def __call__(self, seconds: float) -> None:
        assert seconds == reproduce.MINUTE
        self.steps.pop(0)()


def planner(kfp, given: list[str]) -> reproduce.Planner:
    return reproduce.Planner(planned(given), Cluster(kfp.endpoint), Runs(), ClusterParams(tag="v1"))


def test_waiting_submits_what_can_begin_until_all_is_done(kfp, tracker, given):
    both, other = planned(given)
    said = []

    def outage() -> None:
        kfp.broken = True

    def finished() -> None:
        kfp.broken = False
        say(tracker, both.shared, "FINISHED")

    done = lambda: in_state(kfp, "SUCCEEDED")  # noqa: E731
    pause = Pause(lambda: None, outage, finished, done)
    lines = reproduce.wait(planner(kfp, given), said.append, pause)
    assert not pause.steps
    assert [(line.name, line.state) for line in lines] == [(both.name, "finished"), (other.name, "finished")]
    assert submitted(kfp) == [both.name, other.name]
    assert "the database is gone" in said[2] and "1 submitted, 1 running" in said[3]
    assert len(said) == 5  # nothing is said of a minute in which nothing changed
    reproduce.check_finished(lines)


def test_waiting_ends_where_the_shared_pretraining_fails_and_tries_nothing_for_ever(kfp, tracker, given):
    both, _ = planned(given)
    pause = Pause(lambda: in_state(kfp, "FAILED"))
    lines = reproduce.wait(planner(kfp, given), lambda _: None, pause)
    assert [line.state for line in lines] == ["failed", "held"] and submitted(kfp) == [both.name]
    assert lines[1].note == f"{both.name} has failed, and with it the pre-training"
    with pytest.raises(InfrastructureError, match="2 of 2 runs"):
        reproduce.check_finished(lines)
    # Called again it is tried again.
    assert planner(kfp, given).step()[0].state == "submitted" and submitted(kfp) == [both.name] * 2


def test_ctrl_c_stops_the_asking_and_not_the_runs(kfp, tracker, given, capsys, monkeypatch):
    def pressed(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(reproduce.wait, "__defaults__", (pressed, reproduce.MINUTE))
    assert main([*given, "--wait"]) == 130
    assert "runs on the cluster go on" in capsys.readouterr().err
    assert len(kfp.runs) == 1 and not any(entry.startswith("DELETE") for entry in kfp.log)
