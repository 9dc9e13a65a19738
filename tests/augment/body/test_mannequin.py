"""The mannequin against SciPy's rotations, a slow skinning and the geometry of a body."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from m2m.augment.bodies import N_JOINTS
from m2m.augment.body import BodyParams, make_body

GENDERS = ("neutral", "male", "female")
PELVIS, L_HIP, R_HIP, SPINE1, L_KNEE, L_ANKLE, L_FOOT, NECK, HEAD = 0, 1, 2, 3, 4, 7, 10, 12, 15
L_SHOULDER, R_SHOULDER, L_ELBOW, L_WRIST, JAW, L_EYE = 16, 17, 18, 20, 22, 23
# SMPL-X's tree, written out here a second time.
PARENTS = [-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 15, 15, 15]
PARENTS += [20, 25, 26, 20, 28, 29, 20, 31, 32, 20, 34, 35, 20, 37, 38]
PARENTS += [21, 40, 41, 21, 43, 44, 21, 46, 47, 21, 49, 50, 21, 52, 53]
LEFT_RIGHT = [(1, 2), (4, 5), (7, 8), (10, 11), (13, 14), (16, 17), (18, 19), (20, 21), (23, 24)]
LEFT_RIGHT += [(25 + k, 40 + k) for k in range(15)]


@pytest.fixture(scope="module", params=GENDERS)
def body(request):
    return make_body(BodyParams(gender=request.param))


@pytest.fixture(scope="module")
def neutral():
    return make_body(BodyParams())


def random_pose(seed: int, size: float = 0.6) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, size, (N_JOINTS, 3)).astype(np.float32)


def kinematics(pose, rest, parents):
    """World rotations and joint positions, by walking up from each joint."""
    local = [Rotation.from_rotvec(p) for p in np.asarray(pose, float)]
    world, at = [], []
    for joint in range(len(parents)):
        chain = [joint]
        while parents[chain[-1]] >= 0:
            chain.append(parents[chain[-1]])
        rotation, position = Rotation.identity(), np.zeros(3)
        for a, b in zip(chain[::-1], chain[::-1][1:], strict=False):
            rotation = rotation * local[a]
            position = position + rotation.apply(rest[b].astype(float) - rest[a])
        world.append(rotation * local[joint])
        at.append(position)
    return world, np.array(at)


def test_it_has_the_skeleton_of_smplx(body):
    assert list(body.parents) == PARENTS
    assert body.parents.dtype == np.int32 and body.faces.dtype == np.int32
    assert body.rest_joints.shape == (N_JOINTS, 3) and body.rest_joints.dtype == np.float32


def test_it_rests_in_a_t_pose_that_faces_z(body):
    j = body.rest_joints
    for side in (0, 1):
        shoulder, elbow, wrist = (j[k + side] for k in (L_SHOULDER, L_ELBOW, L_WRIST))
        out = np.array([1.0 - 2 * side, 0, 0])
        for a, b in ((shoulder, elbow), (elbow, wrist)):
            np.testing.assert_allclose((b - a) / np.linalg.norm(b - a), out, atol=2e-3)
    # Palms down, thumbs to the front: the thumb lies before the little finger, and both at one height.
    thumb, pinky = j[37], j[31]
    assert thumb[2] > pinky[2] + 0.03
    assert j[HEAD, 1] > j[NECK, 1] > j[SPINE1, 1] > j[PELVIS, 1] > j[L_HIP, 1] > j[L_KNEE, 1] > j[L_ANKLE, 1]
    assert j[L_FOOT, 2] > j[L_ANKLE, 2] + 0.08 and j[L_EYE, 2] > j[HEAD, 2]
    assert j[L_HIP, 0] > 0 > j[R_HIP, 0]
    # The sole is flat: the lowest points of heel and toes are at one height.
    v = body.rest_vertices
    feet = v[v[:, 1] < j[L_ANKLE, 1]]
    heel, toes = feet[feet[:, 2] < j[L_ANKLE, 2]], feet[feet[:, 2] > j[L_FOOT, 2]]
    assert abs(heel[:, 1].min() - toes[:, 1].min()) < 0.02


@pytest.mark.parametrize("gender, height", [("neutral", 1.70), ("male", 1.77), ("female", 1.64)])
def test_its_height_is_an_adults(gender, height):
    assert np.ptp(make_body(BodyParams(gender=gender)).rest_vertices[:, 1]) == pytest.approx(height, abs=1e-4)


def test_left_and_right_mirror_each_other(body):
    flip = np.array([-1, 1, 1])
    assert cKDTree(body.rest_vertices).query(body.rest_vertices * flip)[0].max() < 1e-5
    for left, right in LEFT_RIGHT:
        np.testing.assert_allclose(body.rest_joints[left] * flip, body.rest_joints[right], atol=1e-5)
    # Mirrored poses give mirrored bodies, so the weights mirror each other too.
    pose = random_pose(3, 0.4)
    mirrored = pose * [1, -1, -1]
    for left, right in LEFT_RIGHT:
        mirrored[[left, right]] = mirrored[[right, left]]
    a, b = body.vertices(pose, np.zeros(3)), body.vertices(mirrored, np.zeros(3))
    assert cKDTree(a).query(b * flip)[0].max() < 1e-3


def test_the_mesh_is_closed_but_for_the_head(body):
    edges = np.sort(np.concatenate([body.faces[:, [0, 1]], body.faces[:, [1, 2]], body.faces[:, [2, 0]]]), axis=1)
    edges, count = np.unique(edges, axis=0, return_counts=True)
    rim = np.unique(edges[count == 1])
    assert (count <= 2).all()
    assert (body.rest_vertices[rim, 1] > body.rest_joints[NECK, 1]).all()


def test_faces_turn_outwards(body):
    v = body.rest_vertices[body.faces].astype(float)
    volume = np.einsum("fi,fi->f", v[:, 0], np.cross(v[:, 1], v[:, 2])).sum() / 6
    assert 0.05 < volume < 0.09  # cubic metres: water weighs 50 to 90 kg


def test_weights_sum_to_one(body):
    assert body.weights.data.min() >= 0
    np.testing.assert_allclose(body.weights.sum(1), 1, atol=1e-6)
    assert (np.diff(body.weights.indptr) <= 4).all()


def test_the_rest_pose_is_the_mesh_of_the_file(body):
    v = body.vertices(np.zeros((N_JOINTS, 3)), np.array([1, 2, 3.0]))
    np.testing.assert_allclose(v, body.rest_vertices + np.array([1, 2, 3]), atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.floats(0, 2))
def test_joints_follow_an_independent_forward_kinematics(neutral, seed, size):
    pose = random_pose(seed, size)
    transl = np.array([0.3, -0.2, 4.0])
    _, want = kinematics(pose, neutral.rest_joints, PARENTS)
    got = neutral.joints(pose, transl)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, want + transl, atol=1e-5)
    limb = lambda j: np.array([j[k] - j[PARENTS[k]] for k in range(1, N_JOINTS)])  # noqa: E731
    unit = lambda d: d / np.linalg.norm(d, axis=1, keepdims=True)  # noqa: E731
    np.testing.assert_allclose(unit(limb(got)), unit(limb(want)), atol=1e-4)


def test_vertices_follow_a_slow_skinning(body):
    pose, transl = random_pose(1), np.array([0.1, 0.2, 3.0])
    world, at = kinematics(pose, body.rest_joints, PARENTS)
    weights = body.weights.toarray().astype(float)
    want = np.zeros((len(body.rest_vertices), 3))
    for k in range(N_JOINTS):
        want += weights[:, [k]] * (world[k].apply(body.rest_vertices.astype(float) - body.rest_joints[k]) + at[k])
    got = body.vertices(pose, transl)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, want + transl, atol=2e-5)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_root_turns_the_body_about_its_pelvis(neutral, seed):
    pose, transl = random_pose(seed), np.array([0.5, -1.0, 6.0])
    turn = Rotation.random(random_state=seed)
    turned = pose.copy()
    turned[0] = (turn * Rotation.from_rotvec(pose[0])).as_rotvec()
    want = turn.apply(neutral.vertices(pose, transl) - transl) + transl
    np.testing.assert_allclose(neutral.vertices(turned, transl), want, atol=2e-5)
    np.testing.assert_allclose(neutral.joints(turned, transl)[0], transl, atol=1e-6)


def test_the_jaw_moves_the_chin_and_nothing_below_the_throat(body):
    pose = np.zeros((N_JOINTS, 3))
    pose[JAW, 0] = 0.4
    moved = np.linalg.norm(body.vertices(pose, np.zeros(3)) - body.rest_vertices, axis=1)
    assert moved.max() > 0.02
    assert moved[body.rest_vertices[:, 1] < body.rest_joints[L_SHOULDER, 1]].max() < 1e-3


def test_real_poses_do_not_collapse_a_limb(neutral, shared):
    """Elbows, wrists, knees and ankles keep half of their girth (an elbow bent by 147 degrees: .59)."""
    poses = np.load(shared / "fixtures" / "smplx_poses_8x165.npy").reshape(-1, N_JOINTS, 3)
    weights = neutral.weights.toarray()
    for pose in poses:
        posed, joints = neutral.vertices(pose, np.zeros(3)), neutral.joints(pose, np.zeros(3))
        for child in (4, 5, 7, 8, 18, 19, 20, 21):
            near = (weights[:, child] > 0.25) & (weights[:, PARENTS[child]] > 0.25)
            assert near.sum() > 10
            rest = np.linalg.norm(neutral.rest_vertices[near] - neutral.rest_joints[child], axis=1)
            now = np.linalg.norm(posed[near] - joints[child], axis=1)
            assert now.mean() > 0.5 * rest.mean(), child
        # No part comes off: an edge of the mesh stays short.
        edge = np.linalg.norm(posed[neutral.faces[:, 0]] - posed[neutral.faces[:, 1]], axis=1)
        assert edge.max() < 0.12
