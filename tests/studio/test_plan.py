from collections import Counter
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m2m.parsing import typed
from m2m.studio.actions import ACTIONS
from m2m.studio.attributes import STRANGERS, own_value, values
from m2m.studio.clip import clothed
from m2m.studio.identity import BUILDS, GENDERS
from m2m.studio.plan import Entry, plan, specs
from m2m.studio.recipe import ATTRIBUTES, StudioParams

SEVEN = {"classes": 7, "clips": 60}
SHARES = st.sampled_from([0.0, 0.25, 0.5, 0.9, 1.0])


def value(entry: Entry, name: str, params: StudioParams) -> int:
    """Number of the value of a clip's person, by its own reading of the spec."""
    who = entry.spec.identity
    assert who is not None
    if name == "clothes":
        return params.labels.index(list(ACTIONS)[entry.spec.wardrobe or 0])
    return {"gender": GENDERS.index(who.gender) - 1, "skin": who.skin, "build": list(BUILDS).index(who.build)}[name]


def near(hits: list[bool], share: float) -> bool:
    """Within five standard deviations of the binomial."""
    sigma = np.sqrt(share * (1 - share) / len(hits))
    return abs(np.mean(hits) - share) <= 5 * sigma + 1e-9


@given(bias=SHARES, seed=st.integers(0, 2**20))
@settings(max_examples=5)
def test_backgrounds_are_the_classs_own_as_often_as_asked(bias: float, seed: int) -> None:
    params = StudioParams(**SEVEN, seed=seed, bias=bias)
    made = plan(params)
    assert near([e.own for e in made], bias + (1 - bias) / 7)
    places = {e.spec.place for e in made}
    assert len(places) == 7 and not places & {e.spec.place for e in plan(replace(params, seed=seed + 1))}
    own = {e.spec.label: e.spec.place for e in made if e.own}
    assert len(set(own.values())) == len(own)
    assert all(e.own == (e.spec.place == own.get(e.spec.label)) for e in made)


@given(name=st.sampled_from([a for a in ATTRIBUTES if a != "identity"]), strength=SHARES, seed=st.integers(0, 2**20))
@settings(max_examples=6)
def test_people_have_the_classs_value_as_often_as_asked(name: str, strength: float, seed: int) -> None:
    params = StudioParams(**SEVEN, seed=seed, attributes={name: strength}, test_clips=40, reversed=True)
    made = plan(params)
    hits = [(e.split, value(e, name, params) == own_value(params, name, e.spec.label)) for e in made]
    assert near([h for s, h in hits if s == "train"], strength + (1 - strength) / values(params, name))
    assert not any(h for s, h in hits if s == "val")
    others = Counter(value(e, name, params) for e in made if e.split == "val")
    assert len(others) == values(params, name)
    for free in {"gender", "skin", "build"} - {name}:
        seen = Counter(value(e, free, params) for e in made)
        assert all(near([True] * n + [False] * (len(made) - n), 1 / values(params, free)) for n in seen.values())


@given(strength=SHARES, reverse=st.booleans())
@settings(max_examples=6)
def test_the_classs_own_person_is_there_as_often_as_asked(strength: float, reverse: bool) -> None:
    params = StudioParams(**SEVEN, attributes={"identity": strength}, test_clips=60, reversed=reverse)
    own = {"train": [], "val": []}
    for e in plan(params):
        assert e.spec.identity is not None
        own[e.split].append(e.spec.identity.number == list(ACTIONS).index(e.spec.label))
        assert own[e.split][-1] or e.spec.identity.number >= STRANGERS
    assert near(own["train"], strength) and near(own["val"], 0.0 if reverse else strength)


def test_genders_alternate_and_other_values_go_round() -> None:
    params = StudioParams(classes=10, attributes={"gender": 1.0, "skin": 1.0, "build": 1.0})
    made = {e.spec.label: e for e in plan(params)}
    assert [e.spec.identity.gender for e in made.values() if e.spec.identity] == ["male", "female"] * 5
    for name in ("skin", "build"):
        assert set(Counter(value(e, name, params) for e in made.values()).values()) <= {2, 3, 4}


@pytest.mark.parametrize("attributes", [{}, {"gender": 0.9, "skin": 0.5}, {"build": 1.0}])
@given(seed=st.integers(0, 2**20))
@settings(max_examples=2)
def test_splits_share_nobody(attributes: dict, seed: int) -> None:
    made = plan(StudioParams(classes=4, clips=30, test_clips=30, seed=seed, bias=0.5, attributes=attributes))
    by_split = [[e for e in made if e.split == split] for split in ("train", "val")]
    assert [len(s) for s in by_split] == [120, 120] and len({e.path for e in made}) == len({e.clip_id for e in made})
    seeds, people = ([{f(e) for e in s} for s in by_split] for f in (lambda e: (e.spec.label, e.spec.seed), _who))
    assert not seeds[0] & seeds[1] and len(seeds[0]) == len(seeds[1]) == 120
    assert not people[0] & people[1] and len(people[0] | people[1]) == 240


def _who(entry: Entry) -> object:
    """Whom and what clothes a clip shows; without an identity both come from label and seed."""
    spec = entry.spec
    return (spec.identity.seed, spec.identity.number) if spec.identity else (spec.label, spec.seed)


@given(clips=st.integers(1, 6), more=st.integers(0, 4), tests=st.integers(0, 3), classes=st.integers(2, 5))
@settings(max_examples=5)
def test_a_clip_does_not_depend_on_how_many_others_there_are(clips: int, more: int, tests: int, classes: int) -> None:
    planted = {"attributes": {"gender": 0.7, "skin": 0.5}, "occluders": 0.4, "moving": 0.5, "bias": 1.0}
    few = specs(StudioParams(classes, clips, seed=3, **planted))
    many = specs(StudioParams(classes + 2, clips + more, seed=3, test_clips=tests, **planted))
    assert few.items() <= many.items()


def test_what_is_planted_changes_nothing_else() -> None:
    weak, strong = (plan(StudioParams(3, 30, bias=b, test_clips=5, attributes={"skin": b})) for b in (0.1, 0.9))
    for a, b in zip(weak, strong, strict=True):
        assert a.spec.identity is not None and b.spec.identity is not None
        who = replace(b.spec.identity, skin=a.spec.identity.skin)
        assert a.spec == replace(b.spec, place=a.spec.place, identity=who)
        assert b.own or not a.own  # who was before the own background with a weak bias is so with a strong one


def test_occluders_cameras_and_mannequins_are_as_many_as_asked() -> None:
    made = specs(StudioParams(**SEVEN, occluders=0.3, moving=0.6, mannequins=True)).values()
    assert near([bool(s.occluder) for s in made], 0.3) and len({s.occluder for s in made}) == 5
    assert near([s.camera != "still" for s in made], 0.6) and {s.camera for s in made} == {
        "still",
        "pan",
        "zoom",
        "shake",
    }
    assert all(s.mannequin for s in made)
    assert {s.camera for s in specs(StudioParams(moving=0.0)).values()} == {"still"}
    assert {(s.camera, s.occluder, s.mannequin) for s in specs(StudioParams()).values()} == {(None, "", False)}


def test_actions_are_chosen_with_or_without_people() -> None:
    chosen = specs(StudioParams(actions=("kick", "bow"), clips=2))
    assert list(chosen) == ["kick_000", "kick_001", "bow_000", "bow_001"]
    assert chosen.items() <= specs(StudioParams(13, 2)).items()


def test_a_class_has_one_outfit_on_everybody() -> None:
    made = specs(StudioParams(2, 12, seed=2, attributes={"clothes": 1.0})).values()
    for label in ("wave", "jumping_jack"):
        looks = [clothed(s.identity, s.outfit, s.wardrobe).look for s in made if s.identity and s.label == label]
        assert len({(x.top, x.bottom) for x in looks}) == 1 < len({x.skin for x in looks})


def test_a_recipe_may_be_plain_values() -> None:
    params = StudioParams(bias=0.5, attributes={"gender": 0.9}, actions=("walk", "kick"), test_clips=2)
    values = asdict(params) | {"size": [432, 240], "actions": ["walk", "kick"]}
    assert typed(StudioParams, values) == params


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"classes": 0}, "classes"),
        ({"classes": 99}, "classes"),
        ({"clips": 0}, "clips"),
        ({"seed": -1}, "seed"),
        ({"seconds": float("nan")}, "seconds"),
        ({"size": (65, 64)}, "size"),
        ({"bias": 1.5}, "bias is 0 to 1"),
        ({"bias": float("nan")}, "bias is 0 to 1"),
        ({"bias": 0.5, "scene_bias": True}, "only one"),
        ({"test_bias": 0.5}, "test_bias needs"),
        ({"reversed": True}, "reversed needs"),
        ({"attributes": {"age": 0.5}}, "attributes are some of gender"),
        ({"attributes": {"gender": 2.0}}, "gender is 0 to 1"),
        ({"attributes": {"gender": 0.5, "identity": 0.5}}, "a person has one gender"),
        ({"actions": ("walk", "walk")}, "twice"),
        ({"actions": ("juggle",)}, "juggle"),
        ({"people": 3, "bias": 0.5}, "not for people"),
        ({"people": 3, "test_clips": 2}, "not for people"),
        ({"classes": 1, "attributes": {"clothes": 1.0}, "test_clips": 1, "reversed": True}, "two classes"),
    ],
)
def test_wrong_recipes_are_refused(wrong: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StudioParams(**wrong)
