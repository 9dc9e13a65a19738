"""Rows survive a file, and one that says what its checks do not is refused."""

import json

import pytest

from m2m.audit.rows import Check, Row, read_audit, write_audit
from m2m.errors import InputError

PASS = Row("b", "1" * 64, {"file": Check(True, {"bytes": 3}), "copies": Check(None, {"why": "gone"})})
FAIL = Row("a", "2" * 64, {"file": Check(False, {"why": "a sound track"}), "faces": Check(True)})


def test_the_verdict_follows_from_the_checks():
    assert (PASS.verdict, PASS.unchecked, PASS.why()) == ("pass", ["copies"], "")
    assert (FAIL.verdict, FAIL.failed, FAIL.why()) == ("fail", ["file"], "file: a sound track")
    nothing = Row("c", "", {"copies": Check(None)})
    assert nothing.verdict == "fail" and nothing.why() == "nothing could be checked"


def test_rows_survive_a_file_and_their_order_does_not_matter(tmp_path):
    write_audit(tmp_path / "x", [PASS, FAIL], {"code_version": "1"})
    write_audit(tmp_path / "y", [FAIL, PASS], {"code_version": "1"})
    assert (tmp_path / "x" / "audit.json").read_bytes() == (tmp_path / "y" / "audit.json").read_bytes()
    assert read_audit(tmp_path / "x") == ([FAIL, PASS], {"code_version": "1"})


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda v: v["rows"][0].update(verdict="pass"), "its checks say 'fail'"),
        (lambda v: v["rows"][0]["checks"]["file"].update(ok="yes"), "neither true"),
        (lambda v: v["rows"][0].pop("sha256"), "sha256"),
        (lambda v: v["rows"].append(v["rows"][0]), "twice"),
        (lambda v: v.update(schema=99), "schema 99"),
    ],
)
def test_what_was_changed_by_hand_is_refused(tmp_path, change, match):
    write_audit(tmp_path, [PASS, FAIL], {})
    values = json.loads((tmp_path / "audit.json").read_text())
    change(values)
    (tmp_path / "audit.json").write_text(json.dumps(values))
    with pytest.raises(InputError, match=match):
        read_audit(tmp_path)


def test_what_is_missing_or_no_json_is_refused(tmp_path):
    with pytest.raises(InputError, match="not audited"):
        read_audit(tmp_path)
    (tmp_path / "audit.json").write_text("{")
    with pytest.raises(InputError, match="not the result of an audit"):
        read_audit(tmp_path)
