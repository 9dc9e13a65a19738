"""The z-buffer against exact silhouettes, a slow ray caster and the rules of coverage."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m2m.augment.bodies import Camera
from m2m.augment.body import BodyParams, make_body
from m2m.augment.render import RenderParams, make_renderer
from m2m.augment.render.shade import vertex_normals
from m2m.augment.render.zbuffer import draw

CAMERA = Camera(focal=80.0, cx=32.5, cy=23.0, width=64, height=48)


def cast(vertices, faces, camera):
    """Depth by intersecting the ray of every pixel centre with every triangle (Möller and Trumbore); 0 for none."""
    v, u = np.mgrid[: camera.height, : camera.width] + 0.5
    rays = np.stack([(u - camera.cx) / camera.focal, (v - camera.cy) / camera.focal, np.ones_like(u)], -1)
    best = np.full(u.shape, np.inf)
    for a, b, c in vertices[faces].astype(float):
        e1, e2 = b - a, c - a
        p = np.cross(rays, e2)
        det = p @ e1
        with np.errstate(divide="ignore", invalid="ignore"):
            s = p @ -a / det
            q = np.cross(-a, e1)
            t = rays @ q / det
            z = e2 @ q / det
        hit = (s >= 0) & (t >= 0) & (s + t <= 1) & (z > 0.05)
        best = np.where(hit & (z < best), z, best)
    return np.where(np.isfinite(best), best, 0)


def some_triangles(seed, count, nearest=1.0):
    rng = np.random.default_rng(seed)
    middle = rng.uniform([-1, -1, nearest], [1, 1, 4], (count, 1, 3))
    corners = (middle + rng.normal(0, 0.4, (count, 3, 3))).astype(np.float32)
    return corners.reshape(-1, 3), np.arange(3 * count, dtype=np.int32).reshape(-1, 3)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), nearest=st.sampled_from([1.0, 0.0]))
def test_depth_is_that_of_a_ray_caster(seed, nearest):
    """Also for triangles that reach behind the camera."""
    vertices, faces = some_triangles(seed, 12, nearest)
    rgba, depth = make_renderer(RenderParams(supersample=1)).render([vertices], faces, CAMERA)
    want = cast(vertices, faces, CAMERA)
    np.testing.assert_array_equal(rgba[..., 3] > 0, depth > 0)
    # A sample on an edge may fall to either side.
    differs = (depth > 0) != (want > 0)
    assert differs.sum() <= 2
    same = ~differs & (want > 0)
    off = np.abs(depth - want)[same] > 1e-4 * want[same]
    assert off.sum() <= 2


def test_pixel_centres_lie_at_one_half():
    """A square from x = 10.4 to 20.6 covers the centres 10.5 to 20.5; from 10.6 to 20.4 those of 11.5 to 19.5."""
    for x0, x1, first, last in ((10.4, 20.6, 10, 20), (10.6, 20.4, 11, 19)):
        corners = np.array([[x0, x0], [x1, x0], [x1, x1], [x0, x1]])
        vertices = np.concatenate([(corners - [CAMERA.cx, CAMERA.cy]) / CAMERA.focal, np.ones((4, 1))], 1) * 2
        faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
        rgba, _ = make_renderer(RenderParams(supersample=1)).render([vertices.astype(np.float32)], faces, CAMERA)
        rows, columns = np.nonzero(rgba[..., 3])
        assert (rows.min(), rows.max(), columns.min(), columns.max()) == (first, last, first, last)
        assert len(rows) == (last - first + 1) ** 2


def test_alpha_is_the_share_of_samples_and_colour_is_straight():
    corners = np.array([[10.0, 10.0], [20.5, 10.0], [20.5, 20.5], [10.0, 20.5]])
    vertices = np.concatenate([(corners - [CAMERA.cx, CAMERA.cy]) / CAMERA.focal, np.ones((4, 1))], 1).astype(
        np.float32
    )
    faces = np.array([[0, 2, 1], [0, 3, 2]], np.int32)
    rgba, depth = make_renderer(RenderParams(supersample=2)).render([vertices], faces, CAMERA)
    assert set(rgba[10:20, 10:20, 3].ravel()) == {255}
    assert set(rgba[10:20, 20, 3]) == {128} and rgba[20, 20, 3] == 64
    assert rgba[:, 21:].max() == 0 and depth[:, 21:].max() == 0
    np.testing.assert_array_equal(rgba[15, 20, :3], rgba[15, 15, :3])
    np.testing.assert_allclose(depth[10:21, 10:21], 1, atol=1e-6)


def test_silhouettes_of_the_scene_with_known_truth(shared):
    scene = np.load(shared / "fixtures" / "mhr_scene.npz")
    want = np.unpackbits(scene["silhouettes"], axis=-1).astype(bool)
    k, (width, height) = scene["K"], scene["image_wh"]
    camera = Camera(k[0, 0], k[0, 2], k[1, 2], int(width), int(height))
    renderer = make_renderer(RenderParams(supersample=1))
    meshes = list(scene["vertices_cam"])
    for mesh, silhouette in zip(meshes, want, strict=True):
        got = renderer.render([mesh], scene["faces"], camera)[0][..., 3] > 127
        assert (got & silhouette).sum() / (got | silhouette).sum() >= 0.999
    both = renderer.render(meshes, scene["faces"], camera)[0][..., 3] > 127
    np.testing.assert_array_equal(both.sum(), (want[0] | want[1]).sum())


def test_the_nearer_body_hides_the_other_whatever_the_order():
    body = make_body(BodyParams())
    pose = np.zeros((55, 3))
    pose[0, 0] = np.pi
    camera = Camera.default(160, 120)
    near, far = (body.vertices(pose, np.array([0.1 * z, -0.2, z])) for z in (3.0, 5.0))
    renderer = make_renderer(RenderParams())
    rgba, depth = renderer.render([near, far], body.faces, camera)
    again, depth_again = renderer.render([far, near], body.faces, camera)
    np.testing.assert_array_equal(rgba, again)
    np.testing.assert_array_equal(depth, depth_again)
    alone, alone_depth = renderer.render([near], body.faces, camera)
    whole = alone[..., 3] == 255
    np.testing.assert_array_equal(rgba[whole], alone[whole])
    np.testing.assert_array_equal(depth[whole], alone_depth[whole])
    assert (depth[~whole] > 4).any()


def test_a_body_seen_from_inside_or_not_at_all():
    body = make_body(BodyParams())
    camera = Camera.default(64, 48)
    renderer = make_renderer(RenderParams())
    pose = np.zeros((55, 3))
    for at in ([0, 0, -3.0], [50.0, 0, 3.0], [0, -400.0, 3.0]):
        rgba, depth = renderer.render([body.vertices(pose, np.array(at))], body.faces, camera)
        assert rgba.max() == 0 and depth.max() == 0
    # The camera in the pelvis sees the inside of the body in nearly every direction.
    rgba, _ = renderer.render([body.vertices(pose, np.zeros(3))], body.faces, camera)
    assert (rgba[..., 3] == 255).mean() > 0.95
    assert renderer.render([], body.faces, camera)[0].shape == (48, 64, 4)


def test_a_vertex_that_is_not_finite_is_refused():
    vertices, faces = some_triangles(0, 3)
    vertices[4, 1] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        make_renderer(RenderParams()).render([vertices], faces, CAMERA)


def test_the_same_body_gives_the_same_bytes_as_part_of_a_larger_picture():
    """Work is restricted to the body's box: that must not show."""
    body = make_body(BodyParams())
    pose = np.zeros((55, 3))
    pose[0] = [3.0, 0.3, 0.2]
    mesh = body.vertices(pose, np.array([0.2, 0.1, 4.0]))
    small, large = Camera(150, 80, 60, 160, 120), Camera(150, 180, 110, 320, 240)
    renderer = make_renderer(RenderParams(supersample=3))
    rgba, _ = renderer.render([mesh], body.faces, small)
    framed, _ = renderer.render([mesh], body.faces, large)
    np.testing.assert_array_equal(framed[50:170, 100:260], rgba)


def test_normals_point_outwards_and_have_length_one():
    body = make_body(BodyParams())
    normals = vertex_normals(body.rest_vertices, body.faces)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-9)
    shin = (body.rest_vertices[:, 1] < -0.55) & (body.rest_vertices[:, 1] > -0.75) & (body.rest_vertices[:, 0] > 0)
    axis = body.rest_vertices[shin][:, [0, 2]].mean(0)
    assert (((body.rest_vertices[shin][:, [0, 2]] - axis) * normals[shin][:, [0, 2]]).sum(1) > 0).mean() > 0.98


@pytest.mark.parametrize("values", [{"supersample": 0}, {"supersample": 5}, {"colour": (0, 0, 256)}])
def test_bad_parameters_are_refused(values):
    with pytest.raises(ValueError):
        RenderParams(**values)


def test_it_starts_where_no_cache_can_be_written():
    """As in a container with a read-only source tree, HOME=/ and no NUMBA_CACHE_DIR: numba finds no place at all."""
    code = (
        "import numba.core.caching as c\n"
        "c.CacheImpl._locator_classes = []\n"
        "import numpy as np\n"
        "from m2m.augment.bodies import Camera\n"
        "from m2m.augment.render import RenderParams, make_renderer\n"
        "mesh = np.array([[-1, -1, 2], [1, -1, 2], [0, 1, 2]], np.float32)\n"
        "faces = np.array([[0, 1, 2]], np.int32)\n"
        "rgba, _ = make_renderer(RenderParams()).render([mesh], faces, Camera.default(32, 32))\n"
        "print(int(rgba[16, 16, 3]))\n"
    )
    env = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"}
    env["HOME"] = "/"
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.strip()) == (0, "255"), done.stderr


def test_a_stretched_camera_draws_the_picture_of_a_plain_one_drawn_wide():
    body = make_body(BodyParams())
    mesh = body.vertices(np.array([[np.pi, 0, 0]] + [[0, 0, 0]] * 54, np.float32), np.array([0.1, 0, 4], np.float32))
    plain, wide = Camera.default(160, 120), Camera.default(240, 120, 1.5)
    renderer = make_renderer(RenderParams(supersample=1))
    a = renderer.render([mesh], body.faces, plain)[0][..., 3] > 0
    b = renderer.render([mesh], body.faces, wide)[0][..., 3] > 0
    as_wide = np.repeat(a, 3, 1)[:, 1::2]
    assert (as_wide & b).sum() > 0.95 * (as_wide | b).sum()
    assert np.allclose(wide.project(mesh), plain.project(mesh) * [1.5, 1], atol=1e-3)


LENS = (60.0, 20.0, 15.0)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_colours_are_those_of_a_channel_at_a_time_to_the_bit(seed):
    rng = np.random.default_rng(seed)
    shape = (30, 40)
    nearest, image, owner = np.zeros(shape), np.zeros((*shape, 3), np.float32), np.zeros(shape, np.uint8)
    depth, channels, owned = np.zeros(shape), np.zeros((3, *shape), np.float32), np.zeros(shape, np.uint8)
    for name in (1, 2):
        away = np.array([0, 0, rng.uniform(0.0, 1.5)])
        vertices = rng.normal(0, 0.4, (12, 3)) + away  # some behind the camera
        faces, colors = rng.integers(0, 12, (10, 3)).astype(np.int32), rng.uniform(0, 1, (12, 3))
        draw(vertices, faces, colors, name, *LENS, nearest, image, owner)
        before = depth
        for k in range(3):
            depth, alone = before.copy(), np.zeros(shape, np.uint8)
            draw(vertices, faces, colors[:, k : k + 1].copy(), name, *LENS, depth, channels[k][..., None], alone)
            assert np.array_equal(alone > 0, depth > before)
        owned[depth > before] = name
    assert np.array_equal(nearest, depth) and np.array_equal(owner, owned)
    assert np.array_equal(image, channels.transpose(1, 2, 0))
