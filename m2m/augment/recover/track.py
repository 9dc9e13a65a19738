"""One person along a track: from landmarks and boxes to a smooth body."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from scipy.ndimage import median_filter

from m2m.augment.bodies import Camera
from m2m.augment.people import Person
from m2m.augment.recover import skeleton as sk
from m2m.augment.recover.belief import believed
from m2m.augment.recover.fingers import curled
from m2m.augment.recover.fit import Target, refine
from m2m.augment.recover.kinematics import FACING, UP, limits, neutral, smoothstep, solve
from m2m.augment.recover.params import RecoverParams
from m2m.augment.recover.placement import cut_off, figure, from_boxes, widened
from m2m.augment.recover.readings import choose, doubt
from m2m.augment.recover.rotations import frame
from m2m.augment.recover.skeleton import MIRROR, Skeleton
from m2m.augment.recover.smoothing import despike, smooth, smooth_rotations
from m2m.augment.recover.stillness import held, stands, turn_slower
from m2m.augment.recover.translation import NEAREST, translation

HIDDEN = 0.15
"""What a landmark counts that is in the picture but hidden."""
SPIKE_2D, SPIKE_3D = 0.12, 0.15
"""How far a landmark may stand out from the median of five frames: share of the person's extent, and metres."""
FILL = 8.0
"""Standard deviation of the Gaussian that bridges gaps, frames."""
FORGET = 0.03
"""Weight of the box against landmarks `FILL` frames away: after about 20 frames the body is where the box says."""
STEADY_DEPTH = 1e-4
"""Share by which the fit may move a body nearer or away after its distance was smoothed."""
SETTLING, HEADING, HOLD = 3, 0.02, 30.0
"""Rounds after the fit in which feet are held, what the torso turns in them, and the weight of a foot."""
SMOOTH_BOX, STEADY_SIZE = 6.0, 15
"""Standard deviation of the smoothing of where a box is, and frames of the median of its size."""


@dataclass(frozen=True)
class Motion:
    """A body along a track.

    Attributes:
        first: Frame of the window at which it begins.
        local: (T, 55, 3, 3) local rotations.
        transl: (T, 3) metres.
        drawn: (T,) bool, frames in which there is a body.
        bare: (T,) bool, frames far from any believed landmarks, where the box alone places the body.
        evidence: Landmarks that were believed, summed over frames by how far; 0 for a body placed by boxes alone.
    """

    first: int
    local: np.ndarray
    transl: np.ndarray
    drawn: np.ndarray
    bare: np.ndarray
    evidence: float

    def is_bare(self, t: int) -> bool:
        """Whether in a frame of the window the box alone places the body."""
        return 0 <= t - self.first < len(self.bare) and bool(self.bare[t - self.first])


@dataclass(frozen=True)
class Seen:
    """Landmarks of the n frames that have them, sides in order, outliers replaced."""

    at: np.ndarray  # (n,) frames from the track's first
    image: np.ndarray  # (n, 33, 2)
    world: np.ndarray  # (n, 33, 3)
    trust: np.ndarray  # (n, 33)
    extent: np.ndarray  # (n,)
    hands: np.ndarray  # (n, 2, 21, 3), NaN where not seen


def trusted(image: np.ndarray, visibility: np.ndarray, presence: np.ndarray, camera: Camera) -> np.ndarray:
    """How far landmarks are to be believed, in [0, 1]: hidden ones a little, those outside the picture not at all."""
    edge = 0.03 * np.array([camera.width, camera.height])
    inside = ((image > -edge) & (image < np.array([camera.width, camera.height]) + edge)).all(-1)
    shown = HIDDEN + (1 - HIDDEN) * smoothstep(visibility, 0.2, 0.6)
    return shown * inside * smoothstep(presence, 0.2, 0.6)


def extents(image: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(T,) pixels: the longer side of the box of the landmarks that weigh at least a half."""
    good = (weight >= 0.5)[..., None]
    low, high = np.where(good, image, np.inf).min(1), np.where(good, image, -np.inf).max(1)
    size = (high - low).max(-1)
    return np.where(np.isfinite(size), np.maximum(size, 8.0), 8.0)


def gather(frames: np.ndarray, people: list[Person], camera: Camera) -> Seen | None:
    """The landmarks of a track, or None where none can be believed."""
    marks = [p.landmarks for p in people if p.landmarks is not None]
    at = np.array([f for f, p in zip(frames, people, strict=True) if p.landmarks is not None]) - frames[0]
    image = np.array([m.image for m in marks], np.float64)
    world = np.array([m.world for m in marks], np.float64)
    trust = trusted(image, np.array([m.visibility for m in marks]), np.array([m.presence for m in marks]), camera)
    hands = np.array([np.full((2, 21, 3), np.nan) if m.hands is None else m.hands for m in marks], np.float64)
    masks = (p.mask for p in people if p.landmarks is not None)  # one at a time: they are large
    kept = believed(image, world, trust, extents(image, trust), at, masks, len(people))
    at, image, world, trust, hands = (v[kept] for v in (at, image, world, trust, hands))
    if not kept.any():
        return None
    reading = choose(world, trust, at, doubt(image, world, trust))
    kept = reading >= 0
    if not kept.any():
        return None
    at, image, world, trust, hands, reading = (v[kept] for v in (at, image, world, trust, hands, reading))
    other = reading > 0
    image[other], world[other], trust[other] = image[other][:, MIRROR], world[other][:, MIRROR], trust[other][:, MIRROR]
    world[reading == 2, :, 2] *= -1
    hands[other] = hands[other][:, ::-1]
    extent = extents(image, trust)
    image, out = despike(image, SPIKE_2D * extent[:, None])
    trust = np.where(out, np.minimum(trust, HIDDEN), trust)
    world, _ = despike(world, SPIKE_3D)
    return Seen(at, image, world, trust, extent, hands)


def spread(values: np.ndarray, at: np.ndarray, length: int) -> np.ndarray:
    """Values of some frames laid into all, 0 elsewhere."""
    out = np.zeros((length, *values.shape[1:]))
    out[at] = values
    return out


def between(frames: np.ndarray, at: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values (n, C) of some frames, interpolated linearly at all; beyond the ends they hold."""
    return np.stack([np.interp(frames, at, v) for v in values.T], 1)


def _anchor(seen: Seen, world: np.ndarray, camera: Camera) -> np.ndarray:
    """Points whose x, y are those of the picture and whose z is the world landmarks' (n, 33, 3)."""
    w = seen.trust[..., None] + 1e-6
    u, x = seen.image, world[..., :2]
    u0, x0 = (
        u - (w * u).sum(1, keepdims=True) / w.sum(1, keepdims=True),
        x - (w * x).sum(1, keepdims=True) / w.sum(1, keepdims=True),
    )
    scale = (w * u0 * x0).sum((1, 2)) / np.maximum((w * x0 * x0).sum((1, 2)), 1e-9)
    depth = camera.focal / np.maximum(scale, camera.focal / 100)
    z = np.maximum(depth[:, None] + world[..., 2], NEAREST)
    return np.concatenate([(u - [camera.cx, camera.cy]) / camera.focal * z[..., None], z[..., None]], -1)


def bridged(at: np.ndarray, length: int, max_gap: int) -> np.ndarray:
    """Frames of a track that has a person `at` some: gaps up to `max_gap` are bridged."""
    drawn = np.zeros(length, bool)
    drawn[at] = True
    for a, b in pairwise(at):
        if b - a - 1 <= max_gap:
            drawn[a:b] = True
    return drawn


def _steady(boxes: np.ndarray, at: np.ndarray, length: int, params: RecoverParams) -> np.ndarray:
    """Boxes (length, 4) in all frames, from (N, 4) in some: smooth in place, smoother in size."""
    place, size = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    place = median_filter(place, size=(5, 1), mode="nearest")
    size = median_filter(size, size=(STEADY_SIZE, 1), mode="nearest")
    frames, ones = np.arange(length), np.ones(length)
    place = smooth(between(frames, at, place), ones, SMOOTH_BOX, FILL)
    size = smooth(between(frames, at, size), ones, params.smooth_distance, FILL)
    return np.concatenate([place - size / 2, place + size / 2], 1)


def recover_track(
    skeleton: Skeleton, frames: np.ndarray, people: list[Person], camera: Camera, params: RecoverParams
) -> Motion:
    """The body of one track.

    Frames with a box but no landmarks keep the pose for a moment, then come to rest, and follow the box.

    Args:
        skeleton: The body's rest joints.
        frames: (N,) increasing frame numbers at which the person was found.
        people: The person in those frames.
        camera: The camera.
        params: How smooth.
    """
    length = int(frames[-1] - frames[0]) + 1
    at = frames - frames[0]
    figures = np.array([figure(p) for p in people])
    bust = cut_off(figures, camera)
    if bust:
        figures = widened(figures, np.array([p.box for p in people], np.float64))
    standing = from_boxes(skeleton, _steady(figures, at, length, params), camera, bust)
    drawn = bridged(at, length, params.max_gap)
    seen = gather(frames, people, camera) if any(p.landmarks is not None for p in people) else None
    if seen is None:
        local = np.repeat(neutral(skeleton), length, 0)
        return Motion(int(frames[0]), local, standing, drawn, np.ones(length, bool), 0.0)
    local, transl = _pose(skeleton, seen, standing, length, camera, params)
    bare = np.abs(seen.at[None] - np.arange(length)[:, None]).min(1) > FILL
    return Motion(int(frames[0]), local, transl, drawn, bare, float(seen.trust.sum()))


def upright(roots: np.ndarray, at: np.ndarray, length: int) -> np.ndarray:
    """(length, 3, 3) root rotations of an upright body that faces where it does in the frames near by, `at`."""
    near = np.exp(-np.abs(np.arange(length)[:, None] - at) / (2 * FILL))
    across = near / near.sum(1, keepdims=True) @ (roots[:, :, 0] * [1, 0, 1])
    return frame(across + 0.05 * FACING[:, 0], UP)


def _pose(
    skeleton: Skeleton, seen: Seen, standing: np.ndarray, length: int, camera: Camera, params: RecoverParams
) -> tuple[np.ndarray, np.ndarray]:
    """Rotations and translations in all frames of a track that has landmarks in some."""
    at = seen.at
    here = spread(np.ones(len(at)), at, length)
    nearest_seen = at[np.abs(at[None] - np.arange(length)[:, None]).argmin(1)]
    compact = np.searchsorted(at, nearest_seen)

    trust = spread(seen.trust, at, length)
    world = seen.world.copy()
    world[..., 2] = smooth(spread(world[..., 2], at, length), trust + 1e-3 * here[:, None], params.smooth_depth, FILL)[
        at
    ]
    local, share = solve(skeleton, _anchor(seen, world, camera), seen.trust)
    local, share = local[compact], share[compact] * here[:, None]
    # Joints that landmarks do not drive are at rest always, whatever is seen.
    rest = neutral(skeleton, skeleton.forward(local)[0])
    rest[:, 0] = upright(local[at, 0], at, length)
    local = smooth_rotations(local, share, rest, params.smooth_pose, FILL)

    joints = [mark for _, _, mark, _ in skeleton.points]
    strength = np.array([w for _, _, _, w in skeleton.points])
    raw = spread(seen.image[:, joints], at, length)
    raw_weight = spread(seen.trust[:, joints], at, length)
    any_weight = raw_weight + 1e-6 * here[:, None]
    marks = smooth(raw, any_weight, params.smooth_points, FILL)
    # Once more over what is left: fast motion keeps its reach, and what trembles still does less.
    marks += smooth(raw - marks, any_weight, params.smooth_points, FILL)
    weight = raw_weight * strength
    extent = smooth(spread(seen.extent, at, length)[:, None], here, params.smooth_distance, FILL)[:, 0]

    # Between landmarks the body follows the box, from where it is in one to where it is in the next.
    frames = np.arange(length)
    amount = np.maximum(np.interp(frames, at, weight[at].sum(1)), 1e-3)
    near = np.exp(-0.5 * ((frames - nearest_seen) / FILL) ** 2)
    held = ((1 + FORGET) * near / (near + FORGET))[:, None]

    def steady(values: np.ndarray, box_values: np.ndarray, sigma: float) -> np.ndarray:
        return smooth(box_values + held * between(frames, at, (values - box_values)[at]), amount, sigma, FILL)

    def place(transl: np.ndarray) -> np.ndarray:
        """Distances and places in the picture along the whole track."""
        depth = transl[:, 2:].copy()
        depth[at] = median_filter(depth[at], size=(5, 1), mode="nearest")
        z = np.exp(steady(np.log(depth), np.log(standing[:, 2:]), params.smooth_distance))
        ray = steady(transl[:, :2] / transl[:, 2:], standing[:, :2] / standing[:, 2:], params.smooth_points / 2)
        return np.concatenate([ray * z, z], 1)

    turned, where = skeleton.forward(local)
    points = skeleton.posed(turned, where)
    transl = standing.copy()
    transl[at] = translation(points[at], marks[at], weight[at], camera)
    transl = place(transl)
    for sigma in (0.12, STEADY_DEPTH):
        if params.fit_rounds:
            target = Target(marks, weight, extent, transl[:, 2], sigma)
            local, transl = refine(skeleton, local, transl, target, camera, params.fit_rounds)
            local = limits(skeleton, local)
        if sigma > 0.1:
            local = smooth_rotations(local, np.maximum(share, 1e-2), rest, params.smooth_pose / 2, FILL)
            transl = place(transl)
    if params.fit_rounds:
        ankles = between(frames, at, seen.image[:, sk.ANKLE_MARKS].reshape(-1, 4)).reshape(-1, 2, 2)
        seen_there = trust[:, sk.ANKLE_MARKS] >= HIDDEN
        target = Target(marks, weight, extent, transl[:, 2], STEADY_DEPTH, HEADING)
        local, transl = _settled(skeleton, local, transl, target, ankles, seen_there, camera, params)
    return curled(local, seen.hands, at), transl


def _settled(
    skeleton: Skeleton,
    local: np.ndarray,
    transl: np.ndarray,
    target: Target,
    ankles: np.ndarray,
    seen: np.ndarray,
    camera: Camera,
    params: RecoverParams,
) -> tuple[np.ndarray, np.ndarray]:
    """Slows turns and holds feet, and fits once more; limits move feet, so they alternate with steps of the fit.

    Args:
        skeleton: Whose.
        local: (T, 55, 3, 3) local rotations.
        transl: (T, 3) metres.
        target: What the fit aimed at.
        ankles: (T, 2, 2) landmarks of left and right ankle, pixels.
        seen: (T, 2) bool, in which frames they were seen.
        camera: The camera.
        params: How still.
    """
    if params.hold_feet:
        marks, weight = target.marks.copy(), target.weight.copy()
        drawn = camera.project(skeleton.posed(*skeleton.forward(local)) + transl[:, None])
        for side, joint in enumerate(sk.ANKLES):
            k = [j for j, _, _, _ in skeleton.points].index(joint)
            marks[:, k] = held(drawn[:, k], stands(ankles[:, side], seen[:, side], camera.height))
            weight[:, k] = HOLD
        target = replace(target, marks=marks, weight=weight)
    if params.most_turn < 180:
        local = turn_slower(skeleton, local, np.radians(params.most_turn))
    for _ in range(SETTLING):
        local, transl = refine(skeleton, local, transl, target, camera, 1)
        local = limits(skeleton, local)
    return local, transl
