"""How the landmarks of every frame of a track are to be read: as given, left and right swapped, or not at all.

A pose model that takes a back for a front for a few frames swaps left and right and mirrors the depth; now and then it
sees something that is no pose. The readings of all frames are chosen together (dynamic programming) so that the body
moves least; a swapped reading costs a little a frame, so a person who turns round stays turned; leaving a frame out
costs more, so only what fits neither its neighbours nor itself is left out.
"""

import numpy as np

from m2m.augment.recover.skeleton import HIP_MARKS, KNEE_MARKS, MIRROR, SHOULDER_MARKS

SWAP, REJECT = 0.02, 0.2
"""What a frame read as swapped, or left out, costs: metres of mean motion of the torso."""
UPSIDE_DOWN = 0.12
"""What a frame with hips above shoulders costs: seldom true, and what most false poses look like."""
MISMATCH, MISMATCH_COST = 0.11, 1.5
"""Share by which picture and world landmarks may differ (97 % of good frames do less), and the cost beyond it."""
LOOK_BACK = 16
"""Most frames left out in a row, plus one."""
_TORSO = [*SHOULDER_MARKS, *HIP_MARKS, *KNEE_MARKS]


def readings(world: np.ndarray) -> np.ndarray:
    """(T, 3, 33, 3): as given, sides swapped, sides swapped and depth mirrored."""
    swapped = world[:, MIRROR]
    return np.stack([world, swapped, swapped * [1, 1, -1]], 1)


def mismatch(image: np.ndarray, world: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(T,) how far the picture's landmarks are from the world's x, y after scaling and shifting; 0 to 1, rms share."""
    w = weight[..., None] + 1e-6
    u = image - (w * image).sum(1, keepdims=True) / w.sum(1, keepdims=True)
    x = world[..., :2] - (w * world[..., :2]).sum(1, keepdims=True) / w.sum(1, keepdims=True)
    scale = (w * u * x).sum((1, 2)) / np.maximum((w * x * x).sum((1, 2)), 1e-9)
    left = (w * (u - scale[:, None, None] * x) ** 2).sum((1, 2))
    return np.sqrt(left / np.maximum((w * u * u).sum((1, 2)), 1e-9))


def doubt(image: np.ndarray, world: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(T,) cost of believing a frame, whatever its neighbours say."""
    rise = image[:, HIP_MARKS, 1].mean(1) - image[:, SHOULDER_MARKS, 1].mean(1)
    height = np.maximum(np.ptp(image, axis=1).max(1), 1e-6)
    known = weight[:, [*HIP_MARKS, *SHOULDER_MARKS]].min(1)
    inverted = np.clip(-rise / height / 0.2, 0, 1) * known
    return UPSIDE_DOWN * inverted + MISMATCH_COST * np.maximum(mismatch(image, world, weight) - MISMATCH, 0)


def choose(world: np.ndarray, weight: np.ndarray, times: np.ndarray, doubts: np.ndarray) -> np.ndarray:
    """Which reading holds in every frame.

    Args:
        world: (T, 33, 3) metres, hip-centred.
        weight: (T, 33) not negative, how far landmarks are to be believed.
        times: (T,) increasing frame numbers; motion across a gap counts less.
        doubts: (T,) cost of believing each frame.

    Returns:
        (T,) int: index into `readings`, or -1 for a frame that is left out.
    """
    count = len(world)
    points = readings(world)[:, :, _TORSO]
    weight = (weight + weight[:, MIRROR])[:, _TORSO] + 1e-6
    own = np.array([0.0, SWAP, SWAP])
    best = REJECT * np.arange(count)[:, None] + own + doubts[:, None]  # the first frame that is believed
    back = np.full((count, 3, 2), -1)
    for t in range(1, count):
        first = max(0, t - LOOK_BACK)
        both = weight[t] * weight[first:t]
        distance = np.linalg.norm(points[t, None, :, None] - points[first:t, None], axis=-1)
        moved = np.einsum("bntm,bm->bnt", distance, both / both.sum(1, keepdims=True))  # (before, now, then)
        skipped = REJECT * (t - 1 - np.arange(first, t))
        apart = np.sqrt(times[t] - times[first:t])[:, None, None]
        cost = best[first:t, None] + moved / apart + skipped[:, None, None]
        flat = cost.transpose(1, 0, 2).reshape(3, -1)
        linked = flat.min(1) + own + doubts[t]
        better = linked < best[t]
        at = flat.argmin(1)
        best[t, better] = linked[better]
        back[t, better] = np.stack([first + at // 3, at % 3], -1)[better]
    chosen = np.full(count, -1)
    end = best + REJECT * (count - 1 - np.arange(count))[:, None]
    if end.min() >= REJECT * count:
        return chosen
    t, reading = divmod(int(end.argmin()), 3)
    while t >= 0:
        chosen[t] = reading
        t, reading = back[t, reading]
    return chosen
