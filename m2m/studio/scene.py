"""One shot: persons with their movements in front of a background, under one camera."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from m2m.augment.bodies import Body, Camera, FrameBodies
from m2m.augment.compose import over
from m2m.studio.actions import ACTIONS, Manner, perform
from m2m.studio.backgrounds import Background
from m2m.studio.draw import Figure, Light, draw
from m2m.studio.motion import ANKLES, poses
from m2m.studio.person import Person
from m2m.studio.props import Prop, make_prop


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
        shapes: (T, V, 3) float32 vertices with the pelvis at the origin, metres.
    """

    person: Person
    poses: np.ndarray
    transl: np.ndarray
    shapes: np.ndarray


@dataclass(frozen=True)
class Shot:
    """Everything that is drawn between two cuts.

    Attributes:
        background: The scene behind everybody.
        camera: The camera.
        light: The light.
        actors: The people.
        props: What they hold, throw or kick.
        front: (Hc, Wc, 4) uint8 RGBA on the scene's canvas, what stands before everybody; None for nothing.
        genders: Of the actors' bodies.
    """

    background: Background
    camera: Camera
    light: Light
    actors: tuple[Actor, ...]
    props: tuple[Prop, ...] = ()
    front: np.ndarray | None = None
    genders: tuple[str, ...] = ()


@dataclass(frozen=True)
class Drawn:
    """One frame and its truth.

    Attributes:
        frame: (H, W, 3) uint8 RGB.
        plate: (H, W, 3) uint8 RGB, without people and what they hold, but with what stands before them.
        persons: (P, H, W) bool, visible pixels of each person.
        objects: (K, H, W) bool, visible pixels of each prop.
        occluder: (H, W) bool, what stands before everybody.
        bodies: The bodies that can be seen, their track being the actor's index.
    """

    frame: np.ndarray
    plate: np.ndarray
    persons: np.ndarray
    objects: np.ndarray
    occluder: np.ndarray
    bodies: FrameBodies


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
    shapes = np.stack([body.vertices(p, origin) for p in pose])
    lowest = shapes[:, :, 1].max(axis=1)
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
    return Actor(person, pose, seen.astype(np.float32), shapes)


def hold(
    kind: str, actor: Actor, label: str, manner: Manner, place: Place, seconds: np.ndarray, rng: np.random.Generator
) -> Prop:
    """Gives a person something to hold, throw or kick; arguments as in `stage` and `make_prop`."""
    body = actor.person.body
    joints = np.stack([body.joints(p, t) for p, t in zip(actor.poses, actor.transl, strict=True)]).astype(np.float64)
    cycles = ACTIONS[label].rate * manner.tempo * seconds + manner.phase
    return make_prop(kind, label, manner.side, cycles, joints, place.heading, rng)


def draw_shot(shot: Shot) -> list[Drawn]:
    """Draws all frames; what stays the same is drawn once."""
    out: list[Drawn] = []
    plate, layer = _scene(shot, 0)
    for index in range(len(shot.background.view)):
        if index and not shot.background.static:
            plate, layer = _scene(shot, index)
        out.append(_draw_frame(shot, index, plate, layer))
    return out


def _scene(shot: Shot, index: int) -> tuple[np.ndarray, np.ndarray | None]:
    """What is behind everybody, (H, W, 3), and before everybody, (H, W, 4) or None."""
    layer = None if shot.front is None else shot.background.seen(shot.front, index)
    return shot.background.frame(index), layer


def _draw_frame(shot: Shot, index: int, plate: np.ndarray, layer: np.ndarray | None) -> Drawn:
    figures = []
    for actor in shot.actors:
        vertices = actor.shapes[index] + actor.transl[index]
        figures.append(Figure(vertices, actor.person.body.faces, actor.person.colors, actor.person.puff))
    for prop in shot.props:
        shape = prop.shape
        figures.append(Figure(prop.vertices(index), shape.faces, shape.colors, np.zeros(len(shape.vertices))))
    frame, masks = draw(plate, figures, shot.camera, shot.light)
    occluder = np.zeros(plate.shape[:2], bool)
    if layer is not None:
        frame, plate, occluder = over(frame, layer), over(plate, layer), layer[..., 3] >= 128
        masks = masks & ~occluder
    persons, objects = masks[: len(shot.actors)], masks[len(shot.actors) :]
    seen = tuple(
        Body(track, actor.poses[index], actor.transl[index])
        for track, actor in enumerate(shot.actors)
        if persons[track].any()
    )
    return Drawn(frame, plate, persons, objects, occluder, FrameBodies(seen))
