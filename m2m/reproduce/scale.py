"""Scales: with which data sets, sizes, recipes and seeds the experiments are run."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from m2m import params
from m2m.errors import InputError
from m2m.params import build, read_yaml
from m2m.reproduce.experiment import NAME, Experiment, Row, folder

HASH = re.compile(r"[0-9a-f]{64}")
WAYS = ("studio", "select", "augment", "plates", "folder", "published", "version", "wanted")
"""Where a data set can come from."""


@dataclass(frozen=True)
class Source:
    """Where a data set comes from: exactly one of these.

    Attributes:
        of: The data set that it is made from; for `select`, `augment` and `plates`.
        studio: Drawn: fields of `m2m.studio.StudioParams`.
        select: Classes selected: fields of `CurateParams`, or `labels`, the classes by name.
        augment: What `m2m augment` makes of it: the section `augment`, laid over the scale's own.
        plates: The true backgrounds of a drawn set, which never showed anybody.
        folder: A data set that is there.
        published: The hash of one in the data store.
        repository: With `version`: a git repository with DVC.
        version: A tag in it.
        wanted: What the user has to bring, in words; a plan can be made without it, a run cannot.
        clips: How many there are to train and to test on, where that is known before it is there: for plans.
    """

    of: str = ""
    studio: dict[str, Any] = field(default_factory=dict)
    select: dict[str, Any] = field(default_factory=dict)
    augment: dict[str, Any] = field(default_factory=dict)
    plates: bool = False
    folder: str = ""
    published: str = ""
    repository: str = ""
    version: str = ""
    wanted: str = ""
    clips: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        chosen = [way for way in WAYS if getattr(self, way)]
        if len(chosen) != 1:
            raise ValueError(f"a data set is one of {', '.join(WAYS)}, not {' and '.join(chosen) or 'none'}")
        if self.clips and (len(self.clips) != 2 or min(self.clips) < 0):
            raise ValueError(f"clips are two numbers, to train and to test on, not {list(self.clips)}")
        if bool(self.of) != (self.way in ("select", "augment", "plates")):
            raise ValueError(f"of: NAME is for select, augment and plates, and {self.way} is given")
        if self.published and not HASH.fullmatch(self.published):
            raise ValueError(f"published is a hash of 64 hexadecimal digits, not {self.published!r}")
        if bool(self.repository) != bool(self.version):
            raise ValueError("repository and version belong together")

    @property
    def way(self) -> str:
        """Which of them it is."""
        return next(way for way in WAYS if getattr(self, way))


@dataclass(frozen=True)
class TestSet:
    """A downstream set.

    Attributes:
        title: What the tables call it.
        bias: How far its scenes tell its classes, 0 to 1, if that is known.
        data: The data set, with a split to train on and one to test on.
        test: In place of `data`: the data set whose test clips are the test; trained is on what the row was aligned on.
        groups: With `test`: a csv of `path,label,group` that says which clips are the test and in which group; empty:
            the one that the studio has written.
    """

    title: str
    bias: float | None = None
    data: str = ""
    test: str = ""
    groups: str = ""

    def __post_init__(self) -> None:
        if bool(self.data) == bool(self.test):
            raise ValueError("a downstream set has data, or test alone")
        if self.groups and not self.test:
            raise ValueError("groups are parts of a test")
        if self.bias is not None and not 0 <= self.bias <= 1:
            raise ValueError(f"bias is 0 to 1, not {self.bias}")


@dataclass(frozen=True)
class Recipe:
    """Another model or another recipe than the scale's own.

    Attributes:
        profiles: Profiles laid over the scale's.
        params: Sections laid over these.
    """

    profiles: tuple[str, ...] = ()
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Speed:
    """How fast things are, for plans; what this machine has measured itself goes before.

    Attributes:
        device: Of what the figures are, for the plan.
        flops: Floating-point operations a second of a training, the least and the most.
        draw: Seconds a clip that is drawn.
        augment: Seconds a clip that is augmented and audited; 0: not known.
        start: Seconds of every training that go to other things than operations.
        megabytes: Of a clip on the disk.
        source: Where the figures are from.
    """

    device: str = "one core of this machine"
    flops: tuple[float, float] = (4e9, 4e9)
    draw: float = 1.0
    augment: float = 3.0
    start: float = 5.0
    megabytes: float = 0.1
    source: str = "a guess"

    def __post_init__(self) -> None:
        if min(self.flops) <= 0 or min(self.draw, self.augment, self.start, self.megabytes) < 0:
            raise ValueError("speeds are positive")


@dataclass(frozen=True)
class Scale:
    """A scale.

    Attributes:
        about: What it is, in a sentence.
        seeds: Of every row: pre-training, alignment and evaluation have the same.
        sets: Downstream sets by name.
        data: Data sets by name.
        profiles: Profiles of all stages, each laid over those before it.
        params: Sections laid over the profiles.
        recipes: Other recipes by name.
        left_out: Why a row is not run at this scale, by experiment and row.
        speed: How fast things are, for plans.
        name: The file's name without suffix.
    """

    about: str
    seeds: tuple[int, ...]
    sets: dict[str, TestSet]
    data: dict[str, Source] = field(default_factory=dict)
    profiles: tuple[str, ...] = ()
    params: dict[str, Any] = field(default_factory=dict)
    recipes: dict[str, Recipe] = field(default_factory=dict)
    left_out: dict[str, dict[str, str]] = field(default_factory=dict)
    speed: Speed = field(default_factory=Speed)
    name: str = ""

    def __post_init__(self) -> None:
        if not self.seeds or min(self.seeds) < 0 or len(set(self.seeds)) < len(self.seeds):
            raise ValueError("seeds are one or more whole numbers from 0, each once")
        wrong = [name for name in (*self.data, *self.sets) if not NAME.fullmatch(name)]
        if wrong:
            raise ValueError(f"names of data sets are made of a-z, 0-9, _ and -, not {wrong[0]!r}")
        for name, source in self.data.items():
            if source.of and source.of not in self.data:
                raise ValueError(f"data {name} is made of {source.of}, which there is not")
            self._check_circle(name)

    def _check_circle(self, name: str) -> None:
        seen: list[str] = []
        while name:
            if name in seen:
                raise ValueError(f"data {name} is made of itself")
            seen.append(name)
            name = self.data[name].of if name in self.data else ""

    def section(self, name: str, recipe: str = "", over: dict[str, Any] | None = None) -> Any:
        """A section of the parameters.

        Args:
            name: As in params.yaml.
            recipe: A row's recipe; one that the scale does not have is the profile of that name.
            over: Laid over everything.

        Raises:
            InputError: A profile, key or value is wrong.
        """
        other = self.recipes.get(recipe, Recipe((recipe,))) if recipe else Recipe()
        values = params.merge(self.params.get(name, {}), other.params.get(name, {}))
        return params.load(name, (*self.profiles, *other.profiles), overrides=params.merge(values, over or {}))

    def source(self, name: str, asked: str) -> Source:
        """A data set.

        Args:
            name: Its name.
            asked: Who asks, for messages.

        Raises:
            InputError: There is none.
        """
        if name not in self.data:
            known = ", ".join(self.data) or "none"
            text = f"say where it is in a file for --data, as {{data: {{{name}: {{published: HASH}}}}}}; known: {known}"
            raise InputError(f"{asked} needs the data set {name!r}, which the scale {self.name} does not have", text)
        return self.data[name]

    def test_set(self, name: str, asked: str) -> TestSet:
        """A downstream set; arguments and errors as in `source`."""
        if name not in self.sets:
            raise InputError(
                f"{asked} is tested on {name!r}, which the scale {self.name} does not have",
                f"known: {', '.join(self.sets)}",
            )
        return self.sets[name]

    def rows(self, experiment: Experiment, chosen: tuple[str, ...] = ()) -> dict[str, Row]:
        """The rows of an experiment that are run at this scale.

        Args:
            experiment: The experiment.
            chosen: Some of its rows; empty: all.

        Raises:
            InputError: A row is not one of the experiment's, or none is left.
        """
        unknown = [name for name in chosen if name not in experiment.rows]
        if unknown:
            raise InputError(f"{experiment.name} has no row {unknown[0]!r}", f"rows: {', '.join(experiment.rows)}")
        left_out = self.left_out.get(experiment.name, {})
        rows = {n: r for n, r in experiment.rows.items() if n not in left_out and (not chosen or n in chosen)}
        if not rows:
            raise InputError(f"no row of {experiment.name} is run at the scale {self.name}", "name other rows")
        return rows


def read_scale(text: str, data: Path | None = None, seeds: tuple[int, ...] = ()) -> Scale:
    """A scale by name or path.

    Args:
        text: `studio`, `paper`, or the path of a YAML file.
        data: A YAML file with more `data`, `sets`, `profiles`, `params` and `seeds`, laid over it.
        seeds: In place of the scale's.

    Raises:
        InputError: It is not there, or something in it is wrong.
    """
    places = folder() / "scales"
    path = Path(text) if text.endswith((".yaml", ".yml")) else places / f"{text}.yaml"
    if path.parent == places and not path.is_file():
        known = ", ".join(sorted(p.stem for p in places.glob("*.yaml")))
        raise InputError(f"there is no scale {text!r}", f"known: {known}, or the path of a .yaml file")
    values, where = read_yaml(path), str(path)
    if data is not None:
        more = read_yaml(data)
        unknown = set(more) - {"data", "sets", "profiles", "params", "seeds"}
        if unknown:
            raise InputError(f"{data}: unknown key {min(unknown)!r}", "it may hold data, sets, profiles, params, seeds")
        given = more.get("data") or {}
        # A data set is replaced as a whole: a published one has no recipe left. What is known of its size still holds.
        own = values.get("data") or {}
        kept = {k: v for k, v in own.items() if k not in given}
        for name, source in given.items():
            if isinstance(source, dict) and "clips" in own.get(name, {}):
                source.setdefault("clips", own[name]["clips"])
        values, where = params.merge({**values, "data": kept}, more), f"{path} + {data}"
    if seeds:
        values["seeds"] = list(seeds)
    missing = [key for key in ("about", "seeds", "sets") if not values.get(key)]
    if missing:
        raise InputError(f"{where} has no {missing[0]}", "give it one")
    unknown = set(values.get("params") or {}) - set(params.SECTIONS)
    if unknown:
        raise InputError(f"{where}: params has no section {min(unknown)!r}", f"known: {', '.join(params.SECTIONS)}")
    return build(Scale, {**values, "name": path.stem}, where)
