"""Props: what a person holds, throws or kicks, as meshes that follow the body."""

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from m2m.errors import InputError

PROPS = ("ball", "stick", "racket", "box")
WRISTS, PALMS, FEET = (20, 21), (28, 43), (10, 11)
ELBOWS = (18, 19)
CONTACT = {"kick": 0.42, "throw": 0.55}
"""Point of the action's cycle at which the ball leaves the foot or the hand."""
REACH = 2.0
"""Metres that a ball flies before it comes back, as from a wall."""


@dataclass(frozen=True)
class Shape:
    """A mesh in its own frame, y along the tool, origin where it is held; metres.

    Attributes:
        vertices: (V, 3).
        faces: (F, 3) counter-clockwise seen from outside.
        colors: (V, 3) float32 RGB in [0, 1].
    """

    vertices: np.ndarray
    faces: np.ndarray
    colors: np.ndarray


@dataclass(frozen=True)
class Prop:
    """A thing on its way.

    Attributes:
        shape: What it is.
        turned: T rotations from its own frame to camera space.
        position: (T, 3) metres, camera space.
    """

    shape: Shape
    turned: Rotation
    position: np.ndarray

    def vertices(self, index: int) -> np.ndarray:
        """(V, 3) camera space of one frame."""
        return self.turned[index].apply(self.shape.vertices) + self.position[index]


def _tube(rings: list[tuple[float, float, float]], sides: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """A closed tube along y through elliptic rings of (y, radius along x, radius along z), small at both ends."""
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    points = np.concatenate([np.stack([a * np.cos(angle), 0 * angle + y, b * np.sin(angle)], 1) for y, a, b in rings])
    faces = []
    for ring in range(len(rings) - 1):
        for k in range(sides):
            a, b = ring * sides + k, ring * sides + (k + 1) % sides
            faces += [[a, a + sides, b], [b, a + sides, b + sides]]
    return points, np.array(faces, np.int32)


def _round(centre: float, radius: tuple[float, float, float], rings: int = 11) -> list[tuple[float, float, float]]:
    """The rings of an ellipsoid with half axes x, y, z about a point of the axis."""
    turn = np.linspace(-0.499 * np.pi, 0.499 * np.pi, rings)
    return [(centre + radius[1] * np.sin(t), radius[0] * np.cos(t), radius[2] * np.cos(t)) for t in turn]


def _paint(rng: np.random.Generator) -> np.ndarray:
    """A strong colour that is neither skin nor a dull background."""
    hsv = np.array([[[rng.uniform(70, 330), rng.uniform(0.6, 0.9), rng.uniform(0.55, 0.95)]]], np.float32)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0]


def make_shape(kind: str, rng: np.random.Generator) -> Shape:
    """A thing.

    Args:
        kind: One of PROPS.
        rng: Source of chance for its size and colours.

    Raises:
        InputError: There is no such thing.
    """
    if kind not in PROPS:
        raise InputError(f"the studio has no prop {kind!r}", f"known: {', '.join(PROPS)}")
    color, other = _paint(rng), _paint(rng)
    if kind == "ball":
        radius = float(rng.uniform(0.10, 0.13))
        vertices, faces = _tube(_round(0, (radius, radius, radius)))
        banded = np.abs(vertices[:, 0]) < 0.4 * radius
    elif kind == "stick":
        length = float(rng.uniform(0.7, 1.0))
        vertices, faces = _tube([(-0.12, 0.004, 0.004), (-0.12, 0.022, 0.022), (length, 0.022, 0.022),
                                 (length, 0.004, 0.004)])  # fmt: skip
        banded = vertices[:, 1] > 0.9 * length
    elif kind == "racket":
        grip, gripped = _tube([(-0.08, 0.004, 0.004), (-0.08, 0.02, 0.02), (0.3, 0.018, 0.018), (0.3, 0.004, 0.004)])
        head, headed = _tube(_round(0.46, (0.13, 0.17, 0.012)))
        vertices, faces = np.concatenate([grip, head]), np.concatenate([gripped, headed + len(grip)])
        banded = np.arange(len(vertices)) < len(grip)
    else:
        half = rng.uniform([0.16, 0.10, 0.12], [0.22, 0.16, 0.18])
        corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * half
        sides = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
        # Each side has corners of its own, so that its shading is flat.
        vertices = corners[sides.reshape(-1)]
        faces = np.array([[4 * k + i for i in part] for k in range(6) for part in ((0, 1, 2), (0, 2, 3))], np.int32)
        banded = np.arange(len(vertices)) // 4 % 2 == 1
    colors = np.where(banded[:, None], other, color).astype(np.float32)
    return Shape(vertices, faces, colors)


def _along(direction: np.ndarray, side: np.ndarray) -> Rotation:
    """Rotations that take y to (T, 3) directions and x as near to `side` (3,) as they can; not along it exactly."""
    y = direction / np.linalg.norm(direction, axis=1, keepdims=True)
    x = side - (y @ side)[:, None] * y
    x /= np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9)
    return Rotation.from_matrix(np.stack([x, y, np.cross(x, y)], axis=2))


def make_prop(
    kind: str, label: str, side: int, cycles: np.ndarray, joints: np.ndarray, heading: float, rng: np.random.Generator
) -> Prop:
    """A thing that a person holds; a ball is kicked in `kick` and thrown in `throw`, a box is held in both hands.

    Args:
        kind: One of PROPS.
        label: The action.
        side: The leading hand or foot, 0 left, 1 right.
        cycles: (T,) where in the action's cycles each frame is.
        joints: (T, 55, 3) of the person, camera space, metres.
        heading: Radians the person is turned to the left from facing the camera.
        rng: Source of chance.

    Raises:
        InputError: There is no such thing.
    """
    shape = make_shape(kind, rng)
    turn = Rotation.from_rotvec([np.pi, 0, 0]) * Rotation.from_rotvec([0, heading, 0])
    front, left = turn.apply([0, 0, 1]), turn.apply([1, 0, 0])
    palm, wrist, elbow = (joints[:, pair[side]] for pair in (PALMS, WRISTS, ELBOWS))
    fore = wrist - elbow
    if kind == "box":
        middle = joints[:, list(PALMS)].mean(1)
        still = Rotation.from_quat(np.tile(turn.as_quat(), (len(joints), 1)))
        return Prop(shape, still, middle + front * 0.1)
    turned = _along(fore, left)
    if kind != "ball":
        return Prop(shape, turned, palm)
    radius = float(shape.vertices[:, 0].max())
    fore = fore / np.linalg.norm(fore, axis=1, keepdims=True)
    held = joints[:, FEET[side]] + front * radius if label == "kick" else palm + fore * 0.9 * radius
    if label in CONTACT:
        held = _flight(held, cycles, CONTACT[label], label == "throw", front)
    return Prop(shape, turned, held)


def _flight(held: np.ndarray, cycles: np.ndarray, contact: float, carried: bool, front: np.ndarray) -> np.ndarray:
    """Where a ball is that leaves at `contact` and comes back: at the next cycle if carried, else at the next contact.

    Args:
        held: (T, 3) where it would be if it did not leave.
        cycles: (T,), rising.
        contact: Point of the cycle, 0 to 1.
        carried: It is held from the beginning of a cycle to the contact.
        front: (3,) where it flies.
    """
    turn = np.floor(cycles - contact)
    length = 1 - contact if carried else 1.0
    part = np.clip((cycles - contact - turn) / length, 0, 1)
    begin, end = turn + contact, turn + contact + length
    ends = [np.stack([np.interp(at, cycles, held[:, axis]) for axis in range(3)], axis=1) for at in (begin, end)]
    flying = ends[0] * (1 - part[:, None]) + ends[1] * part[:, None]
    flying = flying + np.sin(np.pi * part)[:, None] * (REACH * front - np.array([0, 0.35, 0]))
    return np.where((part < 1)[:, None], flying, held)
