"""pyrender, the paper's renderer: OpenGL without a window, on EGL or OSMesa."""

import logging
import os
import sys
from types import ModuleType
from typing import Any

import numpy as np

from m2m.augment.bodies import Camera
from m2m.augment.render.resolve import resolve
from m2m.augment.render.shade import shade
from m2m.augment.render.zbuffer import NEAR
from m2m.errors import InfrastructureError

log = logging.getLogger(__name__)

PLATFORMS = ("egl", "osmesa")
SOFTWARE = ("llvmpipe", "softpipe", "swrast", "software rasterizer")
"""What Mesa's drivers for no GPU call themselves, in lower case."""
VENDOR = "/usr/share/glvnd/egl_vendor.d/10_nvidia.json"
"""Tells EGL of NVIDIA's driver."""
INSTALL = (
    "Install the package with `pip install 'm2m[gl]'`, and either an NVIDIA driver or Debian's libegl1 and "
    "libgl1-mesa-dri (EGL), or libosmesa6 (OSMesa); or set render.backend to zbuffer"
)

_offscreen: Any = None
"""The process's one OpenGL context: pyrender loses memory with each one that is made."""
_name = ""
"""What its driver calls itself."""


class PyrenderRenderer:
    """A renderer as `m2m.augment.bodies.Renderer` describes it.

    PYOPENGL_PLATFORM (egl or osmesa) decides if it is set; else EGL if its library is on the machine, else OSMesa.

    Args:
        supersample: Samples along each side of a pixel.
        colour: RGB, 0 to 255.
        device: `auto`, `gpu` or `cpu`.

    Raises:
        InfrastructureError: The package is missing, no OpenGL works, or it does not draw on that device.
    """

    def __init__(self, supersample: int, colour: tuple[int, int, int], device: str = "auto") -> None:
        self.supersample = supersample
        self.colour = np.array(colour, np.float64)
        if device == "cpu":
            # Read when the driver is first loaded. Without a GPU's driver Mesa's is the only one.
            os.environ.setdefault("LIBGL_ALWAYS_SOFTWARE", "1")
        check_device(device, renderer_name())

    def render(self, meshes: list[np.ndarray], faces: np.ndarray, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
        """Draws all bodies of a frame; see `Renderer.render`.

        Raises:
            ValueError: A vertex is not finite.
        """
        gl, n = _pyrender(), self.supersample
        scene = gl.Scene(bg_color=[0.0, 0.0, 0.0, 0.0])
        # OpenGL looks along -z with y up.
        to_gl = np.array([1, -1, -1], np.float32)
        for mesh in meshes:
            if not np.isfinite(mesh).all():
                raise ValueError("a mesh has vertices that are not finite")
            grey = np.repeat(shade(mesh, faces)[:, None], 3, 1)
            body = gl.Primitive(
                positions=camera.widened(mesh) * to_gl,
                indices=faces,
                color_0=np.concatenate([grey, np.ones((len(grey), 1))], 1).astype(np.float32),
                material=gl.MetallicRoughnessMaterial(doubleSided=True),
            )
            scene.add(gl.Mesh([body]))
        lens = gl.IntrinsicsCamera(
            camera.focal * n, camera.focal * n, camera.cx * n, camera.cy * n, znear=NEAR, zfar=1000.0
        )
        scene.add(lens)
        # The light is in the vertices' colours, so OpenGL is asked for none of its own.
        colours, metres = _context(camera.width * n, camera.height * n).render(scene, gl.RenderFlags.FLAT)
        rgba = np.zeros((camera.height, camera.width, 4), np.uint8)
        depth = np.zeros((camera.height, camera.width), np.float32)
        # Alpha comes from the depth: under OSMesa pyrender gives no alpha, whatever it is asked.
        hit = metres > 0
        if hit.any():
            rows, columns = _whole_pixels(hit.any(1), n), _whole_pixels(hit.any(0), n)
            near, lit, drawn = metres[rows, columns], colours[rows, columns, 0], hit[rows, columns]
            inverse_depth = np.divide(1, near, out=np.zeros(near.shape), where=drawn)
            light = (lit / np.float32(255)).astype(np.float32)
            resolve(inverse_depth, light, n, self.colour, columns.start // n, rows.start // n, rgba, depth)
        return rgba, depth


def renderer_name() -> str:
    """What the driver that draws calls itself (OpenGL's GL_RENDERER); logged when it is first asked.

    Raises:
        InfrastructureError: The package is missing, or no OpenGL works.
    """
    global _name
    if not _name:
        _context(64, 64)  # current from now on
        from OpenGL.GL import GL_RENDERER, glGetString

        _name = glGetString(GL_RENDERER).decode(errors="replace")
        log.info("pyrender draws with %s", _name)
    return _name


def check_device(device: str, name: str) -> None:
    """Refuses a driver that does not draw on the device that was asked for.

    Args:
        device: `auto`, `gpu` or `cpu`.
        name: The driver's, as `renderer_name` gives it.

    Raises:
        InfrastructureError: It draws on the other.
    """
    software = any(word in name.lower() for word in SOFTWARE)
    if device == "gpu" and software:
        raise InfrastructureError(
            f"render.device is gpu, and OpenGL draws on the CPU ({name})",
            f"in a container set NVIDIA_DRIVER_CAPABILITIES to all, or to a list with graphics, and see that {VENDOR} "
            "is there; and PYOPENGL_PLATFORM must not be osmesa",
        )
    if device == "cpu" and not software:
        raise InfrastructureError(
            f"render.device is cpu, and OpenGL draws on a GPU ({name})",
            "set PYOPENGL_PLATFORM=osmesa (Debian's libosmesa6), or render.backend to zbuffer",
        )


def _whole_pixels(hit: np.ndarray, samples: int) -> slice:
    """The samples from the first to the last that is hit, with the rest of their pixels; there is one."""
    at = np.flatnonzero(hit)
    return slice(int(at[0]) // samples * samples, (int(at[-1]) // samples + 1) * samples)


def _pyrender() -> ModuleType:
    """pyrender, made to work with numpy 2 and to draw at the centres of pixels.

    Raises:
        InfrastructureError: The package is missing, or finds no OpenGL.
    """
    if not hasattr(np, "infty"):
        np.infty = np.inf  # type: ignore[attr-defined]
    if "pyrender" not in sys.modules:
        # Its window, which is never opened, wants pyglet, and that a display's GL library, which a container has not.
        viewer = ModuleType("pyrender.viewer")
        viewer.Viewer = None  # type: ignore[attr-defined]
        sys.modules["pyrender.viewer"] = viewer
    try:
        import pyrender
        import pyrender.renderer
    except (ImportError, AttributeError, OSError) as error:
        raise InfrastructureError(f"pyrender cannot be used: {error}", INSTALL) from error
    # pyrender always draws four samples a pixel and then takes the depth of the first, which lies beside the centre
    # (in y by 3/8 pixel on Mesa). We take samples ourselves: ask for one.
    plain = pyrender.renderer.glRenderbufferStorage
    pyrender.renderer.glRenderbufferStorageMultisample = lambda target, _, *size: plain(target, *size)
    return pyrender


def _context(width: int, height: int) -> Any:
    """The process's OpenGL context, made anew when the size changes.

    Raises:
        InfrastructureError: No OpenGL works.
    """
    global _offscreen
    if _offscreen is not None and (_offscreen.viewport_width, _offscreen.viewport_height) == (width, height):
        return _offscreen
    if _offscreen is not None:
        _offscreen.delete()
        _offscreen = None
    # PyOpenGL reads the platform when it is first imported, and never again.
    os.environ.setdefault("PYOPENGL_PLATFORM", _platform())
    try:
        _offscreen = _pyrender().OffscreenRenderer(width, height)
    except InfrastructureError:
        raise
    except Exception as error:  # PyOpenGL raises whatever the driver provoked
        raise InfrastructureError(f"OpenGL does not start: {error}", INSTALL) from error
    return _offscreen


def _platform() -> str:
    """The first platform whose library is on the machine."""
    from ctypes.util import find_library

    libraries = {"egl": "EGL", "osmesa": "OSMesa"}
    return next((name for name in PLATFORMS if find_library(libraries[name])), PLATFORMS[0])
