"""What selections of a data set's classes are worth, side by side: read, measured, laid out on a map."""

import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from m2m.clips import MANIFEST, Clip, data_hash, read_card, read_manifest
from m2m.curate.bias import Centres, centres, numbers
from m2m.curate.dataset import describe, judged_by
from m2m.curate.measure import Measure, measure
from m2m.curate.params import CurateParams
from m2m.curate.select import FILE, Selection, read_list, read_selection, select_listed
from m2m.datasets.official import class_list, plain
from m2m.errors import InputError
from m2m.store import Store

PUBLISHED = ("published", "synapt")

LEAST_SUBSETS = 200
"""Random subsets that a percentile needs at least."""

Scores = tuple[Sequence[str], Mapping[str, np.ndarray]]
"""Classes of a model, and (2, C) probabilities of a clip by its id: from one frame, from all."""


@dataclass(frozen=True)
class Worth:
    """One selection and its figures.

    Attributes:
        name: What it is called.
        selection: The selection.
        own: Whether it was made of the same clips that are not tested on.
        measures: Its figures beside those of random subsets.
    """

    name: str
    selection: Selection
    own: bool
    measures: tuple[Measure, ...]


@dataclass(frozen=True, eq=False)
class Study:
    """Selections of one data set, measured.

    Attributes:
        dataset: The data set's name.
        hash: Its hash.
        encoder: What described the frames.
        classes: All its classes, sorted.
        train: Clips that selections are made of and probes are fitted on.
        test: Clips that probes are tested on.
        seed: Of the random subsets and the map.
        places: (C, 2) where each class lies on the map.
        worths: The selections.
    """

    dataset: str
    hash: str
    encoder: str
    classes: tuple[str, ...]
    train: int
    test: int
    seed: int
    places: np.ndarray
    worths: tuple[Worth, ...]


def study(
    dataset: Path,
    selections: Sequence[str],
    params: CurateParams,
    *,
    subsets: int = LEAST_SUBSETS,
    model: Callable[[], Scores] | None = None,
    workers: int = 1,
    store: Store | None = None,
    cache: Store | None = None,
    progress: bool = True,
) -> Study:
    """Measures selections on clips that had no part in them.

    Args:
        dataset: The data set that was selected from: a manifest folder, or a plain folder with videos. Selections are
            made of clips of its split `train` (or of none), and tested on those of `val`, or else `test`.
        selections: Each a `selection.json`, a folder that holds one, a list of classes, `published` or `synapt`.
        params: Encoder, frame and seed.
        subsets: Random subsets to compare with, 200 or more.
        model: Gives probabilities of the tested clips from one frame and from all frames; called once.
        workers: Threads that decode.
        store: The data store of a manifest folder's shards, by default the one that M2M_STORE names.
        cache: The work store, by default the one that M2M_WORK names if it is set.
        progress: Tell on stderr how far it is.

    Raises:
        InputError: The data set has no clips to test on or is damaged, or a selection names classes that it
            does not have.
        InfrastructureError: A store cannot be reached, or a package is missing.
    """
    if subsets < LEAST_SUBSETS:
        raise InputError(f"a percentile needs {LEAST_SUBSETS} random subsets or more, not {subsets}")
    if not selections:
        raise InputError("there is no selection to measure", "name a selection.json, a list, published or synapt")
    rows, card = read_manifest(dataset / MANIFEST), read_card(dataset)
    if data_hash(rows) != card.hash:
        raise InputError(f"manifest and card of {dataset} do not belong together", "run what wrote them again")
    train = sorted(judged_by(rows), key=lambda c: (c.label, c.clip_id))
    test = held_out(rows, train)
    counts = Counter(c.label for c in train)
    classes = tuple(sorted(counts))
    found = {name: read_any(name, counts) for name in selections}
    gap = None if model is None else _scores(model(), test, classes)
    with tempfile.TemporaryDirectory(prefix="m2m-curate-") as scratch:
        vectors, encoder = describe(
            dataset,
            [*train, *test],
            params,
            Path(scratch),
            workers=workers,
            store=store,
            cache=cache,
            progress=progress,
        )
        n = len(train)
        own, others = numbers([c.label for c in train], classes), np.array([classes.index(c.label) for c in test])
        known = centres(vectors[:n], own)
        worths = []
        for name, selection in found.items():
            subset = np.array([classes.index(label) for label in selection.selected])
            try:
                figures = measure((vectors[:n], own, known), (vectors[n:], others), subset, subsets, params.seed, gap)
            except ValueError as error:
                raise InputError(f"{name} cannot be measured: {error}") from error
            worths.append(Worth(name, selection, selection.parent == card.hash, tuple(figures)))
    places = lay_out(known, params.seed)
    return Study(card.name, card.hash, encoder, classes, n, len(test), params.seed, places, tuple(worths))


def held_out(rows: Sequence[Clip], train: Sequence[Clip]) -> list[Clip]:
    """The clips to test on: `val`, or `test` where there is no `val`; none of them is among those of `train`.

    Raises:
        InputError: There is none.
    """
    used = {clip.clip_id for clip in train} | {clip.sha256 for clip in train}
    classes = {clip.label for clip in train}
    for split in ("val", "test"):
        clips = [c for c in rows if c.status == "ok" and c.split == split and c.label in classes]
        clips = [c for c in clips if c.clip_id not in used and c.sha256 not in used]
        if clips:
            return sorted(clips, key=lambda c: (c.label, c.clip_id))
    raise InputError("the data set has no clip to test on", "ingest it with a val_share, or with lists of both splits")


def read_any(name: str, counts: Mapping[str, int]) -> Selection:
    """A selection by whatever names it.

    Args:
        name: A `selection.json`, a folder that holds one, a text file with a class a line, `published` or `synapt`.
        counts: Clips of each class of the data set.

    Raises:
        InputError: It cannot be read, or names classes that are not among them.
    """
    path = Path(name)
    if path.is_dir() or path.suffix.lower() == ".json":
        selection = read_selection(path / FILE if path.is_dir() else path)
        absent = sorted(set(selection.selected) - set(counts))
        if absent:
            raise InputError(f"{name} selects {absent[0]!r}, which the data set does not have ({len(absent)} such)")
        return selection
    names = class_names(name)
    method = name if name in PUBLISHED else "list"
    return select_listed(counts, names, CurateParams(method=method, list="" if method == name else name))


def class_names(name: str) -> Sequence[str]:
    """The classes that a selection names: as `read_any`, with no data set at hand.

    Raises:
        InputError: It cannot be read.
    """
    path = Path(name)
    if name in PUBLISHED:
        return class_list(name)
    if path.is_dir() or path.suffix.lower() == ".json":
        return read_selection(path / FILE if path.is_dir() else path).selected
    return read_list(path)


def lay_out(known: Centres, seed: int) -> np.ndarray:
    """Places of classes on a map, alike ones near each other: t-SNE of their means by cosine, a plane for a few.

    Returns:
        (C, 2) float64.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    directions = known.directions
    n = len(directions)
    if n < 3:
        return np.stack([np.arange(n), np.zeros(n)], axis=1).astype(float)
    with threadpool_limits(1):
        if n < 10:
            return PCA(2, random_state=seed).fit_transform(directions)
        fit = TSNE(2, perplexity=min(30.0, (n - 1) / 3), metric="cosine", init="random", random_state=seed)
        return fit.fit_transform(directions).astype(float)


@dataclass(frozen=True)
class Comparison:
    """Two selections beside each other.

    Attributes:
        names: What they are called.
        sizes: How many classes each has.
        shared: Classes of both, sorted.
        only: Classes of one alone, sorted.
        total: Classes they were selected from.
        expected: Classes that two random selections of these sizes share on average.
        chance: Share of random selections that share as many or more.
    """

    names: tuple[str, str]
    sizes: tuple[int, int]
    shared: tuple[str, ...]
    only: tuple[tuple[str, ...], tuple[str, ...]]
    total: int
    expected: float
    chance: float

    def __str__(self) -> str:
        lines = [
            f"{self.names[0]}: {self.sizes[0]} classes, {self.names[1]}: {self.sizes[1]}, of {self.total}",
            f"shared: {len(self.shared)} ({self.expected:.1f} expected by chance; as many or more in "
            f"{self.chance:.1%} of random selections)",
        ]
        for label, names in (("shared", self.shared), *zip((f"only {n}" for n in self.names), self.only, strict=True)):
            lines.append(f"{label}: {', '.join(names) or '(none)'}")
        return "\n".join(lines)


def compare(first: str, second: str, total: int = 0) -> Comparison:
    """Compares two selections by the names of their classes.

    Args:
        first: A selection, as `read_any` takes it.
        second: Another.
        total: Classes they were selected from; 0: as many as a `selection.json` among them has, else Kinetics' 400.

    Raises:
        InputError: One cannot be read, or has more classes than there are.
    """
    from scipy.stats import hypergeom

    sets = [{plain(c): c for c in class_names(name)} for name in (first, second)]
    total = total or max((_all_classes(name) for name in (first, second)), default=0) or 400
    if max(map(len, (sets[0] | sets[1], *sets))) > total:
        raise InputError(f"{first} and {second} name more classes than {total}", "say how many there are with --total")
    both = sets[0].keys() & sets[1].keys()
    sizes = (len(sets[0]), len(sets[1]))
    return Comparison(
        names=(first, second),
        sizes=sizes,
        shared=tuple(sorted(sets[0][c] for c in both)),
        only=(
            tuple(sorted(c for p, c in sets[0].items() if p not in both)),
            tuple(sorted(c for p, c in sets[1].items() if p not in both)),
        ),
        total=total,
        expected=sizes[0] * sizes[1] / total,
        chance=float(hypergeom.sf(len(both) - 1, total, *sizes)),
    )


def _all_classes(name: str) -> int:
    path = Path(name)
    if name in PUBLISHED or not (path.is_dir() or path.suffix.lower() == ".json"):
        return 0
    return len(read_selection(path / FILE if path.is_dir() else path).classes)


def _scores(given: Scores, test: Sequence[Clip], classes: Sequence[str]) -> np.ndarray:
    """The model's probabilities (2, M, C) in the order of the tested clips and the data set's classes."""
    names, by_clip = given
    absent = sorted(set(classes) - set(names))
    if absent:
        raise InputError(
            f"the model does not know the class {absent[0]!r} ({len(absent)} such)", "train it on all classes"
        )
    missing = [c.clip_id for c in test if c.clip_id not in by_clip]
    if missing:
        raise InputError(f"the model was not shown the clip {missing[0]} ({len(missing)} such)")
    columns = [list(names).index(c) for c in classes]
    return np.stack([by_clip[c.clip_id][:, columns] for c in test], axis=1)
