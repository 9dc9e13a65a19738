"""Originals that come through are found, whatever the frame; what only resembles them is not."""

from dataclasses import replace

import numpy as np
import pytest

from m2m.audit.cells import Cells, Place
from m2m.audit.copies import Copies, between, dips
from m2m.audit.params import AuditParams
from m2m.video import read
from tests.audit.scenes import N, scene, write

PARAMS = AuditParams()


def box_of(mask: np.ndarray) -> tuple[float, float, float, float]:
    ys, xs = np.nonzero(mask)
    return float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1)


@pytest.fixture(scope="module")
def looks() -> dict[int, list[Place]]:
    """Where people are by the truth, in every third frame."""
    masks = scene().masks
    return {t: [Place("person", box_of(masks[t]))] for t in sorted({*range(2, N, 3), 0, N - 1})}


@pytest.fixture(scope="module")
def encoded(tmp_path_factory):
    """Frames as they come out of the encoder, with its noise."""

    def through(frames):
        path = write(tmp_path_factory.mktemp("encoded") / "clip.mp4", frames)
        return np.stack([f.image for f in read(path)])

    return through


def check(outputs, looks, params=PARAMS, expect_people=True):
    copies = Copies(params)
    copies.add(np.stack(scene().originals), outputs, looks)
    return copies.check(expect_people)


def test_a_good_output_passes(encoded, looks):
    found = check(encoded(scene().outputs), looks)
    assert found.ok is True
    assert found.figures["with_people"] == found.figures["frames"] == N
    assert found.figures["highest"] < PARAMS.alike - 0.2


def test_a_single_original_is_found_at_its_frame(encoded, looks):
    frames = list(scene().outputs)
    frames[7] = scene().originals[7]
    found = check(encoded(frames), looks)
    assert found.ok is False
    assert found.figures["copies"][0]["frame"] == 7
    assert found.figures["dips"] == [7]


def test_an_original_of_another_time_is_found(encoded, looks):
    frames = list(scene().outputs)
    frames[2] = scene().originals[7]
    found = check(encoded(frames), looks)
    assert found.ok is False
    assert any(c["frame"] == 2 and c["source"] == 7 for c in found.figures["copies"])


def test_a_person_who_is_pasted_in_for_three_frames_is_found(encoded, looks):
    frames = [f.copy() for f in scene().outputs]
    for t in (4, 5, 6):
        frames[t][scene().masks[t]] = scene().originals[t][scene().masks[t]]
    found = check(encoded(frames), looks)
    assert found.ok is False
    assert {c["frame"] for c in found.figures["copies"]} <= {4, 5, 6}


def test_a_ghost_of_another_time_is_found(encoded, looks):
    frames = [f.copy() for f in scene().outputs]
    mask, ghost = scene().masks[2], scene().originals[2]
    frames[7][mask] = ghost[mask]
    assert check(encoded(frames), looks).ok is False


def test_a_passed_frame_is_found_though_no_detector_sees_anybody(encoded):
    frames = list(scene().outputs)
    frames[5:7] = scene().originals[5:7]
    found = check(encoded(frames), {})
    assert found.ok is False
    assert found.figures["dips"] == [5, 6]


def test_the_original_in_place_of_the_output_is_found_though_no_detector_sees_anybody(encoded):
    outputs = encoded(scene().originals)
    found = check(outputs, {})
    assert found.ok is False
    assert "throughout" in found.figures["why"]
    assert check(outputs, {}, expect_people=False).ok is True


def test_the_thresholds_decide(encoded, looks):
    outputs = encoded(scene().outputs)
    highest = check(outputs, looks).figures["highest"]
    assert check(outputs, looks, replace(PARAMS, alike=highest * 0.9)).ok is False


def test_windows_add_up(encoded, looks):
    frames = list(scene().outputs)
    frames[7] = scene().originals[7]
    outputs, originals = encoded(frames), np.stack(scene().originals)
    copies = Copies(PARAMS)
    for start, stop in ((0, 4), (4, N)):
        part = {t - start: places for t, places in looks.items() if start <= t < stop}
        copies.add(originals[start:stop], outputs[start:stop], part)
    found = copies.check(True)
    assert found.figures["frames"] == N
    assert 7 in {c["frame"] for c in found.figures["copies"]}


def test_nothing_to_compare_is_not_a_pass():
    assert Copies(PARAMS).check(True).ok is None


def test_somebody_who_leaves_is_no_dip():
    assert dips([0.3] * 10 + [0.2, 0.1, 0.05] + [0.0] * 10, PARAMS) == []
    assert dips([0.3] * 10 + [0.0] * 3 + [0.3] * 10, PARAMS) == [10, 11, 12]


def test_a_mask_that_was_once_too_wide_makes_no_dip_of_the_rest():
    assert dips([0.4] * 2 + [0.03] * 8 + [0.3] * 5, PARAMS) == []


def test_boxes_move_in_a_line_between_looks_and_lost_ones_are_left_out():
    moving = {0: [Place("person", (0, 0, 40, 40)), Place("face", (0, 0, 9, 9))], 4: [Place("person", (8, 4, 48, 44))]}
    places = between(moving, 5)
    assert places[1] == [Place("person", (2, 1, 42, 41))]
    assert places[2] == [Place("person", (4, 2, 44, 42))]
    assert len(places[0]) == 2


def test_all_pairs_agree_with_pairs_one_by_one(encoded, looks):
    """The quick way over cells' means must not miss what a look at the pixels finds."""
    frames = list(scene().outputs)
    frames[6], frames[8] = scene().originals[6], scene().originals[1]
    cells = Cells(np.stack(scene().originals), encoded(frames), PARAMS)
    for source, places in looks.items():
        for place in places:
            slow = {t: share for t in range(N) if (share := cells.share(source, t, place) or 0) >= PARAMS.alike}
            assert {c.frame: c.share for c in cells.copies(source, place, PARAMS.alike)} == slow


def test_a_place_too_small_or_outside_says_nothing(encoded):
    cells = Cells(np.stack(scene().originals), encoded(scene().originals), PARAMS)
    assert cells.share(0, 0, Place("face", (10, 10, 14, 14))) is None
    assert cells.copies(0, Place("face", (-90, -90, -10, -10)), 0.5) == []
    assert cells.share(0, 0, Place("face", (10, 10, 40, 40))) == 1
