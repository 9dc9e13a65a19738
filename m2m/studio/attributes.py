"""Planted attributes: who does which action, so that the person tells the class as often as asked.

Every class has a value of its own of each attribute. Genders alternate from class to class, male first; skins and
builds go round in an order drawn by seed; clothes are one outfit a class; the identity is one person a class. With the
planted probability a clip has its class's value, else any by chance (which may be that one again); of identities, else
somebody who is seen in no other clip.
"""

from dataclasses import replace

import numpy as np

from m2m.studio.actions import ACTIONS
from m2m.studio.identity import BUILDS, GENDERS, Identity, identity
from m2m.studio.person import SKIN
from m2m.studio.recipe import ATTRIBUTES, StudioParams

STRANGERS = 1000
"""Numbers of persons from here on are seen in one clip; those of classes are below."""


def own_value(params: StudioParams, name: str, label: str) -> int:
    """Number of the value that belongs to a class, among those of `values`."""
    at = params.labels.index(label)
    if name in ("gender", "clothes"):
        return at % values(params, name)
    order = np.random.default_rng([params.seed, 0, 0, 0, 9, ATTRIBUTES.index(name)]).permutation(values(params, name))
    return int(order[at % len(order)])


def values(params: StudioParams, name: str) -> int:
    """How many values an attribute has; identities have no list."""
    return {"gender": len(GENDERS) - 1, "skin": len(SKIN), "build": len(BUILDS), "clothes": len(params.labels)}[name]


def cast(params: StudioParams, label: str, index: int, test: bool) -> tuple[Identity, int | None]:
    """Who is in a clip.

    Args:
        params: The recipe, with attributes.
        label: The action.
        index: Number of the clip within class and split.
        test: Whether it is of the split `val`.

    Returns:
        The person, and the number of the clothes that belong to a class; None: clothes of the person's own.
    """
    at = list(ACTIONS).index(label)
    drawn = {
        name: _drawn(params, name, label, np.random.default_rng([params.seed, index, at, int(test), 4, number]), test)
        for number, name in enumerate(ATTRIBUTES)
    }
    stranger = STRANGERS + 2 * (len(ACTIONS) * index + at) + test
    who = identity(params.seed, at if drawn["identity"] else stranger)
    if not drawn["identity"]:
        build = list(BUILDS)[drawn["build"]]
        who = replace(who, gender=GENDERS[1 + drawn["gender"]], build=build, skin=drawn["skin"])
    if "clothes" not in params.attributes:
        return who, None
    return who, list(ACTIONS).index(params.labels[drawn["clothes"]])


def _drawn(params: StudioParams, name: str, label: str, rng: np.random.Generator, test: bool) -> int:
    """Number of the value that a clip has; of identities 1 for the class's own person, 0 for somebody else."""
    strength, reverse = params.attributes.get(name, 0.0), params.reversed and test and name in params.attributes
    hit, pick = float(rng.uniform()) < strength, float(rng.uniform())
    if name == "identity":
        return int(hit and not reverse)
    count = values(params, name)
    if reverse:
        return (own_value(params, name, label) + 1 + int(pick * (count - 1))) % count
    return own_value(params, name, label) if hit else int(pick * count)
