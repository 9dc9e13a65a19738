from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from m2m.augment.bodies import Camera
from m2m.augment.recover import IKRecoverer
from m2m.augment.recover.fingers import bends, curled
from m2m.augment.recover.kinematics import CURL
from m2m.augment.recover.rotations import exp, log
from m2m.augment.recover.skeleton import FINGERS
from tests.augment.recover.stick import Stick, at_ease, frame, landmarks, person

CAMERA = Camera.default(432, 240)
BODY = Stick()


def hand(bend, side=0, seed=0):
    """(21, 3) a hand whose finger joints all bend by so many radians, in axes by chance; thumb straight."""
    sign, points = (1, -1)[side], np.zeros((21, 3))
    for first in (1, 5, 9, 13, 17):
        direction = np.array([sign, 0.0, 0.0])
        at = np.zeros(3)
        for k in range(4):
            at = at + direction * (0.09, 0.04, 0.025, 0.02)[k]
            points[first + k] = at
            direction = Rotation.from_rotvec([0, 0, -sign * (0 if first == 1 else bend)]).apply(direction)
    return Rotation.random(random_state=seed).apply(points)


def people(bend_left, bend_right, count=40, stride=4):
    """Somebody at ease whose hands are looked at every few frames; None is a hand that is not seen."""
    out = []
    for t in range(count):
        hands = np.full((2, 21, 3), np.nan)
        for side, bend in enumerate((bend_left, bend_right)):
            if bend is not None and t % stride == 0:
                hands[side] = hand(bend, side, seed=t)
        marks = landmarks(at_ease(), np.array([0, 0.1, 4.5]), CAMERA)
        out.append(frame(person(0, replace(marks, hands=hands.astype(np.float32)), CAMERA)))
    return out


@pytest.mark.parametrize("bend", [0.0, 0.5, 1.2])
def test_bends_are_those_of_the_hand_whatever_its_axes(bend):
    # arccos near 0 turns rounding into 1e-7
    assert np.allclose(bends(np.stack([hand(bend, side, seed) for side in (0, 1) for seed in (0, 1)])), bend, atol=1e-6)
    assert np.isnan(bends(np.full((21, 3), np.nan))).all()


def test_a_fist_and_an_open_hand_are_drawn_and_the_rest_does_not_change():
    plain, seen = (IKRecoverer(BODY).recover(p, CAMERA) for p in (people(None, None), people(1.2, 0.0)))
    for one, two in zip(plain, seen, strict=True):
        before, after = one.bodies[0].pose, two.bodies[0].pose
        assert ((after[list(FINGERS[0]), 2] > -1.2) & (after[list(FINGERS[0]), 2] < -0.8)).all()  # relaxed ones weigh
        assert np.allclose(after[list(FINGERS[1])], [0, 0, 0], atol=0.1)
        assert np.allclose(before[list(FINGERS[0])], [0, 0, -CURL], atol=1e-5)
        assert np.allclose(before[list(FINGERS[1])], [0, 0, CURL], atol=1e-5)
        others = [j for j in range(55) if j not in (*FINGERS[0], *FINGERS[1])]
        assert np.array_equal(before[others], after[others])


def test_fingers_relax_again_where_the_hand_is_not_seen():
    poses = exp(np.zeros((80, 55, 3)))
    out = log(curled(poses, np.array([[hand(1.0), np.full((21, 3), np.nan)]] * 10), np.arange(10)))
    first, last = (np.linalg.norm(out[t, list(FINGERS[0])], axis=-1) for t in (4, 79))
    assert first.min() > 0.8
    assert np.allclose(last, CURL, atol=1e-3)
    assert np.array_equal(out[:, list(FINGERS[1])], log(poses)[:, list(FINGERS[1])])


def test_a_joint_bends_no_further_than_it_can():
    out = log(curled(exp(np.zeros((9, 55, 3))), np.array([[hand(2.5), hand(2.5, 1)]] * 9), np.arange(9)))
    assert np.linalg.norm(out[:, list(FINGERS[0])], axis=-1).max() <= 1.6 + 1e-6
