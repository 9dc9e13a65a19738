"""From OSX's camera, one a person, to the scene's.

OSX sees every person through a camera of its own: focal length 5000 in a crop of 192x256, its axis through the middle
of the crop, so that things are flat and far away. Its poses turn the body against that axis. The scene has one camera,
nearer by the ratio of the focal lengths, and a person beside its axis is seen from the side: turned by the angle
between the scene's axis and the ray through the middle of the crop, the body shows the side that OSX saw. Then it is
put where its points fall, by least squares, where OSX saw them: on SMPL-X in the shape that it saw, because the body
that is drawn has another.
"""

import numpy as np

from m2m.augment.bodies import Camera
from m2m.augment.recover.rotations import swing

FOCAL = 5000.0
WIDTH = 192
"""Columns of the crop in which OSX's focal length counts."""
_AXIS = np.array([0.0, 0.0, 1.0])


def focals(windows: np.ndarray) -> np.ndarray:
    """(T,) focal lengths of OSX's cameras in the image's pixels; `windows` are (T, 4) x, y, width, height."""
    return FOCAL * windows[:, 2].astype(np.float64) / WIDTH


def centres(windows: np.ndarray) -> np.ndarray:
    """(T, 2) principal points of OSX's cameras, pixels: the middles of what it was shown."""
    return windows[:, :2].astype(np.float64) + windows[:, 2:].astype(np.float64) / 2


def turns(windows: np.ndarray, camera: Camera) -> np.ndarray:
    """(T, 3, 3) rotations from OSX's cameras to the scene's: an axis becomes the ray through the crop's middle."""
    rays = centres(windows) - [camera.cx, camera.cy]
    return swing(_AXIS, np.concatenate([rays / camera.focal, np.ones((len(windows), 1))], 1))


def seen(points: np.ndarray, places: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """Where OSX saw points in the image.

    Args:
        points: (T, J, 3) metres, in the axes of OSX's cameras, from SMPL-X's own origin.
        places: (T, 3) metres, OSX's `cam_trans`: where that origin is.
        windows: (T, 4) what it was shown.

    Returns:
        (T, J, 2) pixels.
    """
    there = points + places[:, None]
    return there[..., :2] / there[..., 2:] * focals(windows)[:, None, None] + centres(windows)[:, None]


def posed(turned: np.ndarray, rest: np.ndarray, parents: np.ndarray) -> np.ndarray:
    """Joints of a body in the shape that OSX saw.

    Args:
        turned: (T, J, 3, 3) global rotations.
        rest: (T, J, 3) joints at rest, metres, from SMPL-X's own origin.
        parents: (J,) parent joints.

    Returns:
        (T, J, 3) metres from the same origin: SMPL-X turns about its root joint, which stays where it is at rest.
    """
    joints = rest.copy()
    for j in range(1, rest.shape[1]):
        bone = rest[:, j] - rest[:, parents[j]]
        joints[:, j] = joints[:, parents[j]] + (turned[:, parents[j]] @ bone[..., None])[..., 0]
    return joints
