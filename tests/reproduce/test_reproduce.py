"""A table from end to end at the toys' scale: everything once, the same twice, and on after a kill."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from m2m.cli import main
from m2m.reproduce import node as nodes
from m2m.reproduce.reproduce import prepare, reproduce
from tests.reproduce.toyscale import write_experiment, write_scale


@pytest.fixture(autouse=True)
def untracked(monkeypatch):
    monkeypatch.setenv("M2M_TRACKING", "off")
    for name in ("M2M_WORK", "M2M_STORE", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def given(tmp_path_factory) -> tuple[str, str]:
    """An experiment and a scale."""
    folder = tmp_path_factory.mktemp("given")
    return str(write_experiment(folder)), str(write_scale(folder, seeds=(0, 1)))


@pytest.fixture(scope="module")
def whole(given, tmp_path_factory) -> tuple[Path, dict]:
    """A finished reproduction and its results."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("M2M_TRACKING", "off")
        root = tmp_path_factory.mktemp("whole")
        done = reproduce(prepare([given[0]], given[1], root), workers=2)
        assert not done.progress.failed and not done.missing
        assert len(done.progress.made) == len(set(done.progress.made)) == 2 + 2 + 4 + 8
        return root, json.loads(done.results[0].read_text())


def test_results_hold_every_evaluation_with_its_clips(whole):
    _, values = whole
    assert [row["name"] for row in values["rows"]] == ["both", "other"] and values["missing"] == []
    assert [(s["name"], s["bias"]) for s in values["sets"]] == [("one", 1.0), ("two", 0.0)]
    assert len(values["evaluations"]) == 8
    for found in values["evaluations"]:
        assert found["n"] == len(found["clips"]) == {"one": 4, "two": 6}[found["set"]]
        assert found["top1"] == sum(found["clips"].values()) / found["n"]
        assert found["low"] <= found["top1"] <= found["high"]
    same = [set(e["clips"]) for e in values["evaluations"] if e["set"] == "one"]
    assert all(clips == same[0] for clips in same)  # so that rows can be compared clip by clip
    assert not any(name in json.dumps(values["evaluations"]) for name in ("down_", "right_"))  # nor named


def test_again_nothing_is_computed(whole, given):
    root, values = whole
    done = reproduce(prepare([given[0]], given[1], root))
    assert (done.progress.made, done.progress.found) == ([], 16)
    assert json.loads(done.results[0].read_text()) == values


def test_another_table_computes_only_what_is_its_own(whole, given, tmp_path):
    root, _ = whole
    path = write_experiment(tmp_path, "lp", protocols=["lp"])
    done = reproduce(prepare([str(path)], given[1], root), workers=2)
    assert done.progress.found == 8 and len(done.progress.made) == 8


def test_the_same_seeds_give_the_same_table_to_the_last_digit(whole, given, tmp_path):
    done = reproduce(prepare([given[0]], given[1], tmp_path), workers=1)
    assert json.loads(done.results[0].read_text())["evaluations"] == whole[1]["evaluations"]


def command(given: tuple[str, str], root: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "m2m", "reproduce", given[0], "--profile", given[1], "--output", str(root), *more]


def test_a_killed_reproduction_goes_on(whole, given, tmp_path):
    """Killed twice, by SIGTERM and outright; no process of it is left, and the table is the same."""
    began = []
    for number in (signal.SIGTERM, signal.SIGKILL):
        killed = subprocess.Popen(command(given, tmp_path, "--workers", "2"), stderr=subprocess.PIPE, text=True)
        assert killed.stderr is not None
        for line in killed.stderr:
            began.append(line)
            if line.startswith("[") and " align " in line if number == signal.SIGTERM else " evaluate " in line:
                break
        killed.send_signal(number)
        assert "Traceback" not in killed.stderr.read()
        assert killed.wait(60) == (143 if number == signal.SIGTERM else -signal.SIGKILL)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and _running(tmp_path):
        time.sleep(0.2)
    assert not _running(tmp_path)
    finished = {path.parent.name: path.stat().st_mtime_ns for path in tmp_path.rglob("done.json")}
    assert 0 < len(finished) < 16
    done = reproduce(prepare([given[0]], given[1], tmp_path / "toy"), workers=2)
    assert done.progress.found == len(finished) and len(done.progress.made) == 16 - len(finished)
    after = {path.parent.name: path.stat().st_mtime_ns for path in tmp_path.rglob("done.json")}
    assert finished.items() <= after.items()  # what was finished is not touched
    assert json.loads(done.results[0].read_text())["evaluations"] == whole[1]["evaluations"]


def _running(root: Path) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(root) in entry.read_bytes().decode(errors="replace") and int(entry.parent.name) != os.getpid():
                found.append(entry.parent.name)
        except OSError:
            continue
    return found


def test_out_of_time_nothing_new_is_begun(given, tmp_path, capsys):
    assert main(command(given, tmp_path, "--minutes", "1e-9")[3:]) == 0
    said = capsys.readouterr().out
    assert "0 computed" in said and "16 left" in said and "goes on from here" in said
    values = json.loads((tmp_path / "toy" / "results" / "table" / "results.json").read_text())
    assert len(values["missing"]) == 8 and not values["evaluations"]
    assert {m["why"] for m in values["missing"]} == {"not computed yet"}


def test_a_plan_computes_nothing_and_says_what_is_there(whole, given, tmp_path, capsys):
    assert main(command(given, tmp_path / "none", "--dry-run")[3:]) == 0
    assert "16" not in capsys.readouterr().out.split("pretrain")[0] and not (tmp_path / "none").exists()
    plan = prepare([given[0]], given[1], whole[0]).plan()
    assert all(line.all == line.there for line in plan.lines) and plan.todo == () and plan.hours == (0, 0)
    fresh = prepare([given[0]], given[1], tmp_path / "none").plan()
    assert {line.kind: line.all for line in fresh.lines} == {"fetch": 2, "pretrain": 2, "align": 4, "evaluate": 8}
    assert fresh.hours[0] > 0


def test_a_data_set_that_is_damaged_stops_what_needs_it_alone(given, tmp_path, capsys):
    scale = write_scale(tmp_path / "scale", seeds=(0,))
    (tmp_path / "scale" / "b" / "dataset.json").write_text("{")
    root = tmp_path / "root"
    assert main(["reproduce", given[0], "--profile", str(scale), "--output", str(root)]) == 1
    said = capsys.readouterr()
    assert "failed: fetch b" in said.err and "dataset.json" in said.err
    kinds = sorted(path.parent.parent.name for path in root.rglob("done.json"))
    assert kinds == ["align", "evaluate", "fetch", "pretrain"]  # row both on set one


def test_a_result_of_another_key_is_not_taken(whole, given):
    root, _ = whole
    what = prepare([given[0]], given[1], root)
    node = next(iter(what.graph.nodes.values()))
    path = root / node.folder / nodes.DONE
    text = path.read_text()
    path.write_text(text.replace(node.key, "0" * 64))
    assert nodes.done(root, node) is None
    path.write_text(text)
    assert nodes.done(root, node) is not None


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["table9"], "there is no experiment 'table9'"),
        (["table2", "--profile", "moon"], "there is no scale 'moon'"),
        (["table2", "--rows", "nobody"], "no row 'nobody'"),
        (["table2", "--seeds", "a"], "--seeds is whole numbers"),
        (["table2", "--data", "nowhere.yaml"], "cannot read nowhere.yaml"),
        (["table2", "--workers", "0"], "--workers must be 1 or more"),
    ],
)
def test_wrong_arguments_are_named(arguments, says, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["reproduce", *arguments]) == 1
    assert says in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_what_the_user_must_bring_is_said(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["reproduce", "table2", "--profile", "paper", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "not there yet: m2m: what m2m augment" in said and "hours of GPU" in said
    assert main(["reproduce", "table2", "--profile", "paper", "--seeds", "0"]) == 1
    assert "is yours to bring" in capsys.readouterr().err
