"""Identities: persons of a fixed population, each with a look and a manner of their own."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from m2m.studio.actions import Manner
from m2m.studio.person import HAIR, SKIN

Gender = Literal["neutral", "male", "female"]
GENDERS: tuple[Gender, ...] = ("neutral", "male", "female")
BUILDS: dict[str, float] = {"slim": -0.008, "medium": 0.012, "broad": 0.035}
"""Metres by which trunk and limbs are wider than the mannequin's, which has one shape a gender."""
STATURE = (1.55, 1.95)
"""Metres; drawn as the height in the picture beside that of others at the same distance."""

STEADY = {"tempo": 0.03, "amplitude": 0.015, "stance": 0.4, "carriage": 0.8, "stoop": 0.6, "sway": 0.1}
"""Standard deviation from clip to clip of a person's manner; between persons it is five times that and more."""


@dataclass(frozen=True)
class Identity:
    """Somebody.

    Attributes:
        seed: Of the population.
        number: Of the person.
        gender: Of the body.
        build: A key of BUILDS.
        stature: Metres.
        skin: Row of SKIN.
        hair: Row of HAIR.
        manner: How the person moves: the middle of all their clips.
    """

    seed: int
    number: int
    gender: Gender
    build: str
    stature: float
    skin: int
    hair: int
    manner: Manner

    @property
    def girth(self) -> float:
        """Metres by which the person is wider than the mannequin."""
        return BUILDS[self.build]

    def varied(self, rng: np.random.Generator) -> Manner:
        """The person's manner in one clip: a little different every time, and from any moment of the movement on."""
        own = {name: getattr(self.manner, name) + float(rng.normal(0, sigma)) for name, sigma in STEADY.items()}
        return replace(self.manner, phase=float(rng.uniform()), **own)


def identity(seed: int, number: int) -> Identity:
    """A person of a population; who it is does not depend on how many others there are.

    Gender, build and skin go through all their combinations, so that none tells another; the rest is by chance.

    Args:
        seed: Of the population.
        number: Of the person, from 0.
    """
    rng = np.random.default_rng([seed, number, 0])
    builds = list(BUILDS)
    return Identity(
        seed=seed,
        number=number,
        gender=GENDERS[1 + number % 2],
        build=builds[number // 2 % len(builds)],
        stature=float(rng.uniform(*STATURE)),
        skin=number // (2 * len(builds)) % len(SKIN),
        hair=int(rng.integers(len(HAIR))),
        manner=Manner.draw(rng),
    )
