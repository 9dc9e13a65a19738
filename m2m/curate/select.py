"""Which classes stand for all: a cluster each, and of each cluster the one that represents it."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from m2m.curate.bias import class_bias
from m2m.curate.cluster import augmented, cluster
from m2m.curate.params import CurateParams
from m2m.errors import InputError
from m2m.files import write_atomic

FILE = "selection.json"
SCHEMA = 1


@dataclass(frozen=True)
class ClassRow:
    """What became of one class.

    Attributes:
        label: Its name.
        clips: Clips it was judged by.
        selected: Whether it is in the subset.
        why: Why or why not, in words.
        cluster: Its cluster from 0, or None where nothing was clustered.
        bias: log(recall) + log C by one frame: 0 at chance; None where nothing was clustered.
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
        method: `bias-aug`, `kmeans` or `list`.
        parameters: The stage's parameters.
        encoder: What described the frames, or empty.
        parent: Hash of the data set that was selected from, or empty.
        objective: Sum of squared distances to the centroids, or None.
        bias_share: Share of the clustered points' variance that comes from the bias, or None.
        classes: Every class of the data set, by label.
    """

    method: str
    parameters: dict[str, Any]
    encoder: str
    parent: str
    objective: float | None
    bias_share: float | None
    classes: tuple[ClassRow, ...]

    @property
    def selected(self) -> tuple[str, ...]:
        """The selected classes, sorted."""
        return tuple(row.label for row in self.classes if row.selected)

    def __str__(self) -> str:
        lines = [f"{len(self.selected)} of {len(self.classes)} classes selected ({self.method})"]
        lines += [f"  {row.label}: {row.why}" for row in self.classes if row.selected]
        return "\n".join(lines)


def select(
    vectors: np.ndarray, labels: Sequence[str], params: CurateParams, *, encoder: str = "", parent: str = ""
) -> Selection:
    """Selects classes by what their clips look like. Order of the clips does not matter beyond rounding.

    Args:
        vectors: (N, d) one frame a clip.
        labels: Class of each clip.
        params: K, method `bias-aug` or `kmeans`, weight, representative, seed.
        encoder: What described the frames.
        parent: Hash of the data set.

    Raises:
        InputError: There are fewer classes than K, or a class's vectors cancel out.
    """
    counts = Counter(labels)
    classes = sorted(counts)
    if len(classes) < params.classes:
        raise too_few(len(classes), params.classes)
    vectors = np.asarray(vectors, np.float64)
    index = {label: i for i, label in enumerate(classes)}
    own = np.array([index[label] for label in labels])
    sums = np.zeros((len(classes), vectors.shape[1]))
    np.add.at(sums, own, vectors)
    means = sums / np.bincount(own)[:, None]
    bias, recall = class_bias(vectors, labels, classes)
    weight = params.weight if params.method == "bias-aug" else 0.0
    try:
        points = augmented(means, bias, weight)
    except ValueError as error:
        raise InputError(f"the classes cannot be clustered: {error}") from error
    clusters = cluster(points, params.classes, params.seed, params.starts)
    distance = clusters.distances()
    order = {
        "most-videos": lambda i: (-counts[classes[i]], classes[i]),
        "min-bias": lambda i: (bias[i], classes[i]),
        "medoid": lambda i: (distance[i], classes[i]),
    }[params.representative]
    rows = []
    for i, label in enumerate(classes):
        members = sorted(np.flatnonzero(clusters.members == clusters.members[i]), key=order)
        first = classes[members[0]]
        why = f"{params.representative} of a cluster of {len(members)}" if first == label else f"{first} stands for it"
        rows.append(
            ClassRow(
                label=label,
                clips=counts[label],
                selected=first == label,
                why=why,
                cluster=int(clusters.members[i]),
                bias=round(float(bias[i]), 6),
                recall=round(float(recall[i]), 6),
                distance=round(float(distance[i]), 9),
            )
        )
    return Selection(
        method=params.method,
        parameters=asdict(params),
        encoder=encoder,
        parent=parent,
        objective=round(clusters.objective, 9),
        bias_share=round(clusters.bias_share, 6),
        classes=tuple(rows),
    )


def select_listed(counts: Mapping[str, int], names: Sequence[str], params: CurateParams, parent: str = "") -> Selection:
    """Selects the classes of a list.

    Args:
        counts: Clips of each class.
        names: The list.
        params: The stage's parameters.
        parent: Hash of the data set.

    Raises:
        InputError: The list is empty, names a class twice, or one that the data set does not have.
    """
    twice = sorted(name for name, n in Counter(names).items() if n > 1)
    if not names or twice:
        raise InputError(f"{params.list} names {'no class' if not names else f'{twice[0]!r} twice'}")
    absent = sorted(set(names) - set(counts))
    if absent:
        shown = ", ".join(repr(name) for name in absent[:5])
        more = f" and {len(absent) - 5} more" if len(absent) > 5 else ""
        raise InputError(
            f"{params.list} names {len(absent)} of {len(names)} classes that the data set does not have: {shown}{more}",
            "correct the list, or ingest those classes",
        )
    rows = [
        ClassRow(label, counts[label], label in names, "on the list" if label in names else "not on the list")
        for label in sorted(counts)
    ]
    return Selection(params.method, asdict(params), "", parent, None, None, tuple(rows))


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


def too_few(found: int, wanted: int) -> InputError:
    """The error for a data set with fewer classes than are to be selected."""
    return InputError(
        f"the data set has {found} classes and {wanted} are to be selected",
        f"set curate.classes to {found} or less",
    )


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
        values = json.loads(path.read_bytes())
        schema = values.pop("schema")
        if schema != SCHEMA:
            raise InputError(f"{path} has the schema {schema}, not {SCHEMA}", "run m2m curate again")
        return Selection(**{**values, "classes": tuple(ClassRow(**row) for row in values["classes"])})
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror}", "name the selection.json that m2m curate wrote"
        ) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{path} is not a selection: {error}") from error
