"""The sample of a review: which clips are drawn, and into which others somebody is put."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from m2m.clips import Clip
from m2m.errors import InputError

FEWEST_PLANTS = 10


@dataclass(frozen=True)
class ReviewParams:
    """What a review asks.

    Attributes:
        sample: Clips drawn by chance; all, if there are fewer; 0: only what is doubtful.
        seed: Of the sample.
        plants: Clips among them that somebody is put into; None: a fifth of the sample, 10 at least.
        near: Of each check, clips that passed and came nearest to failing.
    """

    sample: int = 0
    seed: int = 0
    plants: int | None = None
    near: int = 3

    def __post_init__(self) -> None:
        for name in ("sample", "seed", "near"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} is 0 or more, not {getattr(self, name)}")
        if self.plants is not None and self.plants < 0:
            raise InputError(f"plants is 0 or more, not {self.plants}")

    def planted(self, n: int) -> int:
        """How many plants go among a sample of `n`."""
        if not n:
            return 0
        return max(FEWEST_PLANTS, math.ceil(n / 5)) if self.plants is None else self.plants


def drawn_by_chance(released: Sequence[Clip], params: ReviewParams) -> list[Clip]:
    """The sample: uniform, without replacement, by the stated seed, whatever the order of the clips."""
    ordered = sorted(released, key=lambda c: c.clip_id)
    n = min(params.sample, len(ordered))
    return [ordered[i] for i in np.random.default_rng(params.seed).choice(len(ordered), n, replace=False)]


def carriers(released: Sequence[Clip], sample: Sequence[Clip], count: int, chance: np.random.Generator) -> list[Clip]:
    """Clips to put plants into: others than those of the sample as long as there are any."""
    taken = {c.clip_id for c in sample}
    others = [c for c in released if c.clip_id not in taken]
    order = [others[i] for i in chance.permutation(len(others))]
    while len(order) < count:
        order += [released[i] for i in chance.permutation(len(released))]
    return order[:count]
