"""Mask R-CNN in SSDLite's place: what it says of who is a person and what is covered, without a model."""

import numpy as np
import pytest

from m2m.augment.detect import DetectParams, MaskRCNNParams, looks, make_detector
from m2m.augment.detect.boxes import box_of
from m2m.augment.detect.detector import WindowDetector
from m2m.augment.detect.segmenter import Instances
from m2m.augment.people import SUFFICIENT, Person
from m2m.video import read

HEIGHT, WIDTH, N = 60, 100, 12
ALONE = DetectParams(backend="torchvision", witnesses=False)


def figure(x, arms=0):
    """A box around a thin body with `arms` on both sides, and its mask: it fills little of its box."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[10:50, x : x + 4] = True
    mask[20:23, x - arms : x + 4 + arms] = True
    return [x - arms, 10, x + 4 + arms, 50], mask


def seen(*figures):
    """Instances of one frame from (figure, score)."""
    boxes = np.array([[*box, score] for (box, _), score in figures], np.float32).reshape(-1, 5)
    masks = np.array([mask for (_, mask), _ in figures], bool).reshape(-1, HEIGHT, WIDTH)
    return Instances(boxes, np.zeros(len(boxes), int), masks)


class Scripted:
    """A segmenter that says what it is told to say."""

    def __init__(self, script):
        self.script = script

    def look(self, frames, people=True):
        for t in range(len(frames)):
            yield self.script(t)


def detect(script, params=ALONE, n=N):
    return WindowDetector(params, Scripted(script)).detect(np.zeros((n, HEIGHT, WIDTH, 3), np.uint8))


def test_an_instance_is_a_confirmed_person_with_its_own_mask_and_box():
    people = detect(lambda t: seen((figure(20 + t, 8), 0.9)))
    for t, frame in enumerate(people):
        (person,) = frame.confirmed
        box, mask = figure(20 + t, 8)
        assert person.track == people[0].persons[0].track and person.families == {"mask_rcnn"}
        assert np.array_equal(person.mask, mask) and person.box.tolist() == box and person.landmarks is None
        assert person.score == pytest.approx(0.9)


def test_what_an_instance_covers_is_its_mask_widened_and_not_its_box():
    people = detect(lambda t: seen((figure(30, 12), 0.9)))
    _, mask = figure(30, 12)
    whole = np.zeros_like(mask)
    whole[10:50, 18:46] = True
    for frame in people:
        assert not (mask & ~frame.cover).any()
        assert frame.cover.sum() < 0.5 * whole.sum() and mask.sum() < 0.5 * whole.sum()


def test_a_box_that_its_instance_does_not_explain_is_filled_whole():
    def script(t):
        box, mask = figure(30, 12)
        mask[:] = False
        mask[12:15, 20:24] = True
        return seen(((box, mask), 0.9))

    assert all(frame.cover[10:50, 18:46].all() for frame in detect(script))


def test_evidence_below_the_score_is_covered_and_is_nobody():
    people = detect(lambda t: seen((figure(30), 0.35)))
    assert all(not f.persons and not (figure(30)[1] & ~f.cover).any() for f in people)
    sure = DetectParams(backend="torchvision", witnesses=False, mask_rcnn=MaskRCNNParams(score=0.34))
    assert all(len(f.confirmed) == 1 for f in detect(lambda t: seen((figure(30), 0.35)), sure))


def test_a_weak_instance_goes_on_with_a_track():
    people = detect(lambda t: seen((figure(30), 0.9 if t == 0 else 0.35)))
    assert [len(f.confirmed) for f in people] == [1] * N
    assert all(np.array_equal(f.persons[0].mask, figure(30)[1]) for f in people)


def test_a_gap_is_filled_by_the_box():
    people = detect(lambda t: seen() if 4 <= t < 8 else seen((figure(30, 6), 0.9)))
    assert [len(f.confirmed) for f in people] == [1] * N
    assert people[6].persons[0].mask[10:50, 24:40].all() and people[6].cover[10:50, 24:40].all()


def test_instances_are_looked_for_in_every_frame_and_held_for_one():
    people = detect(lambda t: seen((figure(30), 0.35)) if t == 5 else seen())
    assert [bool(f.cover.any()) for f in people] == [4 <= t <= 6 for t in range(N)]


def test_two_who_stand_before_each_other_are_two_and_a_double_is_one():
    def two(t):
        behind, front = figure(30, 14), figure(30 + 9, 0)  # the second's box lies in the first's, the masks apart
        behind[1][20:23, 39:43] = False
        return seen((behind, 0.9), (front, 0.8))

    assert [len(f.confirmed) for f in detect(two)] == [2] * N

    def double(t):
        whole, part = figure(30, 14), figure(30, 2)
        return seen((whole, 0.9), (part, 0.8))

    assert [len(f.confirmed) for f in detect(double)] == [1] * N


def test_alone_it_loads_no_other_model(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a witness was loaded")

    for name in ("PoseTracker", "MediapipeFaces", "SelfieSegmenter", "SSDLite"):
        monkeypatch.setattr(looks, name, refuse)
    monkeypatch.setattr("m2m.augment.detect.detector.HandLandmarker", refuse)
    assert detect(lambda t: seen((figure(30), 0.9)))[0].confirmed
    with pytest.raises(AssertionError, match="loaded"):
        WindowDetector(DetectParams(backend="torchvision"), Scripted(lambda t: seen()))


def test_witnesses_join_what_mask_rcnn_sees(shared):
    """Drawn instances of the four girls, in every second frame only the first girl's; all other models are real."""
    pil = pytest.importorskip("PIL.Image")
    read_clip = zip(range(4), read(shared / "clips" / "schoolgirls.mp4", (432, 240)), strict=False)
    frames = np.stack([frame.image for _, frame in read_clip])
    ids = [np.array(pil.open(shared / "fixtures" / "schoolgirls_masks" / f"{t:05d}.png")) for t in range(4)]

    def script(t):
        masks = [ids[t] == girl for girl in ((1, 3, 5, 7) if t % 2 == 0 else (1,))]
        boxes = np.array([[*box_of(mask), 0.95] for mask in masks], np.float32)
        return Instances(boxes, np.zeros(len(masks), int), np.array(masks))

    people = WindowDetector(DetectParams(backend="torchvision"), Scripted(script)).detect(frames)
    for t, frame in enumerate(people):
        assert len(frame.confirmed) >= 3
        assert (frame.cover & (ids[t] > 0)).sum() > 0.95 * (ids[t] > 0).sum()
        first = max(frame.persons, key=lambda p: (p.mask & (ids[t] == 1)).sum())
        assert not ((ids[t] == 1) & ~first.mask).any() and {"mask_rcnn", "pose"} <= first.families
        assert np.array_equal(first.box, box_of(ids[t] == 1)) and first.landmarks is not None
        assert not any((p.mask & ~frame.cover).any() for p in frame.persons)


def test_nobody_is_nobody():
    people = detect(lambda t: seen())
    assert len(people) == N and not any(f.cover.any() or f.persons for f in people)


def test_the_family_suffices_alone():
    def person(*families):
        return Person(0, np.zeros(4, np.float32), 1.0, np.zeros((1, 1), bool), frozenset(families))

    assert person(SUFFICIENT).confirmed and person("pose", "face").confirmed
    assert not person("pose").confirmed and not person("ssdlite").confirmed


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"backend": "yolo"}, "backend is"),
        ({"witnesses": False}, "witnesses"),
        (
            {"backend": "detectron2", "mask_rcnn": MaskRCNNParams(model="maskrcnn_resnet50_fpn_v2_coco")},
            "detectron2 runs",
        ),
    ],
)
def test_parameters_that_do_not_go_together_are_refused(bad, message):
    with pytest.raises(ValueError, match=message):
        DetectParams(**bad)


@pytest.mark.parametrize(
    "bad", [{"model": "yolo"}, {"batch": 0}, {"short_side": 900, "long_side": 800}, {"short_side": 8}, {"score": 1.0}]
)
def test_values_of_mask_rcnn_out_of_range_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        MaskRCNNParams(**bad)


def test_make_detector_takes_the_backend_that_is_named(monkeypatch):
    import m2m.augment.detect as detect_stage

    monkeypatch.setattr(detect_stage, "make_segmenter", lambda params: Scripted(lambda t: seen((figure(30), 0.9))))
    (frame,) = make_detector(ALONE).detect(np.zeros((1, HEIGHT, WIDTH, 3), np.uint8))
    assert frame.confirmed
