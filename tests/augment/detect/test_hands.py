import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from m2m.augment.bodies import Camera
from m2m.augment.body.mannequin import Mannequin
from m2m.augment.detect import DetectParams
from m2m.augment.detect.hands import HandLandmarker, crop_of_hand, crop_of_pose
from m2m.augment.people import FramePeople, Landmarks, Person
from m2m.augment.recover.fingers import bends
from m2m.studio.draw import Figure, Light, draw
from m2m.studio.person import dress

CAMERA = Camera.default(640, 480)


@pytest.fixture(scope="module")
def landmarker():
    return HandLandmarker(1)


def picture(curl, stretch=1.0):
    """Somebody close by who raises both hands, palms to the camera, and their pose landmarks."""
    body = Mannequin()
    pose = np.zeros((55, 3))
    pose[0] = [np.pi, 0, 0]
    pose[16], pose[17] = [0, 0, 0.2], [0, 0, -0.2]
    for wrist, elbow, sign in ((20, 18, 1), (21, 19, -1)):
        pose[elbow] = [0, 0, sign * 1.3]
        pose[wrist] = Rotation.from_euler("x", -np.pi / 2).as_rotvec()
    for first, sign in ((25, 1), (40, -1)):
        pose[first : first + 12, 2] = -sign * curl
    place = np.array([0.0, 0.45, 1.9])
    who = dress(body, np.random.default_rng(5))
    figure = Figure(body.vertices(pose, place), body.faces, who.colors, who.puff)
    plate = np.full((480, 640, 3), 150, np.uint8)
    image, _ = draw(plate, [figure], CAMERA, Light(np.array([0.3, -0.5, -0.8]) / np.sqrt(0.98), 0.5))
    at = CAMERA.project(body.joints(pose, place))
    marks, ones = np.zeros((33, 2), np.float32), np.ones(33, np.float32)
    for mark, joint in ((15, 20), (16, 21), (19, 25), (20, 40), (17, 31), (18, 46)):
        marks[mark] = at[joint] * [stretch, 1]
    return image, Landmarks(marks, ones, ones, ones, np.zeros((33, 3), np.float32), 1.0)


def test_an_open_hand_and_a_fist_are_told_apart(landmarker):
    opened, closed = (landmarker.look(*picture(curl)) for curl in (0.1, 1.1))
    assert opened.shape == (2, 21, 3) and opened.dtype == np.float32
    for side in (0, 1):
        assert np.isfinite(opened[side]).all()
        if np.isfinite(closed[side]).all():
            assert bends(closed[side]).mean() > bends(opened[side]).mean() + 0.4
    assert np.isfinite(closed).any()


def test_where_there_is_no_hand_nothing_is_seen(landmarker):
    image, marks = picture(0.1)
    assert landmarker.look(np.full_like(image, 150), marks) is None
    hidden = Landmarks(marks.image, marks.depth, marks.visibility * 0, marks.presence, marks.world, 1.0)
    assert landmarker.look(image, hidden) is None


def test_hands_are_looked_at_every_few_frames_and_only_of_people_two_models_saw(landmarker):
    image, marks = picture(0.1)
    none = np.zeros((480, 640), bool)
    box = np.array([0, 0, 640, 480], np.float32)
    sure, unsure = (Person(k, box, 1.0, none, frozenset(f), marks) for k, f in enumerate((("pose", "face"), ("pose",))))
    people = [FramePeople((sure, unsure, Person(2, box, 1.0, none)), none)] * 4
    out = landmarker.add(np.stack([image] * 4), people, 1.0, 3)
    seen = [[p.landmarks is not None and p.landmarks.hands is not None for p in there.persons] for there in out]
    assert seen == [[True, False, False], [False] * 3, [False] * 3, [True, False, False]]
    assert people[0].persons[0].landmarks.hands is None


@pytest.mark.parametrize("angle", [0.0, 1.0, -2.5])
def test_crops_turn_with_the_hand_and_hold_it(angle):
    turn = Rotation.from_rotvec([0, 0, angle]).as_matrix()[:2, :2]
    lengths = (0.5, 0.7, 0.85, 1.0)
    fingers = np.array([[0, 0], *([0.15 * k - 0.3, -y] for k in range(5) for y in lengths)]) * 40
    points = fingers @ turn.T + [200, 150]
    by_hand = crop_of_hand(points)
    by_pose = crop_of_pose(points[0], points[5], points[17])
    for crop in (by_hand, by_pose):
        inverse = np.linalg.inv(np.vstack([crop.matrix(100), [0, 0, 1]]))
        inside = points @ inverse[:2, :2].T + inverse[:2, 2]
        assert (inside > 0).all() and (inside < 100).all()
        assert inside[12, 1] < inside[0, 1] - 20  # the middle finger points up
    assert (by_hand.angle - angle + np.pi) % (2 * np.pi) - np.pi == pytest.approx(0, abs=0.2)


def test_the_stride_is_checked():
    with pytest.raises(ValueError, match="hand_stride"):
        DetectParams(hand_stride=-1)
