"""Persons: the mannequin with skin, hair, face and clothes as colours of its vertices.

Regions come from the rest pose (T-pose), so that any body with SMPL-X joints can be dressed.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from m2m.augment.bodies import N_JOINTS, BodyModel

SKIN = np.array([[0.96, 0.80, 0.69], [0.90, 0.70, 0.56], [0.78, 0.57, 0.42], [0.60, 0.42, 0.30], [0.42, 0.28, 0.20]])
HAIR = np.array([[0.08, 0.07, 0.06], [0.22, 0.14, 0.09], [0.38, 0.25, 0.14], [0.72, 0.57, 0.34], [0.55, 0.54, 0.53]])
SKIN_NAMES = ("pale", "light", "tan", "brown", "dark")
HAIR_NAMES = ("black", "dark brown", "brown", "fair", "grey")
GREY = 0.62
"""Brightness of a mannequin, unlit."""
SHOES = np.array([[0.10, 0.10, 0.11], [0.92, 0.92, 0.90], [0.35, 0.22, 0.14], [0.65, 0.12, 0.14], [0.15, 0.25, 0.55]])


@dataclass(frozen=True)
class Look:
    """What can be told of a person by looking, in words.

    Attributes:
        skin: One of SKIN_NAMES.
        hair: One of HAIR_NAMES.
        top: Colour of the shirt, see `color_name`.
        bottom: Colour of the trousers.
    """

    skin: str
    hair: str
    top: str
    bottom: str


@dataclass(frozen=True)
class Person:
    """A dressed body.

    Attributes:
        body: Its body model.
        colors: (V, 3) float32 RGB in [0, 1] of every vertex, unlit.
        puff: (V,) float32 metres by which hair, clothes and girth stand off the mannequin's skin.
        height: Metres from sole to crown at rest, without hair.
        look: The same in words.
    """

    body: BodyModel
    colors: np.ndarray
    puff: np.ndarray
    height: float
    look: Look


@dataclass(frozen=True)
class _Rest:
    """The body at rest with the measures the regions are cut by; pelvis at the origin."""

    vertices: np.ndarray
    joints: np.ndarray

    @property
    def sole(self) -> float:
        return float(self.vertices[:, 1].min())

    @property
    def crown(self) -> float:
        return float(self.vertices[:, 1].max())


def _rest(body: BodyModel) -> _Rest:
    still = np.zeros((N_JOINTS, 3), np.float32)
    origin = np.zeros(3, np.float32)
    return _Rest(body.vertices(still, origin), body.joints(still, origin))


def _cloth_color(rng: np.random.Generator, skin: np.ndarray) -> np.ndarray:
    """A colour by chance that is not taken for bare skin."""
    hsv = np.array([[[rng.uniform(0, 360), rng.uniform(0.1, 0.85), rng.uniform(0.25, 0.95)]]], np.float32)
    color = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0]
    return color if np.abs(color - skin).sum() > 0.45 else color[::-1] * 0.8  # red and blue swapped


def color_name(color: np.ndarray) -> str:
    """The word for an RGB colour in [0, 1]."""
    hue, saturation, value = cv2.cvtColor(np.array([[color]], np.float32), cv2.COLOR_RGB2HSV)[0, 0]
    if value < 0.22:
        return "black"
    if saturation < 0.2:
        return "white" if value > 0.75 else "grey"
    return ("red", "yellow", "green", "cyan", "blue", "purple")[int((hue + 30) % 360 // 60)]


def undress(person: Person) -> Person:
    """The same body as a plain grey mannequin, without skin, hair and clothes."""
    colors = np.full_like(person.colors, GREY)
    return replace(person, colors=colors, puff=np.zeros_like(person.puff), look=Look(*["none"] * 4))


def dress(
    body: BodyModel,
    rng: np.random.Generator,
    wardrobe: np.random.Generator | None = None,
    skin_tone: int | None = None,
    hair_tone: int | None = None,
    girth: float = 0.0,
    uniform: bool = False,
) -> Person:
    """Dresses a body: skin, hair, face, shirt, trousers or shorts, shoes.

    Args:
        body: Any body with SMPL-X joints.
        rng: Source of chance.
        wardrobe: Source of chance of the clothes, so that one person can wear others; None: `rng`.
        skin_tone: Row of SKIN; None: by chance.
        hair_tone: Row of HAIR; None: by chance.
        girth: Metres by which trunk and limbs are wider than the mannequin's.
        uniform: The wardrobe has the same colours for everybody; otherwise none that are taken for the bare skin.
    """
    own, rng = rng, wardrobe or rng
    rest = _rest(body)
    x, y, z = np.abs(rest.vertices[:, 0]), rest.vertices[:, 1], rest.vertices[:, 2]
    joints = rest.joints
    neck, head, knee, ankle = (joints[j, 1] for j in (12, 15, 4, 7))
    shoulder, elbow, wrist = (joints[j, 0] for j in (16, 18, 20))
    by_chance = int(own.integers(len(SKIN)))
    tone = by_chance if skin_tone is None else skin_tone
    skin = SKIN[tone] * own.uniform(0.92, 1.05)
    beside = SKIN[len(SKIN) // 2] if uniform else skin
    colors = np.broadcast_to(skin, (len(x), 3)).copy()
    puff = np.zeros(len(x))

    # The front of the neck shows skin a little lower than the back.
    collar = neck - 0.02 - 0.25 * np.maximum(z - joints[12, 2], 0)
    sleeve = rng.choice([(shoulder + elbow) / 2 + 0.04, elbow - 0.05, wrist - 0.02])
    waist = joints[0, 1] + rng.uniform(-0.02, 0.06)
    hem = rng.choice([knee + 0.05, ankle + 0.03, ankle + 0.03])
    shirt = (y < collar) & (y > waist) & (x < sleeve)
    trousers = (y <= waist) & (y > hem) & (x < (shoulder + elbow) / 2)
    shoes = y < ankle + 0.02
    top, bottom = _cloth_color(rng, beside), _cloth_color(rng, beside) * rng.uniform(0.5, 1.0)
    if np.abs(top - bottom).sum() < 0.5:
        bottom = np.clip(1.05 - top, 0.08, 0.9)
    colors[shirt], colors[trousers], colors[shoes] = top, bottom, SHOES[rng.integers(len(SHOES))]
    pattern = rng.integers(3)
    if pattern == 1:  # stripes across the chest and the sleeves
        along = np.where(x > shoulder, x, y)
        colors[shirt & (np.sin(along * 2 * np.pi / 0.09) > 0)] = _cloth_color(rng, beside)
    elif pattern == 2:  # a print on the chest
        print_at = shirt & (x < 0.08) & (np.abs(y - joints[9, 1] + 0.02) < 0.07) & (z > joints[9, 2])
        colors[print_at] = _cloth_color(rng, beside)
    puff[shirt], puff[trousers], puff[shoes] = rng.uniform(0.004, 0.014), rng.uniform(0.004, 0.016), 0.008

    _face(colors, rest, skin)
    by_chance = int(own.integers(len(HAIR)))
    shade = by_chance if hair_tone is None else hair_tone
    hair = HAIR[shade]
    eyes_y, eyes_z = joints[23, 1], joints[23, 2]
    gap = 2 * abs(joints[23, 0])
    hairline = eyes_y + gap * 0.95 + 1.2 * np.minimum(z - eyes_z + gap * 0.3, 0)
    nape = head - gap * own.choice([0.6, 0.6, 1.9])
    capped = (y > np.maximum(hairline, nape)) & (z < eyes_z + 2 * gap) & (y > neck - 0.05) & (x < 2 * gap)
    colors[capped] = hair
    puff[capped] = own.uniform(0.008, 0.022)
    # Wider towards the middle of the body: neck, wrists and ankles stay as they are.
    ends = (collar - y, wrist - x, y - ankle)
    puff += girth * np.prod([np.clip(end / 0.12, 0, 1) for end in ends], axis=0)
    look = Look(SKIN_NAMES[tone], HAIR_NAMES[shade], color_name(top), color_name(bottom))
    return Person(body, colors.astype(np.float32), puff.astype(np.float32), rest.crown - rest.sole, look)


def _face(colors: np.ndarray, rest: _Rest, skin: np.ndarray) -> None:
    """Paints eyes, brows, mouth and the shadow under the nose; measures in distances between the eyes."""
    eyes = rest.joints[23:25]
    gap = float(np.abs(eyes[0, 0] - eyes[1, 0]))
    x, y = np.abs(rest.vertices[:, 0]) / gap, (rest.vertices[:, 1] - eyes[0, 1]) / gap
    front = rest.vertices[:, 2] > eyes[0, 2] - 0.35 * gap

    def spot(at: tuple[float, float], size: tuple[float, float], color: np.ndarray) -> None:
        colors[front & (((x - at[0]) / size[0]) ** 2 + ((y - at[1]) / size[1]) ** 2 < 1)] = color

    spot((0.5, 0.02), (0.34, 0.24), skin * 0.78)  # the socket
    spot((0.5, 0.0), (0.26, 0.12), np.array([0.93, 0.92, 0.9]))
    spot((0.5, 0.0), (0.12, 0.13), np.array([0.10, 0.07, 0.06]))
    spot((0.5, 0.38), (0.36, 0.10), skin * 0.28)
    spot((0.0, -0.66), (0.30, 0.10), skin * 0.6)
    spot((0.0, -1.13), (0.42, 0.12), skin * [0.72, 0.38, 0.38])
