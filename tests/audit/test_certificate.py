"""The certificate says what was done, and never calls passed what was not."""

import json
from dataclasses import replace

import pytest

from m2m.audit import certificate as module
from m2m.audit.certificate import certify, packages, words, write_certificate
from m2m.audit.decisions import Decision, Reviews, Tally, measured, write_reviews
from m2m.audit.rows import Check, read_audit, write_audit
from m2m.clips import MANIFEST, read_card, read_manifest, write_card, write_manifest
from m2m.errors import InputError
from tests.audit.audited import ALIEN, SEEN, audited

GONE = Check(None, {"why": "there is no original to compare with"})
TALLY = Tally(
    "a" * 32, "1", "<b>Ott", 5, 90, 30, 40, 0, 10, 8, {"face": (4, 5), "text": (4, 5)}, 2, 1, "2026-01", "2026-02"
)


def written(folder):
    """The certificate's values and its page, its own text without markup."""
    done = write_certificate(folder, folder)
    values = read_audit(folder)[1]["certificate"]
    assert values["verdict"] == done.verdict
    return values, (folder / "audit.html").read_text()


def tile(page, words_):
    """The number above some words."""
    return page.split(words_ + "</div>")[0].rpartition("<b")[2].partition(">")[2].partition("<")[0]


def test_what_was_not_done_is_not_passed(tmp_path):
    folder = audited(tmp_path, changed={f"class0_{i}": {"copies": GONE} for i in range(3)})
    values, page = written(folder)
    assert values["verdict"] == "incomplete"
    assert values["counts"]["passed"] == 0 and values["counts"]["not_all_done"] == 3
    assert values["checks"]["copies"] == {
        "passed": 0,
        "failed": 0,
        "cleared": 0,
        "flagged": 0,
        "not_done": 3,
        "reasons": {"there is no original to compare with": 3},
    }
    assert any("copies, of 3 clip(s): there is no original" in line for line in values["not_checked"])
    assert tile(page, "passed every check") == "0" and tile(page, "no check failed, some not done") == "3"
    assert "copies was not done of 3 of 3 clips" in page


def test_a_check_that_the_gate_asks_for_and_no_row_has_is_not_done(tmp_path):
    folder = audited(tmp_path)
    rows, about = read_audit(folder)
    write_audit(folder, [replace(r, checks={k: c for k, c in r.checks.items() if k != "faces"}) for r in rows], about)
    values, _ = written(folder)
    assert values["verdict"] == "incomplete" and values["checks"]["faces"]["not_done"] == 3


def test_a_good_data_set_passes_and_detectors_alone_give_no_bound(tmp_path):
    values, page = written(audited(tmp_path, held=2))
    assert values["verdict"] == "passed" and values["counts"]["quarantined"] == {"unreadable": 2}
    assert values["bound"]["bound"] is None and "detectors alone give no bound" in page
    assert "no attacker was run" in page.lower() and "no legal opinion" in page
    assert ALIEN not in page and "&lt;script&gt;" in page and "names clips after their sources" in page
    for line in words()["remains"]:
        assert line in values["remains"]


def test_failed_clips_are_named_with_the_reason(tmp_path):
    values, page = written(audited(tmp_path, changed={"class0_1": {"faces": SEEN}}))
    assert values["verdict"] == "failed" and list(values["failed"]) == ["class0_1"]
    assert "class0_1" in page and "1 sighting(s)" in page


def test_decisions_and_the_bound_are_shown(tmp_path):
    folder = audited(tmp_path, changed={"class0_1": {"faces": SEEN}})
    clip = {c.clip_id: c for c in read_manifest(folder / MANIFEST)}["class0_1"]
    identity = read_card(folder).hash
    made = Decision(
        clip.clip_id,
        clip.sha256,
        identity,
        "nothing",
        (),
        "",
        "<b>Ott",
        "2026-02",
        "a" * 32,
        "1",
        {"faces": measured(SEEN)},
    )
    write_reviews(folder, Reviews(identity, (TALLY,), (made,)))
    values, page = written(folder)
    assert values["verdict"] == "passed" and values["counts"]["cleared"] == 1 and not values["failed"]
    assert values["cleared"]["class0_1"]["faces"]["reviewer"] == "<b>Ott" and "<b>Ott" not in page
    assert values["bound"]["bound"] == pytest.approx((1 - 0.05 ** (1 / 30)) / 0.8)
    assert tile(page, "of clips, at most, still show somebody") == "11.9 %"
    assert "2 plant(s) were made of clips that are in the sample too" in page
    write_reviews(folder, Reviews(identity, (TALLY,), (replace(made, verdict="somebody", seen=("face",)),)))
    assert written(folder)[0]["failed"] == {"class0_1": "a person saw: face, says <b>Ott"}


def test_a_review_of_another_data_set_does_not_count_and_certify_refuses_it(tmp_path):
    folder = audited(tmp_path)
    write_reviews(folder, Reviews("0" * 64, (TALLY,)))
    done = write_certificate(folder, folder, strict=False)
    assert done.verdict == "incomplete" and "does not count" in done.why[-1]
    with pytest.raises(InputError, match="is of the data set 000000000000"):
        certify(folder)


def test_attackers_are_shown_whoever_they_are_and_what_cannot_be_used_is_told(tmp_path):
    folder = audited(tmp_path)
    row = {
        "attacker": "face",
        "variant": "m2m",
        "figure": "rank-1",
        "value": 0.21,
        "low": 0.1,
        "high": 0.3,
        "chance": 0.2,
        "n": 90,
    }
    (folder / "attack.json").write_text(json.dumps({"rows": [row, {**row, "low": None, "chance": None}]}))
    values, page = written(folder)
    assert (
        values["attack"]["rows"][0] == {**row, "control": None, "verdict": ""}
        and "rank-1" in page
        and "0.1 to 0.3" in page
    )
    assert "attack.json" in values["files"]
    also = {
        "rows": [{**row, "control": 0.19, "verdict": "no more than <chance>"}],
        "conditions": {"seeds": 3},
        "notes": ["no iris"],
    }
    (folder / "attack.json").write_text(json.dumps(also))
    page = written(folder)[1]
    assert "no more than &lt;chance&gt;" in page and "no iris" in page and "seeds: 3" in page and "0.19" in page
    for text, why in (
        ("{", "cannot be read"),
        (json.dumps({"rows": [{"attacker": "x"}]}), "cannot be read"),
        (json.dumps({"rows": [{**row, "value": float("nan")}]}), "cannot be read"),
        (json.dumps({"rows": []}), "has no figure"),
        (json.dumps({"rows": [row], "conditions": {"variants": {"m2m": "0" * 64}}}), "of another data set"),
    ):
        (folder / "attack.json").write_text(text)
        values, page = written(folder)
        assert not values["attack"]["rows"] and why in values["attack"]["why"] and why in page


def test_recall_is_shown_where_it_was_measured(tmp_path, monkeypatch):
    folder = audited(tmp_path / "set")
    assert "nothing was measured yet" in written(folder)[1] or read_audit(folder)[1]["certificate"]["recall"]["groups"]
    (tmp_path / "recall.yaml").write_text(
        "conditions: drawn people\n"
        "groups: [{group: skin tone, value: 6, n: 40, found: 38}, {group: size, value: small, n: 0, found: 0}]"
    )
    (tmp_path / "certificate.yaml").write_text(json.dumps(words()))
    monkeypatch.setattr(module.resources, "files", lambda _: tmp_path)
    values, page = written(folder)
    assert [round(values["recall"]["groups"][0][k], 3) for k in ("low", "high")] == [0.831, 0.994]
    assert "skin tone" in page and "95.0 %" in page and "83.1 % to 99.4 %" in page


def test_flagged_clips_are_named_and_do_not_fail(tmp_path):
    flags = Check(True, {"why": "text", "flags": [{"frame": 1, "text": "PIZZA"}]})
    values, page = written(audited(tmp_path, changed={"class0_2": {"text": flags}}))
    assert values["verdict"] == "passed" and values["flagged"] == {"class0_2": ["text"]}
    assert "class0_2" in page and "PIZZA" not in page  # what was read may be a name
    assert not any(line.startswith("Text, number plates") for line in values["not_checked"])


def test_a_variant_that_shows_people_is_never_passed(tmp_path):
    folder = audited(tmp_path)
    write_card(replace(read_card(folder), private=False, variant="mesh_on_real"), folder)
    values, page = written(folder)
    assert values["verdict"] == "incomplete" and "shows the original people" in page


def test_the_same_audit_gives_the_same_bytes_and_a_certificate_changes_no_row(tmp_path):
    folder = audited(tmp_path)
    before = read_audit(folder)[0]
    written(folder)
    first = [(folder / name).read_bytes() for name in ("audit.json", "audit.html")]
    written(folder)
    assert first == [(folder / name).read_bytes() for name in ("audit.json", "audit.html")]
    assert read_audit(folder)[0] == before


def test_what_does_not_belong_together_is_refused(tmp_path):
    folder = audited(tmp_path)
    write_manifest(read_manifest(folder / MANIFEST)[1:], folder / MANIFEST)
    with pytest.raises(InputError, match="do not belong together"):
        certify(folder)


def test_versions_of_what_looked_are_told():
    assert {"numpy", "av"} <= set(packages())
