import csv
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from m2m.clips import scan
from m2m.errors import InputError
from m2m.studio import StudioParams, draw_clip, draw_dataset
from m2m.studio.clip import ClipSpec
from m2m.studio.identity import STEADY, identity
from m2m.studio.person import color_name
from m2m.studio.plan import specs
from m2m.studio.population import COLUMNS, PEOPLE, people_table
from m2m.studio.truth import TRUTH

SMALL = {"size": (96, 64), "fps": 4, "seconds": 0.5}


def table(params: StudioParams) -> list[dict[str, str]]:
    return list(csv.DictReader(people_table(specs(params)).splitlines()))


def test_everybody_does_everything_in_several_places_and_clothes() -> None:
    rows = table(StudioParams(3, 2, seed=4, people=6, places=7, outfits=2, **SMALL))
    assert len(rows) == 6 * 3 * 2 and tuple(rows[0]) == COLUMNS
    for person in {r["person"] for r in rows}:
        own = [r for r in rows if r["person"] == person]
        assert Counter(r["clip_id"].split("__")[0] for r in own) == {"wave": 2, "jumping_jack": 2, "squat": 2}
        assert len({r["place"] for r in own}) == 6  # as many as clips, where there are enough
        assert {r["clothes"] for r in own} == {"c0", "c1"}
        for fixed in ("gender", "build", "stature", "skin", "hair"):
            assert len({r[fixed] for r in own}) == 1
        for clothes in ("c0", "c1"):
            assert len({(r["top"], r["bottom"]) for r in own if r["clothes"] == clothes}) == 1
    assert len({r["place"] for r in rows}) == 7


def test_gender_build_and_skin_do_not_tell_each_other() -> None:
    rows = {r["person"]: r for r in table(StudioParams(1, 1, people=30, **SMALL))}.values()
    seen = Counter((r["gender"], r["build"], r["skin"]) for r in rows)
    assert len(seen) == 2 * 3 * 5 and set(seen.values()) == {1}


def test_who_somebody_is_does_not_depend_on_how_many_others_there_are() -> None:
    few, many = (specs(StudioParams(2, 2, seed=9, people=n, **SMALL)) for n in (2, 5))
    assert few.items() <= many.items()
    assert specs(StudioParams(2, 2, seed=9, people=2, **SMALL)) == few
    assert identity(8, 1) != identity(9, 1) != identity(9, 2)


def test_a_manner_stays_a_persons_own() -> None:
    rng, people = np.random.default_rng(0), [identity(3, n) for n in range(12)]
    for name in ("tempo", "carriage", "stoop"):
        within = np.mean([np.std([getattr(p.varied(rng), name) for _ in range(20)]) for p in people])
        between = np.std([getattr(p.manner, name) for p in people])
        assert within == pytest.approx(STEADY[name], rel=0.3) and between > 2.5 * within
    assert len({p.varied(rng).side for p in people for _ in range(5)}) == 2
    assert all(p.varied(rng).side == p.manner.side for p in people)


def test_a_person_looks_alike_in_other_clips_and_broad_is_wider_than_slim() -> None:
    made = specs(StudioParams(1, 2, seed=2, people=6, outfits=1, size=(216, 120), fps=4))
    shown = {n: draw_clip(ClipSpec(**{**s.__dict__, "seconds": 0.25, "heading": 0.0})) for n, s in made.items()}
    colours = {n: np.median(c.frames[0][c.masks[0]], axis=0) for n, c in shown.items()}
    widths = {n: c.masks[0].sum() / np.ptp(np.nonzero(c.masks[0])[0]) ** 2 for n, c in shown.items()}
    for number in range(6):
        one, two = (colours[f"wave_{2 * number + i:03d}"] for i in (0, 1))
        assert np.abs(one - two).max() < 40  # the light differs
    build = {n: s.identity.build for n, s in made.items() if s.identity}
    mean = {b: np.mean([widths[n] for n in made if build[n] == b]) for b in ("slim", "medium", "broad")}
    assert mean["slim"] < mean["medium"] < mean["broad"]


def test_the_table_names_clips_as_a_scan_does(tmp_path: Path) -> None:
    out = tmp_path / "out"
    draw_dataset(out, StudioParams(2, 1, seed=1, people=2, places=3, **SMALL))
    rows = list(csv.DictReader((out / TRUTH / PEOPLE).open()))
    assert sorted(r["clip_id"] for r in rows) == [c.clip_id for c in scan(out)]
    again = tmp_path / "again"
    draw_dataset(again, StudioParams(2, 1, seed=1, people=2, places=3, **SMALL), workers=2)
    for path in (out / TRUTH).rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (again / path.relative_to(out)).read_bytes()


def test_a_clip_does_not_depend_on_other_actions() -> None:
    one = specs(StudioParams(clips=2, people=2, actions=("walk", "kick"), **SMALL))
    assert {s.label for s in one.values()} == {"walk", "kick"}
    assert one.items() >= specs(StudioParams(clips=2, people=2, actions=("kick",), **SMALL)).items()


def test_nobody_in_particular_is_as_before() -> None:
    assert all(s.identity is None for s in specs(StudioParams()).values())
    assert asdict(StudioParams(people=0, places=3)) | {"places": 8} == asdict(StudioParams())


@pytest.mark.parametrize(
    "wrong",
    [{"people": -1}, {"people": 2, "places": 0}, {"people": 2, "outfits": 0}, {"people": 2, "scene_bias": True}],
)
def test_wrong_populations_are_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match=r"people|places"):
        StudioParams(**wrong)


def test_an_identity_is_one_person() -> None:
    with pytest.raises(InputError, match="one person"):
        draw_clip(ClipSpec("wave", persons=2, identity=identity(0, 0)))


@pytest.mark.parametrize(
    ("color", "name"),
    [
        ((0.9, 0.1, 0.1), "red"),
        ((0.1, 0.8, 0.2), "green"),
        ((0.1, 0.2, 0.9), "blue"),
        ((0.05, 0.05, 0.05), "black"),
        ((0.9, 0.9, 0.88), "white"),
        ((0.5, 0.5, 0.5), "grey"),
    ],
)
def test_colours_have_names(color: tuple, name: str) -> None:
    assert color_name(np.array(color)) == name
