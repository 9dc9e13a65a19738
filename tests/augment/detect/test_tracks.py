import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m2m.augment.detect.link import link
from m2m.augment.detect.looks import Looks
from m2m.augment.detect.params import DetectParams
from m2m.augment.detect.track import Track
from m2m.augment.detect.tracks import build_tracks, continuation
from m2m.augment.people import FramePeople, Person

HEIGHT, WIDTH = 60, 100


def looks(n, boxes=None, faces=None):
    packed = np.zeros((HEIGHT, (WIDTH + 7) // 8), np.uint8)
    none = np.zeros((0, 5), np.float32)
    times = range(0, n, 3)
    boxes = {t: (boxes or {}).get(t, none) for t in times}
    return Looks(
        HEIGHT, WIDTH, np.zeros((n, HEIGHT, WIDTH), np.uint8), [{}] * n, [packed] * n, [packed] * n,
        boxes, {t: [packed] * len(b) for t, b in boxes.items()}, {t: (faces or {}).get(t, none) for t in times},
    )  # fmt: skip


def walker(t, x0=5.0, speed=0.5, score=0.9):
    return [x0 + speed * t, 10, x0 + speed * t + 15, 50, score]


def at(*rows):
    return np.array(rows, np.float32)


def test_one_walker_is_one_track_over_missed_looks():
    seen = {t: at(walker(t)) for t in range(0, 60, 3) if t not in (15, 18, 21, 24, 27)}
    tracks = build_tracks(looks(60, seen), DetectParams())
    assert len(tracks) == 1
    assert (tracks[0].first, tracks[0].last) == (0, 57)
    assert np.allclose(tracks[0].box_at(20), walker(20)[:4], atol=1e-4)


def test_two_walkers_apart_are_two_tracks():
    seen = {t: at(walker(t), walker(t, 70, -0.1)) for t in range(0, 30, 3)}
    assert len(build_tracks(looks(30, seen), DetectParams())) == 2


def test_a_gap_longer_than_allowed_ends_the_track():
    seen = {t: at(walker(0)) for t in [*range(0, 12, 3), *range(60, 72, 3)]}
    assert len(build_tracks(looks(72, seen), DetectParams(gap=25))) == 2
    assert len(build_tracks(looks(72, seen), DetectParams(gap=60))) == 1


def test_weak_boxes_start_no_track():
    seen = {t: at(walker(t, score=0.4)) for t in range(0, 30, 3)}
    assert build_tracks(looks(30, seen), DetectParams(box_birth=0.5)) == []


def test_a_face_in_a_box_belongs_to_its_person():
    seen = {t: at(walker(t)) for t in range(0, 30, 3)}
    faces = {t: at([9 + 0.5 * t, 12, 16 + 0.5 * t, 20, 0.9]) for t in range(0, 30, 3)}
    (track,) = build_tracks(looks(30, seen, faces), DetectParams())
    assert track.families(12, 5) == {"ssdlite", "face"}


def face_at(x, y=12.0, size=8.0):
    return [x, y, x + size, y + size, 0.9]


def test_nobody_has_two_faces():
    """A parent and the child in the arms: one box around both, two faces."""
    seen = {t: at([20, 10, 60, 55, 0.9]) for t in range(0, 30, 3)}
    faces = {t: at(face_at(26), face_at(46)) for t in range(0, 30, 3)}
    tracks = build_tracks(looks(30, seen, faces), DetectParams())
    assert len(tracks) == 2
    assert all(track.seen_by("face") == set(range(0, 30, 3)) for track in tracks)
    assert sorted(track.is_face for track in tracks) == [False, True]


def test_one_face_beside_a_box_starts_a_person_who_keeps_it():
    seen = {t: at(walker(t, 5, 0)) for t in range(0, 30, 3)}
    faces = {t: at(face_at(70 - t / 3)) for t in range(0, 30, 3)}
    body, alone = sorted(build_tracks(looks(30, seen, faces), DetectParams()), key=lambda track: track.is_face)
    assert body.seen_by("face") == set() and alone.seen_by("face") == set(range(0, 30, 3))


def test_a_face_keeps_no_body_where_it_was():
    """The box is seen at first only; then the face moves on, and the body with it."""
    seen = {t: at(walker(0)) for t in (0, 3)}
    faces = {t: at(face_at(8 + t)) for t in range(0, 24, 3)}
    (track,) = build_tracks(looks(24, seen, faces), DetectParams())
    assert track.box_at(21)[0] - track.box_at(3)[0] == pytest.approx(18)
    assert np.allclose(track.box_at(21)[2:] - track.box_at(21)[:2], [15, 40])


def test_the_face_of_another_keeps_nobody():
    """Someone goes behind another, whose face is seen on: the hidden one's track ends."""
    seen = {t: at(walker(0)) for t in (0, 3)}
    faces = {0: at(face_at(8)), 3: at(face_at(8)), **{t: at(face_at(22)) for t in range(6, 30, 3)}}
    tracks = build_tracks(looks(30, seen, faces), DetectParams())
    assert [(track.first, track.last) for track in tracks] == [(0, 3), (6, 27)]


def blob(evidence, t, box):
    x0, y0, x1, y1 = (round(v) for v in box[:4])
    evidence.selfie[t, y0:y1, max(0, x0) : x1] = 250


def test_a_track_goes_on_where_segmentation_shows_the_person():
    evidence = looks(40, {t: at(walker(t)) for t in range(9, 18, 3)})
    for t in range(40):
        blob(evidence, t, walker(t))
    (track,) = build_tracks(evidence, DetectParams())
    assert (track.first, track.last) == (0, 39)
    assert np.abs(track.box_at(0) - walker(0)[:4]).max() <= 1 and np.abs(track.box_at(39) - walker(39)[:4]).max() <= 1
    (short,) = build_tracks(evidence, DetectParams(gap=4))
    assert (short.first, short.last) == (5, 19)


def test_a_track_ends_where_the_person_does():
    evidence = looks(40, {t: at(walker(0)) for t in range(9, 18, 3)})
    for t in range(24):
        blob(evidence, t, walker(0))
    blob(evidence, 30, walker(0))
    (track,) = build_tracks(evidence, DetectParams())
    assert (track.first, track.last) == (0, 23)


def test_segmentation_confirms_no_pose():
    track = Track(witnesses={"pose": {5}, "selfie": {5, 6}})
    assert track.families(5, 3) == {"pose"}
    track.witnesses["ssdlite"] = {7}
    assert track.families(5, 3) == {"pose", "selfie", "ssdlite"}
    assert track.families(5, 1) == {"pose"}


@given(st.floats(0, 80), st.floats(0, 200), st.integers(1, 25))
def test_the_nearer_box_goes_on(x, further, frames):
    here = np.array([x, 0, x + 20, 50.0])
    near, far = (here + np.array([d, 0, d, 0]) for d in (3, 3 + further))
    assert (
        1
        >= continuation(here, here, frames)
        >= continuation(here, near, frames)
        >= continuation(here, far, frames)
        >= 0
    )


def people(rows):
    """A window: for each frame a list of (id, x)."""
    empty = np.zeros((4, 4), bool)
    return [
        FramePeople(tuple(Person(i, np.array([x, 0, x + 10, 30], np.float32), 0.9, empty) for i, x in row), empty)
        for row in rows
    ]


@settings(max_examples=50)
@given(st.permutations(range(4)), st.integers(1, 5))
def test_a_track_keeps_its_id_across_windows(order, overlap):
    before = people([[(10 + i, 40.0 * i) for i in range(4)]] * 6)
    after = people([[(order[i], 40.0 * i + 2) for i in range(4)]] * 6)
    linked, next_id = link(before, after, overlap, 14)
    assert next_id == 14
    for frame in linked:
        assert [p.track for p in frame.persons] == [10, 11, 12, 13]
        assert [float(p.box[0]) for p in frame.persons] == [2.0, 42.0, 82.0, 122.0]


def test_newcomers_get_new_ids_and_nobody_two():
    before = people([[(7, 0.0)]] * 4)
    after = people([[(0, 100.0)], [(0, 100.0), (1, 0.0)], [(1, 0.0), (0, 100.0), (5, 200.0)]])
    linked, next_id = link(before, after, 2, 8)
    assert [[p.track for p in f.persons] for f in linked] == [[8], [7, 8], [7, 8, 9]]
    assert next_id == 10


def test_a_first_window_is_named_from_the_next_id():
    linked, next_id = link([], people([[(0, 0.0), (3, 50.0)]]), 0, 20)
    assert [p.track for p in linked[0].persons] == [20, 21] and next_id == 22


def test_windows_shorter_than_their_overlap_are_refused():
    with pytest.raises(ValueError, match="cannot share 3"):
        link(people([[]] * 2), people([[]] * 5), 3, 0)
