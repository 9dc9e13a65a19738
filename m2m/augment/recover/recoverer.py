"""Bodies from landmarks by inverse kinematics."""

import numpy as np

from m2m.augment.bodies import Body, BodyModel, Camera, FrameBodies
from m2m.augment.people import FramePeople
from m2m.augment.recover.params import RecoverParams
from m2m.augment.recover.rotations import log
from m2m.augment.recover.skeleton import Skeleton
from m2m.augment.recover.track import recover_track


class IKRecoverer:
    """Poses the body model after BlazePose's landmarks: closed form, a few steps of least squares, smoothed in time.

    Args:
        body: The body that will be drawn; only its rest joints and parents are read.
        params: How smooth, and what is too short to draw.
    """

    def __init__(self, body: BodyModel, params: RecoverParams | None = None) -> None:
        self.skeleton = Skeleton(body.rest_joints, body.parents)
        self.params = params or RecoverParams()

    def recover(self, people: list[FramePeople], camera: Camera) -> list[FrameBodies]:
        """One body a confirmed person and frame.

        Args:
            people: T frames of one shot.
            camera: The scene's camera.

        Returns:
            T entries; bodies in the order of their track ids.
        """
        tracks: dict[int, list[int]] = {}
        for t, frame in enumerate(people):
            for person in frame.confirmed:
                tracks.setdefault(person.track, []).append(t)
        bodies: list[list[Body]] = [[] for _ in people]
        for track in sorted(tracks):
            frames = np.array(tracks[track])
            found = [next(p for p in people[t].confirmed if p.track == track) for t in frames]
            motion = recover_track(self.skeleton, frames, found, camera, self.params)
            if motion.drawn.sum() < min(self.params.min_length, len(people)):
                continue
            pose = log(motion.local).astype(np.float32)
            transl = motion.transl.astype(np.float32)
            for k in np.flatnonzero(motion.drawn):
                bodies[motion.first + k].append(Body(track, pose[k], transl[k]))
        return [FrameBodies(tuple(b)) for b in bodies]
