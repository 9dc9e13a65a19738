"""Intermediates come back bit for bit, from bytes that depend on nothing else."""

import gzip
import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco

from m2m.augment import intermediates
from m2m.augment.bodies import Body, Camera, FrameBodies
from m2m.augment.intermediates import (
    json_lines,
    mask_of,
    painting_line,
    people_line,
    people_of,
    read_bodies,
    read_paintings,
    read_people,
    run_lengths,
    window_lines,
    write_bodies,
)
from m2m.augment.people import FramePeople, Landmarks, Person
from m2m.augment.tally import Tally
from m2m.augment.window import Window
from m2m.errors import InputError

H, W = 24, 32
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
PIXELS = st.floats(0, 4096, width=32)


def someone(seed=0, track=7, marks=True):
    rng = np.random.default_rng(seed)

    def numbers(*shape):
        return rng.normal(scale=50, size=shape).astype(np.float32)

    mask = np.zeros((H, W), bool)
    mask[4:20, 8:16] = True
    landmarks = Landmarks(numbers(33, 2), numbers(33), numbers(33), numbers(33), numbers(33, 3), float(rng.random()))
    if seed % 2:
        hands = numbers(2, 21, 3)
        hands[seed % 4 // 2] = np.nan
        landmarks = replace(landmarks, hands=hands)
    box = np.sort(rng.uniform(0, W, (2, 2)), 0).ravel().astype(np.float32)
    return Person(
        track, box, float(rng.random()), mask, frozenset({"pose", "face"}), landmarks if marks else None
    ), mask | (np.arange(W) == 0)


def frame_of(seed=0):
    (one, cover), (other, _) = someone(seed), someone(seed + 100, 9, marks=False)
    return FramePeople((one, other), cover)


def assert_same(a: FramePeople, b: FramePeople):
    assert np.array_equal(a.cover, b.cover) and len(a.persons) == len(b.persons)
    for p, q in zip(a.persons, b.persons, strict=True):
        assert (p.track, p.score, p.families) == (q.track, q.score, q.families)
        assert np.array_equal(p.box, q.box) and p.box.dtype == q.box.dtype
        assert np.array_equal(p.mask, q.mask)
        assert (p.landmarks is None) == (q.landmarks is None)
        if p.landmarks is not None:
            for name, value in vars(p.landmarks).items():
                other = getattr(q.landmarks, name)
                same = np.array_equal(value, other, equal_nan=name == "hands" and value is not None)
                assert same and np.asarray(value).dtype == np.asarray(other).dtype, name


def test_people_are_lines_in_cocos_conventions(tmp_path):
    people = frame_of()
    with json_lines(tmp_path / "people") as write:
        write(people_line(3, people))
    [line] = gzip.decompress((tmp_path / "people").read_bytes()).decode().splitlines()
    frame = json.loads(line)
    person, x = frame["persons"][0], people.persons[0].box
    assert (frame["frame"], person["track"]) == (3, 7)
    assert np.allclose(person["bbox"], [x[0], x[1], x[2] - x[0], x[3] - x[1]])
    assert np.array_equal(coco.decode(person["segmentation"]).astype(bool), people.persons[0].mask)
    assert np.array_equal(coco.decode(frame["cover"]).astype(bool), people.cover)
    assert np.array(person["landmarks"]).shape == (33, 3)


def test_windows_come_back_with_their_context_and_bytes_do_not_depend_on_the_clock(tmp_path, monkeypatch):
    blank = np.zeros((5, H, W, 3), np.uint8)
    made = [(Window(blank, 0, 0, 3, 0, 0), range(5)), (Window(blank, 3, 2, 5, 0, 4), range(10, 15))]
    made += [(Window(blank[:1], 6, 0, 1, 1, 0), range(20, 21))]
    for name, now in (("a", 1e9), ("b", 2e9)):
        monkeypatch.setattr("time.time", lambda now=now: now)
        with json_lines(tmp_path / name) as write:
            for window, seeds in made:
                for line in window_lines(window, [frame_of(s) for s in seeds]):
                    write(line)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    back = list(read_people(tmp_path / "a"))
    assert [(w.first, w.start, w.stop) for w in back] == [(w.first, w.start, w.stop) for w, _ in made]
    for window, (_, seeds) in zip(back, made, strict=True):
        for people, seed in zip(window.people, seeds, strict=True):
            assert_same(people, frame_of(seed))


@settings(max_examples=50, deadline=None)
@given(
    arrays(np.float32, (33, 8), elements=FLOATS), arrays(np.float32, (2, 2), elements=PIXELS), st.floats(0, 1), FLOATS
)
def test_every_number_comes_back(marks, corners, score, sure):
    flat = [np.ascontiguousarray(marks[:, k]) for k in (slice(0, 2), 2, 3, 4, slice(5, 8))]
    person = Person(
        0, np.sort(corners, 0).ravel(), score, np.zeros((H, W), bool), frozenset(), Landmarks(*flat, score=float(sure))
    )
    people = FramePeople((person,), np.zeros((H, W), bool))
    assert_same(people_of(json.loads(json.dumps(people_line(0, people)))), people)


@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_every_mask_comes_back(mask):
    assert np.array_equal(mask_of(run_lengths(mask)), mask)


@pytest.mark.parametrize("counts", ["", "1", "5", "?", "a0", "PXl4", "Z", "\x1f", b"\xff", "o" * 9 + "0", "0O0"])
def test_runs_that_do_not_fill_the_picture_are_no_mask(counts):
    """pycocotools leaves the rest as it was in memory."""
    with pytest.raises(ValueError):
        mask_of({"size": [4, 4], "counts": counts})


def test_no_mask_is_larger_than_a_picture():
    whole = coco.frPyObjects({"size": [1 << 15, 1 << 15], "counts": [1 << 30]}, 1 << 15, 1 << 15)
    for size in (whole["size"], [1 << 40, 1 << 40], [0, 4], [-4, -4]):
        with pytest.raises(ValueError, match="a mask of"):
            mask_of({"size": size, "counts": whole["counts"]})


def test_small_files_do_not_become_large_ones_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(intermediates, "LONGEST_LINE", 1 << 20)
    monkeypatch.setattr(intermediates, "MOST_LINES", 100)
    bomb = tmp_path / "people.jsonl.gz"
    for data, match in (
        (b'{"window": 0, "x": "' + b" " * (8 << 20) + b'"}\n', "a line is too long"),
        (b'{"window": 0, "context": false}\n' * 101, "a window has 101 frames or more"),
    ):
        bomb.write_bytes(gzip.compress(data))
        with pytest.raises(InputError, match=match):
            list(read_people(bomb))


def test_paintings_come_back(tmp_path):
    region = np.arange(W) * np.ones((H, 1)) > 9
    with json_lines(tmp_path / "regions") as write:
        write(painting_line(0, region, 0.25, False, Fraction(0)))
        write(painting_line(1, ~region, 0.0, True, Fraction(1001, 30000), region))
    first, second = read_paintings(tmp_path / "regions")
    assert first.front is None
    assert second.front is not None
    assert np.array_equal(second.front, region)
    assert np.array_equal(first.region, region) and np.array_equal(second.region, ~region)
    assert (first.black, second.black, second.pts) == (False, True, Fraction(1001, 30000))


def test_bodies_come_back_and_bytes_do_not_depend_on_the_clock(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    bodies = [
        Body(t, rng.normal(size=(55, 3)).astype(np.float32), rng.normal(size=3).astype(np.float32)) for t in (2, 5, 2)
    ]
    frames = [(0, FrameBodies(())), (1, FrameBodies(tuple(bodies[:2]))), (4, FrameBodies((bodies[2],)))]
    for name, now in (("a.npz", 1e9), ("b.npz", 2e9)):
        monkeypatch.setattr("time.time", lambda now=now: now)
        write_bodies(tmp_path / name, frames, Camera.default(432, 240))
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    back = read_bodies(tmp_path / "a.npz")
    assert sorted(back) == [1, 4]
    for body, got in zip(bodies, [*back[1].bodies, *back[4].bodies], strict=True):
        assert body.track == got.track
        assert np.array_equal(body.pose, got.pose) and np.array_equal(body.transl, got.transl)
    with np.load(tmp_path / "a.npz") as data:
        assert data["camera"].tolist() == [np.hypot(432, 240), 216, 120, 432, 240, 1]


def test_a_clip_without_bodies_has_a_file_without_rows(tmp_path):
    write_bodies(tmp_path / "none.npz", [(0, FrameBodies(()))], Camera.default(64, 64))
    assert read_bodies(tmp_path / "none.npz") == {}
    with np.load(tmp_path / "none.npz") as data:
        assert data["pose"].shape == (0, 55, 3)


def test_tallies_add_up_and_survive_json():
    people, nobody = frame_of(), FramePeople((), np.zeros((H, W), bool))
    whole, first, second = Tally(), Tally(), Tally()
    for tally in (whole, first):
        tally.found(people)
        tally.found(nobody)
        tally.filled(people.cover, 0.3, False)
        tally.filled(nobody.cover, 0.0, True)
        tally.doubts["plate/face/x"] += 2
    for tally in (whole, second):
        tally.embodied(people, FrameBodies(()))
        tally.doubts["plate/face/x"] += 1
    first.seconds["detect"], second.seconds["detect"], whole.seconds["detect"] = 1.0, 0.5, 1.5
    joined = Tally.of(json.loads(json.dumps(first.plain()))) + second
    assert joined == whole
    assert joined.summary() == whole.summary()
    assert whole.summary()["people"] == 2 and whole.summary()["masked_share"] == pytest.approx(
        people.cover.mean() / 2, abs=1e-4
    )
