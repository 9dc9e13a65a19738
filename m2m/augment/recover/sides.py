"""Left and right along a track.

A pose model that sees a back as a front for a few frames swaps left and right and mirrors the depth. The readings of
every frame (as given, sides swapped, sides swapped and depth mirrored) are chosen together so that the body moves
least; a reading other than the given one costs a little a frame, so a person who does turn round stays turned.
"""

import numpy as np

from m2m.augment.recover.skeleton import HIP_MARKS, KNEE_MARKS, MIRROR, SHOULDER_MARKS

COST = 0.02
"""What a frame read otherwise costs, as metres of mean motion of the torso."""
_TORSO = [*SHOULDER_MARKS, *HIP_MARKS, *KNEE_MARKS]


def readings(world: np.ndarray) -> np.ndarray:
    """(T, 3, 33, 3): as given, sides swapped, sides swapped and depth mirrored."""
    swapped = world[:, MIRROR]
    return np.stack([world, swapped, swapped * [1, 1, -1]], 1)


def choose(world: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Which reading holds in every frame (Viterbi).

    Args:
        world: (T, 33, 3) metres, hip-centred.
        times: (T,) frame numbers; motion across a gap counts less.

    Returns:
        (T,) int in {0, 1, 2}, index into `readings`.
    """
    points = readings(world)[:, :, _TORSO]
    best = np.array([0.0, COST, COST])
    back = np.zeros((len(world), 3), int)
    for t in range(1, len(world)):
        moved = np.linalg.norm(points[t, :, None] - points[t - 1, None], axis=-1).mean(-1)  # (now, before)
        cost = best + moved / max(1.0, times[t] - times[t - 1])
        back[t] = cost.argmin(1)
        best = cost.min(1) + np.array([0.0, COST, COST])
    chosen = np.zeros(len(world), int)
    chosen[-1] = best.argmin()
    for t in range(len(world) - 1, 0, -1):
        chosen[t - 1] = back[t, chosen[t]]
    return chosen
