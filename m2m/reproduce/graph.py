"""What experiments need, as a graph: every data set and every training once, whoever asks for it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from m2m.augment import versions
from m2m.curate.params import CODE_VERSION as CURATE_VERSION
from m2m.errors import InputError
from m2m.fingerprints import canonical, fingerprint
from m2m.params import to_dict
from m2m.reproduce.experiment import Experiment, Row
from m2m.reproduce.scale import Scale, Source
from m2m.train.params import RUNNING
from m2m.train.versions import CODE_VERSION as TRAIN_VERSION

DATA = ("draw", "select", "augment", "plates", "fetch", "join")
TRAINING = ("pretrain", "align", "evaluate")
STUDIO_VERSION = "studio/2"
"""Raised when the studio draws something else of the same recipe."""


@dataclass(frozen=True)
class Node:
    """Something that is computed once.

    Attributes:
        kind: One of `DATA` and `TRAINING`.
        name: What people call it.
        key: Hash of everything it depends on, of what comes before it too.
        needs: Keys by role: `data`, `parent`, `also`, `test`.
        work: What is to be done, as plain values.
    """

    kind: str
    name: str
    key: str
    needs: Mapping[str, str] = field(default_factory=dict)
    work: Mapping[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """Where its results lie, relative to the reproduction."""
        return f"{self.kind}/{self.key[:16]}"


@dataclass(frozen=True)
class Cell:
    """An evaluation as tables have it.

    Attributes:
        experiment: The experiment.
        row: The row's name.
        set: The downstream set.
        protocol: `ft` or `lp`.
        seed: The seed.
        node: Key of the evaluation; of a curve, of the pre-training whose kept models are evaluated.
        epoch: Of a curve: epochs of the pre-training; None: its last, and all tables.
    """

    experiment: str
    row: str
    set: str
    protocol: str
    seed: int
    node: str
    epoch: int | None = None


@dataclass(frozen=True)
class Graph:
    """Everything that some experiments need.

    Attributes:
        nodes: By key, each after those that it needs.
        cells: The evaluations of the tables.
        data: Key of each data set that is trained or tested on, by its name.
    """

    nodes: Mapping[str, Node]
    cells: tuple[Cell, ...]
    data: Mapping[str, str]

    def before(self, key: str) -> Iterator[Node]:
        """The nodes that one needs, directly."""
        return (self.nodes[other] for other in self.nodes[key].needs.values())


def build_graph(
    experiments: Sequence[Experiment], scale: Scale, rows: tuple[str, ...] = (), seeds: tuple[int, ...] = ()
) -> Graph:
    """The graph of some experiments at a scale.

    Args:
        experiments: The experiments.
        scale: The scale.
        rows: Some rows of theirs; empty: all.
        seeds: Some of the scale's seeds; empty: all.

    Raises:
        InputError: A row names an unknown data set or set, or a parameter is wrong.
    """
    maker = _Maker(scale)
    cells = [
        cell
        for experiment in experiments
        for name, row in scale.rows(experiment, rows).items()
        for seed in seeds or scale.seeds
        for cell in maker.cells(experiment, name, row, seed)
    ]
    return Graph(maker.nodes, tuple(cells), maker.data)


class _Maker:
    def __init__(self, scale: Scale) -> None:
        self.scale = scale
        self.nodes: dict[str, Node] = {}
        self.data: dict[str, str] = {}
        self._known: dict[tuple[str, str], Any] = {}

    def _section(self, name: str, recipe: str) -> Any:
        """A section of the parameters; files are read once."""
        if (name, recipe) not in self._known:
            self._known[name, recipe] = self.scale.section(name, recipe)
        return self._known[name, recipe]

    def _add(self, kind: str, name: str, version: Any, needs: dict[str, str], work: dict[str, Any]) -> str:
        key = fingerprint(kind, version, needs, _what(work))
        self.nodes.setdefault(key, Node(kind, name, key, needs, work))
        return key

    def cells(self, experiment: Experiment, name: str, row: Row, seed: int) -> Iterator[Cell]:
        """The evaluations of a row."""
        asked = f"row {name} of {experiment.name}"
        start = self._pretrain(row, seed, asked) if row.pretrain else ""
        model = self._align(row, start, seed, asked) if row.align else start
        for set_name in experiment.sets:
            for protocol in experiment.protocols:
                epochs = self._epochs(row, asked) if experiment.kind == "curve" else (None,)
                for epoch in epochs:
                    node = self._evaluate(row, model, set_name, protocol, seed, epoch, asked)
                    yield Cell(experiment.name, name, set_name, protocol, seed, node, epoch)

    def _epochs(self, row: Row, asked: str) -> tuple[int, ...]:
        """The epochs of pre-training whose models are kept."""
        recipe = self._section("pretrain", row.recipe)
        if not recipe.keep_every:
            raise InputError(f"{asked} is a curve, and pretrain.keep_every is 0", "keep a model every k epochs")
        return tuple(sorted({*range(recipe.keep_every, recipe.epochs, recipe.keep_every), recipe.epochs}))

    def dataset(self, name: str, asked: str) -> str:
        """The key of a data set."""
        if name not in self.data:
            self.data[name] = self._made(name, self.scale.source(name, asked))
        return self.data[name]

    def _made(self, name: str, source: Source) -> str:
        if source.way == "studio":
            return self._add("draw", name, STUDIO_VERSION, {}, {"studio": dict(source.studio)})
        if source.way in ("folder", "published", "version", "wanted"):
            place = {k: getattr(source, k) for k in ("folder", "published", "repository", "version", "wanted")}
            given = {k: v for k, v in place.items() if v} | ({"name": name} if source.wanted else {})
            return self._add("fetch", name, 1, {}, given)
        needs = {"data": self._made(source.of, self.scale.data[source.of])}
        if source.way == "select":
            own = {k: v for k, v in source.select.items() if k != "labels"}
            labels = source.select.get("labels", [])
            if labels:
                own |= {"method": "list", "list": "classes.txt", "classes": len(labels)}
            section = to_dict(self.scale.section("curate", over=own))
            return self._add("select", name, CURATE_VERSION, needs, {"curate": section, "labels": list(labels)})
        if source.way == "augment":
            section = to_dict(self.scale.section("augment", over=dict(source.augment)))
            work = {"augment": section, "audit": to_dict(self.scale.section("audit"))}
            return self._add("augment", name, versions.AUGMENT, needs, work)
        if self.scale.data[_root(self.scale, source.of)].way != "studio":
            raise InputError(f"the data set {name} is of true plates, which drawn clips alone have")
        return self._add("plates", name, 1, needs, {})

    def _pretrain(self, row: Row, seed: int, asked: str) -> str:
        needs = {"data": self.dataset(row.pretrain, asked)}
        work = self._sections("pretrain", row) | {"seed": seed}
        return self._add("pretrain", f"pretrain {row.pretrain}, seed {seed}", TRAIN_VERSION, needs, work)

    def _align(self, row: Row, start: str, seed: int, asked: str) -> str:
        needs = {"data": self.dataset(row.align, asked)} | ({"parent": start} if start else {})
        if row.also:
            needs["also"] = self.dataset(row.also, asked)
        work = self._sections("align", row) | {"seed": seed}
        of = f"{row.pretrain} > {row.align}" if row.pretrain else row.align
        return self._add("align", f"align {of}, seed {seed}", TRAIN_VERSION, needs, work)

    def _evaluate(
        self, row: Row, model: str, name: str, protocol: str, seed: int, epoch: int | None, asked: str
    ) -> str:
        found = self.scale.test_set(name, asked)
        if found.data:
            data = self.dataset(found.data, asked)
        else:
            train = self.dataset(row.align or row.pretrain, asked)
            needs = {"data": train, "test": self.dataset(found.test, asked)}
            title = f"{row.align or row.pretrain}, tested on {name}"
            data = self._add("join", title, 1, needs, {"groups": found.groups})
        work = self._sections("evaluate", row) | {"seed": seed, "protocol": protocol, "name": name}
        last = self._section("pretrain", row.recipe).epochs if row.pretrain else None
        if epoch is not None and epoch != last:
            work["epoch"] = epoch
        of = " > ".join(dict.fromkeys(row.data[:2])) + (f" (epoch {epoch})" if "epoch" in work else "")
        title = f"{of} on {name}, {protocol.upper()}, seed {seed}"
        return self._add("evaluate", title, TRAIN_VERSION, {"data": data, "parent": model}, work)

    def _sections(self, stage: str, row: Row) -> dict[str, Any]:
        return {name: canonical(self._section(name, row.recipe)) for name in (stage, "model")}


def _root(scale: Scale, name: str) -> str:
    """The data set that one was made from at first."""
    while scale.data[name].of:
        name = scale.data[name].of
    return name


def _what(values: Any) -> Any:
    """Work without what only says how to run."""
    if isinstance(values, dict):
        return {key: _what(value) for key, value in values.items() if key not in RUNNING}
    return values
