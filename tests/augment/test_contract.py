"""What backends promise; a chain with backends that break it is in faults/."""

from dataclasses import replace

import numpy as np
import pytest

from m2m.augment.bodies import Body, FrameBodies
from m2m.augment.contract import check_bodies, check_hits, check_people, check_picture, check_plate
from m2m.augment.people import FramePeople, Landmarks, Person
from m2m.augment.plate import Plate
from m2m.errors import QuarantineError

H, W = 6, 8
FRAMES = np.zeros((2, H, W, 3), np.uint8)
MASK = np.eye(H, W, dtype=bool)
MARKS = Landmarks(*(np.zeros(s, np.float32) for s in ((33, 2), 33, 33, 33, (33, 3))), score=1.0)
PERSON = Person(3, np.zeros(4, np.float32), 0.5, MASK, frozenset(), MARKS)
FOUND = FramePeople((PERSON,), MASK)
PLATE = Plate(FRAMES, np.stack([MASK] * 2), np.stack([MASK] * 2))
BODY = Body(3, np.zeros((55, 3)), np.zeros(3))
NAN = np.float32("nan")


def refused(what):
    return pytest.raises(QuarantineError, match=what)


def test_what_is_promised_passes():
    check_people([FOUND, FOUND], FRAMES)
    check_people([FramePeople((), MASK)] * 2, FRAMES)
    check_plate(PLATE, FRAMES, np.stack([MASK] * 2))
    check_bodies([FrameBodies((BODY,)), FrameBodies(())], [FOUND, FOUND])
    check_picture(np.zeros((H, W, 4), np.uint8), FRAMES[0])
    assert check_hits([], "a").shape == (0, 5) and check_hits(np.ones((2, 5)), "a").shape == (2, 5)


@pytest.mark.parametrize(
    ("found", "what"),
    [
        ([FOUND], "people of 1 frames for 2"),
        ([FOUND, FramePeople((), MASK.T)], "a cover of"),
        ([FOUND, FramePeople((PERSON,), MASK & False)], "a cover without the mask of person 3 in frame 1"),
        ([FOUND, replace(FOUND, persons=(replace(PERSON, box=PERSON.box * NAN),))], "numbers that are none"),
        ([FOUND, replace(FOUND, persons=(replace(PERSON, score=float("nan")),))], "numbers that are none"),
        (
            [FOUND, replace(FOUND, persons=(replace(PERSON, landmarks=replace(MARKS, world=MARKS.world * NAN)),))],
            "none",
        ),
    ],
)
def test_a_detector(found, what):
    with refused(what) as caught:
        check_people(found, FRAMES)
    assert caught.value.reason == "error" and caught.value.evidence == {"backend": "detector"}


@pytest.mark.parametrize(
    ("plate", "what"),
    [
        (Plate(FRAMES[:1], PLATE.region[:1], PLATE.known[:1]), r"a plate of \(1, 6, 8, 3\)"),
        (replace(PLATE, frames=FRAMES.astype(np.float32)), "float32"),
        (replace(PLATE, known=PLATE.known[:1]), "masks of another size"),
        (replace(PLATE, front=PLATE.known[:1]), "masks of another size"),
        (replace(PLATE, region=PLATE.region & False), "less painted than was asked for"),
    ],
)
def test_an_inpainter(plate, what):
    with refused(what):
        check_plate(plate, FRAMES, PLATE.region)


@pytest.mark.parametrize(
    ("bodies", "what"),
    [
        ([], "bodies of 0 frames"),
        ([FrameBodies((replace(BODY, pose=BODY.pose * NAN),)), FrameBodies(())], "person 3 in frame 0"),
        ([FrameBodies(()), FrameBodies((replace(BODY, transl=np.full(3, np.inf)),))], "person 3 in frame 1"),
        ([FrameBodies((replace(BODY, track=4),)), FrameBodies(())], "person 4, whom nobody found"),
    ],
)
def test_a_recoverer(bodies, what):
    with refused(what):
        check_bodies(bodies, [FOUND, FOUND])


@pytest.mark.parametrize("hits", [np.ones((2, 4)), np.full((1, 5), np.nan), np.ones(5)])
def test_a_model_of_the_verifier(hits):
    with refused("ssdlite gave hits"):
        check_hits(hits, "ssdlite")


@pytest.mark.parametrize("picture", [np.zeros((H, W, 3), np.uint8), np.zeros((H, W, 4)), np.zeros((3, W, 4), np.uint8)])
def test_a_renderer(picture):
    with refused("renderer gave a picture"):
        check_picture(picture, FRAMES[0])
