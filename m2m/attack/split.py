"""Splits: who is learnt from and who is attacked, and which clips may be compared."""

from dataclasses import dataclass

import numpy as np

from m2m.attack.people import PeopleTable
from m2m.errors import InputError

LEAST_PERSONS = 4
"""Persons below which half of them are no gallery."""


@dataclass(frozen=True)
class Split:
    """Rows of a table of people.

    Attributes:
        train: Rows that an attacker learns from.
        test: Rows that it is tried on.
    """

    train: np.ndarray
    test: np.ndarray


def open_set(people: PeopleTable, seed: int) -> Split:
    """Half of the persons are learnt from, the others attacked: nobody is in both.

    Raises:
        InputError: There are fewer than four persons, or those of the test have one place each.
    """
    names = np.unique(people.persons)
    if len(names) < LEAST_PERSONS:
        raise InputError(
            f"an attacker of strangers needs {LEAST_PERSONS} persons or more, not {len(names)}",
            "add persons to the table, or clips of them to the data sets",
        )
    order = np.random.default_rng([seed, len(names)]).permutation(names)
    learnt = np.isin(people.persons, order[: len(names) // 2])
    split = Split(np.flatnonzero(learnt), np.flatnonzero(~learnt))
    places = [len(set(people.places[people.persons == p].tolist())) for p in order[len(names) // 2 :]]
    if max(places) < 2:
        raise InputError(
            "nobody of the test is seen in two places", "gallery and probe must differ in place, or the scene tells all"
        )
    return split


def by_place(people: PeopleTable, seed: int) -> Split:
    """A third of the places, and two at least, are the test; everybody may be learnt from elsewhere.

    Raises:
        InputError: There are fewer than three places.
    """
    names = np.unique(people.places)
    if len(names) < 3:
        raise InputError(f"an attacker of known persons needs three places or more, not {len(names)}")
    order = np.random.default_rng([seed, len(names), 1]).permutation(names)
    tested = np.isin(people.places, order[: max(1, len(names) // 3)])
    return Split(np.flatnonzero(~tested), np.flatnonzero(tested))


def comparable(people: PeopleTable, rows: np.ndarray, clothes: str = "any") -> np.ndarray:
    """Which clips count for which probe: never one of the same place.

    Args:
        people: Who is where.
        rows: M rows of it.
        clothes: `any`; or of a probe's own person only clips in the `same` or in `other` clothes. Clips of others count
            in any case.

    Returns:
        (M, M) bool, symmetric.
    """
    persons, places = people.persons[rows], people.places[rows]
    allowed = places[:, None] != places[None]
    if clothes == "any" or people.clothes is None:
        return allowed
    own = persons[:, None] == persons[None]
    alike = people.clothes[rows][:, None] == people.clothes[rows][None]
    return allowed & (~own | (alike if clothes == "same" else ~alike))
