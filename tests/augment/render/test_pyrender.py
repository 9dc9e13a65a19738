"""pyrender against the z-buffer: the same silhouettes, the same look, the same depth."""

import os
import subprocess
import sys

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, binary_erosion
from scipy.spatial.transform import Rotation

from m2m.augment.bodies import Camera
from m2m.augment.body import BodyParams, make_body
from m2m.augment.render import RenderParams, make_renderer
from m2m.augment.render.pyrender import check_device
from m2m.errors import InfrastructureError


@pytest.fixture(scope="module")
def gl():
    try:
        make_renderer(RenderParams("pyrender"))
    except InfrastructureError as error:
        pytest.skip(str(error))
    return lambda supersample: make_renderer(RenderParams("pyrender", supersample))


@pytest.fixture(scope="module")
def bodies(shared):
    """The eight real poses, upright before the camera, their middle at the origin."""
    model = make_body(BodyParams())
    poses = np.load(shared / "fixtures" / "smplx_poses_8x165.npy").reshape(-1, 55, 3)
    meshes = []
    for pose in poses.copy():
        pose[0] = (Rotation.from_euler("x", 90, degrees=True) * Rotation.from_rotvec(pose[0])).as_rotvec()
        mesh = model.vertices(pose, np.zeros(3))
        meshes.append(mesh - mesh.mean(0))
    return model.faces, meshes


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


def test_silhouettes_are_those_of_the_z_buffer(gl, bodies):
    faces, meshes = bodies
    camera = Camera.default(1920, 890)
    at = np.array([0.3, 0.1, 2.1 * camera.focal / camera.height], np.float32)
    ours, theirs = make_renderer(RenderParams(supersample=1)), gl(1)
    for mesh in meshes:
        a, b = (r.render([mesh + at], faces, camera)[0][..., 3] > 127 for r in (ours, theirs))
        assert iou(a, b) >= 0.999


@pytest.mark.parametrize("supersample", [1, 2])
def test_small_pictures_differ_on_the_outline_only(gl, bodies, supersample):
    faces, meshes = bodies
    camera = Camera.default(432, 240)
    at = np.array([-0.2, 0.1, 2.1 * camera.focal / camera.height], np.float32)
    ours, theirs = make_renderer(RenderParams(supersample=supersample)), gl(supersample)
    block = np.ones((3, 3))
    for mesh in meshes:
        (a, depth_a), (b, depth_b) = (r.render([mesh + at], faces, camera) for r in (ours, theirs))
        inside, other = a[..., 3] > 127, b[..., 3] > 127
        rim = binary_dilation(inside, block) & ~binary_erosion(inside, block)
        assert not ((inside != other) & ~rim).any()
        assert iou(inside, other) > 0.99
        whole = (a[..., 3] == 255) & (b[..., 3] == 255)
        # Inner outlines, where one limb lies before another, may fall to either.
        assert np.mean(np.abs(a[whole].astype(int) - b[whole]).max(1) <= 2) > 0.998
        assert np.mean(np.abs(depth_a - depth_b)[whole] < 1e-3) > 0.998


def test_several_bodies_hide_each_other_as_in_the_z_buffer(gl, bodies):
    faces, meshes = bodies
    camera = Camera.default(320, 240)
    scene = [m + np.array([0.3 * i, 0, 5 - 0.4 * i], np.float32) for i, m in enumerate(meshes[:4])]
    ours, theirs = make_renderer(RenderParams()), gl(2)
    (a, depth_a), (b, depth_b) = ours.render(scene, faces, camera), theirs.render(scene, faces, camera)
    whole = (a[..., 3] == 255) & (b[..., 3] == 255)
    assert np.mean(np.abs(a[whole].astype(int) - b[whole]).max(1) <= 2) > 0.99
    assert np.mean(np.abs(depth_a - depth_b)[whole] < 2e-3) > 0.99


def test_a_change_of_size_and_back_gives_the_same_picture(gl, bodies):
    faces, meshes = bodies
    renderer = gl(2)
    mesh = meshes[0] + np.array([0, 0, 4], np.float32)
    first = renderer.render([mesh], faces, Camera.default(96, 64))
    other = renderer.render([mesh], faces, Camera.default(64, 96))
    again = renderer.render([mesh], faces, Camera.default(96, 64))
    assert other[0].shape == (96, 64, 4)
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])


def test_a_body_across_the_border_is_cut_there(gl, bodies):
    faces, meshes = bodies
    camera = Camera.default(97, 63)
    for x, y in ((-1.0, 0.6), (1.0, -0.6), (-9.0, 0.0)):
        mesh = meshes[0] + np.array([x, y, 4], np.float32)
        (a, _), (b, _) = (
            make_renderer(RenderParams()).render([mesh], faces, camera),
            gl(2).render([mesh], faces, camera),
        )
        inside, other = a[..., 3] > 127, b[..., 3] > 127
        assert inside.any() == other.any() == (x > -9)
        assert not inside.any() or iou(inside, other) > 0.97


def test_an_empty_scene_is_empty(gl):
    rgba, depth = gl(2).render([], np.zeros((0, 3), np.int32), Camera.default(64, 48))
    assert rgba.shape == (48, 64, 4) and rgba.max() == 0 and depth.max() == 0


def _run(code, **env):
    kept = {k: v for k, v in os.environ.items() if k != "PYOPENGL_PLATFORM"}
    return subprocess.run([sys.executable, "-c", code], env=kept | env, capture_output=True, text=True, timeout=120)


START = """
from m2m.augment.render import RenderParams, make_renderer
from m2m.errors import InfrastructureError
try:
    make_renderer(RenderParams("pyrender"))
except InfrastructureError as error:
    print("refused:", error)
else:
    print("started")
"""


@pytest.mark.parametrize("platform", ["egl", "osmesa"])
def test_either_platform_draws_the_same(gl, bodies, platform, tmp_path):
    faces, meshes = bodies
    np.savez(tmp_path / "in.npz", mesh=meshes[1] + np.array([0, 0, 4], np.float32), faces=faces)
    code = START + (
        "    import numpy as np\n"
        "    from m2m.augment.bodies import Camera\n"
        f"    scene = np.load({str(tmp_path / 'in.npz')!r})\n"
        "    camera = Camera.default(160, 120)\n"
        "    rgba, _ = make_renderer(RenderParams('pyrender')).render([scene['mesh']], scene['faces'], camera)\n"
        f"    np.save({str(tmp_path / 'out.npy')!r}, rgba)\n"
    )
    done = _run(code, PYOPENGL_PLATFORM=platform)
    if "refused:" in done.stdout:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "in.npz") as scene:
        want, _ = make_renderer(RenderParams()).render([scene["mesh"]], scene["faces"], Camera.default(160, 120))
    assert iou(np.load(tmp_path / "out.npy")[..., 3] > 127, want[..., 3] > 127) > 0.99


def test_without_opengl_the_message_says_what_to_install():
    hide = "import sys\nsys.modules['OpenGL.GL'] = None\nsys.modules['OpenGL'] = None\n"
    done = _run(hide + START)
    assert done.stdout.startswith("refused:"), done.stderr
    assert "libosmesa6" in done.stdout and "zbuffer" in done.stdout


def test_a_platform_that_does_not_exist_is_refused():
    done = _run(START, PYOPENGL_PLATFORM="glx")
    assert done.stdout.startswith("refused:"), done.stdout + done.stderr


LLVMPIPE, NVIDIA = "llvmpipe (LLVM 15.0.6, 256 bits)", "NVIDIA H200/PCIe/SSE2"


@pytest.mark.parametrize("name", [LLVMPIPE, "softpipe", "Software Rasterizer"])
def test_a_gpu_that_is_not_used_is_an_error_that_says_why(name):
    with pytest.raises(InfrastructureError) as error:
        check_device("gpu", name)
    for word in (name, "NVIDIA_DRIVER_CAPABILITIES", "graphics", "/usr/share/glvnd/egl_vendor.d/10_nvidia.json"):
        assert word in str(error.value)
    check_device("cpu", name)
    check_device("auto", name)


def test_a_gpu_that_is_used_is_refused_only_for_the_cpu():
    check_device("gpu", NVIDIA)
    check_device("auto", NVIDIA)
    with pytest.raises(InfrastructureError, match="osmesa"):
        check_device("cpu", NVIDIA)


def test_the_z_buffer_has_no_gpu():
    with pytest.raises(ValueError, match="pyrender"):
        RenderParams(device="gpu")


ASK = """
import logging, sys
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(name)s: %(message)s")
from m2m.augment.render import RenderParams, make_renderer
from m2m.augment.render.pyrender import renderer_name
from m2m.errors import InfrastructureError
for device in ("auto", "cpu", "gpu"):
    try:
        make_renderer(RenderParams("pyrender", device=device))
        print(device, "started")
    except InfrastructureError as error:
        print(device, "refused:", error)
print("name:", renderer_name())
"""


def test_the_drivers_name_is_told_once(gl):
    done = _run(ASK)
    lines = done.stdout.splitlines()
    [told] = [line for line in lines if "draws with" in line]
    [name] = [line.removeprefix("name: ") for line in lines if line.startswith("name: ")]
    assert told.endswith(name) and len(name) > 3
    software = any(word in name.lower() for word in ("llvmpipe", "softpipe", "software"))
    [cpu], [gpu] = ([line for line in lines if line.startswith(d)] for d in ("cpu ", "gpu "))
    assert "auto started" in lines
    assert ("started" in cpu, "started" in gpu) == (software, not software), done.stdout
