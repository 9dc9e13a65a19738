"""A z-buffer that draws colours: all three channels and the owner of each sample in one pass."""

import numpy as np

from m2m.augment.render.jit import jit
from m2m.augment.render.zbuffer import EDGE, NEAR


@jit
def _triangle(
    p: np.ndarray, a: int, b: int, c: int, name: int, inverse_depth: np.ndarray, image: np.ndarray, owner: np.ndarray
) -> None:
    """Draws one triangle; rows of p are x, y, 1/z, red, green, blue."""
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
            # One over z is linear in the picture; colours are after division by z.
            near = wa * p[a, 2] + wb * p[b, 2] + wc * p[c, 2]
            if near > inverse_depth[v, u]:
                inverse_depth[v, u] = near
                owner[v, u] = name
                for k in range(3):
                    mixed = wa * p[a, 2] * p[a, 3 + k] + wb * p[b, 2] * p[b, 3 + k] + wc * p[c, 2] * p[c, 3 + k]
                    image[v, u, k] = mixed / near


@jit
def draw(
    vertices: np.ndarray,
    faces: np.ndarray,
    colors: np.ndarray,
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
        colors: (V, 3) RGB in [0, 1], lit.
        name: The number of the mesh, 1 to 255.
        focal: Focal length in samples.
        cx: Principal point x in samples of the buffers.
        cy: Principal point y in samples of the buffers.
        inverse_depth: (h, w) float64, one over metres; the larger wins.
        image: (h, w, 3) float32, interpolated colours.
        owner: (h, w) uint8, the number of the mesh that is in front; 0 where there is none.
    """
    p = np.empty((len(vertices), 6))
    for i in range(len(vertices)):
        z = max(vertices[i, 2], NEAR)
        p[i, 0] = vertices[i, 0] / z * focal + cx
        p[i, 1] = vertices[i, 1] / z * focal + cy
        p[i, 2] = 1 / z
        for k in range(3):
            p[i, 3 + k] = colors[i, k]
    cut = np.empty((4, 6))
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
                    for channel in range(3):
                        at = colors[i, channel]
                        cut[corners, 3 + channel] = at + t * (colors[j, channel] - at)
                    corners += 1
            for k in range(1, corners - 1):
                _triangle(cut, 0, k, k + 1, name, inverse_depth, image, owner)
