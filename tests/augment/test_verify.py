"""The verifier's rules, with detectors whose answers are known."""

import itertools

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2m.augment.verify import Doubt, Verifier, VerifyParams, add_doubts, alarms, covered_share, look_times

BOX = (10.0, 10.0, 30.0, 50.0)


def seen(boxes_by_value):
    """A detector that reads the frame's first pixel and answers with the boxes listed for it."""

    def look(frame):
        return np.array(boxes_by_value.get(int(frame[0, 0, 0]), []), np.float32).reshape(-1, 5)

    return look


def seen_anywhere(*planted):
    """A detector that finds patches wherever they are in the picture it gets, as real ones do."""

    def look(picture):
        found = []
        for patch, (x0, y0, x1, y1, score) in planted:
            match = cv2.matchTemplate(picture, np.ascontiguousarray(patch), cv2.TM_SQDIFF)
            if match.min() < 1:
                y, x = np.unravel_index(match.argmin(), match.shape)
                dx, dy = x - 15, y - 20  # the patch lies at (15, 20) of its frame
                found.append((x0 + dx, y0 + dy, x1 + dx, y1 + dy, score))
        return np.array(found, np.float32).reshape(-1, 5)

    return look


def numbered(n):
    frames = np.random.default_rng(0).integers(0, 256, (n, 60, 80, 3), dtype=np.uint8)
    frames[:, 0, 0, 0] = np.arange(n)
    return frames


def verifier(look, kind="person", **changes):
    params = VerifyParams(stride=1, spread=3, **changes)
    return Verifier({"f": look} if kind == "face" else {}, {"p": look} if kind == "person" else {}, params)


def originals(made, frames, region):
    return made.originals(frames, made.look(frames, list(range(len(frames)))), region, region)


def test_an_uncovered_person_is_a_doubt_and_a_covered_one_is_not():
    frames, region = numbered(6), np.zeros((6, 60, 80), bool)
    look = seen({3: [(*BOX, 0.9)]})
    [doubt] = originals(verifier(look), frames, region)
    assert (doubt.frame, doubt.kind, doubt.where, doubt.covered) == (3, "person", "original", 0.0)
    region[3, 10:50, 10:30] = True
    assert originals(verifier(look), frames, region) == []


def test_a_face_must_be_covered_more_than_a_person():
    frames, region = numbered(6), np.zeros((6, 60, 80), bool)
    region[:, 10:36, 10:30] = True  # 65 % of the box
    look = seen({3: [(*BOX, 0.9)]})
    assert originals(verifier(look, "person"), frames, region) == []
    assert len(originals(verifier(look, "face"), frames, region)) == 1


def test_one_weak_hit_is_noise_and_two_are_a_doubt():
    frames, region = numbered(9), np.zeros((9, 60, 80), bool)
    assert originals(verifier(seen({4: [(*BOX, 0.4)]})), frames, region) == []
    assert len(originals(verifier(seen({4: [(*BOX, 0.4)], 6: [(*BOX, 0.35)]})), frames, region)) == 2
    far = (50.0, 10.0, 70.0, 50.0)
    assert originals(verifier(seen({4: [(*BOX, 0.4)], 5: [(*far, 0.4)]})), frames, region) == []


def test_somebody_left_on_the_painted_part_of_a_plate_is_a_doubt():
    frames, region = numbered(6), np.zeros((6, 60, 80), bool)
    look = seen_anywhere((frames[2, 20:30, 15:25], (*BOX, 0.6)))
    assert verifier(look).plates(frames, region, list(range(len(frames)))) == [], (
        "nothing was painted: the original's check speaks"
    )
    region[:, 10:50, 10:30] = True
    [doubt] = verifier(look).plates(frames, region, list(range(len(frames))))
    assert (doubt.where, doubt.frame, doubt.box) == ("plate", 2, BOX)


def test_a_smooth_fill_holds_nobody_but_a_blurred_original_may():
    frames, region = numbered(6), np.ones((6, 60, 80), bool)
    frames[:, :, 1:] = (
        np.arange(60, dtype=np.uint8)[None, :, None, None] + np.arange(6, dtype=np.uint8)[:, None, None, None] * 20
    )
    look = seen({2: [(*BOX, 0.9)]})
    assert verifier(look).plates(frames, region, list(range(len(frames)))) == []
    assert len(originals(verifier(look), frames, region & False)) == 1


def test_a_still_plate_is_looked_at_once_and_a_moving_one_again():
    counted = []
    frames, region = numbered(9)[:1].repeat(9, 0), np.ones((9, 60, 80), bool)
    frames[6:, 20:30, 20:30] = 255 - frames[6:, 20:30, 20:30]
    verifier(lambda frame: counted.append(1) or np.zeros((0, 5), np.float32)).plates(
        frames, region, list(range(len(frames)))
    )
    assert len(counted) == 2


@given(st.integers(1, 60), st.integers(0, 100), st.integers(1, 7), st.data())
def test_looks_are_at_most_a_stride_apart_in_the_core_and_the_same_for_two_windows(core, first, stride, data):
    before, after = data.draw(st.integers(0, 20)), data.draw(st.integers(0, 20))
    times = look_times(before + core + after, first, before, before + core, stride)
    assert times == sorted(set(times)) and times[0] >= 0 and times[-1] < before + core + after
    inside = [t for t in times if before <= t < before + core]
    assert inside[0] == before and inside[-1] == before + core - 1
    assert all(b - a <= stride for a, b in itertools.pairwise(inside))
    number = {first - before + t for t in times}
    regular = {k for k in range(first - before, first + core + after) if k % stride == 1 % stride}
    assert number == regular | {first, first + core - 1}, "counted in the clip: windows agree on what they share"


def test_what_is_seen_on_a_still_plate_counts_for_all_the_times_it_stands_for():
    frames, region = numbered(9)[:1].repeat(9, 0), np.ones((9, 60, 80), bool)
    doubts = verifier(seen({0: [(*BOX, 0.9)]})).plates(frames, region, [0, 3, 6, 8])
    assert [d.frame for d in doubts] == [0, 3, 6, 8]


@given(frame=st.integers(0, 19), spread=st.integers(0, 9), kind=st.sampled_from(["person", "face"]))
def test_adding_a_doubt_covers_its_box_around_its_frame(frame, spread, kind):
    cover = np.zeros((20, 60, 80), bool)
    cover[5, 0, 0] = True
    added = add_doubts(cover, [Doubt(frame, BOX, kind, "original", "m", 0.9, 0.0)], spread)
    assert (added | cover == added).all()
    for t in range(20):
        assert covered_share(added[t], BOX) == (1.0 if abs(t - frame) <= spread else 0.0)


def test_alarms_need_no_neighbour_when_strong():
    doubt = Doubt(0, BOX, "face", "plate", "m", 0.5, 0.0)
    assert alarms([[doubt]], VerifyParams()) == [doubt]


@pytest.mark.parametrize("changes", [{"on_doubt": "pass"}, {"low": 0.9, "alarm": 0.5}, {"stride": 0}, {"spread": 1}])
def test_rules_that_would_let_people_through_are_refused(changes):
    with pytest.raises(ValueError):
        VerifyParams(**changes)
