"""Which classes stand for all: a cluster each, and of each cluster the one that represents it."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from m2m.curate.bias import Bias, Centres, centres, class_bias, numbers, pair_recall
from m2m.curate.cluster import augmented, cluster, explained, look, standardised
from m2m.curate.params import CurateParams
from m2m.curate.swap import least_told_apart
from m2m.datasets.official import class_list, plain
from m2m.errors import InputError
from m2m.files import write_atomic
from m2m.fingerprints import fingerprint
from m2m.parsing import parse_json, typed

FILE = "selection.json"
SCHEMA = 2


@dataclass(frozen=True)
class ClassRow:
    """What became of one class.

    Attributes:
        label: Its name.
        clips: Clips it was judged by.
        selected: Whether it is in the subset.
        why: Why or why not, in words.
        cluster: Its cluster from 0, or None where nothing was clustered.
        bias: log(recall) + log C by one frame: 0 at chance; None where nobody looked.
        recall: The smoothed recall behind it.
        distance: Squared distance to its cluster's centroid.
    """

    label: str
    clips: int
    selected: bool
    why: str
    cluster: int | None = None
    bias: float | None = None
    recall: float | None = None
    distance: float | None = None


@dataclass(frozen=True)
class Selection:
    """Which classes were selected, and how.

    Attributes:
        method: One of `m2m.curate.params.METHODS`.
        parameters: The stage's parameters.
        encoder: What described the frames, or empty.
        parent: Hash of the data set that was selected from, or empty.
        objective: What the method made small: the sum of squared distances to the centroids, or the mean accuracy over
            pairs of classes; None where it made nothing small.
        trace: The objective of k-means after each step of its best start.
        look_explained: Share of the variance of the classes' look that the clusters explain; None without clusters.
        bias_explained: The same of their bias.
        classes: Every class of the data set, by label.
    """

    method: str
    parameters: dict[str, Any]
    encoder: str
    parent: str
    objective: float | None
    trace: tuple[float, ...]
    look_explained: float | None
    bias_explained: float | None
    classes: tuple[ClassRow, ...]

    @property
    def selected(self) -> tuple[str, ...]:
        """The selected classes, sorted."""
        return tuple(row.label for row in self.classes if row.selected)

    def __str__(self) -> str:
        lines = [f"{len(self.selected)} of {len(self.classes)} classes selected ({self.method})"]
        if self.bias_explained is not None and self.look_explained is not None:
            parts = f"{self.look_explained:.0%} of the classes' look and {self.bias_explained:.0%} of their bias"
            lines.append(f"  the clusters explain {parts}")
        lines += [f"  {row.label}: {row.why}" for row in self.classes if row.selected]
        return "\n".join(lines)


def select(
    vectors: np.ndarray, labels: Sequence[str], params: CurateParams, *, encoder: str = "", parent: str = ""
) -> Selection:
    """Selects classes by what their clips look like. The order of the clips does not matter.

    Args:
        vectors: (N, d) one frame a clip, perhaps a file mapped into memory: they are read in blocks, twice.
        labels: Class of each clip; quickest where equal ones lie together.
        params: K, a method that looks at clips, weight, representative, seed.
        encoder: What described the frames.
        parent: Hash of the data set.

    Raises:
        InputError: There are fewer classes than K, two classes with one name, a vector that is not finite, a class
            whose vectors cancel out, or no class with two clips where the bias matters.
    """
    counts = Counter(labels)
    check_classes(counts, params)
    classes = sorted(counts)
    try:
        own = numbers(labels, classes)
        known = centres(vectors, own)
        bias = class_bias(vectors, own, known)
        bare = Selection(params.method, asdict(params), encoder, parent, None, (), None, None, ())
        if params.method == "resound-swap":
            pairs = pair_recall(vectors, own, known)
            chosen, accuracy = least_told_apart(pairs, params.classes, params.seed, params.starts)
            rows = _swapped(classes, known, bias, set(chosen.tolist()))
            return replace(bare, objective=round(accuracy, 9), classes=rows)
        return _clustered(bare, classes, known, bias, params)
    except ValueError as error:
        raise InputError(f"the classes cannot be judged: {error}", "look for clips that are all black") from error


def check_classes(counts: Mapping[str, int], params: CurateParams) -> None:
    """Checks what can be known before a clip is looked at.

    Raises:
        InputError: There are fewer classes than K, two classes with one name, or no class with two clips where the bias
            matters.
    """
    if len(counts) < params.classes:
        raise InputError(
            f"the data set has {len(counts)} classes and {params.classes} are to be selected",
            f"set curate.classes to {len(counts)} or less",
        )
    seen: dict[str, str] = {}
    for label in sorted(counts):
        other = seen.setdefault(plain(label), label)
        if other != label:
            raise InputError(
                f"the classes {other!r} and {label!r} have one name", "put their videos together, or rename one"
            )
    biased = params.method in ("bias-1d", "resound-swap") or (params.method == "bias-aug" and params.weight > 0)
    needed = params.classes < len(counts) and (biased or params.representative == "min-bias")
    if needed and max(counts.values()) < 2:
        raise InputError("every class has one clip: no bias can be measured", "add clips, or use curate.method: kmeans")


def _clustered(bare: Selection, classes: Sequence[str], known: Centres, bias: Bias, params: CurateParams) -> Selection:
    weight = {"bias-aug": params.weight, "kmeans": 0.0}.get(params.method)
    points = standardised(bias.bias) if weight is None else augmented(known.sums, bias.bias, weight)
    clusters = cluster(points, params.classes, params.seed, params.starts)
    distance = clusters.distances()
    key = {"most-videos": -known.counts, "min-bias": np.round(bias.bias, 9), "medoid": np.round(distance, 9)}
    order = key[params.representative]
    rows = []
    for i, label in enumerate(classes):
        members = np.flatnonzero(clusters.members == clusters.members[i])
        first = classes[int(members[np.argmin(order[members])])]  # the first by name of equal ones
        why = f"{params.representative} of a cluster of {len(members)}" if first == label else f"{first} stands for it"
        row = _row(label, i, known, bias, first == label, why)
        rows.append(replace(row, cluster=int(clusters.members[i]), distance=round(float(distance[i]), 9)))
    return replace(
        bare,
        objective=round(clusters.objective, 9),
        trace=tuple(round(j, 9) for j in clusters.trace),
        look_explained=round(explained(look(known.sums), clusters.members), 6),
        bias_explained=round(explained(bias.bias[:, None], clusters.members), 6),
        classes=tuple(rows),
    )


def _row(label: str, index: int, known: Centres, bias: Bias, selected: bool, why: str) -> ClassRow:
    return ClassRow(
        label=label,
        clips=int(known.counts[index]),
        selected=selected,
        why=why,
        bias=round(float(bias.bias[index]), 6),
        recall=round(float(bias.recall[index]), 6),
    )


def _swapped(classes: Sequence[str], known: Centres, bias: Bias, chosen: set[int]) -> tuple[ClassRow, ...]:
    why = {True: "in the subset that one frame tells apart least", False: "one frame tells it from the others"}
    return tuple(_row(c, i, known, bias, i in chosen, why[i in chosen]) for i, c in enumerate(classes))


def select_drawn(counts: Mapping[str, int], params: CurateParams, parent: str = "") -> Selection:
    """Selects classes by chance: the first K by hash of seed and name, so that a new class displaces one at most.

    Raises:
        InputError: As `check_classes`.
    """
    check_classes(counts, params)
    drawn = set(sorted(counts, key=lambda c: (fingerprint("class", params.seed, c), c))[: params.classes])
    rows = [ClassRow(c, counts[c], c in drawn, "drawn" if c in drawn else "not drawn") for c in sorted(counts)]
    return Selection(params.method, asdict(params), "", parent, None, (), None, None, tuple(rows))


def listed(params: CurateParams) -> Sequence[str]:
    """The classes that the method `list`, `published` or `synapt` names.

    Raises:
        InputError: The list cannot be read.
    """
    return read_list(Path(params.list)) if params.method == "list" else class_list(params.method)


def select_listed(counts: Mapping[str, int], names: Sequence[str], params: CurateParams, parent: str = "") -> Selection:
    """Selects the classes of a list; case, underscores and blanks of their names do not matter.

    Args:
        counts: Clips of each class.
        names: The list.
        params: The stage's parameters.
        parent: Hash of the data set.

    Raises:
        InputError: The list is empty, names a class twice, or one that the data set does not have.
    """
    source = params.list or f"the list {params.method}"
    wanted = [plain(name) for name in names]
    twice = sorted(name for name, n in Counter(wanted).items() if n > 1)
    if not names or twice:
        raise InputError(f"{source} names {'no class' if not names else f'{twice[0]!r} twice'}")
    known = {plain(label) for label in counts}
    absent = sorted(name for name in names if plain(name) not in known)
    if absent:
        shown = ", ".join(repr(name) for name in absent[:5])
        more = f" and {len(absent) - 5} more" if len(absent) > 5 else ""
        raise InputError(
            f"{source} names {len(absent)} of {len(names)} classes that the data set does not have: {shown}{more}",
            "correct the list, or ingest those classes",
        )
    chosen = {label for label in counts if plain(label) in set(wanted)}
    rows = [
        ClassRow(label, counts[label], label in chosen, "on the list" if label in chosen else "not on the list")
        for label in sorted(counts)
    ]
    return Selection(params.method, asdict(params), "", parent, None, (), None, None, tuple(rows))


def read_list(path: Path) -> list[str]:
    """The classes of a text file, one a line; empty lines and those that begin with # are left out.

    Raises:
        InputError: It cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}", "list names a text file with a class a line") from error
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def write_selection(selection: Selection, path: Path) -> None:
    """Writes a selection as JSON, whole or not at all; the same selection gives the same bytes.

    Raises:
        InfrastructureError: It cannot be written.
    """
    values = {"schema": SCHEMA, **asdict(selection)}
    text = json.dumps(values, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_atomic(path, (text + "\n").encode())


def read_selection(path: Path) -> Selection:
    """A selection, from the `selection.json` of a curated data set.

    Raises:
        InputError: It is missing, or of another schema.
    """
    try:
        values = parse_json(path.read_bytes())
        schema = values.pop("schema")
        if schema != SCHEMA:
            raise InputError(f"{path} has the schema {schema}, not {SCHEMA}", "run m2m curate again")
        return typed(Selection, values)
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror}", "name the selection.json that m2m curate wrote"
        ) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{path} is not a selection: {error}") from error
