"""Which clips are doubtful follows from what checks measured, whatever they are called."""

from dataclasses import replace

from m2m.audit.decisions import measured
from m2m.audit.review.doubts import doubtful, marks, nearest
from m2m.audit.rows import Check, Row
from m2m.clips import Clip
from tests.audit.audited import FACE, SEEN, row

CLIPS = [Clip(f"c{i}", f"videos/c{i}.mp4", sha256=f"{i:064x}") for i in range(6)]
FLAGGED = Check(True, {"why": "text", "flags": [{**FACE, "kind": "text", "frame": 5}]})


def test_failed_come_first_then_flagged_then_the_nearest():
    close = Check(True, {"highest": 0.69})
    rows = [row(CLIPS[0]), row(CLIPS[1], swirl=close), row(CLIPS[2], text=FLAGGED), row(CLIPS[3], blobs=SEEN)]
    found = doubtful(rows, CLIPS, near=1)
    assert [(d.clip.clip_id, d.why) for d in found[:3]] == [("c3", "failed"), ("c2", "flagged"), ("c0", "near")]
    assert {d.clip.clip_id for d in found if d.why == "near"} == {"c0", "c1"}  # of each check the nearest
    assert found[0].doubts == {"blobs": measured(SEEN)} and not found[1].doubts
    assert found[0].marks[0].frame == 3 and found[0].marks[0].box == (10, 8, 30, 28)
    assert found[1].marks[0].check == "text"
    assert [d.clip.clip_id for d in doubtful(rows, CLIPS, near=0)] == ["c3", "c2"]


def test_what_looking_does_not_settle_cannot_be_cleared():
    bad = Check(False, {"why": "a tag"})
    found = doubtful([row(CLIPS[0], file=bad, faces=SEEN)], CLIPS, 0)[0]
    assert found.fixed == ("file",) and set(found.doubts) == {"faces"}
    other = doubtful([replace(row(CLIPS[0], faces=SEEN), sha256="f" * 64)], CLIPS, 0)[0]
    assert not other.doubts  # another file was audited


def test_quarantined_clips_are_not_shown():
    held = replace(CLIPS[0], status="quarantined")
    assert doubtful([row(CLIPS[0], faces=SEEN)], [held], 3) == []


def test_copies_dips_and_odd_figures():
    copy = {"frame": 2, "source": 7, "kind": "person", "box": [1, 2, 3, 4], "share": 0.9}
    mark = marks("copies", Check(False, {"copies": [copy]}))[0]
    assert "of frame 7" in mark.words and (mark.frame, mark.source) == (2, 7)
    assert [m.frame for m in marks("copies", Check(False, {"dips": [4, 5]}))] == [4, 5]
    odd = Check(False, {"sightings": ["x", {"frame": "3"}, {"frame": 1, "box": [1]}], "copies": 3})
    assert [(m.frame, m.box) for m in marks("odd", odd)] == [(1, None)]


def test_the_nearest_are_those_that_passed():
    rows = [
        Row(f"c{i}", "", {"x": Check(ok, {"highest": h})})
        for i, (ok, h) in enumerate([(True, 0.2), (False, 0.9), (True, 0.5), (None, 0.8), (True, 0)])
    ]
    assert [r.clip_id for _, r in nearest(rows, 5)] == ["c2", "c0"]
