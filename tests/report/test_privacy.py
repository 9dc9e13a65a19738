"""Figures of privacy: shown as given, one of them drawn."""

from m2m.report.privacy import FAILED, drawn, figures, names, unfailed

GIVEN = {
    "audited": 90,
    "failed": 1,
    "people_left": {"n": 80, "k": 4},
    "attack": {"face": {"value": 0.5, "chance": 0.125}, "rank": {"value": 7.0, "chance": 12}},
    "verdict": "passed",
    "looked_at": None,
}


def test_what_is_given_is_shown_by_name():
    found = figures(GIVEN)
    assert {name: figure.text for name, figure in found.items()} == {
        "people left": "4 of 80 (5.0 %)",
        "attack: face": "50.0 % (chance 12.5 %)",
        "attack: rank": "7 (chance 12)",
        "verdict": "passed",
        "looked at": "–",
        FAILED: "1 of 90 (1.1 %)",
    }
    assert (found["attack: face"].share, found["attack: face"].chance) == (0.5, 0.125)
    assert found["attack: rank"].share is None


def test_counts_that_are_no_share_stay_counts():
    assert figures({"audited": 3})["audited"].share is None
    assert figures({"people_left": {"n": 0, "k": 0}})["people left"].share is None
    assert figures({"audited": 0, "failed": 0})["failed"].text == "0"


def test_drawn_is_what_most_rows_have_and_of_those_what_says_most():
    rows = {"a": figures(GIVEN), "b": figures(GIVEN), "c": figures({"people_left": {"n": 3, "k": 1}})}
    assert drawn(rows) == "people left"
    del rows["c"]
    assert drawn(rows) == "attack: face"
    assert drawn({"a": figures({"audited": 9, "failed": 0}), "b": {}}) == FAILED
    assert drawn({}) == "" and drawn({"a": figures({"verdict": "passed", "n": 3})}) == ""
    assert names(rows)[0] == "people left"


def test_checks_that_nobody_failed_are_told_from_those_that_somebody_did():
    passed, failed, none = ({"failed by": {"faces": {"k": k, "n": 9}, "copies": {"k": 0, "n": 9}}} for k in (0, 1, 0))
    del none["failed by"]["copies"]
    assert unfailed({"a": figures(passed), "b": figures(failed)}) == ["failed by: copies"]
    assert unfailed({"a": figures(passed), "b": figures(none)}) == ["failed by: faces", "failed by: copies"]
    assert unfailed({"a": figures(GIVEN)}) == []
