import numpy as np
import pytest

from m2m.augment.detect import DetectParams, make_detector
from m2m.video import read

SIZE = (432, 240)


def window(shared, name, start, stop):
    return np.stack([f.image for i, f in enumerate(read(shared / "clips" / name, SIZE)) if start <= i < stop])


@pytest.fixture(scope="module")
def detector():
    return make_detector(DetectParams())


@pytest.fixture(scope="module")
def girls(detector, shared):
    return detector.detect(window(shared, "schoolgirls.mp4", 0, 8))


def test_the_girls_are_covered(girls, shared):
    pil = pytest.importorskip("PIL.Image")
    for t, frame in enumerate(girls):
        true = np.array(pil.open(shared / "fixtures" / "schoolgirls_masks" / f"{t:05d}.png")) > 0
        assert (frame.cover & true).sum() / true.sum() > 0.95
        assert (frame.cover & true).sum() / frame.cover.sum() > 0.4


def test_the_girls_are_confirmed_and_keep_their_ids(girls):
    ids = [{p.track for p in f.confirmed} for f in girls]
    assert len(set.intersection(*ids)) >= 3 and len(set.union(*ids)) <= 6


def test_the_contract_holds(girls):
    for frame in girls:
        tracks = [p.track for p in frame.persons]
        assert tracks == sorted(set(tracks))
        for p in frame.persons:
            assert p.mask.shape == frame.cover.shape == (240, 432)
            assert p.mask.dtype == bool and p.box.dtype == np.float32 and p.box.shape == (4,)
            assert not (p.mask & ~frame.cover).any()
            if p.landmarks is not None:
                assert p.landmarks.image.shape == (33, 2) and p.landmarks.world.shape == (33, 3)
                assert "pose" in p.families


def test_the_same_frames_give_the_same_bytes(detector, girls, shared):
    again = detector.detect(window(shared, "schoolgirls.mp4", 0, 8))
    for a, b in zip(girls, again, strict=True):
        assert a.cover.tobytes() == b.cover.tobytes()
        for p, q in zip(a.persons, b.persons, strict=True):
            assert (p.track, p.score, p.families) == (q.track, q.score, q.families)
            assert p.mask.tobytes() == q.mask.tobytes() and p.box.tobytes() == q.box.tobytes()
            if p.landmarks is not None:
                assert p.landmarks.image.tobytes() == q.landmarks.image.tobytes()


def test_a_car_is_no_confirmed_person(detector, shared):
    # The pose model fires on a red car here.
    found = detector.detect(window(shared, "car-detection.mp4", 188, 200))
    assert any(f.persons for f in found) and not any(f.confirmed for f in found)


def test_a_close_up_without_a_body_is_a_confirmed_person(detector, shared):
    found = detector.detect(window(shared, "apply_eye_makeup.avi", 0, 8))
    assert all(f.confirmed for f in found)
    assert all(f.cover[80:160, 300:400].mean() > 0.95 for f in found)  # the face


def test_one_frame_is_a_window(detector, shared):
    (frame,) = detector.detect(window(shared, "schoolgirls.mp4", 0, 1))
    assert frame.cover.any() and frame.persons
