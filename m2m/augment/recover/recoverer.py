"""Bodies from landmarks by inverse kinematics."""

import numpy as np

from m2m.augment.bodies import BodyModel, Camera, FrameBodies
from m2m.augment.people import FramePeople
from m2m.augment.recover.params import RecoverParams
from m2m.augment.recover.scene import bodies_of, square, tracks_of
from m2m.augment.recover.skeleton import Skeleton
from m2m.augment.recover.track import recover_track


class IKRecoverer:
    """Poses the body model after BlazePose's landmarks: closed form, a few steps of least squares, smoothed in time.

    Args:
        body: The body that will be drawn; only its rest joints and parents are read.
        params: How smooth, and what is too short to draw.
    """

    needs_frames = False

    def __init__(self, body: BodyModel, params: RecoverParams | None = None) -> None:
        self.skeleton = Skeleton(body.rest_joints, body.parents)
        self.params = params or RecoverParams()

    def recover(self, people: list[FramePeople], camera: Camera, frames: np.ndarray | None = None) -> list[FrameBodies]:
        """One body a confirmed person and frame.

        Args:
            people: T frames of one shot.
            camera: The scene's camera.
            frames: Not read: the landmarks say it all.

        Returns:
            T entries; bodies in the order of their track ids.
        """
        del frames
        tracks, camera = tracks_of(people, camera.stretch), square(camera)
        motions = {
            track: recover_track(self.skeleton, np.array(list(seen)), list(seen.values()), camera, self.params)
            for track, seen in sorted(tracks.items())
        }
        return bodies_of(tracks, motions, len(people), self.params.min_length)
