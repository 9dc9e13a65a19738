"""The results of a reproduced table or figure, as `m2m reproduce` leaves them: one file an experiment."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from m2m.errors import InputError
from m2m.parsing import parse_json

SCHEMA = 1
KINDS = ("table", "curve")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""An experiment's name: it is that of its pages too."""


@dataclass(frozen=True)
class DownstreamSet:
    """A downstream set.

    Attributes:
        name: What evaluations call it.
        title: What people call it.
        bias: Scene bias, or None where it was not measured.
    """

    name: str
    title: str
    bias: float | None


@dataclass(frozen=True)
class TableRow:
    """A row of the table, or a line of the curves.

    Attributes:
        name: What evaluations call it.
        title: What people call it.
        private: Whether it was trained on no real person.
        reported: Its row of the paper's table, or empty.
        variant: What it was trained on.
        note: What is to be known of it.
    """

    name: str
    title: str
    private: bool
    reported: str
    variant: str
    note: str


@dataclass(frozen=True)
class Evaluation:
    """One test of one training.

    Attributes:
        row: A row's name.
        set: A set's name.
        protocol: `ft` or `lp`.
        seed: Seed.
        epoch: Of the curves: the checkpoint of pretraining that was evaluated; else None.
        fingerprint: Identity of the evaluation.
        top1: Share of clips, 0 to 1.
        low: Lower end of its 95 % interval over clips.
        high: Upper end.
        n: Clips.
        classes: Classes.
        clips: Whether each clip was told right, by its id; empty where it is not known.
        variant: What the clips show.
        data_hash: Version of the data that was trained on.
        test_hash: Version of the clips of the test.
        code_version: Of M2M.
        dataset: Name of the data set.
        run: MLflow's id of the run, or empty.
    """

    row: str
    set: str
    protocol: str
    seed: int
    epoch: int | None
    fingerprint: str
    top1: float
    low: float
    high: float
    n: int
    classes: int
    clips: Mapping[str, bool]
    variant: str
    data_hash: str
    test_hash: str
    code_version: str
    dataset: str
    run: str


@dataclass(frozen=True)
class Missing:
    """An evaluation that is not there.

    Attributes:
        row: A row's name.
        set: A set's name.
        protocol: `ft` or `lp`.
        seed: Seed, or None: no seed is there.
        why: What stood in its way.
    """

    row: str
    set: str
    protocol: str
    seed: int | None
    why: str


@dataclass(frozen=True)
class Experiment:
    """A table or figure of the paper, measured.

    Attributes:
        name: `table1` and so on.
        title: Its heading.
        question: What it answers, in a sentence.
        scale: On what it was done: `paper`, `studio` and so on.
        kind: `table` or `curve`.
        sets: The columns, or panels, in order.
        protocols: In order.
        rows: In order.
        compare: Pairs of rows to test, in order.
        baseline: Row from which the means of the others are also shown as differences, or empty.
        evaluations: What was measured; of two with the same fingerprint one.
        privacy: Figures of privacy by row, as they were given.
        missing: What was not measured.
        mixed_code: Versions of the code, where whoever ran it allowed several.
    """

    name: str
    title: str
    question: str
    scale: str
    kind: str
    sets: tuple[DownstreamSet, ...]
    protocols: tuple[str, ...]
    rows: tuple[TableRow, ...]
    compare: tuple[tuple[str, str], ...]
    baseline: str
    evaluations: tuple[Evaluation, ...]
    privacy: Mapping[str, Mapping[str, Any]]
    missing: tuple[Missing, ...]
    mixed_code: tuple[str, ...]

    def row(self, name: str) -> TableRow:
        """The row of a name."""
        return next(row for row in self.rows if row.name == name)


def read_experiment(path: Path, *, allow_mixed: bool = False) -> Experiment:
    """Reads a `results.json`.

    Args:
        path: The file.
        allow_mixed: Whether evaluations may come from different versions of the code.

    Raises:
        InputError: It is none, two of its parts disagree, or its evaluations come from different versions of the code.
    """
    step = "name a results.json that m2m reproduce wrote"
    try:
        found = _experiment(parse_json(path.read_bytes()))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}", step) from error
    except ValueError as error:
        raise InputError(f"{path} has no results of an experiment: {error}", step) from error
    versions = sorted({e.code_version for e in found.evaluations})
    if len(versions) > 1 and not allow_mixed:
        raise InputError(
            f"{path} has evaluations of different code: {', '.join(versions)}",
            "evaluate again what is older, or allow it with --mixed-code; the page says so",
        )
    return found


def _experiment(data: Any) -> Experiment:
    top = _Fields(data, "the file")
    if top.of("schema", int) != SCHEMA:
        raise ValueError(f"its schema is {top.of('schema', int)}, and this M2M reads {SCHEMA}")
    name, kind = top.of("experiment", str), top.of("kind", str)
    if not NAME.fullmatch(name):
        raise ValueError(f"experiment {name!r} is no name of letters, digits, - and _")
    if name.lower() == "index":
        raise ValueError("its experiment is called index, as the list of experiments is")
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r} is none of {', '.join(KINDS)}")
    sets = tuple(_downstream_set(part) for part in top.parts("sets"))
    rows = tuple(_row(part) for part in top.parts("rows"))
    protocols = tuple(top.strings("protocols"))
    for what, each in (("row", [r.name for r in rows]), ("set", [s.name for s in sets]), ("protocol", protocols)):
        if not each or len(set(each)) < len(each):
            raise ValueError(f"{what}s are {', '.join(each) or 'not there'}: there must be some, each once")
    for what, titles in (("rows", [r.title for r in rows]), ("sets", [s.title for s in sets])):
        if len(set(titles)) < len(titles):
            raise ValueError(f"two {what} have the same title: {', '.join(titles)}")
    known = {"row": {r.name for r in rows}, "set": {s.name for s in sets}, "protocol": set(protocols)}
    baseline = top.of("baseline", str, "")
    compare = _pairs(top.of("compare", list, []))
    _known(
        known["row"], "rows has no", [*(name for pair in compare for name in pair), *([baseline] if baseline else [])]
    )
    evaluations = [_evaluation(part, kind) for part in top.parts("evaluations")]
    missing = tuple(_missing(part) for part in top.parts("missing", []))
    for one in (*evaluations, *missing):
        for what, names in known.items():
            if getattr(one, what) not in names:
                raise ValueError(f"an evaluation has {what} {getattr(one, what)!r}, which {what}s does not")
    privacy = {part.of("row", str): part.of("figures", dict) for part in top.parts("privacy", [])}
    _known(known["row"], "privacy is of", privacy)
    return Experiment(
        name=name,
        title=top.of("title", str),
        question=top.of("question", str),
        scale=top.of("scale", str),
        kind=kind,
        sets=sets,
        protocols=protocols,
        rows=rows,
        compare=compare,
        baseline=baseline,
        evaluations=_once(evaluations),
        privacy=privacy,
        missing=missing,
        mixed_code=tuple(top.strings("mixed_code", [])),
    )


def _downstream_set(part: "_Fields") -> DownstreamSet:
    bias = part.of("bias", float | int | None, None)
    return DownstreamSet(part.of("name", str), part.of("title", str), None if bias is None else float(bias))


def _row(part: "_Fields") -> TableRow:
    return TableRow(
        name=part.of("name", str),
        title=part.of("title", str),
        private=part.of("private", bool),
        reported=part.of("reported", str, ""),
        variant=part.of("variant", str, ""),
        note=part.of("note", str, ""),
    )


def _evaluation(part: "_Fields", kind: str) -> Evaluation:
    epoch, clips = part.of("epoch", int | None, None), part.of("clips", dict)
    n, top1 = part.of("n", int), float(part.of("top1", float | int))
    low, high = (float(part.of(end, float | int)) for end in ("low", "high"))
    if (epoch is None) != (kind == "table"):
        raise ValueError(f"{part.where} has epoch {epoch}: those of a curve have one, those of a table have none")
    if not 0 <= low <= top1 <= high <= 1:
        raise ValueError(f"{part.where} has top-1 {top1} within {low} to {high}, which are no shares in order")
    if n < 1 or part.of("classes", int) < 1:
        raise ValueError(f"{part.where} has n {n} and {part.of('classes', int)} classes: both are 1 or more")
    if not all(isinstance(right, bool) for right in clips.values()):
        raise ValueError(f"{part.where} has clips that are neither true nor false")
    if clips and (len(clips) != n or abs(sum(clips.values()) / n - top1) > 1e-6):
        right = sum(clips.values())
        raise ValueError(f"{part.where} has {right} of {len(clips)} clips right, but top-1 {top1} of n {n}")
    texts = ("row", "set", "protocol", "fingerprint", "variant", "data_hash", "test_hash", "code_version", "dataset")
    return Evaluation(
        **{name: part.of(name, str) for name in texts},
        seed=part.of("seed", int),
        epoch=epoch,
        top1=top1,
        low=low,
        high=high,
        n=n,
        classes=part.of("classes", int),
        clips=clips,
        run=part.of("run", str, ""),
    )


def _missing(part: "_Fields") -> Missing:
    texts = {name: part.of(name, str) for name in ("row", "set", "protocol", "why")}
    return Missing(**texts, seed=part.of("seed", int | None, None))


def _once(evaluations: Iterable[Evaluation]) -> tuple[Evaluation, ...]:
    """Evaluations without repetition.

    Raises:
        ValueError: Two differ and stand for the same cell and seed.
    """
    found: dict[tuple, Evaluation] = {}
    for one in evaluations:
        cell = (one.row, one.set, one.protocol, one.seed, one.epoch)
        if (other := found.setdefault(cell, one)).fingerprint != one.fingerprint:
            where = ", ".join(str(part) for part in cell if part is not None)
            raise ValueError(f"{where} is there twice: {other.fingerprint[:12]} and {one.fingerprint[:12]}")
    return tuple(found.values())


def _pairs(pairs: list) -> tuple[tuple[str, str], ...]:
    for pair in pairs:
        if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(name, str) for name in pair)):
            raise ValueError(f"compare has {pair!r}, which is no pair of rows")
        if pair[0] == pair[1]:
            raise ValueError(f"compare sets {pair[0]!r} against itself")
    return tuple((one, other) for one, other in pairs)


def _known(names: Iterable[str], what: str, asked: Iterable[str]) -> None:
    if alien := sorted(set(asked) - set(names)):
        raise ValueError(f"{what} {', '.join(map(repr, alien))}, which is no row")


class _Fields:
    """A mapping of JSON that says what it lacks.

    Args:
        data: Should be a mapping.
        where: What it is.

    Raises:
        ValueError: It is none.
    """

    def __init__(self, data: Any, where: str) -> None:
        if not isinstance(data, dict):
            raise ValueError(f"{where} is no mapping")
        self._data, self.where = data, where

    def of(self, name: str, kind: Any, *default: Any) -> Any:
        """A value of a kind; `true` is no number."""
        if name not in self._data:
            if default:
                return default[0]
            raise ValueError(f"{self.where} has no {name!r}")
        value = self._data[name]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise ValueError(f"{self.where} has {name} {value!r}, which is no {getattr(kind, '__name__', kind)}")
        return value

    def parts(self, name: str, *default: Any) -> list["_Fields"]:
        """A list of mappings."""
        return [_Fields(part, f"{name}[{i}]") for i, part in enumerate(self.of(name, list, *default))]

    def strings(self, name: str, *default: Any) -> list[str]:
        """A list of texts."""
        found: list[str] = self.of(name, list, *default)
        if not all(isinstance(text, str) for text in found):
            raise ValueError(f"{self.where} has {name} {found!r}, which are not all texts")
        return found
