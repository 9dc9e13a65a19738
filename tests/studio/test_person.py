import numpy as np
import pytest

from m2m.augment.body import BodyParams, make_body
from m2m.studio.person import dress


@pytest.mark.parametrize("gender", ["neutral", "male", "female"])
def test_regions_lie_where_they_are_worn(gender: str) -> None:
    body = make_body(BodyParams(gender=gender))  # type: ignore[arg-type]
    pose, joints = np.zeros((55, 3), np.float32), body.joints(np.zeros((55, 3)), np.zeros(3))
    vertices = body.vertices(pose, np.zeros(3, np.float32))
    person = dress(body, np.random.default_rng(2))

    def color_at(point: np.ndarray) -> np.ndarray:
        nearest = np.argsort(np.linalg.norm(vertices - point, axis=1))[:20]
        return np.median(person.colors[nearest], axis=0)

    hand, foot, belly, thigh = (
        color_at(joints[25]),
        color_at(joints[10]),
        color_at(joints[6]),
        color_at((joints[1] + joints[4]) / 2),
    )
    crown = color_at(vertices[vertices[:, 1].argmax()])
    nose = color_at(joints[23:25].mean(axis=0) + np.array([0, -0.02, 0.05]))
    assert np.abs(hand - nose).sum() < 0.1
    for other in (foot, belly, thigh, crown):
        assert np.abs(hand - other).sum() > 0.15
    assert np.abs(belly - thigh).sum() > 0.3
    assert person.height == pytest.approx(np.ptp(vertices[:, 1]))


def test_clothes_stand_off_the_skin_and_colours_are_colours() -> None:
    body = make_body(BodyParams())
    for seed in range(20):
        person = dress(body, np.random.default_rng(seed))
        assert person.colors.min() >= 0 and person.colors.max() <= 1.05
        assert person.puff.min() == 0 and 0.005 < person.puff.max() < 0.03
