from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m2m.attack.people import PeopleTable, read_people
from m2m.attack.split import by_place, comparable, open_set
from m2m.errors import InputError


def table(persons: int, clips: int, places: int = 4) -> PeopleTable:
    who = np.repeat(np.arange(persons), clips)
    where = (np.tile(np.arange(clips), persons) + who) % places
    ids = tuple(f"c{i:03d}" for i in range(len(who)))
    return PeopleTable(ids, who, where, np.tile(np.arange(clips) % 2, persons), {})


@settings(max_examples=40, deadline=None)
@given(st.integers(4, 12), st.integers(2, 5), st.integers(0, 50))
def test_nobody_is_learnt_from_and_attacked(persons: int, clips: int, seed: int) -> None:
    people = table(persons, clips)
    split = open_set(people, seed)
    assert sorted([*split.train, *split.test]) == list(range(persons * clips))
    assert not set(people.persons[split.train]) & set(people.persons[split.test])
    assert open_set(people, seed).test.tolist() == split.test.tolist()
    placed = by_place(people, seed)
    assert not set(people.places[placed.train]) & set(people.places[placed.test]) and len(placed.test)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 50), st.sampled_from(["any", "same", "other"]))
def test_gallery_and_probe_differ_in_place_and_clothes_are_as_asked(seed: int, clothes: str) -> None:
    people = table(6, 5)
    rows = open_set(people, seed).test
    allowed = comparable(people, rows, clothes)
    assert people.clothes is not None
    assert np.array_equal(allowed, allowed.T) and not allowed.diagonal().any()
    for i, j in np.argwhere(allowed):
        one, other = rows[i], rows[j]
        assert people.places[one] != people.places[other]
        if people.persons[one] == people.persons[other] and clothes != "any":
            assert (people.clothes[one] == people.clothes[other]) == (clothes == "same")


def test_too_few_persons_or_places_are_told() -> None:
    with pytest.raises(InputError, match="4 persons or more, not 3"):
        open_set(table(3, 4), 0)
    with pytest.raises(InputError, match="two places"):
        open_set(table(6, 3, places=1), 0)
    with pytest.raises(InputError, match="three places"):
        by_place(table(6, 3, places=2), 0)


def test_a_table_is_read(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    rows = ["b,anna,hall,red,20", "a,ben,park,blue,30", "c,anna,park,red,20", "d,cleo,hall,red,40", "e,dan,hall,red,50"]
    path.write_text("clip_id,person,place,hair,years\n" + "\n".join(rows) + "\n")
    people = read_people(path)
    assert people.clip_ids == ("a", "b", "c", "d", "e") and people.persons.tolist() == [1, 0, 0, 2, 3]
    assert people.places.tolist() == [1, 0, 1, 0, 0] and people.clothes is None
    assert people.attributes == {"hair": ("blue", "red", "red", "red", "red")}  # an age each tells persons, not a kind
    assert people.only(("c", "a")).attributes["hair"] == ("red", "blue")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("clip_id,person\na,b\n", "no column 'place'"),
        ("clip_id,person,place\n", "names no clip"),
        ("clip_id,person,place\na,b,c\na,d,e\n", "twice"),
        ("clip_id,person,place\na,b\n", "row 2"),
        ("clip_id,person,place\na,,c\n", "row 2"),
    ],
)
def test_a_wrong_table_is_refused(text: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=why):
        read_people(path)
    with pytest.raises(InputError, match="cannot read"):
        read_people(tmp_path / "none.csv")
