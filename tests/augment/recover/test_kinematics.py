import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from m2m.augment.recover.kinematics import NECK, neutral, solve
from m2m.augment.recover.rotations import angle_between, log
from m2m.augment.recover.skeleton import MIRROR, Skeleton
from tests.augment.recover.stick import FACING, PARENTS, Stick, at_ease, points, posed

SKELETON = Skeleton(Stick.rest_joints, Stick.parents)
BONES = ((16, 18), (18, 20), (17, 19), (19, 21), (1, 4), (4, 7), (2, 5), (5, 8))
ALL = np.ones((1, 33))


def directions(joints):
    bones = np.array([joints[b] - joints[a] for a, b in BONES])
    return bones / np.linalg.norm(bones, axis=1, keepdims=True)


def recovered(body, trust=ALL):
    local, _ = solve(SKELETON, body[None], trust)
    return local[0], posed(log(local[0]))


def test_forward_kinematics_agree_with_scipy():
    pose = np.random.default_rng(0).normal(0, 0.7, (55, 3))
    turned, joints = SKELETON.forward(Rotation.from_rotvec(pose).as_matrix()[None])
    expected_turned, expected = posed(pose)
    assert np.allclose(joints[0], expected, atol=1e-9)
    assert np.allclose(turned[0, 20], expected_turned[20].as_matrix(), atol=1e-9)
    assert (SKELETON.parents == PARENTS).all()


angle = st.floats(-0.5, 0.5)
flex = st.floats(0.5, 1.8)


@settings(deadline=None)
@given(st.floats(-np.pi, np.pi), angle, st.tuples(flex, flex, flex, flex), st.tuples(angle, angle, angle, angle), angle)
def test_posed_limbs_point_where_the_landmarks_say(heading, lean, bends, swings, twist):
    pose = at_ease()
    root = Rotation.from_euler("yxz", [heading, lean, lean / 2]) * Rotation.from_rotvec(FACING)
    pose[0] = root.as_rotvec()
    pose[16, 1:], pose[17, 1:] = [swings[0], -1.0 + swings[1]], [swings[2], 1.0 + swings[3]]
    pose[18], pose[19] = [0, -bends[0], 0], [0, bends[1], 0]
    pose[1], pose[2] = [-0.4 + swings[0], twist / 2, 0], [-0.4 + swings[1], -twist / 2, 0]
    pose[4], pose[5] = [bends[2], 0, 0], [bends[3], 0, 0]
    _, (_, joints) = recovered(points(pose))
    assert np.abs(directions(joints) - directions(posed(pose)[1])).max() < 1e-4


def test_simple_pose_comes_back():
    pose = at_ease()
    pose[18], pose[19] = [0, -1.2, 0], [0, 1.2, 0]
    pose[4] = [0.9, 0, 0]
    pose[15] = [0, 0.6, 0]
    turned, _ = posed(pose)
    _, (found, _) = recovered(points(pose))
    for joint in (0, 9, 15, 16, 17, 18, 19, 4, 5):
        error = (turned[joint].inv() * found[joint]).magnitude()
        assert np.degrees(error) < 6, joint


def test_head_never_faces_backwards():
    pose = at_ease()
    pose[15] = [0, 3.0, 0]
    _, (turned, _) = recovered(points(pose))
    assert angle_between(turned[9].as_matrix(), turned[15].as_matrix()) <= NECK + 1e-6
    assert angle_between(turned[9].as_matrix(), turned[15].as_matrix()) > 0.9 * NECK


@pytest.mark.parametrize(
    ("joint", "wrong", "child"), [(4, [-1.0, 0, 0], 7), (18, [0, 1.0, 0], 20), (19, [0, -1.0, 0], 21)]
)
def test_hinges_never_bend_the_wrong_way(joint, wrong, child):
    pose = at_ease()
    if joint > 15:
        pose[16] = pose[17] = 0  # arms out: an elbow bent back cannot be a turned shoulder at ease
    pose[joint] = wrong
    local, _ = recovered(points(pose))
    rest = SKELETON.bone(joint, child)
    bend = np.cross(-np.sign(wrong), rest / np.linalg.norm(rest))
    assert local[joint] @ (rest / np.linalg.norm(rest)) @ bend > -0.1


def test_absent_legs_hang_and_absent_arms_fall():
    body = points(at_ease())
    trust = ALL.copy()
    trust[:, 13:23] = 0
    trust[:, 25:] = 0
    body[13:23] = np.random.default_rng(0).normal(0, 3, (10, 3))
    body[25:] = np.random.default_rng(1).normal(0, 3, (8, 3))
    _, (_, joints) = recovered(body, trust)
    for hip, ankle in ((1, 7), (2, 8)):
        leg = joints[ankle] - joints[hip]
        assert leg[1] / np.linalg.norm(leg) > 0.97
    for shoulder, wrist in ((16, 20), (17, 21)):
        arm = joints[wrist] - joints[shoulder]
        assert arm[1] / np.linalg.norm(arm) > 0.9


def test_head_and_shoulders_alone_make_an_upright_body():
    body = points(at_ease())
    trust = np.zeros((1, 33))
    trust[:, :13] = 1
    body[13:] = np.random.default_rng(3).normal(0, 3, (20, 3))
    _, (turned, joints) = recovered(body, trust)
    assert turned[0].as_matrix()[:, 1] @ [0, -1, 0] > 0.98
    assert joints[[7, 8], 1].min() > joints[0, 1] + 0.7


def test_nothing_seen_is_the_neutral_pose():
    local, seen = solve(SKELETON, np.random.default_rng(4).normal(size=(1, 33, 3)), np.zeros((1, 33)))
    assert angle_between(local[:, 1:], neutral(SKELETON)[:, 1:]).max() < 0.1
    assert seen.max() == 0


def test_mirrored_points_give_the_mirrored_body():
    pose = at_ease()
    pose[18], pose[16], pose[4], pose[15] = [0, -1.3, 0], [0, 0.3, -0.8], [0.8, 0, 0], [0.1, 0.4, 0]
    body = points(pose)
    _, (_, joints) = recovered(body)
    _, (_, mirrored) = recovered(body[MIRROR] * [-1, 1, 1])
    pairs = {1: 2, 4: 5, 7: 8, 16: 17, 18: 19, 20: 21}
    for left, right in pairs.items():
        assert np.allclose(joints[left], mirrored[right] * [-1, 1, 1], atol=1e-6)


def test_real_poses_keep_the_directions_of_their_limbs(shared):
    poses = np.load(shared / "fixtures" / "smplx_poses_8x165.npy").reshape(8, 55, 3).astype(float)
    errors = []
    for pose in poses:
        pose[0] = (Rotation.from_rotvec([np.pi / 2, 0, 0]) * Rotation.from_rotvec(pose[0])).as_rotvec()
        _, (_, joints) = recovered(points(pose))
        cosine = (directions(joints) * directions(posed(pose)[1])).sum(1)
        errors.append(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
    assert np.mean(errors) < 2
