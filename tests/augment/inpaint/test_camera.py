"""The camera's motion is seen on the background and not on the people."""

import cv2
import numpy as np
import pytest

from m2m.augment.inpaint.motion import is_still, register
from tests.augment.inpaint.scenes import dressed, walk, wall

HEIGHT, WIDTH = 120, 216


def camera(matrices):
    """Frames of a wall seen through homographies that take a pixel of the frame to the wall."""
    texture, size = wall(HEIGHT + 100, WIDTH + 300), (WIDTH, HEIGHT)
    return np.stack(
        [cv2.warpPerspective(texture, m, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP) for m in matrices]
    )


def shifts(xs):
    return [np.array([[1, 0, 20 + x], [0, 1, 30], [0, 0, 1.0]]) for x in xs]


@pytest.mark.parametrize(("step", "want"), [(0.0, True), (0.02, True), (0.5, False), (4.0, False)])
def test_a_still_camera_is_told_from_a_moving_one(step, want):
    frames = camera(shifts(step * t for t in range(32)))
    assert is_still(frames, np.zeros(frames.shape[:3], bool)) is want


def test_a_logo_does_not_hold_a_moving_camera():
    frames = camera(shifts(3.0 * t for t in range(32)))
    frames[:, :24, :40] = wall(24, 40, seed=5)
    assert not is_still(frames, np.zeros(frames.shape[:3], bool))


def test_a_crowd_does_not_move_a_still_camera():
    frames = np.repeat(wall(HEIGHT, WIDTH)[None], 32, axis=0)
    crowd = wall(HEIGHT, WIDTH + 200, seed=3)
    for t in range(32):
        frames[t, 60:] = crowd[60:, 3 * t : 3 * t + WIDTH]
    assert is_still(frames, np.zeros(frames.shape[:3], bool))


def test_a_blank_wall_is_still():
    frames = np.full((10, HEIGHT, WIDTH, 3), 120, np.uint8)
    assert is_still(frames, np.zeros(frames.shape[:3], bool))


def test_registration_finds_the_true_homographies_beside_a_walker():
    turn = [
        np.array([[1 + 0.002 * t, 0.001 * t, 20 + 2.3 * t], [0, 1 + 0.001 * t, 30], [1e-6 * t, 0, 1]]) for t in range(6)
    ]
    frames = camera(turn)
    people = walk(6, HEIGHT, WIDTH, begin=80)
    steps = register(dressed(frames, people), people)
    corners = np.array([[[0, 0]], [[WIDTH, 0]], [[0, HEIGHT]], [[WIDTH, HEIGHT]]], np.float32)
    for t, step in enumerate(steps):
        want = np.linalg.inv(turn[t + 1]) @ turn[t]
        off = cv2.perspectiveTransform(corners, step) - cv2.perspectiveTransform(corners, want)
        assert np.linalg.norm(off, axis=2).max() < 0.6


def test_pictures_that_have_nothing_in_common_are_not_registered():
    frames = np.stack([wall(HEIGHT, WIDTH, seed) for seed in range(4)])
    assert register(frames, np.zeros(frames.shape[:3], bool)) == [None] * 3
