"""The clips that training reads: which belong to which split and class."""

from dataclasses import dataclass
from pathlib import Path

from m2m.clips import Clip, data_hash, read_card, read_manifest
from m2m.errors import InputError

TRAIN = frozenset({"train", "training"})
VAL = frozenset({"val", "valid", "validation"})
TEST = frozenset({"test", "testing"})


@dataclass(frozen=True)
class LabelledSet:
    """A data set as training sees it.

    Attributes:
        folder: Where it lies.
        name: Its name.
        variant: What it shows: `real`, `m2m` and so on.
        classes: Labels in order; a label's place is its number. Empty if the clips have none.
        train: Clips to train on, by id.
        val: Clips to test on, by id; perhaps none.
        hash: `data_hash` of its rows.
    """

    folder: Path
    name: str
    variant: str
    classes: tuple[str, ...]
    train: tuple[Clip, ...]
    val: tuple[Clip, ...]
    hash: str

    def number(self, clip: Clip) -> int:
        """The number of a clip's class; -1 if it has none."""
        return self.classes.index(clip.label) if clip.label else -1


def open_set(folder: Path) -> LabelledSet:
    """Reads the manifest of a data set. Videos are not opened, only looked for.

    Clips of the split `train` are trained on, those of `val`, or of `test` where there is no `val`, tested on. Where no
    clip has a split, all are trained on.

    Raises:
        InputError: It is not a data set, there is nothing to train on, a video is missing, or a row has no frame count.
    """
    card = read_card(folder)
    rows = read_manifest(folder / "clips.parquet")
    clips = [c for c in rows if c.status == "ok"]
    for clip in clips:
        if not (folder / clip.path).is_file():
            raise InputError(f"{folder / clip.path} is missing, which the manifest of {folder} names")
        if clip.n_frames < 1 or clip.fps_num < 1:
            raise InputError(f"the manifest of {folder} does not say how long {clip.clip_id} is", "ingest it again")
    train = [c for c in clips if c.split.lower() in TRAIN]
    if not any(c.split for c in rows):
        train = clips
    held_out = VAL if any(c.split.lower() in VAL for c in rows) else TEST
    if not train:
        raise InputError(f"{folder} has no clip to train on", "it needs clips of the split train")
    return LabelledSet(
        folder=folder,
        name=card.name,
        variant=card.variant,
        # Those of quarantined clips too: a class that lost all its clips is missed, not forgotten.
        classes=tuple(sorted({c.label for c in rows if c.label})),
        train=tuple(train),
        val=tuple(c for c in clips if c.split.lower() in held_out),
        hash=data_hash(rows),
    )


def check_labels(data: LabelledSet, *, held_out: bool) -> None:
    """Makes sure that a classifier can be trained, and tested if `held_out`.

    Raises:
        InputError: Fewer than two classes, a clip without label, no clips to test on, or a class without a clip.
    """
    if len(data.classes) < 2:
        raise InputError(f"{data.folder} has {len(data.classes)} class(es)", "a classifier needs two or more")
    if held_out and not data.val:
        raise InputError(f"{data.folder} has no clip to test on", "it needs clips of the split val or test")
    for split, clips in (("train", data.train), ("val", data.val)):
        bare = [c.clip_id for c in clips if not c.label]
        if bare:
            raise InputError(f"{bare[0]} of {data.folder} has no label, as {len(bare) - 1} other(s) of split {split}")
        empty = sorted(set(data.classes) - {c.label for c in clips})
        if empty and (clips or split == "train"):
            raise InputError(
                f"the class {empty[0]!r} of {data.folder} has no clip in the split {split}",
                "add clips, or leave the class out of the data set",
            )
