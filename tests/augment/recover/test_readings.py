import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from m2m.augment.bodies import Camera
from m2m.augment.recover.readings import choose, doubt, readings
from m2m.augment.recover.skeleton import MIRROR
from tests.augment.recover.stick import FACING, at_ease, landmarks, points

TIMES = np.arange(40)
QUIET = np.zeros(40)
ALL = np.ones((40, 33))


def turning(headings):
    out = []
    for heading in headings:
        pose = at_ease()
        pose[0] = (Rotation.from_rotvec([0, heading, 0]) * Rotation.from_rotvec(FACING)).as_rotvec()
        out.append(points(pose))
    return np.array(out)


def test_a_few_frames_seen_from_the_wrong_side_are_turned_back():
    world = turning(np.zeros(40) + 0.2)
    wrong = world.copy()
    wrong[10:15] = wrong[10:15][:, MIRROR] * [1, 1, -1]
    reading = choose(wrong, ALL, TIMES, QUIET)
    assert reading.tolist() == [2 if 10 <= t < 15 else 0 for t in TIMES]
    assert np.allclose(readings(wrong)[np.arange(40), reading], world)


def test_swapped_names_are_given_back():
    world = turning(np.zeros(40))
    world[20:23] = world[20:23][:, MIRROR]
    assert choose(world, ALL, TIMES, QUIET)[20:23].tolist() in ([1] * 3, [2] * 3)


def test_someone_who_turns_round_is_left_alone():
    assert not choose(turning(np.linspace(0, 2 * np.pi, 40)), ALL, TIMES, QUIET).any()


def test_frames_that_are_no_pose_are_left_out():
    world = turning(np.zeros(40))
    world[5:9] = np.random.default_rng(0).normal(0, 0.5, (4, 33, 3))
    doubts = np.where((TIMES >= 5) & (TIMES < 9), 0.2, 0.0)
    assert np.flatnonzero(choose(world, ALL, TIMES, doubts) < 0).tolist() == [5, 6, 7, 8]


def test_a_track_of_nonsense_has_no_reading():
    world = np.random.default_rng(0).normal(0, 1, (10, 33, 3))
    assert (choose(world, ALL[:10], np.arange(10), np.full(10, 0.3)) == -1).all()


def test_a_steady_handstand_is_believed():
    pose = at_ease()
    pose[0] = (Rotation.from_rotvec([0, 0, np.pi]) * Rotation.from_rotvec(FACING)).as_rotvec()
    camera = Camera.default(432, 240)
    marks = landmarks(pose, np.array([0, 0, 4.0]), camera)
    image, world = np.repeat(marks.image[None], 40, 0), np.repeat(marks.world[None], 40, 0)
    doubts = doubt(image, world, np.ones((40, 33)))
    assert doubts.min() > 0
    assert not choose(world, ALL, TIMES, doubts).any()


@pytest.mark.parametrize("scale", [20, 150])
def test_doubt_does_not_depend_on_size_and_sees_a_picture_that_is_another_pose(scale):
    world = turning(np.zeros(1))
    image = 100 + scale * world[..., :2]
    assert doubt(image, world, np.ones((1, 33)))[0] < 1e-6
    other = image + np.random.default_rng(0).normal(0, 0.3 * scale, image.shape)
    assert doubt(other, world, np.ones((1, 33)))[0] > 0.1
