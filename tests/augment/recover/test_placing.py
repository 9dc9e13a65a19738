import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m2m.augment.bodies import Camera
from m2m.augment.people import Person
from m2m.augment.recover import skeleton as sk
from m2m.augment.recover.fit import Target, refine
from m2m.augment.recover.placement import CROWN, SOLE, cut_off, figure, from_boxes, widened
from m2m.augment.recover.rotations import exp
from m2m.augment.recover.skeleton import Skeleton
from m2m.augment.recover.translation import translation
from tests.augment.recover.stick import Stick, at_ease

CAMERA = Camera.default(432, 240)
SKELETON = Skeleton(Stick.rest_joints, Stick.parents)


def body():
    turned, joints = SKELETON.forward(exp(at_ease())[None])
    return SKELETON.posed(turned, joints)


@settings(deadline=None)
@given(st.floats(-2, 2), st.floats(-1, 1), st.floats(1.5, 12), st.integers(2, 18))
def test_exact_landmarks_give_the_exact_place(x, y, z, count):
    points, place = body(), np.array([x, y, z])
    weight = np.zeros((1, points.shape[1]))
    weight[:, :count] = 1
    marks = CAMERA.project(points + place)
    assert np.allclose(translation(points, marks, weight, CAMERA)[0], place, atol=1e-4 * z)


def test_one_wrong_landmark_does_not_drag_the_body():
    points, place = body(), np.array([0.2, 0.1, 4])
    marks = CAMERA.project(points + place)
    marks[0, 2] += 60
    found = translation(points, marks, np.ones(points.shape[:2]), CAMERA, rounds=8)[0]
    assert np.abs(found - place).max() < 0.1


def test_the_fit_meets_landmarks_of_other_proportions():
    tall = np.asarray(Stick.rest_joints, float) * [0.9, 1.0, 1.0]
    tall[[4, 5]] -= [0, 0.04, 0]
    other = Skeleton(tall, Stick.parents)
    pose = exp(at_ease())[None]
    pose[0, 4] = exp(np.array([0.8, 0, 0]))
    turned, joints = other.forward(pose)
    place = np.array([[0.3, 0.0, 4.0]])
    marks = CAMERA.project(other.posed(turned, joints) + place)
    weight = np.array([[w for _, _, _, w in SKELETON.points]])
    target = Target(marks, weight, np.ptp(marks, axis=1).max(1), place[:, 2], 0.1)

    def miss(local, transl):
        turned, joints = SKELETON.forward(local)
        error = CAMERA.project(SKELETON.posed(turned, joints) + transl[:, None]) - marks
        return np.linalg.norm(error[0, :12], axis=-1).mean() / target.extent[0]

    before = miss(pose, translation(SKELETON.posed(*SKELETON.forward(pose)), marks, weight, CAMERA))
    local, transl = refine(SKELETON, pose, place, target, CAMERA, 6)
    assert miss(local, transl) < 0.5 * before
    assert miss(local, transl) < 0.01
    assert np.allclose(local @ np.swapaxes(local, -1, -2), np.eye(3), atol=1e-9)


def test_a_fit_without_weight_changes_nothing():
    pose, place = exp(at_ease())[None], np.array([[0.0, 0, 4]])
    points = len(SKELETON.points)
    target = Target(np.zeros((1, points, 2)), np.zeros((1, points)), np.array([50.0]), np.array([4.0]), 0.1)
    local, transl = refine(SKELETON, pose, place, target, CAMERA, 3)
    assert np.allclose(local, pose, atol=1e-9)
    assert np.allclose(transl, place)


def test_a_standing_body_fills_its_box():
    box = np.array([[100, 40, 160, 200.0]])
    place = from_boxes(SKELETON, box, CAMERA, bust=False)[0]
    top = SKELETON.rest[list(sk.EYES)].mean(0)[1] + CROWN
    sole = SKELETON.rest[list(sk.ANKLES)].mean(0)[1] - SOLE
    ends = CAMERA.project(place - np.array([[0, top, 0], [0, sole, 0]]))
    assert np.allclose(ends, [[130, 40], [130, 200]], atol=0.5)


@pytest.mark.parametrize(
    ("box", "cut"), [((100, 40, 160, 200), False), ((100, 40, 160, 240), True), ((50, 20, 200, 140), True)]
)
def test_boxes_that_hold_head_and_shoulders(box, cut):
    assert cut_off(np.array([box], float), CAMERA) is cut


def test_a_bust_has_its_head_at_the_top_of_the_box():
    place = from_boxes(SKELETON, np.array([[100, 60, 300, 240.0]]), CAMERA, bust=True)[0]
    top = SKELETON.rest[list(sk.EYES)].mean(0)[1] + CROWN
    assert np.allclose(CAMERA.project(place - np.array([0, top, 0])), [200, 60], atol=0.5)
    shoulders = CAMERA.project(place + np.array([[-0.26, 0, 0], [0.26, 0, 0]]))
    assert np.isclose(np.ptp(shoulders[:, 0]), 200)


def mask_of(*rects):
    mask = np.zeros((240, 432), bool)
    for x0, y0, x1, y1 in rects:
        mask[y0:y1, x0:x1] = True
    return mask


def someone(box, mask):
    return Person(0, np.array(box, np.float32), 1.0, mask, frozenset(("pose", "ssdlite")), None)


def test_a_figure_is_head_and_trunk_without_an_arm_held_out_or_what_it_rides_on():
    mask = mask_of((200, 40, 240, 200), (240, 80, 330, 92), (120, 160, 300, 200))
    assert np.allclose(figure(someone((120, 40, 330, 200), mask)), [200, 40, 240, 200])


def test_without_a_mask_the_figure_is_the_box():
    assert np.allclose(figure(someone((120, 40, 330, 200), mask_of())), [120, 40, 330, 200])


def test_head_and_shoulders_take_the_whole_width_about_their_own_middle():
    boxes = np.array([[100, 20, 300, 240.0]])
    assert np.allclose(widened(np.array([[200, 20, 260, 240.0]]), boxes), [[130, 20, 330, 240]])
