import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from m2m.augment.bodies import Camera
from m2m.augment.recover.belief import ISLAND, LONG, believed, explained, unrest
from m2m.augment.recover.skeleton import MIRROR
from m2m.augment.recover.track import extents
from tests.augment.recover.stick import FACING, at_ease, landmarks

CAMERA = Camera.default(432, 240)


def pictures(count, noise=0.0, roll=0.0, step=0.0, seed=0):
    """(count, 33, 2) landmarks of a body that moves `step` metres a frame and trembles by `noise` of its size."""
    rng = np.random.default_rng(seed)
    out = []
    for t in range(count):
        pose = at_ease()
        pose[0] = (Rotation.from_rotvec([0, 0, roll]) * Rotation.from_rotvec(FACING)).as_rotvec()
        marks = landmarks(pose, np.array([step * t - 0.5, 0.1, 4.5]), CAMERA).image.astype(float)
        out.append(marks + rng.normal(0, 1, marks.shape) * noise * np.ptp(marks, axis=0).max())
    return np.array(out)


def silhouette(marks, thick=18):
    """A mask drawn the plain way: one thick polygon of all the landmarks' limbs."""
    canvas = np.zeros((240, 432), np.uint8)
    for a, b in ((11, 13), (13, 15), (12, 14), (14, 16), (11, 23), (12, 24), (23, 25), (25, 27), (24, 26), (26, 28)):
        cv2.line(canvas, tuple(map(int, marks[a])), tuple(map(int, marks[b])), 1, thick)
    cv2.fillConvexPoly(canvas, marks[[11, 12, 24, 23]].astype(np.int32), 1)
    cv2.circle(canvas, tuple(map(int, marks[0])), 10, 1, -1)
    return canvas > 0


def judge(image, masks=None, frames=None, world=None):
    world = np.concatenate([image / 100, image[..., :1] * 0], -1) if world is None else world
    trust = np.ones(image.shape[:2])
    nothing = [np.zeros((240, 432), bool)] * len(image)
    at = np.arange(len(image))
    return believed(image, world, trust, extents(image, trust), at, masks or nothing, frames or len(image))


def test_unrest_is_none_for_any_even_motion_and_grows_with_trembling():
    trust, at = np.ones((30, 33)), np.arange(30)

    def of(image):
        return np.nanmedian(unrest(image, trust, extents(image, trust), at))

    assert of(pictures(30, step=0.05)) < 1e-3
    quiet, loud = of(pictures(30, noise=0.01)), of(pictures(30, noise=0.05))
    assert 0.008 < quiet < 0.025
    assert 4 * quiet < loud < 6 * quiet


def test_unrest_needs_neighbours_and_trusted_joints():
    image = pictures(5)
    assert np.isnan(unrest(image, np.ones((5, 33)), np.full(5, 100.0), np.arange(5) * 10)).all()
    assert np.isnan(unrest(image, np.zeros((5, 33)), np.full(5, 100.0), np.arange(5))).all()


def test_one_wrong_frame_does_not_make_its_neighbours_restless():
    image = pictures(30)
    image[12] += 80
    assert judge(image).all()


@pytest.mark.parametrize(("noise", "is_believed"), [(0.0, True), (0.015, True), (0.08, False)])
def test_a_body_that_trembles_is_not_believed(noise, is_believed):
    assert (judge(pictures(40, noise=noise)) == is_believed).all()


def test_a_lost_stretch_is_left_out_and_the_rest_kept():
    image = pictures(80)
    image[30:50] += np.random.default_rng(1).normal(0, 15, (20, 33, 2))
    kept = judge(image)
    assert not kept[35:45].any()
    assert kept[:25].all() and kept[55:].all()


def test_lying_and_inverted_bodies_must_be_calmer_than_standing_ones():
    for roll in (np.pi / 2, np.pi):
        assert judge(pictures(40, roll=roll)).all()
        assert not judge(pictures(40, noise=0.025, roll=roll)).any()
    assert judge(pictures(40, noise=0.025)).all()


def test_a_body_fills_its_own_mask_and_not_that_of_a_bigger_figure():
    marks = pictures(1)[0]
    mask = silhouette(marks)
    assert explained(mask, marks) > 0.9
    assert explained(mask, marks[MIRROR]) > 0.9
    middle = marks.mean(0)
    assert explained(mask, middle + (marks - middle) * 0.5) < 0.6
    assert explained(np.roll(mask, 150, 1), marks) < 0.2
    assert np.isnan(explained(np.zeros((240, 432), bool), marks))


def test_the_same_at_any_size_of_picture():
    marks = pictures(1)[0]
    mask = silhouette(marks)
    large = cv2.resize(mask.astype(np.uint8), None, fx=3, fy=3, interpolation=cv2.INTER_NEAREST) > 0
    half = marks.mean(0) + (marks - marks.mean(0)) * 0.6
    assert abs(explained(large, 3 * half) - explained(mask, half)) < 0.06


def test_a_restless_body_is_believed_where_it_fills_the_mask_and_not_where_it_leaves_it_bare():
    image = pictures(40, noise=0.028)
    assert judge(image).all()
    far = np.zeros((240, 432), bool)
    far[20:220, 20:120] = True
    assert not judge(image, [far] * 40).any()


def test_a_flash_of_a_pose_in_a_long_track_is_not_believed_but_a_short_window_is():
    assert judge(pictures(1), frames=1).tolist() == [True]
    assert judge(pictures(2), frames=2).tolist() == [True, True]
    assert judge(pictures(1), frames=100).tolist() == [False]


def test_where_the_model_is_lost_calm_moments_count_only_if_they_last():
    def kept(calm):
        image = pictures(200, noise=0.1)
        image[100 : 100 + calm] = pictures(calm)
        return judge(image)

    assert not kept(LONG - 4 * ISLAND).any()
    assert kept(LONG + 16)[104 : 100 + LONG].all()


def test_landmarks_that_are_another_body_in_the_world_than_in_the_picture_are_not_believed():
    image = pictures(40)
    other = pictures(40, roll=np.pi / 2)
    world = np.concatenate([other / 100, other[..., :1] * 0], -1)
    assert not judge(image, world=world).any()
    world[:20, :, :2] = image[:20] / 100
    assert judge(image, world=world).tolist() == [True] * 20 + [False] * 20
