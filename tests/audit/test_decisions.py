"""What a person decided is followed: by the gate, by the release, and only for the very file that was looked at."""

import json
from dataclasses import replace

import pytest

from m2m.audit.decisions import (
    Decision,
    Reviews,
    Tally,
    measured,
    objection,
    read_reviews,
    refuse_shown,
    updated,
    write_reviews,
)
from m2m.audit.gate import gate
from m2m.audit.params import GateParams
from m2m.audit.rows import Check
from m2m.clips import MANIFEST, read_card, read_manifest
from m2m.errors import Exit, GateError, InputError
from m2m.register import RegisterParams, register
from m2m.release import release, unreleased
from tests.audit.audited import SEEN, audited, row

FAILED = {"class0_1": {"faces": SEEN}}


@pytest.fixture
def folder(tmp_path):
    return audited(tmp_path / "set", changed=FAILED)


def decision(folder, clip_id="class0_1", verdict="nothing", **over):
    clip = next(c for c in read_manifest(folder / MANIFEST) if c.clip_id == clip_id)
    identity = read_card(folder).hash
    doubts = {"faces": measured(SEEN)} if verdict == "nothing" else {}
    made = Decision(
        clip_id, clip.sha256, identity, verdict, (), "", "R. Ott", "2026-01-02T03:04:05Z", "0" * 32, "1", doubts
    )
    return replace(made, **over)


def decided(folder, *decisions):
    write_reviews(folder, Reviews(read_card(folder).hash, (), decisions))
    return folder


def tally(**over):
    made = Tally("a" * 32, "1", "R. Ott", 0, 90, 30, 40, 0, 10, 10, {"face": (10, 10)}, 0, 0, "2026", "2026")
    return replace(made, **over)


def test_a_false_alarm_no_longer_stops_the_gate_and_is_counted(folder):
    with pytest.raises(GateError, match="class0_1"):
        gate(folder, GateParams())
    report = gate(decided(folder, decision(folder)), GateParams())
    assert (report.released, report.cleared) == (3, 1) and "1 cleared by a person" in str(report)


@pytest.mark.parametrize(
    "over",
    [
        {"sha256": "0" * 64},
        {"dataset": "0" * 64},
        {"doubts": {}},
        {"doubts": {"faces": "0" * 64}},
        {"doubts": {"copies": measured(SEEN)}},
        {"verdict": "somebody"},
    ],
)
def test_a_decision_holds_for_what_was_looked_at_only(folder, over):
    with pytest.raises(GateError, match="class0_1"):
        gate(decided(folder, decision(folder, **over)), GateParams())


@pytest.mark.parametrize("name", ["bytes", "file", "names", "timing", "audit"])
def test_nobody_clears_what_looking_does_not_settle(tmp_path, name):
    bad = Check(False, {"why": "a tag"})
    folder = audited(tmp_path / "set", changed={"class0_1": {name: bad}})
    with pytest.raises(GateError, match="a tag"):
        gate(decided(folder, decision(folder, doubts={name: measured(bad)})), GateParams())
    both = audited(tmp_path / "both", changed={"class0_1": {name: bad, "faces": SEEN}})
    with pytest.raises(GateError, match="a tag"):
        gate(decided(both, decision(both)), GateParams())


def test_somebody_who_is_seen_stops_a_clip_that_passed_whoever_else_saw_nothing(folder):
    seen = decision(folder, "class0_0", "somebody", seen=("tattoo",), note="left arm", reviewer="B")
    decided(folder, decision(folder), decision(folder, "class0_0", reviewer="A"), seen)
    with pytest.raises(GateError, match=r"class0_0 \(a person saw: tattoo \(left arm\), says B\)"):
        gate(folder, GateParams())


def test_a_clip_that_shows_somebody_is_neither_released_nor_registered(folder, tmp_path):
    finished = [c.clip_id for c in read_manifest(folder / MANIFEST) if c.status == "ok"]
    decided(folder, decision(folder, "class0_0", "somebody", seen=("face",)))
    with pytest.raises(GateError, match="class0_0") as error:
        register(folder, RegisterParams(repository=str(tmp_path)))
    assert error.value.code == Exit.GATE
    held = unreleased(folder)
    assert "a person saw: face" in held["class0_0"] and "class0_1" in held  # which failed, and nobody cleared it
    assert release(folder, tmp_path / "out").clips == len(finished) - len(held)
    assert len(list((tmp_path / "out" / "videos").iterdir())) == len(finished) - len(held)
    decided(folder, decision(folder))
    assert set(unreleased(folder)) == set(held) - {"class0_0", "class0_1"}
    write_reviews(folder, Reviews(read_card(folder).hash))
    refuse_shown(folder, read_card(folder).hash, read_manifest(folder / MANIFEST))


def test_where_no_clip_passed_nothing_is_released(folder, tmp_path):
    everybody = [c.clip_id for c in read_manifest(folder / MANIFEST) if c.status == "ok"]
    decided(folder, *(decision(folder, name, "somebody") for name in everybody))
    with pytest.raises(GateError, match="no clip of"):
        release(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_nobody_could_check_is_not_cleared(folder):
    clip = read_manifest(folder / MANIFEST)[0]
    nothing = replace(row(clip), checks={"copies": Check(None, {"why": "gone"})})
    assert objection(nothing, clip, Reviews("x")) == "nothing could be checked"


def test_decisions_of_another_data_set_or_damaged_ones_are_refused(folder):
    write_reviews(folder, Reviews("0" * 64, (), (decision(folder),)))
    with pytest.raises(InputError, match="is of the data set 000000000000"):
        gate(folder, GateParams())
    for text in ("{", "[]", json.dumps({"schema": 1, "dataset": "x", "tallies": [], "decisions": [{"verdict": "ok"}]})):
        (folder / "review.json").write_text(text)
        with pytest.raises(InputError, match="is damaged"):
            gate(folder, GateParams())


def test_what_is_written_is_read(folder):
    made = Reviews(read_card(folder).hash, (tally(),), (decision(folder),))
    write_reviews(folder, made)
    assert read_reviews(folder, made.dataset) == made


def test_of_another_data_set_only_who_was_seen_is_kept_for_files_that_are_still_there(folder):
    clips = read_manifest(folder / MANIFEST)
    seen, gone = decision(folder, verdict="somebody"), decision(folder, verdict="somebody", sha256="9" * 64)
    write_reviews(folder, Reviews("0" * 64, (tally(),), (seen, gone, decision(folder, "class0_0"))))
    new = Reviews(read_card(folder).hash, (tally(review="b" * 32),))
    assert updated(folder, new, clips) == replace(new, decisions=(seen,))


def test_a_review_replaces_itself_and_leaves_others(folder):
    identity = read_card(folder).hash
    write_reviews(folder, Reviews(identity, (tally(), tally(review="b" * 32)), (decision(folder),)))
    found = updated(folder, Reviews(identity, (tally(found=2),)), read_manifest(folder / MANIFEST))
    assert sorted((t.review[0], t.found) for t in found.tallies) == [("a", 2), ("b", 0)]
    assert found.decisions == (decision(folder),)


def test_the_bound_is_of_the_largest_finished_sample_and_of_equal_ones_the_worst():
    assert Reviews("x").bound.bound is None and "detectors alone" in Reviews("x").bound.why
    small, large = tally(sample=10, answered=20), tally(sample=100, answered=110, found=2)
    found = Reviews("x", (large, small, tally(sample=500, answered=3)))
    assert found.headline == large and found.bound == large.bound
    worse = replace(large, found=9)
    assert Reviews("x", (worse, large)).headline == worse
    unfinished = Reviews("x", (tally(answered=39),)).bound
    assert unfinished.bound is None and "1 of 40 clips of the sample are not answered" in unfinished.why
    blind = Reviews("x", (small, tally(seen=0))).bound
    assert blind.bound is None and "saw none" in blind.why
