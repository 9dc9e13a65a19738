"""Bodies by OSX: a network looks at every person in every frame; tracks make its poses calm."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import median_filter

from m2m.augment.bodies import BodyModel, Camera, FrameBodies
from m2m.augment.people import FramePeople, Person
from m2m.augment.recover import skeleton as sk
from m2m.augment.recover.fit import Target, refine
from m2m.augment.recover.kinematics import neutral
from m2m.augment.recover.osx.camera import posed, seen, turns
from m2m.augment.recover.osx.crop import crop, window_of
from m2m.augment.recover.osx.estimate import Estimate, Network
from m2m.augment.recover.osx.shape import RestJoints, read_rest_joints
from m2m.augment.recover.params import RecoverParams
from m2m.augment.recover.rotations import exp
from m2m.augment.recover.scene import bodies_of, square, tracks_of
from m2m.augment.recover.skeleton import Skeleton
from m2m.augment.recover.smoothing import smooth, smooth_rotations
from m2m.augment.recover.track import FILL, STEADY_DEPTH, Motion, bridged, spread, upright
from m2m.augment.recover.translation import translation

JOINT = {**{mark: joint for joint, mark in sk.MAJOR.items()}, sk.L_EYE: sk.EYES[0], sk.R_EYE: sk.EYES[1]}
"""Points of the skeleton that are joints of SMPL-X: landmark -> joint. Those of nose, ears and toes are not."""
SMALLEST = 8.0
"""Pixels that a person is taken to be high at least."""


def make_osx(params: RecoverParams, body: BodyModel) -> "OSXRecoverer":
    """The recoverer with OSX's network.

    Raises:
        InputError: A file is not what it should be, or the checkout is at another commit.
        InfrastructureError: Checkout, checkpoint, SMPL-X or device are not there.
    """
    from m2m.augment.recover.osx.network import OSXNetwork  # PyTorch only where it is asked for

    if params.osx.weights == "random" and not params.osx.human_models:
        rest = np.asarray(body.rest_joints, np.float64)
        shapes = RestJoints(rest, np.zeros((*rest.shape, 10)))
    else:
        shapes = read_rest_joints(params.osx.human_models)
    return OSXRecoverer(body, params, OSXNetwork(params.osx), shapes)


@dataclass(frozen=True)
class Look:
    """One person in one frame: what is shown to the network, and what it says."""

    window: np.ndarray  # (4,) x, y, width, height, pixels
    estimate: Estimate


class OSXRecoverer:
    """Poses the body as OSX sees the people who are in the masks, all under the scene's one camera.

    Args:
        body: The body that will be drawn; only its rest joints and parents are read.
        params: How smooth, and what is too short to draw.
        network: What looks at people.
        shapes: The joints of the body model that the network knows.
    """

    needs_frames = True

    def __init__(self, body: BodyModel, params: RecoverParams, network: Network, shapes: RestJoints) -> None:
        self._skeleton = Skeleton(body.rest_joints, body.parents)
        self._params = params
        self._network = network
        self._shapes = shapes

    def recover(self, people: list[FramePeople], camera: Camera, frames: np.ndarray | None = None) -> list[FrameBodies]:
        """One body a confirmed person and frame.

        Args:
            people: T frames of one shot.
            camera: The scene's camera.
            frames: (T, H, W, 3) uint8 RGB, the originals.

        Returns:
            T entries; bodies in the order of their track ids.

        Raises:
            InfrastructureError: A GPU's memory is too short for one person.
        """
        if frames is None or len(frames) != len(people):
            raise ValueError("this recoverer looks at the originals, a frame for every entry of people")
        tracks, straight = tracks_of(people, camera.stretch), square(camera)
        looks = self._looks(tracks, straight, camera.stretch, frames)
        motions = {
            track: self._motion(looks[track], sum(p.score for p in there.values()), straight)
            for track, there in sorted(tracks.items())
            if looks[track]
        }
        return bodies_of(tracks, motions, len(people), self._params.min_length)

    def _looks(
        self, tracks: dict[int, dict[int, Person]], camera: Camera, stretch: float, frames: np.ndarray
    ) -> dict[int, dict[int, Look]]:
        """Track -> frame -> look; people whose box is outside the picture are not looked at."""
        sites = []
        for t in range(len(frames)):
            for track in sorted(tracks):
                if t in tracks[track]:
                    window = window_of(tracks[track][t].box, camera.width, camera.height)
                    if window is not None:
                        sites.append((track, t, window))
        told = self._network.estimate(crop(frames[t], window, stretch) for _, t, window in sites)
        out: dict[int, dict[int, Look]] = {track: {} for track in tracks}
        for (track, t, window), estimate in zip(sites, told, strict=True):
            out[track][t] = Look(window, estimate)
        return out

    def _motion(self, looks: dict[int, Look], evidence: float, camera: Camera) -> Motion:
        """The body of one track, smoothed; frames between looks are bridged as far as the parameters permit."""
        params, skeleton = self._params, self._skeleton
        first = min(looks)
        at = np.array(list(looks)) - first
        length = int(at[-1]) + 1
        windows = np.array([look.window for look in looks.values()])
        estimates = [look.estimate for look in looks.values()]
        local = exp(np.array([e.pose for e in estimates], np.float64))
        # Where OSX saw the body's points, in its own cameras; then the root as the scene's camera sees it.
        rest = self._shapes.of(np.array([e.betas for e in estimates], np.float64))
        places = np.array([e.place for e in estimates], np.float64)
        joints = posed(skeleton.forward(local)[0], rest, skeleton.parents)
        marks = seen(joints[:, [JOINT.get(mark, 0) for _, _, mark, _ in skeleton.points]], places, windows)
        local[:, 0] = turns(windows, camera) @ local[:, 0]

        here = spread(np.ones(len(at)), at, length)
        nearest = np.abs(np.arange(length)[:, None] - at).argmin(1)
        every = local[nearest]
        ease = neutral(skeleton, skeleton.forward(every)[0])
        ease[:, 0] = upright(local[:, 0], at, length)
        weight = np.broadcast_to(here[:, None], every.shape[:2])
        every = smooth_rotations(every, weight, ease, params.smooth_pose, FILL)
        strength = np.tile([w * (mark in JOINT) for _, _, mark, w in skeleton.points], (length, 1))
        marks = smooth(spread(marks, at, length), strength * here[:, None], params.smooth_points, FILL)

        transl = translation(skeleton.posed(*skeleton.forward(every)), marks, strength, camera)
        depth = np.log(median_filter(transl[:, 2:], size=(5, 1), mode="nearest"))
        depth = np.exp(smooth(depth, here, params.smooth_distance, FILL))
        ray = smooth(transl[:, :2] / transl[:, 2:], here, params.smooth_points / 2, FILL)
        transl = np.concatenate([ray * depth, depth], 1)
        if params.fit_rounds:
            # OSX's camera is flat, the scene's is not: limbs turn a little, until they are seen where OSX saw them.
            extent = np.ptp(marks, axis=1).max(1)
            target = Target(marks, strength, np.maximum(extent, SMALLEST), depth[:, 0], STEADY_DEPTH)
            every, transl = refine(skeleton, every, transl, target, camera, params.fit_rounds)
        drawn = bridged(at, length, params.max_gap)
        return Motion(first, every, transl, drawn, np.zeros(length, bool), evidence)
