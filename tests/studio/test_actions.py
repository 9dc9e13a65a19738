import numpy as np
import pytest

from m2m.augment.body import BodyParams, make_body
from m2m.errors import InputError
from m2m.studio.actions import ACTIONS, Manner, perform
from m2m.studio.motion import poses

BODY = make_body(BodyParams())
SECONDS = np.arange(0, 3, 1 / 12)


def trajectory(label: str, seed: int) -> np.ndarray:
    """(T, 22, 3) joints relative to the pelvis of a person who faces the camera."""
    manner = Manner.draw(np.random.default_rng(seed))
    pose = poses(perform(label, manner, SECONDS), BODY.rest_joints, 0.0)
    return np.stack([BODY.joints(p, np.zeros(3))[:22] for p in pose])


def feature(joints: np.ndarray) -> np.ndarray:
    """Means and spreads of the joints over time, the same for a mirrored performance."""
    mirror = [0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20]
    mirrored = joints[:, mirror] * [-1, 1, 1]
    both = [np.concatenate([j.mean(0).ravel(), j.std(0).ravel()]) for j in (joints, mirrored)]
    return np.concatenate([both[0] + both[1], np.abs(both[0] - both[1])])


def test_classes_are_told_apart_by_nearest_centroid() -> None:
    known = {label: np.stack([feature(trajectory(label, s)) for s in range(8)]) for label in ACTIONS}
    spread = np.std(np.concatenate(list(known.values())), axis=0) + 0.01
    centroids = np.stack([f.mean(0) for f in known.values()])
    right = []
    for index, label in enumerate(ACTIONS):
        for seed in range(100, 106):
            distance = np.linalg.norm((centroids - feature(trajectory(label, seed))) / spread, axis=1)
            right.append(distance.argmin() == index)
    assert np.mean(right) >= 0.95


@pytest.mark.parametrize("label", ACTIONS)
def test_manner_varies_and_repeats(label: str) -> None:
    first = trajectory(label, 1)
    assert np.array_equal(first, trajectory(label, 1))
    assert np.abs(first - trajectory(label, 2)).max() > 0.05


@pytest.mark.parametrize("label", ACTIONS)
def test_movement_is_smooth_and_of_human_speed(label: str) -> None:
    manner = Manner.draw(np.random.default_rng(3))
    times = np.arange(0, 4, 1 / 100)
    pose = poses(perform(label, manner, times), BODY.rest_joints, 0.0)
    joints = np.stack([BODY.joints(p, np.zeros(3))[:22] for p in pose])
    speed = np.linalg.norm(np.diff(joints, axis=0), axis=2) * 100
    assert 0.3 < speed.max() < 16  # metres a second; a fast throw reaches about 15 at the hand


def test_unknown_action_names_the_known_ones() -> None:
    with pytest.raises(InputError, match="jumping_jack"):
        perform("juggle", Manner.draw(np.random.default_rng(0)), SECONDS)
