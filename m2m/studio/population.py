"""Populations: the same persons in several actions, places and clothes, and the table of who is who."""

import csv
import io
from fractions import Fraction

import numpy as np

from m2m.clips import slug
from m2m.studio.actions import ACTIONS
from m2m.studio.clip import ClipSpec, clothed
from m2m.studio.identity import identity

PEOPLE = "people.csv"
COLUMNS = ("clip_id", "person", "place", "clothes", "gender", "build", "stature", "skin", "hair", "top", "bottom")
HEADING = 30.0
"""Most degrees off the camera: where people face it, a face attacker has its best chance."""
TALL = (0.60, 0.72)
"""Height in the picture, as a share of its height, of somebody of 1.75 m at the distance of a place."""
SPREAD = 0.05
"""By how much the distance differs from clip to clip, as a share."""


def population(
    people: int,
    places: int,
    outfits: int,
    labels: list[str],
    clips: int,
    seed: int,
    size: tuple[int, int],
    fps: Fraction,
    seconds: float,
) -> dict[str, ClipSpec]:
    """The clips of a population by name: every person does every action `clips` times.

    A person's clips go through the places in an order of their own, so that a place tells neither person nor action;
    the camera stands still and nothing else moves.

    Args:
        people: How many persons.
        places: How many backgrounds, shared by all.
        outfits: Clothes of a person; clips of an action go through them in turn. 1: always the same.
        labels: Actions.
        clips: Clips an action and person.
        seed: Same seed, same people, places and clips.
        size: Width and height in pixels.
        fps: Frames a second.
        seconds: Length of a clip.
    """
    out = {}
    for number in range(people):
        who = identity(seed, number)
        order = np.random.default_rng([seed, number, 3]).permutation(places)
        for label in labels:
            at = list(ACTIONS).index(label)  # a clip is the same whatever other actions there are
            for index in range(clips):
                rng = np.random.default_rng([seed, number, 4, at, index])
                place = int(order[(at * clips + index) % places])
                distance = np.random.default_rng([seed, 5, place]).uniform(*TALL) * rng.normal(1, SPREAD)
                out[f"{label}_{number * clips + index:03d}"] = ClipSpec(
                    label=label,
                    seed=int(rng.integers(2**31)),
                    size=size,
                    fps=fps,
                    seconds=seconds,
                    place=seed * 1000 + place,
                    camera="still",
                    clutter=False,
                    height=float(distance * who.stature / 1.75 * size[1]),
                    heading=float(rng.uniform(-HEADING, HEADING)),
                    identity=who,
                    outfit=index % outfits,
                )
    return out


def people_table(specs: dict[str, ClipSpec]) -> str:
    """Who is in which clip, as CSV for `m2m audit attack --people`; clips have the names that `m2m augment` gives."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for name, spec in specs.items():
        who = spec.identity
        if who is None:
            continue
        look = clothed(who, spec.outfit).look
        clip_id = slug(f"{spec.label}/{name}")
        row = (clip_id, f"p{who.number:03d}", f"s{spec.place}", f"c{spec.outfit}", who.gender, who.build)
        writer.writerow([*row, f"{who.stature:.2f}", look.skin, look.hair, look.top, look.bottom])
    return text.getvalue()
