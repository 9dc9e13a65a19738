"""People whom the masks miss, and plates on which nothing was painted."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m2m.augment.missed import bridged, followed, missed, untouched
from m2m.augment.people import FramePeople, Person
from m2m.augment.plate import Plate

H, W, T = 48, 64, 9
RNG = np.random.default_rng(0)
ROOM = RNG.integers(60, 200, (H, W, 3), dtype=np.uint8)
SOMEBODY = RNG.integers(60, 200, (H, W, 3), dtype=np.uint8)


def box(x0, y0, x1, y1):
    mask = np.zeros((H, W), bool)
    mask[y0:y1, x0:x1] = True
    return mask


def test_a_part_that_is_not_painted_out_is_told_with_its_place():
    people = box(10, 8, 20, 40)
    assert missed(people, people, 0.001).shape == (0, 4)
    assert missed(people, people & False, 0.001).tolist() == [[10, 8, 20, 40]]
    assert missed(people, box(0, 0, W, 24), 0.001).tolist() == [[10, 8, 20, 40]], "the whole person"
    other = people | box(30, 8, 40, 40)
    assert missed(other, people, 0.001).tolist() == [[30, 8, 40, 40]]
    assert not len(missed(people, box(0, 0, W, 38), 0.001)), "a rim is within what models are wrong by"
    assert not len(missed(people, box(0, 0, W, 24), 0.2)), "less than what counts"


def cover_of(present):
    return np.stack([box(10, 8, 22, 40) if there else box(0, 0, 0, 0) for there in present])


@given(st.lists(st.booleans(), min_size=3, max_size=12), st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_gaps_are_bridged_whole_up_to_their_length_and_no_longer_ones(present, gap):
    out = bridged(cover_of(present), gap).any((1, 2))
    known = [t for t, there in enumerate(present) if there]
    for t, there in enumerate(present):
        before, after = [k for k in known if k < t], [k for k in known if k > t]
        short = bool(before and after) and after[0] - before[-1] - 1 <= gap
        assert out[t] == (there or short)


@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
@settings(max_examples=20, deadline=None)
def test_a_bridge_only_adds(seed, gap):
    cover = np.random.default_rng(seed).random((6, 12, 16)) < 0.6
    assert (bridged(cover, gap) | cover).sum() == bridged(cover, gap).sum()


def test_a_bridge_covers_where_the_person_was_and_will_be():
    cover = cover_of([True, False, True])
    cover[2] = box(14, 8, 26, 40)
    assert np.array_equal(bridged(cover, 1)[1], box(10, 8, 26, 40))
    assert not bridged(cover, 1, np.stack([box(30, 0, 60, H)] * 3))[1].any(), "elsewhere"
    assert bridged(cover, 1, np.stack([box(0, 0, 20, 30)] * 3))[1].any()


def scene(places):
    """Frames with somebody at a place in each, the true plate, and who was found."""
    frames, people = np.stack([ROOM] * len(places)), []
    for t, x in enumerate(places):
        mask = box(x, 8, x + 14, 40)
        frames[t][mask] = SOMEBODY[mask]
        person = Person(0, np.array([x, 8, x + 14, 40], np.float32), 0.9, mask, frozenset({"pose", "ssdlite"}))
        people.append(FramePeople((person,), mask))
    return frames, np.stack([ROOM] * len(places)), people


@pytest.mark.parametrize("places", [[10] * T, list(range(10, 10 + 4 * T, 4))], ids=["still", "walking"])
@pytest.mark.parametrize("known", [True, False])
def test_a_plate_that_is_the_original_is_no_plate(places, known):
    frames, plates, people = scene(places)
    region = np.stack([p.cover for p in people])
    claimed = region if known else region & False
    assert not untouched(Plate(plates, region, claimed), frames, people, 0.01)
    plates[4] = frames[4]
    assert {t for t, _ in untouched(Plate(plates, region, claimed), frames, people, 0.01)} == {4}


def test_background_inside_a_mask_that_is_shown_again_is_nobody():
    frames, plates, people = scene(list(range(4, 4 + 4 * T, 4)))
    wide = box(0, 0, 50, H)
    there = [
        FramePeople((Person(0, p.persons[0].box, 0.9, wide, frozenset({"pose", "face"})),), p.cover) for p in people
    ]
    region = np.stack([wide] * T)
    assert not untouched(Plate(plates, region, region), frames, there, 0.01)
    assert untouched(Plate(plates, region, region & False), frames, there, 0.01), "nobody can have seen it"


def test_black_on_black_is_nobody():
    frames, plates, people = scene([10] * T)
    frames[:], plates[:] = 0, 0
    region = np.stack([p.cover for p in people])
    assert not untouched(Plate(plates, region, region & False), frames, people, 0.01)


def textured(seed: int = 0, size: tuple[int, int] = (144, 192)) -> np.ndarray:
    """A scene with detail that a flow can hold on to."""
    rng = np.random.default_rng(seed)
    small = rng.integers(40, 200, (size[0] // 8, size[1] // 8, 3), np.uint8)
    return cv2.resize(small, size[::-1], interpolation=cv2.INTER_CUBIC)


def walking(n: int = 8, step: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Somebody with a pattern who moves to the right; (T, H, W, 3) and (T, H, W) where."""
    scene, body = textured(), textured(7, (72, 40))
    frames, where = np.repeat(scene[None], n, 0), np.zeros((n, 144, 192), bool)
    for t in range(n):
        x = 40 + step * t
        frames[t, 40:112, x : x + 40] = body
        where[t, 40:112, x : x + 40] = True
    return frames, where


def persons(where: np.ndarray, missing: tuple[int, ...]) -> list[FramePeople]:
    """Those whom a detector found that misses some frames."""
    empty = np.zeros_like(where[0])
    there = [empty if t in missing else mask for t, mask in enumerate(where)]
    families = frozenset({"pose", "selfie"})
    return [
        FramePeople((Person(1, np.zeros(4, np.float32), 1.0, mask, families),) if mask.any() else (), mask)
        for mask in there
    ]


@pytest.mark.parametrize("missing", [(3,), (2, 3, 4, 5), (5, 6, 7), (0, 1, 2)])
def test_whom_the_masks_lose_is_followed(missing):
    frames, where = walking()
    found = followed(frames, persons(where, missing))
    for t in range(len(frames)):
        if t in missing:
            assert (found[t] & where[t]).sum() > 0.95 * where[t].sum()
            assert (found[t] & ~where[t]).sum() < 1.7 * where[t].sum()  # room for limbs, and no trail
        else:
            assert not found[t].any()


def test_who_is_gone_is_not_followed():
    frames, where = walking()
    frames[4:] = textured()  # out of the picture from one frame to the next
    found = followed(frames, persons(where, (4, 5, 6, 7)))
    assert not found.any()


def test_nobody_is_followed_where_nobody_was():
    frames, where = walking()
    assert not followed(frames, persons(where & False, ())).any()
