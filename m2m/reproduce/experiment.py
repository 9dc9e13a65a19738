"""Experiments as data: the rows of a table, what each is trained on, and which rows are compared."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from m2m.errors import InputError
from m2m.params import build, read_yaml

KINDS = ("table", "curve")
PROTOCOLS = ("ft", "lp")
NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


@dataclass(frozen=True)
class Row:
    """One row of a table: a model by what it was trained on.

    Attributes:
        title: What the table calls it.
        pretrain: Data set of the pre-training, a name of the scale's; empty: none, from scratch.
        align: Data set of the alignment; empty: none.
        also: Data set with a head of its own, beside that of the alignment.
        recipe: Another model or recipe than the scale's own, a name of its `recipes`.
        reported: The row of the paper's table that it is; empty: the paper has none.
        note: What the page says beside it.
    """

    title: str = ""
    pretrain: str = ""
    align: str = ""
    also: str = ""
    recipe: str = ""
    reported: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if not self.pretrain and not self.align:
            raise ValueError("a row is pre-trained or aligned on something")
        if self.also and not self.align:
            raise ValueError("also is a second data set of an alignment")

    @property
    def data(self) -> tuple[str, ...]:
        """The data sets it is trained on."""
        return tuple(name for name in (self.pretrain, self.align, self.also) if name)


@dataclass(frozen=True)
class Experiment:
    """A table or a figure.

    Attributes:
        title: Its heading.
        question: What it asks, in a sentence.
        kind: `table`, or `curve`: every model that pre-training kept is evaluated.
        sets: Downstream sets, names of the scale's, in the order of the columns.
        protocols: Any of `ft` and `lp`.
        rows: Rows by name, in order.
        compare: Pairs of rows, the one that is claimed to be the better first.
        baseline: The row from which means are also shown as differences; empty: none.
        groups: Parts of the test, each shown as a set of its own; empty: the whole.
        name: The file's name without suffix.
    """

    title: str
    question: str
    sets: tuple[str, ...]
    rows: dict[str, Row]
    compare: tuple[tuple[str, str], ...] = ()
    protocols: tuple[str, ...] = PROTOCOLS
    kind: str = "table"
    baseline: str = ""
    groups: tuple[str, ...] = ()
    name: str = field(default="")

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind is one of {', '.join(KINDS)}, not {self.kind!r}")
        for what, values in (("sets", self.sets), ("protocols", self.protocols), ("rows", tuple(self.rows))):
            if not values or len(set(values)) < len(values):
                raise ValueError(f"{what} must be one or more, each once")
        unknown = set(self.protocols) - set(PROTOCOLS)
        if unknown:
            raise ValueError(f"protocols are any of ft, lp, not {min(unknown)!r}")
        named = [name for pair in self.compare for name in pair] + ([self.baseline] if self.baseline else [])
        lost = [name for name in named if name not in self.rows]
        if lost:
            raise ValueError(f"there is no row {lost[0]!r} to compare with; rows: {', '.join(self.rows)}")
        bare = [name for name, row in self.rows.items() if self.kind == "curve" and (row.align or not row.pretrain)]
        if bare:
            raise ValueError(f"a curve is of pre-trainings alone, and row {bare[0]!r} is something else")


def folder() -> Path:
    """Where the experiments are: in the wheel, or in a checkout."""
    inside = Path(__file__).resolve().parents[1] / "experiments"
    return inside if inside.is_dir() else inside.parents[1] / "experiments"


def names() -> tuple[str, ...]:
    """The experiments that come with M2M."""
    return tuple(sorted(path.stem for path in folder().glob("*.yaml")))


def find(text: str) -> Path:
    """The file of an experiment: a path, or the name of one that comes with M2M.

    Raises:
        InputError: There is no such experiment.
    """
    if text.endswith((".yaml", ".yml")):
        return Path(text)
    path = folder() / f"{text}.yaml"
    if not NAME.fullmatch(text) or not path.is_file():
        raise InputError(
            f"there is no experiment {text!r}", f"known: {', '.join(names())}, or the path of a .yaml file"
        )
    return path


def read_experiment(text: str) -> Experiment:
    """An experiment by name or path.

    Raises:
        InputError: It is not there, or something in it is wrong.
    """
    path = find(text)
    values = read_yaml(path)
    if not NAME.fullmatch(path.stem):
        raise InputError(f"{path}: an experiment's name is made of a-z, 0-9, _ and -")
    missing = [key for key in ("title", "question", "sets", "rows") if key not in values]
    if missing:
        raise InputError(f"{path} has no {missing[0]}")
    return build(Experiment, {**values, "name": path.stem}, str(path))
