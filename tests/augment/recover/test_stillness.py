from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from m2m.augment.bodies import Camera
from m2m.augment.recover import IKRecoverer, RecoverParams
from m2m.augment.recover.rotations import exp, log
from m2m.augment.recover.skeleton import Skeleton
from m2m.augment.recover.stillness import held, slower, stands, turn_slower
from tests.augment.recover.stick import FACING, Stick, at_ease, frame, landmarks, person, posed

CAMERA = Camera.default(432, 240)
BODY = Stick()
SKELETON = Skeleton(BODY.rest_joints, BODY.parents)
PLACE = np.array([0.1, 0.1, 4.5])
ANKLES, BONES = [7, 8], [(16, 18), (18, 20), (17, 19), (19, 21), (1, 4), (4, 7), (2, 5), (5, 8)]


def turned_by(pose, degrees):
    """The same pose, turned about the vertical of the picture."""
    out = pose.copy()
    out[0] = (Rotation.from_rotvec([0, np.radians(degrees), 0]) * Rotation.from_rotvec(pose[0])).as_rotvec()
    return out


def headings(bodies):
    """Degrees about the vertical of the roots, unwrapped."""
    left = np.array([Rotation.from_rotvec(b.bodies[0].pose[0]).as_matrix()[:, 0] for b in bodies])
    return np.degrees(np.unwrap(np.arctan2(left[:, 2], left[:, 0])))


def stirring(count=50, noise=1.0, ankle_noise=0.1, seed=0):
    """Somebody who stands and waves, seen with noise; the ankles hardly move."""
    rng = np.random.default_rng(seed)
    people = []
    for t in range(count):
        pose = at_ease()
        pose[16] = [0, 0, -1.3 + 0.9 * np.sin(t / 4)]
        marks = landmarks(pose, PLACE, CAMERA)
        size = np.full((33, 1), noise)
        size[[27, 28]] = ankle_noise
        marks.image[:] += size * rng.normal(0, 1, (33, 2))
        marks.world[:] += 0.01 * rng.normal(0, noise, (33, 3))
        people.append(frame(person(0, marks, CAMERA)))
    return people


def steps(bodies):
    """(T - 1, 2) how far both ankles move in the picture between frames."""
    at = np.array([CAMERA.project(BODY.joints(b.bodies[0].pose, b.bodies[0].transl)[ANKLES]) for b in bodies])
    return np.linalg.norm(np.diff(at, axis=0), axis=-1)


@given(st.lists(st.floats(-300, 300), max_size=30), st.floats(5, 40))  # degrees; the default is 12
def test_angles_slow_down_and_keep_their_mean(values, most):
    angle = np.array(values, float)
    out = slower(angle, most)
    assert np.abs(np.diff(out)).max(initial=0) <= 1.5 * most  # 200 sweeps do not quite end 300 degrees a frame
    assert out.sum() == pytest.approx(angle.sum(), abs=1e-6)
    if np.abs(np.diff(angle)).max(initial=0) <= most:
        assert np.array_equal(out, angle)


def test_a_turn_in_one_frame_takes_its_time_and_limbs_stay():
    poses = np.array([turned_by(at_ease(), 0 if t < 20 else 90) for t in range(40)])
    out = log(turn_slower(SKELETON, exp(poses), np.radians(10)))
    left = np.array([Rotation.from_rotvec(p[0]).as_matrix()[:, 0] for p in out])
    heading = np.degrees(np.unwrap(np.arctan2(left[:, 2], left[:, 0])))
    assert np.abs(np.diff(heading)).max() < 10.1
    assert abs(heading[-1] - heading[0]) == pytest.approx(90, abs=1)
    for before, after in zip(poses, out, strict=True):
        one, two = (posed(p)[1] for p in (before, after))
        assert max(np.abs((one[b] - one[a]) - (two[b] - two[a])).max() for a, b in BONES) < 1e-6


def test_bodies_that_lie_or_turn_slowly_are_left():
    lying = np.array([Rotation.from_rotvec([0, 0, np.pi / 2]).as_rotvec()] * 30)
    lying[15:] = Rotation.from_rotvec([np.pi / 2, 0, 0]).as_rotvec()
    slow = np.array([turned_by(at_ease(), 8 * t) for t in range(30)])
    poses = np.zeros((30, 55, 3))
    poses[:, 0] = lying
    for given_poses in (poses, slow):
        local = exp(given_poses)
        assert np.allclose(turn_slower(SKELETON, local, np.radians(10)), local, atol=1e-6)


def test_a_path_is_held_where_it_stands_and_left_elsewhere():
    rng = np.random.default_rng(0)
    path = np.concatenate([np.full((20, 2), 50.0), 50 + 4 * np.arange(1, 21)[:, None] * [1, 0]])
    seen = path + rng.normal(0, 0.15, path.shape)
    still = stands(seen, np.ones(40, bool), 240)
    assert np.array_equal(still, stands(4 * seen, np.ones(40, bool), 960))
    assert still[:18].all() and not still[22:].any()
    drawn = path + rng.normal(0, 1, path.shape)  # a fit that trembles
    out = held(drawn, still)
    assert np.linalg.norm(np.diff(out[:18], axis=0), axis=1).max() < 0.3
    assert np.abs(out[30:] - drawn[30:]).max() < 0.1
    assert np.array_equal(held(drawn, np.zeros(39, bool)), drawn)
    assert not stands(seen, np.zeros(40, bool), 240).any()


@pytest.mark.parametrize("seed", [0, 1])
def test_standing_feet_do_not_slide(seed):
    people = stirring(seed=seed)
    seen = np.array([p.persons[0].landmarks.image[[27, 28]] for p in people])
    still = np.linalg.norm(np.diff(seen, axis=0), axis=-1) < 0.5
    assert still.mean() > 0.9
    free = steps(IKRecoverer(BODY, RecoverParams(hold_feet=False)).recover(people, CAMERA))[still]
    kept = steps(IKRecoverer(BODY).recover(people, CAMERA))[still]
    assert kept.max() <= 0.5
    assert kept.mean() < 0.5 * free.mean()


def test_feet_that_walk_are_not_held_back():
    people = []
    for t in range(40):
        pose = at_ease()
        pose[1], pose[2] = [-0.5 * np.sin(t / 4), 0, 0], [0.5 * np.sin(t / 4), 0, 0]
        people.append(
            frame(person(0, landmarks(turned_by(pose, 70), np.array([0.1 + 0.02 * t, 0.1, 4.5]), CAMERA), CAMERA))
        )
    true = np.array([p.persons[0].landmarks.image[[27, 28]] for p in people])
    bodies = IKRecoverer(BODY).recover(people, CAMERA)
    at = np.array([CAMERA.project(BODY.joints(b.bodies[0].pose, b.bodies[0].transl)[ANKLES]) for b in bodies])
    assert np.linalg.norm(at - true, axis=-1).mean() < 0.01 * 240


def test_a_standing_body_keeps_its_distance():
    distance = np.array([b.bodies[0].transl[2] for b in IKRecoverer(BODY).recover(stirring(noise=1.5), CAMERA)])
    assert np.abs(np.diff(np.log(distance))).max() < 0.005
    assert np.abs(np.diff(distance, 2)).max() < 0.01


def test_nobody_turns_suddenly_and_a_slow_turn_is_followed():
    def seen(angles):
        return [frame(person(0, landmarks(turned_by(at_ease(), a), PLACE, CAMERA), CAMERA)) for a in angles]

    jump = seen([0] * 20 + [60] * 20)
    free = headings(IKRecoverer(BODY, RecoverParams(most_turn=180)).recover(jump, CAMERA))
    slow = headings(IKRecoverer(BODY).recover(jump, CAMERA))
    assert np.abs(np.diff(free)).max() > 17
    assert np.abs(np.diff(slow)).max() < 15
    assert slow[-1] - slow[0] == pytest.approx(free[-1] - free[0], abs=2)
    angles = -60 + 3.0 * np.arange(40)
    found = headings(IKRecoverer(BODY).recover(seen(angles), CAMERA))
    true = headings([type("F", (), {"bodies": [type("B", (), {"pose": turned_by(at_ease(), a)})]}) for a in angles])
    assert np.abs(found - true).mean() < 5


def test_limbs_have_one_length_in_all_frames_and_people():
    """A child, a tall person and one without landmarks have the bones of the body that is drawn."""
    people = []
    for t in range(25):
        pose = turned_by(at_ease(), 3 * t)
        pose[18] = [0, -0.4 - 0.05 * t, 0]
        marks = landmarks(pose, PLACE, CAMERA)
        child = replace(marks, image=marks.image * 0.6 + [250, 80], world=marks.world * 0.6)
        box = (150.0, 40.0, 190.0, 220.0)
        people.append(
            frame(person(0, marks, CAMERA), person(1, child, CAMERA), person(2, None, CAMERA, box)),
        )
    bodies = IKRecoverer(BODY).recover(people, CAMERA)
    rest = np.asarray(BODY.rest_joints, float)
    own = [np.linalg.norm(rest[b] - rest[a]) for a, b in BONES]
    assert {len(b.bodies) for b in bodies} == {3}
    for drawn in (b for there in bodies for b in there.bodies):
        joints = BODY.joints(drawn.pose, drawn.transl)
        assert np.allclose([np.linalg.norm(joints[b] - joints[a]) for a, b in BONES], own, atol=1e-5)


def test_parameters_are_checked():
    for wrong in (0.0, 181.0, -1.0):
        with pytest.raises(ValueError, match="most_turn"):
            RecoverParams(most_turn=wrong)
    assert FACING.shape == (3,)
