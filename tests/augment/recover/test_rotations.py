import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from m2m.augment.recover.rotations import angle_between, exp, frame, limited, log, nearest, quaternion, swing

numbers = st.floats(-1, 1, allow_nan=False)
vectors = st.tuples(numbers, numbers, numbers).map(np.array).filter(lambda v: np.linalg.norm(v) > 1e-3)


@given(vectors, st.floats(0, np.pi - 1e-3))
def test_exp_and_log_agree_with_scipy(axis, angle):
    vector = axis / np.linalg.norm(axis) * angle
    matrix = Rotation.from_rotvec(vector).as_matrix()
    assert np.allclose(exp(vector), matrix, atol=1e-12)
    assert np.allclose(log(matrix), vector, atol=1e-7)


@given(vectors)
def test_log_of_half_a_turn(axis):
    vector = axis / np.linalg.norm(axis) * np.pi
    assert np.allclose(exp(log(exp(vector))), exp(vector), atol=1e-7)


@given(vectors, vectors)
def test_swing_takes_one_direction_to_the_other_by_the_smallest_turn(a, b):
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    r = swing(a, b)
    assert np.allclose(r @ r.T, np.eye(3), atol=1e-6)
    assert np.allclose(r @ a, b, atol=1e-6)
    assert np.isclose(np.linalg.norm(log(r)), np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b), atol=1e-5)


def test_swing_between_opposite_directions():
    assert np.allclose(swing(np.array([0, 1.0, 0]), np.array([0, -1.0, 0])) @ [0, 1, 0], [0, -1, 0])


@given(st.floats(-7, 0))
def test_swing_between_nearly_opposite_directions(exponent):
    b = np.array([0, np.sin(10**exponent), -np.cos(10**exponent)])
    r = swing(np.array([0, 0, 1.0]), b)
    assert np.allclose(r @ [0, 0, 1], b, atol=1e-6)
    assert np.allclose(r @ r.T, np.eye(3), atol=1e-6)


def test_frame_is_a_rotation_with_x_along_the_first_vector():
    r = frame(np.array([0, 0, 2.0]), np.array([0.3, 1.0, 5.0]))
    assert np.isclose(np.linalg.det(r), 1)
    assert np.allclose(r[:, 0], [0, 0, 1])
    assert r[:, 1] @ [0.3, 1, 5] > 0


def test_nearest_of_a_sum_is_scipys_mean():
    rotations = Rotation.random(5, rng=np.random.default_rng(1))
    rotations = Rotation.from_rotvec(rotations.as_rotvec() * 0.4)
    assert np.allclose(nearest(rotations.as_matrix().sum(0)), rotations.mean().as_matrix(), atol=1e-9)


def test_quaternions_agree_with_scipy():
    rotations = Rotation.random(50, rng=np.random.default_rng(2))
    expected = rotations.as_quat(canonical=True, scalar_first=True)
    assert np.allclose(quaternion(rotations.as_matrix()), expected, atol=1e-12)


def test_limited_keeps_the_axis():
    r = limited(exp(np.array([[0, 2.0, 0], [0, 0.3, 0]])), 1.0)
    assert np.allclose(log(r), [[0, 1, 0], [0, 0.3, 0]])
    assert np.allclose(angle_between(r[0], r[1]), 0.7)
