"""Faces count where the drawn body does not explain them, once if sure, twice if not."""

import numpy as np

from m2m.audit.params import AuditParams
from m2m.audit.residue import Residue, drawn_share
from m2m.augment.render import RenderParams

BODY = RenderParams().colour
FACE = (20.0, 20.0, 40.0, 44.0)
PARAMS = AuditParams()


def picture(colour, seed=0) -> np.ndarray:
    """A patch of one hue in changing light."""
    light = np.random.default_rng(seed).uniform(0.4, 1.0, (64, 64, 1))
    return np.rint(np.array(colour) * light).astype(np.uint8)


def hits(*scores: float) -> np.ndarray:
    return np.array([[*FACE, s] for s in scores], np.float32).reshape(-1, 5)


def outputs(looks, frame=None, colour=BODY):
    residue = Residue(PARAMS)
    for i, scores in enumerate(looks):
        residue.outputs(3 * i, picture((200, 140, 110)) if frame is None else frame, hits(*scores), colour)
    return residue.check("output")


def test_a_body_in_any_light_has_its_hue_and_skin_and_grey_have_not():
    assert drawn_share(picture(BODY), FACE, BODY) > 0.95
    for skin in ((224, 172, 105), (141, 85, 36), (255, 219, 172), (80, 52, 38), (160, 160, 160)):
        assert drawn_share(picture(skin), FACE, BODY) < 0.05
    assert drawn_share(np.zeros((64, 64, 3), np.uint8), FACE, BODY) == 0
    assert drawn_share(picture(BODY), (-30, -30, -10, -10), BODY) == 0


def test_one_sure_face_is_an_alarm():
    found = outputs([[], [0.6], []])
    assert found.ok is False
    assert found.figures["sightings"][0]["frame"] == 3


def test_a_weak_face_is_an_alarm_when_it_is_seen_again():
    assert outputs([[], [0.35], [], [], []]).ok is True
    assert outputs([[], [0.35], [0.4], []]).ok is False
    assert outputs([[], [0.35], [], [0.4]]).ok is False
    assert outputs([[0.35], [], [], [0.4]]).ok is True
    assert outputs([[0.2]] * 5).ok is True


def test_the_drawn_head_is_no_face_and_that_is_said():
    found = outputs([[0.9], [0.9]], picture(BODY))
    assert found.ok is True
    assert found.figures["explained"] == 2


def test_where_nothing_is_drawn_every_face_counts():
    assert outputs([[0.9]], picture(BODY), None).ok is False


def test_on_plates_a_smooth_fill_does_not_count():
    rough = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    for plate, ok in ((rough, False), (np.full((64, 64, 3), 120, np.uint8), True)):
        residue = Residue(PARAMS)
        residue.plates(0, plate, hits(0.8), "person", "ssdlite")
        assert residue.check("plate").ok is ok


def test_sightings_of_two_models_do_not_add_up():
    rough = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    residue = Residue(PARAMS)
    residue.plates(0, rough, hits(0.35), "person", "ssdlite")
    residue.plates(3, rough, hits(0.35), "face", "centerface")
    assert residue.check("plate").ok is True
