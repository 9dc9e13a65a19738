"""The gate names what is wrong, and lets through what is right."""

import json
from dataclasses import replace

import pytest

from m2m.audit.gate import gate
from m2m.audit.params import GateParams
from m2m.audit.rows import Check, Row, write_audit
from m2m.clips import Clip, DatasetCard, data_hash, write_card, write_manifest
from m2m.errors import Exit, GateError, InputError

DONE = {name: Check(True) for name in ("bytes", "file", "timing", "copies", "faces")}


@pytest.fixture
def merged(tmp_path):
    """A merged data set of `ok` clips and quarantined ones by reason; `change` alters the audit rows by id."""

    def make(ok=4, held=(), change=None, private=True, whats=None):
        rows = [Clip(f"clip{i}", f"videos/clip{i}.mp4", sha256=f"{i:064x}") for i in range(ok)]
        rows += [Clip(f"held{i}", "", status="quarantined", reason=reason) for i, reason in enumerate(held)]
        write_manifest(rows, tmp_path / "clips.parquet")
        card = DatasetCard("x", "m2m", private, {}, "1", (), "", ok, len(held), data_hash(rows))
        write_card(card, tmp_path)
        audit = {c.clip_id: Row(c.clip_id, c.sha256, DONE) for c in rows if c.status == "ok"}
        for name, row in (change or {}).items():
            audit[name] = row(audit.get(name)) if callable(row) else row
        write_audit(tmp_path, [r for r in audit.values() if r is not None], {})
        clips = {f"held{i}": {"reason": r, "what": (whats or {}).get(r, "")} for i, r in enumerate(held)}
        (tmp_path / "held.json").write_text(json.dumps({"schema": 1, "clips": clips}))
        return tmp_path

    return make


def refused(folder, params=None) -> str:
    with pytest.raises(GateError) as error:
        gate(folder, params or GateParams())
    assert error.value.code == Exit.GATE
    return str(error.value)


def test_a_good_data_set_passes_and_is_counted(merged):
    report = gate(merged(ok=8, held=("verifier", "nobody", "nobody")), GateParams())
    assert (report.clips, report.released, report.audited) == (11, 8, 8)
    assert report.quarantined == {"nobody": 2, "verifier": 1}
    assert report.share_quarantined == pytest.approx(3 / 11)
    assert "8 of 11 clips released" in str(report) and "2 nobody" in str(report)


def test_a_technical_fault_stops_and_is_named(merged):
    text = refused(merged(held=("unreadable",), whats={"unreadable": "'x.avi' cannot be used: it is empty"}))
    assert "held0 (unreadable: 'x.avi' cannot be used: it is empty)" in text
    assert "held0" in refused(merged(held=("error",)))
    assert gate(merged(held=("error",)), GateParams(faults=())).released == 4


def test_too_many_quarantined_stop(merged):
    folder = merged(ok=4, held=("verifier",) * 2)
    assert gate(folder, GateParams(max_quarantined=0.34)).released == 4
    assert "33.3% of 6 clips" in refused(folder, GateParams(max_quarantined=0.33))


def test_nothing_released_stops(merged):
    assert "nothing was released" in refused(merged(ok=0, held=("verifier",)), GateParams(max_quarantined=1))


def test_a_failed_audit_stops_whether_the_clip_was_held_or_not(merged):
    bad = Check(False, {"why": "2 frame(s) show"})
    inside = merged(change={"clip1": lambda r: replace(r, checks={**DONE, "copies": bad})})
    assert "clip1 (copies: 2 frame(s) show)" in refused(inside)
    held = merged(held=("audit",), change={"held0": Row("held0", "0" * 64, {**DONE, "copies": bad})})
    assert "held0 (copies: 2 frame(s) show)" in refused(held)


def test_a_few_that_failed_and_were_left_out_may_pass_and_a_released_one_never(merged):
    failed = Row("held0", "0" * 64, {**DONE, "faces": Check(False, {"why": "a face"})})
    folder = merged(ok=9, held=("audit",), change={"held0": failed})
    assert gate(folder, GateParams(max_failed=0.1)).released == 9
    assert "held0 (faces: a face)" in refused(folder, GateParams(max_failed=0.09))
    own = {"clip1": lambda row: replace(row, checks={**DONE, "faces": Check(False, {"why": "a face"})})}
    assert "clip1 (faces: a face)" in refused(merged(ok=9, change=own), GateParams(max_failed=1.0))


def test_what_was_not_audited_or_is_another_file_stops(merged):
    assert "clip2 (it was not audited)" in refused(merged(change={"clip2": None}))
    assert "clip2 (another file was audited)" in refused(
        merged(change={"clip2": lambda r: replace(r, sha256="f" * 64)})
    )


def test_what_could_not_be_checked_is_not_taken_for_good(merged):
    gone = {"clip0": lambda r: replace(r, checks={**DONE, "copies": Check(None), "plate": Check(None)})}
    assert "clip0 (not checked: copies)" in refused(merged(change=gone))
    report = gate(merged(change=gone), GateParams(required=("file",)))
    assert report.unchecked == {"copies": 1, "plate": 1}
    assert "copies of 1" in str(report)
    assert gate(merged(change=gone, private=False), GateParams()).released == 4


def test_many_clips_are_not_all_named(merged):
    text = refused(merged(held=("error",) * 30), GateParams(max_quarantined=1))
    assert "30 clip(s)" in text and "and 20 more" in text


def test_what_does_not_belong_together_is_bad_input(merged):
    folder = merged()
    write_manifest([Clip("other", "videos/other.mp4", sha256="1" * 64)], folder / "clips.parquet")
    with pytest.raises(InputError, match="do not belong together"):
        gate(folder, GateParams())
    folder = merged()
    (folder / "audit.json").unlink()
    with pytest.raises(InputError, match="not audited"):
        gate(folder, GateParams())
    folder = merged()
    (folder / "held.json").write_text("[]")
    with pytest.raises(InputError, match=r"held\.json is damaged"):
        gate(folder, GateParams())
