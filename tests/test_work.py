"""The work loop: records, resume, quarantine, locks, progress. What is killed is in faults/."""

import json
import os
import shutil
import threading
from dataclasses import replace

import pytest

from m2m.errors import InfrastructureError, InputError
from m2m.store import open_store
from m2m.work import locked, run
from tests.toys import broken_factory, content, dying_factory, factory, items, slow_factory, talking_factory


@pytest.fixture
def go(tmp_path):
    """Runs payloads; returns records by name and how often each was really done in this run."""

    def run_toys(*payloads, workers=1, version="1", **options):
        log, out = tmp_path / "log", tmp_path / "out"
        log.write_text("")
        records = run(factory(out, log), items(list(payloads), version), out=out, workers=workers, **options)
        done = [line.split()[0] for line in log.read_text().splitlines()]
        return {r.name: r for r in records}, done

    return run_toys


def results(out):
    """Everything a run leaves, records included, by relative path."""
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}


def test_results_are_written_recorded_and_not_done_again(go, tmp_path):
    records, done = go("a:1", "a:2")
    assert done == ["a:1", "a:2"]
    assert (tmp_path / "out/videos/a_1.bin").read_bytes() == content("a:1")
    assert records["a_1"].result == {"outputs": {"video": "videos/a_1.bin"}, "length": 16000}
    again, done = go("a:1", "a:2")
    assert done == [] and again == records
    grown, done = go("a:2", "a:3", "a:1")
    assert done == ["a:3"] and list(grown) == ["a_2", "a_3", "a_1"]


def test_the_number_of_workers_and_the_order_change_no_byte(tmp_path):
    payloads = ["a:1", "a:2", "quarantine:3", "a:4", "a:5"]
    run(factory(tmp_path / "1", tmp_path / "log"), items(payloads), out=tmp_path / "1", workers=1)
    run(factory(tmp_path / "2", tmp_path / "log"), items(payloads[::-1]), out=tmp_path / "2", workers=2)
    assert results(tmp_path / "1") == results(tmp_path / "2")


def test_work_is_done_in_other_processes(go, tmp_path):
    go("a:1", "a:2", workers=1)
    pids = {line.split()[1] for line in (tmp_path / "log").read_text().splitlines()}
    assert len(pids) == 1 and str(os.getpid()) not in pids


@pytest.mark.parametrize("damage", ["missing", "changed", "short"])
def test_a_damaged_result_is_done_again(go, tmp_path, damage):
    go("a:1", "a:2")
    path = tmp_path / "out/videos/a_1.bin"
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(content("a:1")[:-1] + (b"" if damage == "short" else b"!"))
    _, done = go("a:1", "a:2")
    assert done == ["a:1"] and path.read_bytes() == content("a:1")


def test_a_damaged_record_is_no_record(go, tmp_path):
    go("a:1", "a:2")
    first, second = sorted((tmp_path / "out/.m2m/records").iterdir())
    first.write_text(first.read_text()[:50])
    second.write_text(json.dumps({"name": "a_1"}))
    _, done = go("a:1", "a:2")
    assert sorted(done) == ["a:1", "a:2"]


def test_other_parameters_and_no_resume_do_it_again(go, tmp_path):
    go("a:1")
    assert go("a:1", version="2")[1] == ["a:1"]
    assert go("a:1", version="2")[1] == []
    assert go("a:1", version="2", resume=False)[1] == ["a:1"]
    assert len(list((tmp_path / "out/.m2m/records").iterdir())) == 1


def test_an_outdated_result_does_not_stay_when_the_new_one_is_refused(tmp_path):
    out, log = tmp_path / "out", tmp_path / "log"
    (item,) = items(["a:1"])
    run(factory(out, log), [item], out=out)
    assert (out / "videos/a_1.bin").exists()
    (refused,) = items(["quarantine:1"], version="2")
    refused = type(item)(item.name, refused.fingerprint, refused.payload)
    (record,) = run(factory(out, log), [refused], out=out)
    assert record.status == "quarantined" and not (out / "videos/a_1.bin").exists()


def test_a_quarantine_is_a_result_and_an_error_is_tried_again(go):
    records, _ = go("quarantine:1", "bug:2", "badinput:3", "a:4")
    assert {n: (r.status, r.reason) for n, r in records.items()} == {
        "quarantine_1": ("quarantined", "verifier"),
        "bug_2": ("quarantined", "error"),
        "badinput_3": ("quarantined", "error"),
        "a_4": ("ok", ""),
    }
    assert records["quarantine_1"].what == "somebody is still there"
    assert records["quarantine_1"].evidence == {"frame": 7}
    assert "ZeroDivisionError: a bug (toys.py:" in records["bug_2"].what
    assert go("quarantine:1", "bug:2", "badinput:3", "a:4")[1] == ["bug:2", "badinput:3"]


def test_evidence_that_is_no_json_does_not_lose_the_verdict(go):
    records, _ = go("oddevidence:1")
    assert records["oddevidence_1"].reason == "verifier"
    assert "0.5" in records["oddevidence_1"].evidence["evidence"]
    assert go("oddevidence:1") == (records, [])


@pytest.mark.parametrize("verb", ["full", "missing"])
def test_faults_of_the_machine_stop_the_run_and_keep_what_is_done(go, tmp_path, verb):
    with pytest.raises(InfrastructureError, match=r"disk is full|a_package_that_does_not_exist") as caught:
        go("a:1", f"{verb}:2", "a:3")
    assert caught.value.code == 5 and caught.value.next_step
    assert [p.name for p in (tmp_path / "out/videos").iterdir()] == ["a_1.bin"]
    with pytest.raises(InfrastructureError):
        go("a:1", f"{verb}:2", "a:3")
    assert "a:1" not in (tmp_path / "log").read_text()


def test_a_task_that_cannot_be_made_stops_the_run(tmp_path):
    with pytest.raises(InputError, match="the model file is not there"):
        run(broken_factory, items(["a:1"]), out=tmp_path)
    with pytest.raises(InfrastructureError, match="SIGKILL while it was starting"):
        run(dying_factory, items(["a:1"]), out=tmp_path)


def test_what_modules_log_is_shown(tmp_path, capfd):
    with pytest.raises(InputError):
        run(talking_factory, items(["a:1"]), out=tmp_path)
    said = capfd.readouterr().err
    assert "drawn with a pencil" in said and "business" not in said


def test_a_worker_that_is_leaving_is_not_interrupted(tmp_path, capfd):
    with pytest.raises(InputError, match="the model file is not there"):
        run(slow_factory, items(["a:1"]), out=tmp_path)
    said = capfd.readouterr()
    assert "left in peace" in said.out and "Traceback" not in said.err


def test_a_worker_that_dies_costs_its_clip_one_retry(go, tmp_path):
    records, done = go("a:1", "die:2", "dieonce:3", "a:4", workers=2)
    assert {n: r.status for n, r in records.items()} == {
        "a_1": "ok",
        "die_2": "quarantined",
        "dieonce_3": "ok",
        "a_4": "ok",
    }
    assert sorted(done) == ["a:1", "a:4", "die:2", "die:2", "dieonce:3", "dieonce:3"]
    assert (records["die_2"].reason, records["die_2"].evidence) == ("error", {"exit_code": -9})
    assert "SIGKILL" in records["die_2"].what
    assert go("a:1", "die:2", "dieonce:3", "a:4")[1] == ["die:2", "die:2"]


def test_a_clip_that_takes_too_long_is_given_up_and_the_others_go_on(tmp_path):
    out = tmp_path / "out"
    slow, *others = items(["deaf:1", "a:2", "a:3", "a:4"])
    records = run(factory(out, tmp_path / "log"), [replace(slow, limit=1.0), *others], out=out, workers=2)
    assert [r.status for r in records] == ["quarantined", "ok", "ok", "ok"]
    assert (records[0].reason, records[0].what) == ("error", "took longer than 1 s")
    assert sorted(p.name for p in (out / "videos").iterdir()) == ["a_2.bin", "a_3.bin", "a_4.bin"]
    assert (tmp_path / "log").read_text().count("deaf") == 1, "it would take too long again"


def test_a_clip_that_needs_more_memory_than_there_is_is_quarantined_and_the_others_go_on(go):
    records, _ = go("hungry:1", "a:2")
    assert records["hungry_1"].reason == "error" and "MemoryError" in records["hungry_1"].what
    assert records["a_2"].status == "ok"


def test_what_a_dying_worker_was_writing_is_cleaned_up(go, tmp_path):
    records, _ = go("half:1", "a:2")
    assert records["half_1"].reason == "error"
    assert [p.name for p in (tmp_path / "out/videos").iterdir()] == ["a_2.bin"]


def test_leftovers_of_a_killed_run_are_removed_at_the_start(go, tmp_path):
    (tmp_path / "out/videos").mkdir(parents=True)
    (tmp_path / "out/videos/.a.mp4.123.m2m-part").write_bytes(b"half")
    (tmp_path / "out/videos/mine.part").write_bytes(b"not ours")
    go("a:1")
    assert sorted(p.name for p in (tmp_path / "out/videos").iterdir()) == ["a_1.bin", "mine.part"]


def test_two_runs_cannot_work_in_one_folder(go, tmp_path):
    out = tmp_path / "out"
    seen = []

    def other():
        try:
            go("a:1")
        except InputError as error:
            seen.append(str(error))

    with locked(out):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert go("a:2")[1] == ["a:2"]  # who holds the lock may run
    assert len(seen) == 1 and "another run is working in" in seen[0] and str(out) in seen[0]
    assert go("a:1")[1] == ["a:1"]


def test_an_output_that_cannot_be_written_is_an_input_error(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot write in"):
        run(broken_factory, items(["a:1"]), out=tmp_path / "file" / "out")


def test_progress_is_a_line_a_clip_where_there_is_no_terminal(go, capsys):
    go("a:1", "quarantine:2")
    lines = capsys.readouterr().err.splitlines()
    assert [line.rsplit(" ", 2)[0] for line in lines] == ["[1/2] a_1 ok", "[2/2] quarantine_2 quarantined (verifier)"]
    go("a:1", "quarantine:2", "a:3")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "2 of 3 finished earlier" and lines[1].startswith("[3/3] a_3 ok")
    go("a:4", progress=False)
    assert capsys.readouterr().err == ""


def test_nothing_to_do_and_wrong_arguments(go):
    assert go() == ({}, [])
    with pytest.raises(InputError, match="workers"):
        go("a:1", workers=0)
    with pytest.raises(ValueError, match="unique"):
        go("a:1", "a:1")


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


def only(store, prefix, text=b""):
    """The one key under a prefix whose value holds a text."""
    (key,) = (k for k in store.keys(prefix) if text in store.read(k))
    return key


def test_an_empty_disk_finds_everything_in_the_work_store(go, store, tmp_path):
    records, done = go("a:1", "a:2", "quarantine:3", store=store)
    assert done == ["a:1", "a:2", "quarantine:3"]
    assert len(list(store.keys("records/"))) == 3 and len(list(store.keys("blobs/"))) == 2
    before = results(tmp_path / "out")
    shutil.rmtree(tmp_path / "out")
    assert go("a:1", "a:2", "quarantine:3", store=store) == (records, [])
    assert results(tmp_path / "out") == before
    assert go("a:1", "a:2", "quarantine:3") == (records, [])  # and it is there without the store from then on


def test_outputs_stay_in_the_store_if_they_are_not_wanted(go, store, tmp_path):
    records, _ = go("a:1", "a:2", store=store)
    shutil.rmtree(tmp_path / "out")
    again, done = go("a:1", "a:2", "a:3", store=store, materialise=False)
    assert done == ["a:3"] and {n: again[n] for n in records} == records
    assert not list((tmp_path / "out").rglob("*.bin")) and not list((tmp_path / "out").rglob("*.json"))
    assert go("a:1", "a:2", "a:3", store=store, materialise=False) == (again, [])
    assert go("a:1", "a:2", "a:3", store=store) == (again, [])
    assert len(list((tmp_path / "out/videos").iterdir())) == 3


@pytest.mark.parametrize("materialise", [True, False])
@pytest.mark.parametrize("damage", ["no record", "cut record", "no JSON", "another's record", "evil record", "no blob"])
def test_what_is_damaged_in_the_store_is_done_again(go, store, tmp_path, damage, materialise):
    go("a:1", "a:2", store=store)
    shutil.rmtree(tmp_path / "out")
    key, other = only(store, "records/", b'"a_1"'), only(store, "records/", b'"a_2"')
    digest = json.loads(store.read(key))["outputs"]["videos/a_1.bin"]
    if damage == "no record":
        store.delete(key)
    elif damage == "cut record":
        store.write(key, store.read(key)[:-40])
    elif damage == "no JSON":
        store.write(key, b"\xff[]")
    elif damage == "another's record":
        store.write(key, store.read(other))
    elif damage == "evil record":
        store.write(key, store.read(key).replace(b'"videos/a_1.bin": "', b'"../../evil": "'))
    else:
        store.delete(f"blobs/{digest[:2]}/{digest}")
    _, done = go("a:1", "a:2", store=store, materialise=materialise)
    assert done == ["a:1"] and not (tmp_path / "evil").exists()
    shutil.rmtree(tmp_path / "out")
    assert go("a:1", "a:2", store=store)[1] == []
    assert (tmp_path / "out/videos/a_1.bin").read_bytes() == content("a:1")


def test_a_blob_with_other_bytes_is_made_again_when_it_is_fetched(go, store, tmp_path):
    go("a:1", "a:2", store=store)
    shutil.rmtree(tmp_path / "out")
    blob = only(store, "blobs/", content("a:1"))
    store.write(blob, content("a:1")[:-1])
    assert go("a:1", "a:2", store=store)[1] == ["a:1"]
    assert store.read(blob) == content("a:1")


def test_what_holds_only_here_is_copied_to_the_store(go, store, tmp_path):
    go("a:1", "quarantine:2", "bug:3")
    assert go("a:1", "quarantine:2", store=store)[1] == []
    blob = only(store, "blobs/")
    store.delete(blob)
    assert go("a:1", "quarantine:2", store=store)[1] == [] and store.read(blob) == content("a:1")
    shutil.rmtree(tmp_path / "out")
    assert go("a:1", "quarantine:2", "bug:3", store=store)[1] == ["bug:3"]


def test_errors_are_tried_again_and_other_parameters_and_no_resume_do_it_again(go, store, tmp_path):
    go("a:1", "bug:2", store=store)
    for options, redone in (({}, []), ({"version": "2"}, ["a:1"]), ({}, []), ({"resume": False}, ["a:1"])):
        shutil.rmtree(tmp_path / "out")
        assert go("a:1", "bug:2", store=store, **options)[1] == [*redone, "bug:2"]


def test_two_machines_share_the_work(store, tmp_path):
    for name, payloads in (("1", ["a:1", "a:2"]), ("2", ["a:2", "a:3"]), ("1", ["a:1", "a:2", "a:3"])):
        run(factory(tmp_path / name, tmp_path / name / "log"), items(payloads), out=tmp_path / name, store=store)
    assert (tmp_path / "1/log").read_text().count("a:") == 2 and (tmp_path / "2/log").read_text().count("a:") == 1
    assert len(list((tmp_path / "1/videos").iterdir())) == 3


class Broken:
    """A store that takes no more after a number of puts."""

    def __init__(self, folder, puts, error):
        self.uri, self._store, self._puts, self._error = str(folder), open_store(folder), puts, error

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._store, name)

    def put(self, file, key):
        if self._puts == 0:
            raise self._error("the bucket is gone", "make it again")
        self._puts -= 1
        return self._store.put(file, key)


@pytest.mark.parametrize("error", [InputError, InfrastructureError])
def test_a_store_that_fails_in_the_middle_stops_the_run_and_blames_no_clip(go, store, tmp_path, error):
    with pytest.raises(InfrastructureError, match="the bucket is gone; make it again"):
        go("a:1", "a:2", "a:3", store=Broken(tmp_path / "store", 2, error))
    assert len(list(store.keys("records/"))) == 2
    shutil.rmtree(tmp_path / "out")
    assert go("a:1", "a:2", "a:3", store=store)[1] == ["a:3"]


def test_a_store_that_cannot_be_used_stops_the_run_before_any_work(go, tmp_path):
    store = Broken(tmp_path / "store", 0, InputError)

    def refuse(key):
        raise InputError("wrong secret", "check it")

    store.read = refuse
    with pytest.raises(InputError, match="wrong secret"):
        go("a:1", store=store)
    assert (tmp_path / "log").read_text() == ""
