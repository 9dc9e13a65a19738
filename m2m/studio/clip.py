"""Clips: one short video of a simple action with everything about it known."""

import zlib
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import numpy as np

from m2m.augment.bodies import BodyModel, Camera, FrameBodies
from m2m.augment.body import BodyParams, make_body
from m2m.errors import InputError
from m2m.studio.actions import ACTIONS, Manner
from m2m.studio.backgrounds import CAMERAS, SCENES, make_background, place_background
from m2m.studio.draw import Light
from m2m.studio.identity import GENDERS, Identity
from m2m.studio.occluders import OCCLUDERS, make_occluder
from m2m.studio.person import Look, Person, dress, undress
from m2m.studio.props import PROPS
from m2m.studio.scene import Place, Shot, draw_shot, hold, stage

REACH = 0.3
"""How far raised arms and hops reach above the crown, as a share of the height."""


@dataclass(frozen=True)
class ClipSpec:
    """What a clip shows. What is None is drawn by chance from label and seed.

    Attributes:
        label: The action, a key of ACTIONS.
        seed: Same spec, same bytes.
        size: Width and height in pixels.
        fps: Frames a second.
        seconds: Length; the clip has round(seconds * fps) frames, at least one.
        persons: How many do the action, 1 or 2.
        scene: Kind of background, a key of SCENES.
        place: Clips with the same number are seen before the same background, whatever else differs.
        camera: One of CAMERAS.
        clutter: Things move in the background.
        height: Height of the upright person in pixels at rest.
        heading: Degrees by which the person is turned to the left from facing the camera.
        enter: Walkers come into the picture after the beginning, and leave it where there is time; only for `walk`.
        cut: Two shots with other people and another scene, cut in the middle.
        prop: What each person holds, one of PROPS; a ball is kicked in `kick` and thrown in `throw`. Empty: nothing.
        occluder: What stands before the first person, a key of OCCLUDERS. Empty: nothing.
        identity: Who it is, of a population; None: somebody by chance. Only for one person.
        outfit: Which of their clothes an identity wears.
        wardrobe: Clothes in place of an identity's own: whoever has the same number wears the same. None: their own.
        mannequin: People are plain grey, without skin, hair and clothes; whatever else is the same.
    """

    label: str
    seed: int = 0
    size: tuple[int, int] = (432, 240)
    fps: Fraction = Fraction(24)
    seconds: float = 3.0
    persons: int = 1
    scene: str | None = None
    place: int | None = None
    camera: str | None = None
    clutter: bool | None = None
    height: float | None = None
    heading: float | None = None
    enter: bool = False
    cut: bool = False
    prop: str = ""
    occluder: str = ""
    identity: Identity | None = None
    outfit: int = 0
    wardrobe: int | None = None
    mannequin: bool = False

    @property
    def frames(self) -> int:
        """Number of frames."""
        return max(1, round(self.seconds * self.fps))


@dataclass(frozen=True)
class StudioClip:
    """A drawn clip and its truth.

    Attributes:
        spec: What was asked for.
        frames: (T, H, W, 3) uint8 RGB.
        plates: (T, H, W, 3) uint8 RGB, the same without people and what they hold; what stands before them stays.
        person_masks: (T, P, H, W) bool, visible pixels of each person (half covered or more).
        object_masks: (T, K, H, W) bool, visible pixels of each thing held, thrown or kicked.
        occluder_masks: (T, H, W) bool, what stands before the people, whoever is behind it or not.
        bodies: T entries: SMPL-X poses of the people in the picture.
        camera: The camera of all frames.
        cuts: Indices of frames that begin a new shot, without 0.
        static: All plates are the same picture.
        scene: Kind of background of the first shot, a key of SCENES.
        movement: Of the camera in the first shot, one of CAMERAS.
        genders: Of each person's body in the first shot.
        looks: Of each person in the first shot.
    """

    spec: ClipSpec
    frames: np.ndarray
    plates: np.ndarray
    person_masks: np.ndarray
    object_masks: np.ndarray
    occluder_masks: np.ndarray
    bodies: list[FrameBodies]
    camera: Camera
    cuts: tuple[int, ...]
    static: bool
    scene: str
    movement: str
    genders: tuple[str, ...]
    looks: tuple[Look, ...]

    @property
    def label(self) -> str:
        """The action."""
        return self.spec.label

    @property
    def fps(self) -> Fraction:
        """Frames a second."""
        return self.spec.fps

    @property
    def masks(self) -> np.ndarray:
        """(T, H, W) bool, the people's masks united."""
        return np.any(self.person_masks, axis=1, keepdims=False)


def draw_clip(spec: ClipSpec) -> StudioClip:
    """Draws a clip.

    Raises:
        InputError: The spec asks for what the studio does not have.
    """
    check(spec)
    rng = np.random.default_rng([zlib.crc32(spec.label.encode()), spec.seed])
    count = spec.frames
    middle = count // 2
    ranges = [(0, middle), (middle, count)] if spec.cut and middle else [(0, count)]
    camera = Camera.default(*spec.size)
    shots = [_shot(spec, camera, np.arange(a, b) / float(spec.fps), rng) for a, b in ranges]
    drawn = [frame for shot in shots for frame in draw_shot(shot)]
    return StudioClip(
        spec=spec,
        frames=np.stack([d.frame for d in drawn]),
        plates=np.stack([d.plate for d in drawn]),
        person_masks=np.stack([d.persons for d in drawn]),
        object_masks=np.stack([d.objects for d in drawn]),
        occluder_masks=np.stack([d.occluder for d in drawn]),
        bodies=[d.bodies for d in drawn],
        camera=camera,
        cuts=tuple(a for a, _ in ranges[1:]),
        static=len(shots) == 1 and shots[0].background.static,
        scene=shots[0].background.kind,
        movement=shots[0].background.camera,
        genders=shots[0].genders,
        looks=tuple(actor.person.look for actor in shots[0].actors),
    )


@cache
def _body(build: int) -> BodyModel:
    return make_body(BodyParams(gender=GENDERS[build]))


def clothed(identity: Identity, outfit: int, wardrobe: int | None = None) -> Person:
    """Somebody of a population in one of their clothes, or in those of the number `wardrobe`."""
    clothes = [identity.number, 2, outfit] if wardrobe is None else [0, 0, 0, 0, wardrobe]
    return dress(
        _body(GENDERS.index(identity.gender)),
        np.random.default_rng([identity.seed, identity.number, 1]),
        np.random.default_rng([identity.seed, *clothes]),
        identity.skin,
        identity.hair,
        identity.girth,
        uniform=wardrobe is not None,
    )


def check(spec: ClipSpec) -> None:
    """Refuses what the studio does not have.

    Raises:
        InputError: With what there is.
    """
    if spec.label not in ACTIONS:
        raise InputError(f"the studio has no action {spec.label!r}", f"known: {', '.join(ACTIONS)}")
    if spec.persons not in (1, 2):
        raise InputError(f"the studio draws 1 or 2 persons, not {spec.persons}")
    if min(spec.size) < 64 or spec.size[0] % 2 or spec.size[1] % 2:
        raise InputError(f"the studio draws even sizes of at least 64x64, not {spec.size[0]}x{spec.size[1]}")
    if spec.fps <= 0 or spec.seconds <= 0:
        raise InputError(f"a clip needs a positive length and frame rate, not {spec.seconds} s at {spec.fps}")
    if spec.wardrobe is not None and spec.identity is None:
        raise InputError("a wardrobe is for an identity", "name one, or leave the wardrobe out")
    if spec.identity is not None and spec.persons != 1:
        raise InputError("an identity is for clips of one person", "leave persons at 1")
    for kind, given, known in (("prop", spec.prop, PROPS), ("occluder", spec.occluder, tuple(OCCLUDERS))):
        if given and given not in known:
            raise InputError(f"the studio has no {kind} {given!r}", f"known: {', '.join(known)}")
    if spec.enter and spec.label != "walk":
        raise InputError(f"enter is only for walk, not for {spec.label}")


def _shot(spec: ClipSpec, camera: Camera, seconds: np.ndarray, rng: np.random.Generator) -> Shot:
    kind = spec.scene or ("" if spec.place is not None else str(rng.choice(list(SCENES))))
    movement = spec.camera or str(rng.choice(CAMERAS, p=[0.55, 0.15, 0.15, 0.15]))
    clutter = bool(rng.uniform() < 0.25) if spec.clutter is None else spec.clutter
    if spec.place is None:
        background = make_background(rng, kind, movement, clutter, spec.size, seconds)
    else:
        background = place_background(spec.place, kind, movement, clutter, spec.size, seconds)
    direction = np.array([rng.uniform(-0.8, 0.8), -rng.uniform(0.4, 1.0), -rng.uniform(0.5, 1.0)])
    light = Light(direction / np.linalg.norm(direction), float(rng.uniform(0.45, 0.65)))
    # A source of its own: with or without a prop or an occluder, the rest of the clip is the same.
    extra = np.random.default_rng([zlib.crc32(spec.label.encode()), spec.seed, 1])
    actors, props, genders = [], [], []
    front: np.ndarray | None = None
    for index in range(spec.persons):
        gender = int(rng.integers(len(GENDERS)))
        manner = Manner.draw(rng)
        place = _place(spec, index, background.floor, background.view, rng)
        person = dress(_body(gender), rng)
        if spec.identity is not None:
            person, manner = clothed(spec.identity, spec.outfit, spec.wardrobe), spec.identity.varied(rng)
            gender = GENDERS.index(spec.identity.gender)
        genders.append(GENDERS[gender])
        if spec.mannequin:
            person = undress(person)
        actors.append(stage(person, spec.label, manner, place, camera, background.view, seconds))
        if spec.prop:
            props.append(hold(spec.prop, actors[-1], spec.label, manner, place, seconds, extra))
        if spec.occluder and not index:
            high, wide = background.canvas.shape[:2]
            left, top = (wide - spec.size[0]) / 2, (high - spec.size[1]) / 2
            front = make_occluder(extra, spec.occluder, (high, wide), place.x + left, place.feet + top, place.height)
    return Shot(background, camera, light, tuple(actors), tuple(props), front, tuple(genders))


def _place(spec: ClipSpec, index: int, floor: float, view: np.ndarray, rng: np.random.Generator) -> Place:
    """A place in which the person stays in the picture while the camera moves, or just beside it to enter."""
    width, height = spec.size
    walks = spec.label == "walk"
    zoom = float(view[:, 2].max())
    tall = spec.height or float(rng.uniform(60, 200)) * height / 240
    tall = min(tall, 0.92 * height / zoom)
    if walks and not spec.enter:
        tall = min(tall, 0.5 * height)  # or a few steps lead out of the picture
    turned = (75.0, 90.0) if spec.enter else ACTIONS[spec.label].turned
    heading = float(rng.choice([-1, 1]) * rng.uniform(*turned))
    if spec.heading is not None:
        heading = spec.heading
    lowest = height / 2 + (height / 2 - 3 - np.abs(view[:, 1]).max()) / zoom
    feet = max(height / 2 + tall * rng.uniform(0.45, 0.6), floor + 0.03 * height, tall * (1 + REACH))
    # Where raised arms do not fit, they are cut rather than the feet.
    feet = min(feet, lowest)
    low, high = 0.6 * tall - view[:, 0].min(), width - 0.6 * tall - view[:, 0].max()
    if walks:
        low = high = width / 2
    if spec.persons == 2:
        middle = (low + high) / 2
        low, high = ((low, middle - 0.2 * tall), (middle + 0.2 * tall, high))[index]
    x = float(rng.uniform(min(low, high), max(low, high)))
    if spec.enter:
        # A second walker follows the first. Turned to the left is, in the picture, to the right.
        beside = (0.4 + index) * tall
        x = (-beside if heading > 0 else width + beside) - float(view[0, 0])
    return Place(x, float(feet), float(tall), float(np.radians(heading)), 0.0 if spec.enter else 0.5)
