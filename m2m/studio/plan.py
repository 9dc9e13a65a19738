"""Plans: the clips of a recipe, what each shows and where it goes."""

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from m2m.clips import slug
from m2m.studio.actions import ACTIONS
from m2m.studio.attributes import cast
from m2m.studio.backgrounds import CAMERAS
from m2m.studio.clip import ClipSpec
from m2m.studio.occluders import OCCLUDERS
from m2m.studio.population import population
from m2m.studio.recipe import StudioParams

TRAIN, TEST = "train", "val"
PLAIN_HEIGHT, PLAIN_HEADING = (0.58, 0.75), 30.0
"""Height as a share of the picture's, and degrees off the camera, of the people of plain clips."""


@dataclass(frozen=True)
class Entry:
    """One clip of a data set.

    Attributes:
        name: Its name, unique in the data set.
        folder: Where it lies, relative to the data set: the class, below the split where there are two.
        split: `train` or `val`.
        spec: What it shows.
        own: It is seen before the background of its class.
    """

    name: str
    folder: str
    split: str
    spec: ClipSpec
    own: bool = False

    @property
    def path(self) -> str:
        """The video, relative to the data set."""
        return f"{self.folder}/{self.name}.mp4"

    @property
    def clip_id(self) -> str:
        """What a scan calls it."""
        return slug(f"{self.folder}/{self.name}")


def planted_bias(params: StudioParams) -> dict[str, float]:
    """How often a background is the class's own with `scene_bias`: 0 to 1 in equal steps, in an order drawn by seed."""
    labels = params.labels
    order = np.random.default_rng([params.seed, 0, len(ACTIONS)]).permutation(len(labels))
    return {label: float(rank) / max(len(labels) - 1, 1) for label, rank in zip(labels, order, strict=True)}


def plan(params: StudioParams) -> list[Entry]:
    """The clips of a data set in order: train before val, then by class and number.

    What a clip shows does not depend on how many others of its class there are, nor on the other split. What is planted
    is drawn apart from the rest: two recipes that differ in a strength show the same movements.
    """
    if params.people:
        many = params.people, params.places, params.outfits
        size, fps = (params.size[0], params.size[1]), Fraction(params.fps)
        drawn = population(*many, params.labels, params.clips, params.seed, size, fps, params.seconds)
        out = []
        for name, spec in drawn.items():
            staged = _staged(params, spec, int(name.rsplit("_", 1)[1]), False)
            out.append(Entry(name, spec.label, TRAIN, staged))
        return out
    splits = [(TRAIN, params.clips)] + [(TEST, params.test_clips)] * bool(params.test_clips)
    chances = planted_bias(params)
    out = []
    for split, count in splits:
        for label in params.labels:
            folder = f"{split}/{label}" if params.test_clips else label
            for index in range(count):
                name = f"{label}_{index:03d}" if split == TRAIN else f"{label}_{split}_{index:03d}"
                spec, own = _spec(params, label, index, split == TEST, chances[label])
                out.append(Entry(name, folder, split, spec, own))
    return out


def specs(params: StudioParams) -> dict[str, ClipSpec]:
    """What the clips of a data set show by name, `class_000`; those of the split `val` are `class_val_000`."""
    return {entry.name: entry.spec for entry in plan(params)}


def _spec(params: StudioParams, label: str, index: int, test: bool, chance: float) -> tuple[ClipSpec, bool]:
    at, labels = list(ACTIONS).index(label), params.labels
    # Drawn before the class matters, so that number of persons and class are independent.
    rng = np.random.default_rng([params.seed, index, at, *[1] * test])
    spec = ClipSpec(
        label=label,
        seed=int(rng.integers(2**31)) + 2**31 * test,
        size=(params.size[0], params.size[1]),
        fps=Fraction(params.fps),
        seconds=params.seconds,
        persons=2 if rng.uniform() < params.pairs else 1,
        enter=bool(rng.uniform() < params.entering) and label == "walk",
    )
    if params.plain:
        height = float(rng.uniform(*PLAIN_HEIGHT)) * params.size[1]
        heading = float(rng.uniform(-PLAIN_HEADING, PLAIN_HEADING))
        spec = replace(spec, persons=1, enter=False, camera="still", clutter=False, height=height, heading=heading)
    own = False
    if params.scene_bias:
        place = labels.index(label) if rng.uniform() < chance else int(rng.integers(len(labels)))
        spec, own = replace(spec, place=params.seed * 1000 + place), place == labels.index(label)
    if params.bias is not None:
        bias = params.test_bias if test and params.test_bias is not None else params.bias
        hit, pick = np.random.default_rng([params.seed, index, at, int(test), 1]).uniform(size=2)
        place = at if hit < bias else list(ACTIONS).index(labels[int(pick * len(labels))])
        spec, own = replace(spec, place=params.seed * 1000 + place), place == at
    if params.attributes:
        who, wardrobe = cast(params, label, index, test)
        spec = replace(spec, persons=1, identity=who, outfit=2 * index + test, wardrobe=wardrobe)
    return _staged(params, spec, index, test), own


def _staged(params: StudioParams, spec: ClipSpec, index: int, test: bool) -> ClipSpec:
    """With what stands before the person, a camera that moves, and mannequins, as often as asked."""
    key = [params.seed, index, list(ACTIONS).index(spec.label), int(test)]
    if params.moving is not None:
        hit, pick = np.random.default_rng([*key, 2]).uniform(size=2)
        moving = [c for c in CAMERAS if c != "still"]
        spec = replace(spec, camera=moving[int(pick * len(moving))] if hit < params.moving else "still")
    hit, pick = np.random.default_rng([*key, 3]).uniform(size=2)
    if hit < params.occluders:
        spec = replace(spec, occluder=list(OCCLUDERS)[int(pick * len(OCCLUDERS))])
    return replace(spec, mannequin=params.mannequins)
