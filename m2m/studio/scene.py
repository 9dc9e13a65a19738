"""One shot: persons with their movements in front of a background, under one camera."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from m2m.augment.bodies import Body, Camera, FrameBodies
from m2m.studio.actions import Manner, perform
from m2m.studio.backgrounds import Background
from m2m.studio.draw import Figure, Light, draw
from m2m.studio.motion import ANKLES, poses
from m2m.studio.person import Person


@dataclass(frozen=True)
class Place:
    """Where a person stands, in the frame of the camera at rest.

    Attributes:
        x: Column in pixels.
        feet: Row of the soles in pixels.
        height: Height of the upright person in pixels.
        heading: Radians turned to the person's left from facing the camera.
        moment: When a walker passes this place: 0 at the beginning of the shot, 1 at the end.
    """

    x: float
    feet: float
    height: float
    heading: float
    moment: float = 0.5


@dataclass(frozen=True)
class Actor:
    """A person who does something.

    Attributes:
        person: The dressed body.
        poses: (T, 55, 3) float32 SMPL-X poses.
        transl: (T, 3) float32 position of the pelvis in camera space, metres, camera motion included.
    """

    person: Person
    poses: np.ndarray
    transl: np.ndarray


@dataclass(frozen=True)
class Shot:
    """Everything that is drawn between two cuts."""

    background: Background
    camera: Camera
    light: Light
    actors: tuple[Actor, ...]


def stage(
    person: Person, label: str, manner: Manner, place: Place, camera: Camera, view: np.ndarray, seconds: np.ndarray
) -> Actor:
    """Puts a person with an action into the scene.

    The lowest point of the mesh stays on the floor (plus the action's hop) and the supporting feet stay where they
    stand.

    Args:
        person: Who.
        label: A key of ACTIONS.
        manner: How.
        place: Where.
        camera: The camera.
        view: (T, 3) shift x, shift y, zoom of the picture, as in Background.
        seconds: (T,) times of the frames.
    """
    motion = perform(label, manner, seconds)
    body = person.body
    pose = poses(motion, body.rest_joints, place.heading)
    origin = np.zeros(3, np.float32)
    turn = Rotation.from_rotvec([np.pi, 0, 0]) * Rotation.from_rotvec([0, place.heading, 0])
    lowest = np.array([body.vertices(p, origin)[:, 1].max() for p in pose])
    ankles = np.stack([turn.inv().apply(body.joints(p, origin)[list(ANKLES)]) for p in pose])
    home = np.median(ankles, axis=0)
    steps = np.einsum("ts,tsk->tk", motion.support, home - ankles)
    steps[:, 1] = 0
    begin, end = motion.travel[0], motion.travel[-1]
    steps[:, 2] += motion.travel - (begin + place.moment * (end - begin))
    depth = camera.focal * person.height / place.height
    floor = np.array([(place.x - camera.cx), (place.feet - camera.cy), camera.focal]) * depth / camera.focal
    world = floor + turn.apply(steps)
    world[:, 1] -= lowest + motion.hop
    # A shift or zoom of the picture is, for a body, a move across or along the camera's axis.
    seen = world.copy()
    seen[:, 2] /= view[:, 2]
    seen[:, :2] += view[:, :2] * seen[:, 2:] / camera.focal
    return Actor(person, pose, seen.astype(np.float32))


def draw_frame(shot: Shot, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, FrameBodies]:
    """Draws one frame.

    Returns:
        Frame and plate (H, W, 3) uint8 RGB, masks (P, H, W) bool, and the bodies that can be seen, their track being
        the actor's index.
    """
    plate = shot.background.frame(index)
    figures = []
    for actor in shot.actors:
        body = actor.person.body
        vertices = body.vertices(actor.poses[index], actor.transl[index])
        figures.append(Figure(vertices, body.faces, actor.person.colors, actor.person.puff))
    frame, masks = draw(plate, figures, shot.camera, shot.light)
    seen = tuple(
        Body(track, actor.poses[index], actor.transl[index])
        for track, actor in enumerate(shot.actors)
        if masks[track].any()
    )
    return frame, plate, masks, FrameBodies(seen)
