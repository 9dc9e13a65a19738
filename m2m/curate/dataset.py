"""From a data set to the subset of the selected classes: rows are left out, nothing is packed again."""

import tempfile
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from m2m import shards
from m2m.clips import (
    MANIFEST,
    Clip,
    DatasetCard,
    data_hash,
    file_sha256,
    read_card,
    read_manifest,
    write_card,
    write_manifest,
)
from m2m.curate.datasheet import write_datasheet
from m2m.curate.embed import VectorCache, Vectors, embed, gather
from m2m.curate.encoder import make_encoder
from m2m.curate.params import CODE_VERSION, NAMED, CurateParams
from m2m.curate.select import (
    FILE,
    Selection,
    check_classes,
    listed,
    select,
    select_drawn,
    select_listed,
    write_selection,
)
from m2m.datasets.place import keep_apart, place, video_path
from m2m.errors import InputError
from m2m.files import disk_errors
from m2m.progress import counter
from m2m.published import publish
from m2m.store import Store, any_work_store, data_store

"""Version of the code that selects, for the data set's card."""

BATCH = 256
"""Clips of a plain folder that are described before their vectors are kept."""

TRAINING = ("", "train")
"""Splits by whose clips classes are judged: what a selection is tested on must not have made it."""


@dataclass(frozen=True)
class Curated:
    """What curating came to.

    Attributes:
        output: The subset's folder.
        hash: The subset's hash.
        clips: Clips with status ok.
        quarantined: Rows of clips refused earlier.
        classes: The selected classes, sorted.
        shards: Numbers of the shards that hold a clip of the subset; none in a plain folder.
        selection: What became of every class.
    """

    output: Path
    hash: str
    clips: int
    quarantined: int
    classes: tuple[str, ...]
    shards: tuple[int, ...]
    selection: Selection

    def __str__(self) -> str:
        return f"{self.selection}\n{self.clips} clips, data set {self.hash[:12]}: {self.output}"


def curate(
    dataset: Path,
    out: Path,
    params: CurateParams,
    *,
    workers: int = 1,
    selection: Path | None = None,
    published: bool = False,
    store: Store | None = None,
    cache: Store | None = None,
    progress: bool = True,
) -> Curated:
    """Selects classes of a data set and writes the subset that they are.

    Classes are judged by their clips of the split `train` (or of none), or by all where there is no such clip.

    Args:
        dataset: A manifest folder, or a plain folder with videos.
        out: A new folder: of the same form, with the rows of the selected classes, quarantined ones among them, and
            `selection.json` and the data sheet. The shards stay what they are; videos of a plain folder become hard
            links where possible.
        params: How many classes, by which method.
        workers: Threads that decode.
        selection: Another file for the selection, if any.
        published: Publish the subset of a manifest folder in the data store, where trainings find it under its hash.
        store: The data store of a manifest folder's shards, by default the one that M2M_STORE names.
        cache: The work store, by default the one that M2M_WORK names if it is set: clips that an earlier run has
            described are not decoded again.
        progress: Tell on stderr how far it is.

    Raises:
        InputError: There are fewer classes than K, a clip without a label, a class without a usable clip, two classes
            with one name, a list with unknown classes; the encoder's weights are not there; the data set is damaged or
            overlaps `out`; `out` is not empty.
        InfrastructureError: The disk is full, or a store cannot be reached.
    """
    keep_apart(dataset, out, "the data set")
    rows, card = read_manifest(dataset / MANIFEST), read_card(dataset)
    if data_hash(rows) != card.hash:
        raise InputError(f"manifest and card of {dataset} do not belong together", "run what wrote them again")
    judged = judged_by(rows)
    counts = Counter(clip.label for clip in judged)
    with shards.new_folder(out) as building:
        if params.method in NAMED:
            found = select_listed(counts, listed(params), params, card.hash)
        elif params.method == "random":
            found = select_drawn(counts, params, card.hash)
        else:
            check_classes(counts, params)
            judged = sorted(judged, key=lambda c: (c.label, c.clip_id))
            with tempfile.TemporaryDirectory(prefix="m2m-curate-") as scratch:
                vectors, encoder = describe(
                    dataset,
                    judged,
                    params,
                    Path(scratch),
                    workers=workers,
                    store=store,
                    cache=cache,
                    progress=progress,
                )
                found = select(vectors, [c.label for c in judged], params, encoder=encoder, parent=card.hash)
        selected = set(found.selected)
        chosen = [row for row in rows if row.label in selected]
        if _packed(dataset):
            shards.write_shards(list(shards.read_shards(dataset).values()), building)
        else:
            chosen = [_place(dataset, row, building) for row in chosen]
        for file in filter(None, (building / FILE, selection)):
            write_selection(found, file)
        made = _card(card, chosen, found)
        write_card(made, building)
        write_manifest(chosen, building / MANIFEST)
        write_datasheet(made, chosen, found, building)
    if published:
        publish(out, store or data_store())
    return Curated(
        output=out,
        hash=made.hash,
        clips=made.clips,
        quarantined=made.quarantined,
        classes=found.selected,
        shards=tuple(sorted({row.shard for row in chosen} - {-1})),
        selection=found,
    )


def judged_by(rows: Sequence[Clip]) -> list[Clip]:
    """The clips by which classes are judged.

    Raises:
        InputError: A clip has no label, or a class has no such clip.
    """
    good = [row for row in rows if row.status == "ok"]
    bare = [row.clip_id for row in good if not row.label]
    if bare:
        raise InputError(
            f"{len(bare)} of {len(good)} clips have no label, first {bare[0]}",
            "put videos in folders named after their classes, or name labels in a list",
        )
    judged = [row for row in good if row.split in TRAINING] or good
    empty = sorted({row.label for row in rows if row.label} - {row.label for row in judged})
    if empty:
        raise InputError(
            f"the class {empty[0]!r} has no clip to be judged by ({len(empty)} such classes)",
            "its clips are quarantined or none is for training: mend them, or take the class out of the source",
        )
    return judged


def describe(
    dataset: Path,
    clips: Sequence[Clip],
    params: CurateParams,
    scratch: Path,
    *,
    workers: int = 1,
    store: Store | None = None,
    cache: Store | None = None,
    progress: bool = True,
) -> tuple[np.ndarray, str]:
    """What one frame of each clip looks like.

    Args:
        dataset: The data set's folder, plain or of a manifest.
        clips: Rows of it.
        params: Encoder, frame and seed.
        scratch: An empty folder that stays while the vectors are used.
        workers: Threads that decode.
        store: The data store of a manifest folder's shards.
        cache: The work store, by default the one that M2M_WORK names, if any.
        progress: Tell on stderr how far it is.

    Returns:
        (N, d) float32 in the order of the clips, mapped into memory; the encoder's name.

    Raises:
        InputError: A file is missing or changed, or the encoder's weights are not there.
        InfrastructureError: A store cannot be reached, or a package is missing.
    """
    encoder = make_encoder(params)

    def fresh(wanted: list[Clip]) -> Iterator[Vectors]:
        with (
            closing(_files(dataset, wanted, store)) as batches,
            counter(len(wanted), "clip", "describing", progress) as count,
        ):
            for batch in batches:
                yield embed(batch, encoder, params.frame, params.seed, workers)
                for _ in batch:
                    count()

    kept = VectorCache(cache or any_work_store(), encoder.name, params.frame, params.seed)
    return gather(clips, kept, fresh, scratch), encoder.name


def _files(
    dataset: Path, wanted: Sequence[Clip], store: Store | None
) -> Generator[list[tuple[Clip, Path]], None, None]:
    """Clips with their files, some at a time; the files are there until the next ones are asked for."""
    return _from_shards(dataset, wanted, store) if _packed(dataset) else _from_folder(dataset, wanted)


def _from_shards(
    dataset: Path, wanted: Sequence[Clip], store: Store | None
) -> Generator[list[tuple[Clip, Path]], None, None]:
    for index in sorted({clip.shard for clip in wanted}):
        store = store or data_store()
        with tempfile.TemporaryDirectory(prefix="m2m-curate-") as scratch:
            unpacked = Path(scratch) / "shard"
            shards.fetch(dataset, store, unpacked, [index])
            yield [(clip, unpacked / clip.path) for clip in wanted if clip.shard == index]


def _from_folder(dataset: Path, wanted: Sequence[Clip]) -> Generator[list[tuple[Clip, Path]], None, None]:
    for start in range(0, len(wanted), BATCH):
        batch = [(clip, dataset / clip.path) for clip in wanted[start : start + BATCH]]
        for clip, file in batch:
            try:
                found = file_sha256(file)
            except OSError as error:
                raise InputError(f"cannot read {file}: {error.strerror}", "ingest the source again") from error
            if found != clip.sha256:
                raise InputError(f"{file} has other bytes than the manifest says", "ingest the source again")
        yield batch


def _packed(dataset: Path) -> bool:
    return (dataset / shards.FILE).is_file()


def _place(dataset: Path, row: Clip, out: Path) -> Clip:
    """Puts the video of a row, if it has one, into the subset's folder; returns the row as it is there."""
    if row.status != "ok":
        return row
    path = video_path(row, Path(row.path).suffix)
    with disk_errors(out):
        (out / path).parent.mkdir(exist_ok=True)
        try:
            place(dataset / row.path, out / path)
        except FileNotFoundError as error:
            raise InputError(f"{dataset / row.path} is missing", "ingest the source again") from error
    return replace(row, path=path)


def _card(card: DatasetCard, rows: Sequence[Clip], selection: Selection) -> DatasetCard:
    return replace(
        card,
        name=f"{card.name}-{len(selection.selected)}",
        parameters=selection.parameters,
        code_version=CODE_VERSION,
        parent=card.hash,
        clips=sum(row.status == "ok" for row in rows),
        quarantined=sum(row.status != "ok" for row in rows),
        hash=data_hash(rows),
    )
