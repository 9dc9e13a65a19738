"""A z-buffer on the CPU: needs no graphics driver and gives the same bytes wherever it runs."""

import numpy as np

from m2m.augment.bodies import Camera
from m2m.augment.render.jit import jit
from m2m.augment.render.resolve import resolve
from m2m.augment.render.shade import shade

NEAR = 0.05
"""Metres; what is nearer to the camera is cut off."""
EDGE = 1e-9
"""A sample that far outside a triangle (barycentric) still counts, so that rounding leaves no gap between two."""


class ZBufferRenderer:
    """A renderer as `m2m.augment.bodies.Renderer` describes it.

    Args:
        supersample: Samples along each side of a pixel.
        colour: RGB, 0 to 255.
    """

    def __init__(self, supersample: int, colour: tuple[int, int, int]) -> None:
        self.supersample = supersample
        self.colour = np.array(colour, np.float64)
        # One triangle compiles or loads the loops now, and not in the middle of the first clip.
        triangle = np.array([[0, 0, 1], [0.1, 0, 1], [0, 0.1, 1]], np.float32)
        self.render([triangle], np.array([[0, 1, 2]], np.int32), Camera.default(8, 8))

    def render(self, meshes: list[np.ndarray], faces: np.ndarray, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
        """Draws all bodies of a frame; see `Renderer.render`.

        Raises:
            ValueError: A vertex is not finite.
        """
        rgba = np.zeros((camera.height, camera.width, 4), np.uint8)
        depth = np.zeros((camera.height, camera.width), np.float32)
        seen = [box for box in (_box(camera.widened(mesh), camera) for mesh in meshes) if box is not None]
        if not seen:
            return rgba, depth
        left, top = np.min(seen, 0)[:2]
        right, bottom = np.max(seen, 0)[2:]
        n = self.supersample
        inverse_depth = np.zeros(((bottom - top) * n, (right - left) * n))
        light = np.zeros((*inverse_depth.shape, 1), np.float32)
        owner = np.zeros(inverse_depth.shape, np.uint8)
        for mesh in meshes:
            draw(
                camera.widened(mesh.astype(np.float64)),
                faces,
                shade(mesh, faces)[:, None],
                1,
                camera.focal * n,
                (camera.cx - left) * n,
                (camera.cy - top) * n,
                inverse_depth,
                light,
                owner,
            )
        resolve(inverse_depth, light[..., 0], n, self.colour, left, top, rgba, depth)
        return rgba, depth


def _box(mesh: np.ndarray, camera: Camera) -> tuple[int, int, int, int] | None:
    """Pixels x0, y0, x1, y1 (end exclusive) that a mesh may touch; None if it is out of sight."""
    nearest, farthest, *limits = _extent(mesh, camera.focal, camera.cx, camera.cy)
    if not np.isfinite(nearest + farthest + sum(limits)):
        raise ValueError("a mesh has vertices that are not finite")
    if farthest < NEAR:
        return None
    if nearest < NEAR:
        return 0, 0, camera.width, camera.height
    x0, x1 = (int(np.clip(x, 0, camera.width)) for x in (np.floor(limits[0]), np.ceil(limits[1])))
    y0, y1 = (int(np.clip(y, 0, camera.height)) for y in (np.floor(limits[2]), np.ceil(limits[3])))
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


@jit
def _extent(vertices: np.ndarray, focal: float, cx: float, cy: float) -> tuple[float, ...]:
    """Limits of z, and of x and y in the picture (of points before the camera); NaN if a vertex is not finite."""
    z0, z1, x0, x1, y0, y1 = np.inf, -np.inf, 0.0, 0.0, 0.0, 0.0
    first = True
    for i in range(len(vertices)):
        z = vertices[i, 2]
        if not np.isfinite(vertices[i, 0] + vertices[i, 1] + z):
            return np.nan, np.nan, np.nan, np.nan, np.nan, np.nan
        z0, z1 = min(z0, z), max(z1, z)
        if z >= NEAR:
            x, y = vertices[i, 0] / z * focal + cx, vertices[i, 1] / z * focal + cy
            if first:
                x0, x1, y0, y1, first = x, x, y, y, False
            x0, x1, y0, y1 = min(x0, x), max(x1, x), min(y0, y), max(y1, y)
    return z0, z1, x0, x1, y0, y1


@jit
def _triangle(
    p: np.ndarray, a: int, b: int, c: int, name: int, inverse_depth: np.ndarray, image: np.ndarray, owner: np.ndarray
) -> None:
    """Draws one triangle; rows of p are x, y, 1/z and the values."""
    x0, y0, x1, y1, x2, y2 = p[a, 0], p[a, 1], p[b, 0], p[b, 1], p[c, 0], p[c, 1]
    area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
    if not abs(area) > 1e-12:
        return
    scale = 1 / area
    height, width = inverse_depth.shape
    # Samples lie at (u + .5, v + .5). The limits are cut as floats: a point beside the camera projects far away.
    u0 = int(np.ceil(max(min(x0, x1, x2) - 0.5, 0.0)))
    u1 = int(np.floor(min(max(x0, x1, x2) - 0.5, width - 1.0)))
    v0 = int(np.ceil(max(min(y0, y1, y2) - 0.5, 0.0)))
    v1 = int(np.floor(min(max(y0, y1, y2) - 0.5, height - 1.0)))
    for v in range(v0, v1 + 1):
        dy = v + 0.5 - y0
        for u in range(u0, u1 + 1):
            dx = u + 0.5 - x0
            wb = (dx * (y2 - y0) - (x2 - x0) * dy) * scale
            wc = ((x1 - x0) * dy - dx * (y1 - y0)) * scale
            wa = 1 - wb - wc
            if wa < -EDGE or wb < -EDGE or wc < -EDGE:
                continue
            # One over z is linear in the picture; values are after division by z.
            wa, wb, wc = wa * p[a, 2], wb * p[b, 2], wc * p[c, 2]
            near = wa + wb + wc
            if near > inverse_depth[v, u]:
                inverse_depth[v, u] = near
                owner[v, u] = name
                for k in range(3, p.shape[1]):
                    image[v, u, k - 3] = (wa * p[a, k] + wb * p[b, k] + wc * p[c, k]) / near


@jit
def draw(
    vertices: np.ndarray,
    faces: np.ndarray,
    values: np.ndarray,
    name: int,
    focal: float,
    cx: float,
    cy: float,
    inverse_depth: np.ndarray,
    image: np.ndarray,
    owner: np.ndarray,
) -> None:
    """Draws a mesh into the buffers, which already hold what was drawn before.

    Args:
        vertices: (V, 3) camera space, metres.
        faces: (F, 3); both sides are drawn.
        values: (V, C) what is drawn: brightness, or lit RGB in [0, 1].
        name: The number of the mesh, 1 to 255.
        focal: Focal length in samples.
        cx: Principal point x in samples of the buffers.
        cy: Principal point y in samples of the buffers.
        inverse_depth: (h, w) float64, one over metres; the larger wins.
        image: (h, w, C) float32, interpolated values.
        owner: (h, w) uint8, the number of the mesh that is in front; 0 where there is none.
    """
    channels = values.shape[1]
    p = np.empty((len(vertices), 3 + channels))
    for i in range(len(vertices)):
        z = max(vertices[i, 2], NEAR)
        p[i, 0] = vertices[i, 0] / z * focal + cx
        p[i, 1] = vertices[i, 1] / z * focal + cy
        p[i, 2] = 1 / z
        for k in range(channels):
            p[i, 3 + k] = values[i, k]
    cut = np.empty((4, 3 + channels))
    for f in range(len(faces)):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        behind = (vertices[a, 2] < NEAR) + (vertices[b, 2] < NEAR) + (vertices[c, 2] < NEAR)
        if behind == 0:
            _triangle(p, a, b, c, name, inverse_depth, image, owner)
        elif behind < 3:
            # Cut the triangle at the near plane (Sutherland and Hodgman): three or four corners are left.
            corners = 0
            for k in range(3):
                i, j = faces[f, k], faces[f, (k + 1) % 3]
                zi, zj = vertices[i, 2], vertices[j, 2]
                if zi >= NEAR:
                    cut[corners] = p[i]
                    corners += 1
                if (zi >= NEAR) != (zj >= NEAR):
                    t = (NEAR - zi) / (zj - zi)
                    cut[corners, 0] = (vertices[i, 0] + t * (vertices[j, 0] - vertices[i, 0])) / NEAR * focal + cx
                    cut[corners, 1] = (vertices[i, 1] + t * (vertices[j, 1] - vertices[i, 1])) / NEAR * focal + cy
                    cut[corners, 2] = 1 / NEAR
                    for channel in range(channels):
                        at = values[i, channel]
                        cut[corners, 3 + channel] = at + t * (values[j, channel] - at)
                    corners += 1
            for k in range(1, corners - 1):
                _triangle(cut, 0, k, k + 1, name, inverse_depth, image, owner)
