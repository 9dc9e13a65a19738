"""Known bodies through OSX's cameras and back into one scene; no checkout and no network."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from m2m.augment.bodies import Camera
from m2m.augment.recover import RecoverParams
from m2m.augment.recover.osx.camera import centres, focals, posed, seen, turns
from m2m.augment.recover.osx.crop import window_of
from m2m.augment.recover.osx.recoverer import OSXRecoverer
from m2m.studio import ClipSpec, draw_clip
from tests.augment.recover.osx.far_camera import (
    BODY,
    PELVIS,
    RENDERER,
    SHAPES,
    Told,
    box_of,
    frame,
    iou,
    person,
    shown,
    silhouette,
    told,
)

FIXTURE = Path(__file__).parents[4].parent / "shared" / "fixtures" / "smplx_poses_8x165.npy"
WIDE = Camera.default(432, 240)


def longer(factor):
    """The camera of WIDE with a longer focal length."""
    return Camera(WIDE.focal * factor, WIDE.cx, WIDE.cy, WIDE.width, WIDE.height)


def poses():
    """Known SMPL-X poses: real ones where there are any, else the studio's."""
    if FIXTURE.is_file():
        return list(np.load(FIXTURE).reshape(-1, 55, 3))
    drawn = [draw_clip(ClipSpec(label, seconds=0.5)).bodies[6].bodies[0] for label in ("wave", "kick", "squat")]
    return [b.pose for b in drawn]


def recovered(bodies, camera, params=None):
    """What comes back of known bodies (pose, transl) of one frame."""
    people = frame(*(person(i, pose, t, camera) for i, (pose, t) in enumerate(bodies)), camera=camera)
    network = Told([told(pose, t, camera) for pose, t in bodies])
    blank = np.zeros((1, camera.height, camera.width, 3), np.uint8)
    [out] = OSXRecoverer(BODY, params or RecoverParams(), network, SHAPES).recover([people], camera, blank)
    return out.bodies


@pytest.mark.parametrize("fit_rounds", [0, 3])
@pytest.mark.parametrize("across", [0.0, -0.25, 0.2])
def test_a_body_comes_back_where_it_was(across, fit_rounds):
    """IoU of the silhouettes where OSX's focal length is the scene's: what is left is arithmetic."""
    camera = longer(8)
    for pose in poses():
        wide, high = np.ptp(BODY.vertices(pose, np.zeros(3))[:, :2], axis=0)
        z = 5000 / 256 * 1.25 * max(high, wide / 0.75)
        transl = np.array([across * camera.width * z / camera.focal, 0.1, z])
        [body] = recovered([(pose, transl)], camera, RecoverParams(fit_rounds=fit_rounds))
        assert iou(silhouette(pose, transl, camera), silhouette(body.pose, body.transl, camera)) >= 0.99
        np.testing.assert_allclose(body.transl, transl, atol=0.005 * z)
        turn = Rotation.from_rotvec(body.pose[0]).inv() * Rotation.from_rotvec(pose[0])
        assert turn.magnitude() < 0.02


@pytest.mark.parametrize(("z", "mean", "least"), [(3.0, 0.78, 0.65), (4.5, 0.85, 0.78), (8.0, 0.92, 0.88)])
def test_a_near_camera_shows_the_body_as_osx_did(z, mean, least):
    """IoU with what OSX's own camera shows: the scene's is nearer, and perspective is what is left between them."""
    overlaps = []
    for across in (0.0, -0.3, 0.35):
        for pose in poses():
            transl = np.array([across * WIDE.width * z / WIDE.focal, 0.1, z])
            picture = shown(told(pose, transl, WIDE), box_of(pose, transl, WIDE), WIDE)
            [body] = recovered([(pose, transl)], WIDE)
            overlaps.append(iou(picture, silhouette(body.pose, body.transl, WIDE)))
            assert 0.8 < body.transl[2] / z < 1.05
    assert np.mean(overlaps) >= mean and min(overlaps) >= least


def test_two_people_share_one_scene():
    """Each has a camera of its own; where they overlap the nearer one is drawn."""
    pose = poses()[-1]
    near, far = np.array([0.15, 0.1, 5.0]), np.array([-0.15, 0.0, 7.0])
    first, second = recovered([(pose, far), (pose, near)], WIDE)
    assert second.transl[2] < first.transl[2]
    assert first.transl[2] / second.transl[2] == pytest.approx(7 / 5, rel=0.03)

    def depth(*bodies):
        meshes = [BODY.vertices(pose, transl) for pose, transl in bodies]
        return RENDERER.render(meshes, BODY.faces, WIDE)[1]

    both = depth((first.pose, first.transl), (second.pose, second.transl))
    behind, before = depth((first.pose, first.transl)), depth((second.pose, second.transl))
    overlap = (behind > 0) & (before > 0)
    assert overlap.sum() > 100
    np.testing.assert_allclose(both[overlap], before[overlap], atol=1e-3)


def test_a_stretched_picture_gives_the_same_bodies():
    camera = longer(8)
    stretched = Camera(camera.focal, camera.cx * 4 / 3, camera.cy, 576, 240, 4 / 3)
    pose, transl = poses()[0], np.array([1.0, 0.1, 40.0])
    people = frame(person(0, pose, transl, stretched), camera=stretched)
    network = Told([told(pose, transl, camera)])
    blank = np.zeros((1, 240, 576, 3), np.uint8)
    [[body]] = [
        out.bodies for out in OSXRecoverer(BODY, RecoverParams(), network, SHAPES).recover([people], stretched, blank)
    ]
    [plain] = recovered([(pose, transl)], camera)
    np.testing.assert_allclose(body.transl, plain.transl, atol=0.02)
    np.testing.assert_allclose(body.pose, plain.pose, atol=2e-3)


def test_it_is_osxs_own_camera():
    """Against OSX's formula: f = 5000 and (96, 128) in 192x256, the crop scaled into the image."""
    window = np.array([[40.0, -10.0, 150.0, 200.0]])
    joints, place = np.array([[[0.1, -0.2, 0.3]]]), np.array([[0.05, 0.1, 30.0]])
    x, y, z = (joints[0, 0] + place[0]).tolist()
    crop = np.array([x / z * 5000 + 96, y / z * 5000 + 128])
    image = window[0, :2] + crop * window[0, 2:] / [192, 256]
    np.testing.assert_allclose(seen(joints, place, window)[0, 0], image)
    assert focals(window)[0] == pytest.approx(5000 / 192 * 150)
    np.testing.assert_allclose(centres(window)[0], [115, 90])


def test_joints_turn_about_the_pelvis_at_rest():
    """As in SMPL-X: the root joint stays where it is at rest, whatever the root's rotation."""
    pose = np.random.default_rng(0).normal(0, 0.5, (2, 55, 3))
    turned = np.stack(
        [np.stack(_globals(p)) for p in pose]  # an independent chain of rotations
    )
    rest = np.repeat(SHAPES.mean[None], 2, 0)
    joints = posed(turned, rest, BODY.parents)
    np.testing.assert_allclose(joints[:, 0], np.tile(PELVIS, (2, 1)))
    for i in range(2):
        np.testing.assert_allclose(joints[i] - PELVIS, BODY.joints(pose[i], np.zeros(3)), atol=1e-5)


def _globals(pose):
    out = []
    for j, parent in enumerate(BODY.parents):
        own = Rotation.from_rotvec(pose[j])
        out.append(own if parent < 0 else out[parent] * own)
    return [r.as_matrix() for r in out]


@given(st.floats(0, 400), st.floats(0, 200), st.floats(2, 300), st.floats(2, 300))
def test_a_ray_becomes_the_axis(x, y, wide, high):
    window = window_of(np.array([x, y, x + wide, y + high]), 432, 240)
    if window is None:
        return
    turn = turns(window[None], WIDE)[0]
    at = WIDE.project(turn @ np.array([0, 0, 1.0]))
    np.testing.assert_allclose(at, centres(window[None])[0], atol=1e-3)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-9)


def test_boxes_are_those_of_the_drawn_body():
    pose, transl = poses()[0], np.array([0.0, 0.1, 6.0])
    x0, y0, x1, y1 = box_of(pose, transl, WIDE)
    rows, columns = np.nonzero(silhouette(pose, transl, WIDE))
    np.testing.assert_allclose([x0, y0, x1, y1], [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], atol=2)
