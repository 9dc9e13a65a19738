from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from m2m.augment.body import BodyParams, make_body
from m2m.studio.actions import Manner, perform
from m2m.studio.motion import LEFT, RIGHT, blend, poses, ray

BODY = make_body(BodyParams())
STILL = perform("wave", Manner(1, 0, 1, LEFT, 4, 12, 0, 1), np.zeros(1))
ORIGIN = np.zeros(3)

direction = st.tuples(st.floats(-75, 175), st.floats(0, 120))


def bone(joints: np.ndarray, start: int, end: int) -> np.ndarray:
    vector = joints[end] - joints[start]
    return vector / np.linalg.norm(vector)


@settings(max_examples=60, deadline=None)
@given(direction, direction, st.floats(-3, 3), st.sampled_from([LEFT, RIGHT]))
def test_legs_point_where_they_are_told(
    thigh: tuple[float, float], shin: tuple[float, float], heading: float, side: int
) -> None:
    legs = STILL.legs.copy()
    legs[0, side] = ray(*thigh, side), ray(*shin, side)
    joints = BODY.joints(poses(replace(STILL, legs=legs), BODY.rest_joints, heading)[0], ORIGIN)
    # The figure's frame written out: to the left, up and to the front of somebody turned by the heading to the left.
    left = np.array([np.cos(heading), 0, np.sin(heading)])
    front = np.array([np.sin(heading), 0, -np.cos(heading)])
    axes = np.stack([left, [0, -1, 0], front])
    assert np.allclose(bone(joints, (1, 2)[side], (4, 5)[side]), legs[0, side, 0] @ axes, atol=1e-4)
    assert np.allclose(bone(joints, (4, 5)[side], (7, 8)[side]), legs[0, side, 1] @ axes, atol=1e-4)


@settings(max_examples=60, deadline=None)
@given(direction, direction, st.sampled_from([LEFT, RIGHT]))
def test_arms_point_where_they_are_told(upper: tuple[float, float], fore: tuple[float, float], side: int) -> None:
    arms = STILL.arms.copy()
    arms[0, side] = ray(*upper, side), ray(*fore, side)
    flat = replace(STILL, arms=arms, spine=np.zeros((1, 3)), hips=np.zeros((1, 3)))
    joints = BODY.joints(poses(flat, BODY.rest_joints, 0.0)[0], ORIGIN)
    axes = np.array([[1, 0, 0], [0, -1, 0], [0, 0, -1]])
    assert np.allclose(bone(joints, (16, 17)[side], (18, 19)[side]), arms[0, side, 0] @ axes, atol=1e-4)
    assert np.allclose(bone(joints, (18, 19)[side], (20, 21)[side]), arms[0, side, 1] @ axes, atol=1e-4)


def test_somebody_at_rest_faces_the_camera_and_stands_on_level_feet() -> None:
    joints = BODY.joints(poses(STILL, BODY.rest_joints, 0.0)[0], ORIGIN)
    assert joints[15, 1] < joints[0, 1] < joints[7, 1]  # y points down: head, pelvis, ankle
    assert joints[10, 2] < joints[7, 2] - 0.05  # the toes are nearer to the camera
    assert joints[1, 0] > joints[2, 0]  # the left hip is on the right of the picture
    rest = BODY.rest_joints
    assert np.isclose(joints[10, 1] - joints[7, 1], rest[7, 1] - rest[10, 1], atol=5e-3)


def test_bends_go_the_way_they_are_called() -> None:
    def head(angles: list[float]) -> np.ndarray:
        bent = replace(STILL, spine=np.array([angles]), head=np.zeros((1, 3)))
        return BODY.joints(poses(bent, BODY.rest_joints, 0.0)[0], ORIGIN)

    upright = head([0, 0, 0])
    assert head([0.5, 0, 0])[15, 2] < upright[15, 2] - 0.1  # forward is towards the camera
    assert head([0, 0.5, 0])[15, 0] > upright[15, 0] + 0.1  # the person's left is on the right
    assert head([0, 0, 0.5])[16, 2] > upright[16, 2] + 0.05  # twisted left, the left shoulder goes back


def test_rays_and_blends_are_unit_vectors() -> None:
    assert np.allclose(ray(0, 40, LEFT), [0, -1, 0])
    assert np.allclose(ray(90, 0, LEFT), [1, 0, 0], atol=1e-12)
    assert np.allclose(ray(90, 0, RIGHT), [-1, 0, 0], atol=1e-12)
    assert np.allclose(ray(90, 90, RIGHT), [0, 0, 1], atol=1e-12)
    mixed = blend(ray(10, 0, LEFT), ray(120, 80, LEFT), np.linspace(0, 1, 5))
    assert np.allclose(np.linalg.norm(mixed, axis=1), 1)
