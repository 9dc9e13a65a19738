"""How a run ends that is stopped."""

import multiprocessing
from pathlib import Path

import pytest

from m2m.errors import InfrastructureError
from m2m.reproduce import run as running
from m2m.reproduce.graph import Graph


def test_a_process_that_is_told_to_stop_ends_without_a_word(monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    for name, value in (("compute", stopped), ("die_with", lambda _: None)):
        monkeypatch.setattr(running, name, value)
    monkeypatch.setattr(running.signal, "signal", lambda *_: None)
    ours, theirs = multiprocessing.Pipe()
    ours.send((Path(), None, {}))
    try:
        running._serve(theirs, 0)
    except KeyboardInterrupt:
        pytest.fail("it would print a traceback")


@pytest.mark.parametrize(
    ("error", "sent"), [(None, True), (InfrastructureError("it died"), True), (KeyboardInterrupt(), False)]
)
def test_whoever_stops_a_run_waits_for_no_tracker(tmp_path, monkeypatch, error, sent):
    spool = tmp_path / "align" / "one" / ".m2m" / "tracking"
    spool.mkdir(parents=True)
    (spool / "run.jsonl").write_text("{}\n")

    def end(_):
        if error is not None:
            raise error

    asked = []
    monkeypatch.setattr(running._Runner, "run", end)
    monkeypatch.setattr(running, "replay", asked.append)
    try:
        running.run(Graph({}, (), {}), tmp_path, tell=lambda _: None)
    except (InfrastructureError, KeyboardInterrupt) as raised:
        assert raised is error
    assert asked == ([spool] if sent else [])
