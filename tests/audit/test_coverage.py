"""Everybody whom models see on originals lies inside of the masks, and no track is bare between two sightings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2m.audit.coverage import Coverage, Masked, read_masks
from m2m.audit.params import AuditParams
from m2m.augment.intermediates import json_lines, people_line
from m2m.augment.people import FramePeople, Person
from m2m.errors import QuarantineError

SHAPE = (60, 80)
NOBODY = np.zeros((0, 5), np.float32)
BOX = (20.0, 10.0, 40.0, 50.0)


def cover(box=None) -> np.ndarray:
    out = np.zeros(SHAPE, bool)
    if box is not None:
        x0, y0, x1, y1 = map(int, box)
        out[y0:y1, x0:x1] = True
    return out


def hit(score: float, box=BOX) -> np.ndarray:
    return np.array([[*box, score]], np.float32)


def look_at(score: float, mask: np.ndarray, kind: str = "people", looks: int = 1):
    coverage = Coverage(AuditParams())
    for t in range(looks):
        seen = {"faces": NOBODY, "people": NOBODY, kind: hit(score)}
        coverage.masked(t, Masked(mask, {}, frozenset()))
        coverage.look(t, seen["faces"], seen["people"], mask)
    return coverage.check(looks)


@pytest.mark.parametrize("kind", ["faces", "people"])
def test_who_is_seen_beside_the_mask_fails(kind):
    assert look_at(0.9, cover(BOX), kind).ok
    found = look_at(0.9, cover(), kind)
    assert found.ok is False and found.figures["sightings"][0]["box"] == list(BOX)


def test_one_weak_sighting_is_noise_and_two_are_not():
    assert look_at(0.4, cover()).ok
    assert look_at(0.4, cover(), looks=2).ok is False


def test_half_a_person_in_the_mask_will_do_and_half_a_face_will_not():
    half = cover((20, 10, 40, 30))
    assert look_at(0.9, half, "people").ok
    assert look_at(0.9, half, "faces").ok is False


@given(st.integers(1, 8), st.integers(1, 12), st.booleans())
def test_a_track_that_comes_back_was_covered_in_between(before, gap, covered):
    coverage = Coverage(AuditParams())
    here = Masked(cover(BOX), {3: BOX}, frozenset({3}))
    bare = Masked(cover(BOX if covered else None), {}, frozenset())
    frames = [here] * before + [bare] * gap + [here]
    for t, frame in enumerate(frames):
        coverage.masked(t, frame)
    found = coverage.check(len(frames))
    assert found.ok is covered
    if not covered:
        assert before <= found.figures["sightings"][0]["frame"] < before + gap


def test_who_is_gone_for_long_or_comes_back_elsewhere_is_no_gap():
    for gap, box in ((AuditParams().near + 1, BOX), (3, (60.0, 10.0, 80.0, 50.0))):
        coverage = Coverage(AuditParams())
        coverage.masked(0, Masked(cover(BOX), {3: BOX}, frozenset()))
        for t in range(1, 1 + gap):
            coverage.masked(t, Masked(cover(), {}, frozenset()))
        coverage.masked(1 + gap, Masked(cover(box), {3: box}, frozenset()))
        assert coverage.check(2 + gap).ok


def test_masks_of_another_number_of_frames_fail():
    coverage = Coverage(AuditParams())
    coverage.masked(0, Masked(cover(), {}, frozenset()))
    assert coverage.check(2).ok is False


def test_masks_are_read_from_both_kinds_of_records(tmp_path):
    person = Person(4, np.array(BOX, np.float32), 0.8, cover(BOX), frozenset({"pose", "selfie"}))
    doubted = Person(5, np.array(BOX, np.float32), 0.8, cover(BOX), frozenset({"selfie"}))
    with json_lines(tmp_path / "people.jsonl.gz") as write:
        for context in (False, True):
            line = people_line(0, FramePeople((person, doubted), cover(BOX)))
            write({"window": 0, "context": context, **line})
    (found,) = read_masks(tmp_path / "people.jsonl.gz")
    assert np.array_equal(found.cover, cover(BOX))
    assert found.tracks == {4: BOX, 5: BOX} and found.confirmed == {4}
    data = (tmp_path / "people.jsonl.gz").read_bytes()
    (tmp_path / "half.jsonl.gz").write_bytes(data[: len(data) // 2])
    with pytest.raises(QuarantineError, match="damaged"):
        list(read_masks(tmp_path / "half.jsonl.gz"))
