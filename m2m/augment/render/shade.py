"""Light on a matte body, the same for every renderer."""

import numpy as np

from m2m.augment.render.jit import jit

AMBIENT, KEY, FILL = 0.24, 0.62, 0.20
"""How much of the light is everywhere, from the key light, from the fill light."""
KEY_FROM = np.array([-0.45, -0.70, -0.55])
FILL_FROM = np.array([0.75, -0.05, -0.65])
"""Where the lights are, camera space: the key above and left of the camera, the fill to the right."""
WRAP = 0.25
"""How far light reaches around the body, as from a large lamp; 0 is a lamp without size."""


@jit
def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Outward unit normals of a mesh, each the area-weighted mean of the faces around the vertex.

    Args:
        vertices: (V, 3).
        faces: (F, 3), counter-clockwise seen from outside.

    Returns:
        (V, 3) float64; zero where a vertex has no face.
    """
    normals = np.zeros((len(vertices), 3))
    for f in range(len(faces)):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        ux, uy, uz = vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1], vertices[b, 2] - vertices[a, 2]
        vx, vy, vz = vertices[c, 0] - vertices[a, 0], vertices[c, 1] - vertices[a, 1], vertices[c, 2] - vertices[a, 2]
        n = (uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx)
        for i in (a, b, c):
            for k in range(3):
                normals[i, k] += n[k]
    for i in range(len(normals)):
        length = np.sqrt(normals[i, 0] ** 2 + normals[i, 1] ** 2 + normals[i, 2] ** 2)
        if length > 0:
            for k in range(3):
                normals[i, k] /= length
    return normals


def shade(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """How bright each vertex is.

    Args:
        vertices: (V, 3) camera space.
        faces: (F, 3), counter-clockwise seen from outside.

    Returns:
        (V,) float64 in [0, 1], to be multiplied with the body's colour.
    """
    normals = vertex_normals(vertices, faces)
    light = np.full(len(vertices), AMBIENT)
    for strength, direction in ((KEY, KEY_FROM), (FILL, FILL_FROM)):
        facing = normals @ (direction / np.linalg.norm(direction))
        light += strength * np.maximum((facing + WRAP) / (1 + WRAP), 0)
    return np.minimum(light, 1)
