"""Drawing dressed persons over a plate: shading by vertex, a z-buffer, anti-aliased compositing."""

from dataclasses import dataclass

import cv2
import numpy as np

from m2m.augment.bodies import Camera
from m2m.augment.render.shade import vertex_normals
from m2m.augment.render.zbuffer import NEAR
from m2m.augment.render.zbuffer import draw as draw_mesh

SUBSAMPLES = 3
"""Samples a pixel along each axis."""


@dataclass(frozen=True)
class Figure:
    """A mesh ready to be drawn.

    Attributes:
        vertices: (V, 3) camera space, metres.
        faces: (F, 3) counter-clockwise seen from outside.
        colors: (V, 3) RGB in [0, 1], unlit.
        puff: (V,) metres by which the surface is pushed out along its normals.
    """

    vertices: np.ndarray
    faces: np.ndarray
    colors: np.ndarray
    puff: np.ndarray


@dataclass(frozen=True)
class Light:
    """A distant light.

    Attributes:
        direction: (3,) unit vector towards the light, camera space.
        ambient: Share of light that comes from everywhere, 0 to 1.
    """

    direction: np.ndarray
    ambient: float


def draw(plate: np.ndarray, figures: list[Figure], camera: Camera, light: Light) -> tuple[np.ndarray, np.ndarray]:
    """Draws figures over a plate, nearer ones in front.

    Args:
        plate: (H, W, 3) uint8 RGB.
        figures: What to draw, in one depth-tested scene.
        camera: The camera of the scene.
        light: The light of the scene.

    Returns:
        The frame (H, W, 3) uint8, equal to the plate where no figure is, and masks (P, H, W) bool: pixels of which a
        figure covers half or more and more than any other.
    """
    height, width = plate.shape[:2]
    frame, masks = plate.copy(), np.zeros((len(figures), height, width), bool)
    ready = [_prepare(figure, light) for figure in figures]
    corners = [camera.project(vertices[vertices[:, 2] > NEAR]) for vertices, _ in ready]
    corners = [points for points in corners if len(points)]
    if not corners:
        return frame, masks
    x0, y0 = np.clip(np.floor(np.min([p.min(0) for p in corners], axis=0)), 0, [width, height]).astype(int)
    x1, y1 = np.clip(np.ceil(np.max([p.max(0) for p in corners], axis=0)), 0, [width, height]).astype(int)
    if x0 >= x1 or y0 >= y1:
        return frame, masks
    n = SUBSAMPLES
    size = ((y1 - y0) * n, (x1 - x0) * n)
    nearest, owner = np.zeros(size), np.zeros(size, np.uint8)
    image = np.zeros((*size, 3), np.float32)
    lens = (camera.focal * n, (camera.cx - x0) * n, (camera.cy - y0) * n)
    for name, (figure, (vertices, colors)) in enumerate(zip(figures, ready, strict=True), 1):
        draw_mesh(vertices, figure.faces, colors, name, *lens, nearest, image, owner)
    color = _average(image)
    shares = [_average((owner == name).astype(np.float32)) for name in range(1, len(figures) + 1)]
    covered = np.sum(shares, axis=0)
    under = plate[y0:y1, x0:x1].astype(np.float32)
    frame[y0:y1, x0:x1] = np.clip(np.rint(under * (1 - covered[..., None]) + 255 * color), 0, 255).astype(np.uint8)
    most = np.argmax(shares, axis=0)
    for index in range(len(figures)):
        masks[index, y0:y1, x0:x1] = (covered >= 0.5) & (most == index)
    return frame, masks


def _prepare(figure: Figure, light: Light) -> tuple[np.ndarray, np.ndarray]:
    """Vertices pushed out by hair and clothes, and their lit colours; float64."""
    vertices = figure.vertices.astype(np.float64)
    normals = vertex_normals(vertices, figure.faces)
    lit = light.ambient + (1 - light.ambient) * np.maximum(normals @ light.direction, 0)
    return vertices + normals * figure.puff[:, None], figure.colors * lit[:, None]


def _average(samples: np.ndarray) -> np.ndarray:
    """Means over the samples of each pixel: (h * n, w * n) or (h * n, w * n, C) to (h, w) or (h, w, C)."""
    high, wide = samples.shape[:2]
    return cv2.resize(samples, (wide // SUBSAMPLES, high // SUBSAMPLES), interpolation=cv2.INTER_AREA)
