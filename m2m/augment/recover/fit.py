"""Damped least squares over joint angles and translation, all frames of a track at once.

The closed form gives the body's pose in its own proportions' absence: with the body's one constant size the posed
joints miss the landmarks by a few percent. Here root, torso, head and limbs turn, a little, until they meet them.
"""

from dataclasses import dataclass

import numpy as np

from m2m.augment.bodies import Camera
from m2m.augment.recover import skeleton as sk
from m2m.augment.recover.rotations import exp, nearest
from m2m.augment.recover.skeleton import Skeleton
from m2m.augment.recover.translation import NEAREST

BLOCKS: tuple[tuple[tuple[int, ...], float], ...] = (
    ((0,), 0.3),
    (sk.SPINE, 0.3),
    ((sk.NECK, sk.HEAD), 0.25),
    *(((j,), 0.12) for j in sk.COLLARS),
    *(((j,), 0.5) for j in (*sk.SHOULDERS, *sk.ELBOWS)),
    *(((j,), 0.5) for j in (*sk.HIPS, *sk.KNEES)),
)
"""Joints that turn together, and the standard deviation of their turn away from the closed form, radians."""
TORSO = 2
"""Blocks that are the torso: the first ones."""

PIXEL = 0.005
"""Standard deviation of a landmark, as a share of the person's extent."""
TILT = 0.25
"""Turns out of the picture, which landmarks in the picture hardly show, are this much smaller than turns within it."""
DAMPING = 1e-2


@dataclass(frozen=True)
class Target:
    """What a fit aims at.

    Attributes:
        marks: (T, P, 2) pixels.
        weight: (T, P) not negative.
        extent: (T,) pixels, size of the person.
        depth: (T,) metres, expected depth of the root joint.
        depth_sigma: Its standard deviation, as a share of it.
        heading: Turns of the torso about the vertical are this much smaller than turns within the picture.
    """

    marks: np.ndarray
    weight: np.ndarray
    extent: np.ndarray
    depth: np.ndarray
    depth_sigma: float
    heading: float = TILT


def _below(parents: np.ndarray) -> np.ndarray:
    """(55, 55) bool: [i, j] joint j moves when joint i turns (i is j or an ancestor of it)."""
    out = np.eye(len(parents), dtype=bool)
    for j in range(1, len(parents)):
        out[:, j] |= out[:, parents[j]]
    return out


def refine(
    skeleton: Skeleton, local: np.ndarray, transl: np.ndarray, target: Target, camera: Camera, rounds: int
) -> tuple[np.ndarray, np.ndarray]:
    """Turns joints and moves the body so that its points meet the landmarks.

    Args:
        skeleton: The body's rest joints.
        local: (T, 55, 3, 3) local rotations to start from and to stay near.
        transl: (T, 3) metres.
        target: What to meet.
        camera: The camera.
        rounds: Gauss-Newton steps.

    Returns:
        Local rotations and translations.
    """
    frames = len(local)
    below = _below(skeleton.parents)
    owner = np.array([j for j, _, _, _ in skeleton.points])
    angles = 3 * len(BLOCKS)
    sigmas = np.array([sigma for _, sigma in BLOCKS])[:, None] * [TILT, TILT, 1.0]
    sigmas[:TORSO, 1] *= target.heading / TILT
    prior = (1 / sigmas**2).ravel()
    precision = np.zeros((frames, angles + 3))
    precision[:, :angles] = prior
    precision[:, angles + 2] = 1 / (target.depth * target.depth_sigma) ** 2
    gone = np.zeros((frames, angles))
    local, transl = local.copy(), transl.copy()
    scale = 1 / (PIXEL * target.extent)
    for _ in range(rounds):
        turned, joints = skeleton.forward(local)
        points = skeleton.posed(turned, joints)
        moves = np.zeros((frames, len(owner), 3, angles + 3))  # derivative of the points
        for b, (block, _) in enumerate(BLOCKS):
            for j in block:
                moved = below[j, owner]
                arm = points[:, moved] - joints[:, j, None]
                # d(w x r)/dw = -hat(r)
                x, y, z = (arm / len(block)).transpose(2, 0, 1)
                c = 3 * b
                moves[:, moved, 0, c + 1] += z
                moves[:, moved, 0, c + 2] -= y
                moves[:, moved, 1, c] -= z
                moves[:, moved, 1, c + 2] += x
                moves[:, moved, 2, c] += y
                moves[:, moved, 2, c + 1] -= x
        moves[:, :, [0, 1, 2], [angles, angles + 1, angles + 2]] = 1
        placed = points + transl[:, None]
        depth = np.maximum(placed[..., 2], NEAREST)
        seen = placed[..., :2] / depth[..., None]
        miss = (target.marks - [camera.cx, camera.cy] - seen * camera.focal) * scale[:, None, None]
        # Beyond five standard deviations a landmark pulls less and less.
        robust = target.weight / (1 + (miss**2).sum(-1) / 25)
        jac = (moves[:, :, :2] - seen[..., None] * moves[:, :, 2:]) * (camera.focal / depth * scale[:, None])[
            ..., None, None
        ]
        root = np.sqrt(robust)[..., None]
        jac = (jac * root[..., None]).reshape(frames, -1, angles + 3)
        miss = (miss * root).reshape(frames, -1, 1)
        jac_t = jac.transpose(0, 2, 1)
        normal = jac_t @ jac
        right = (jac_t @ miss)[..., 0]
        right[:, :angles] -= prior * gone
        right[:, angles + 2] -= precision[:, angles + 2] * (transl[:, 2] - target.depth)
        diagonal = np.arange(angles + 3)
        normal[:, diagonal, diagonal] = normal[:, diagonal, diagonal] * (1 + DAMPING) + precision + 1e-6
        step = np.linalg.solve(normal, right[..., None])[..., 0]
        turn = step[:, :angles]
        turn *= np.minimum(1, 0.5 / np.maximum(np.abs(turn).max(1, keepdims=True), 1e-9))
        gone += turn
        transl += step[:, angles:]
        transl[:, 2] = np.maximum(transl[:, 2], NEAREST)
        for b, (block, _) in enumerate(BLOCKS):
            rotation = exp(turn[:, 3 * b : 3 * b + 3] / len(block))
            for j in block:
                # A turn in camera axes, seen from the parent.
                parent = turned[:, skeleton.parents[j]] if j else np.broadcast_to(np.eye(3), rotation.shape)
                local[:, j] = np.swapaxes(parent, -1, -2) @ rotation @ parent @ local[:, j]
    return nearest(local), transl
