"""Bodies: SMPL-X poses of tracked people under one pinhole camera for the scene.

Camera space: x right, y down, z away from the camera, metres. SMPL-X space (rest pose): x to the body's left, y up, z
to the front; the root rotation of a pose takes SMPL-X space to camera space (so an upright body facing the camera has
a root rotation of pi about x).
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from m2m.augment.people import FramePeople

N_JOINTS = 55


@dataclass(frozen=True)
class Camera:
    """A pinhole camera without distortion.

    Attributes:
        focal: Focal length in pixels.
        cx: Principal point x in pixels.
        cy: Principal point y in pixels.
        width: Image width in pixels.
        height: Image height in pixels.
        stretch: How much wider the image shows things than they are: one whose sides were scaled unequally.
    """

    focal: float
    cx: float
    cy: float
    width: int
    height: int
    stretch: float = 1.0

    @classmethod
    def default(cls, width: int, height: int, stretch: float = 1.0) -> "Camera":
        """A camera with a diagonal field of view of 55 degrees, centred (CLIFF's convention: focal = diagonal)."""
        return cls(float(np.hypot(width / stretch, height)), width / 2, height / 2, width, height, stretch)

    def widened(self, points: np.ndarray) -> np.ndarray:
        """(..., 3) camera-space points as a camera that does not stretch must see them to make the same picture."""
        return points if self.stretch == 1 else points * np.array([self.stretch, 1, 1], points.dtype)

    def project(self, points: np.ndarray) -> np.ndarray:
        """Projects (..., 3) camera-space points to (..., 2) pixels."""
        points = self.widened(points)
        return points[..., :2] / points[..., 2:] * self.focal + np.array([self.cx, self.cy])


@dataclass(frozen=True)
class Body:
    """One body in one frame.

    Attributes:
        track: The person's track id.
        pose: (55, 3) float32 axis-angle in radians, SMPL-X joint order, local rotations; row 0 is the root.
        transl: (3,) float32, metres, camera space: position of the body model's root joint (pelvis).
    """

    track: int
    pose: np.ndarray
    transl: np.ndarray


@dataclass(frozen=True)
class FrameBodies:
    """Every body of one frame."""

    bodies: tuple[Body, ...]


class Recoverer(Protocol):
    """Turns people into bodies.

    Attributes:
        needs_frames: Whether it looks at the originals.
    """

    needs_frames: bool

    def recover(self, people: list[FramePeople], camera: Camera, frames: np.ndarray | None = None) -> list[FrameBodies]:
        """Recovers one body a confirmed person, smoothed along the track.

        Args:
            people: T frames of one shot.
            camera: The scene's camera.
            frames: (T, H, W, 3) uint8 RGB, the originals; None where they are not needed.

        Returns:
            T entries.
        """
        ...


class BodyModel(Protocol):
    """Poses to vertices. Shape is constant: a body must not describe the person.

    Attributes:
        faces: (F, 3) int32 vertex indices, counter-clockwise seen from outside.
        rest_joints: (55, 3) float32, metres, SMPL-X space, rest pose (T-pose).
        parents: (55,) int32, parent joint, -1 for the root.
    """

    faces: np.ndarray
    rest_joints: np.ndarray
    parents: np.ndarray

    def vertices(self, pose: np.ndarray, transl: np.ndarray) -> np.ndarray:
        """Vertices in camera space.

        Args:
            pose: (55, 3) axis-angle, radians.
            transl: (3,) position of the root joint, metres, camera space.

        Returns:
            (V, 3) float32, metres.
        """
        ...

    def joints(self, pose: np.ndarray, transl: np.ndarray) -> np.ndarray:
        """(55, 3) float32 joints in camera space for the same arguments."""
        ...


class Renderer(Protocol):
    """Draws meshes in one depth-tested scene."""

    def render(self, meshes: list[np.ndarray], faces: np.ndarray, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
        """Draws all bodies of a frame.

        Args:
            meshes: Vertices (V, 3) float32 of each body, camera space, metres.
            faces: (F, 3) int32, shared by all bodies.
            camera: The scene's camera.

        Returns:
            rgba (H, W, 4) uint8 with straight alpha (anti-aliased edges), and depth (H, W) float32 in metres, 0 where
            nothing is drawn.
        """
        ...
