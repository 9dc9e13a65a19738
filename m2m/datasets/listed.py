"""Lists of videos as action recognition passes them around: `path label` and `path;label`, read and written."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from m2m.clips import Clip
from m2m.errors import InputError
from m2m.files import write_atomic

SUFFIXES = (".csv", ".txt", ".list")
SPLITS = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validate": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
"""Names of splits in annotation files, and ours."""

CLASSES = "classes.txt"
SEMICOLON = re.compile(r";(?!.*\s\d+$)[^;/.]+$")


@dataclass(frozen=True)
class Listed:
    """A video that annotations name, whether it is there or not.

    Attributes:
        path: As the annotations name it: relative, with `/`, perhaps without a suffix.
        label: Its class.
        split: `train`, `val` or `test`.
    """

    path: str
    label: str
    split: str


def read_lines(path: Path) -> list[str]:
    """The lines of a text file that are not empty, without blanks at their ends.

    Raises:
        InputError: It cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}") from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def read_list(path: Path) -> list[tuple[str, str]]:
    """Paths and labels of a list, one video a line: `path;label` or `path label`, the same way in all lines.

    What separates them is the last `;` or the last blank of a line, so paths may hold either; a `;` with the rest of a
    path and a number after it belongs to the path.

    Raises:
        InputError: It cannot be read, is empty, or a line has no label.
    """
    lines = read_lines(path)
    separator = ";" if all(SEMICOLON.search(line) for line in lines) else None
    rows = []
    for number, line in enumerate(lines, 1):
        parts = line.rsplit(separator, 1)
        if len(parts) != 2 or not all(part.strip() for part in parts):
            raise InputError(f"{path}, line {number}: {line!r}", "a line is `path label` or `path;label`")
        rows.append((parts[0].strip(), parts[1].strip()))
    if not rows:
        raise InputError(f"{path} lists no video", "a line is `path label` or `path;label`")
    return rows


def read_lists(path: Path) -> list[Listed]:
    """The videos of a list, or of the lists `train`, `val` and `test` of a folder.

    Labels that are numbers are named by `classes.txt` beside the list if there is one (a class a line, from 0, or
    `number class`); else they stay numbers, with zeros in front, so that their order as words is theirs as numbers.

    Args:
        path: A list, named after its split, or a folder of such lists with the suffixes .csv, .txt or .list.

    Raises:
        InputError: There is no list, one cannot be read, or a number has no class.
    """
    if path.is_dir():
        files = [f for f in sorted(path.iterdir()) if f.stem.lower() in SPLITS and f.suffix.lower() in SUFFIXES]
        if not files:
            raise InputError(f"there is no list in {path}", "name lists train.csv, val.csv or test.csv (or .txt)")
    else:
        files = [path]
    rows = [(name, label, SPLITS.get(file.stem.lower(), "")) for file in files for name, label in read_list(file)]
    labels = [label for _, label, _ in rows]
    named = _names(files[0].with_name(CLASSES), labels)
    return [Listed(name.lstrip("/"), named[label], split) for name, label, split in rows]


def _names(file: Path, labels: Sequence[str]) -> dict[str, str]:
    """What each label is called."""
    if not all(label.isdecimal() for label in labels):
        return {label: label for label in labels}
    if not file.is_file():
        width = max(map(len, labels))
        return {label: label.zfill(width) for label in labels}
    classes = read_classes(file)
    unknown = sorted({int(label) for label in labels} - set(classes))
    if unknown:
        raise InputError(f"{file} has no class {unknown[0]}")
    return {label: classes[int(label)] for label in labels}


def read_classes(path: Path) -> dict[int, str]:
    """Classes by number: `number class` as UCF101 writes them, or a class a line, counted from 0.

    Raises:
        InputError: It cannot be read, or a number or class is there twice.
    """
    lines = read_lines(path)
    parts = [line.split(None, 1) for line in lines]
    if all(len(p) == 2 and p[0].isdecimal() for p in parts):
        pairs = [(int(p[0]), p[1]) for p in parts]
    else:
        pairs = list(enumerate(lines))
    if len({n for n, _ in pairs}) != len(pairs) or len({c for _, c in pairs}) != len(pairs):
        raise InputError(f"{path} has a class twice")
    return dict(pairs)


def write_lists(clips: Iterable[Clip], out: Path, separator: str = " ", prefix: str = "") -> list[Path]:
    """Writes the lists of a data set: `train.csv`, `val.csv` and so on, and `classes.txt` with the names of the labels.

    Labels are numbers from 0, the classes sorted: what SlowFast and VideoMAE read (a blank between), or PPMA (`;`).

    Args:
        clips: Rows of a manifest; quarantined ones are left out.
        out: A folder.
        separator: Between path and label.
        prefix: Put before every path, as `/data/k400/`.

    Returns:
        The lists.

    Raises:
        InputError: A clip has no label or no split, or lies in a shard.
        InfrastructureError: They cannot be written.
    """
    good = sorted((c for c in clips if c.status == "ok"), key=lambda c: c.clip_id)
    for clip in good:
        if not clip.label or not clip.split:
            raise InputError(f"the clip {clip.clip_id} has no {'split' if clip.label else 'label'}", "ingest it first")
        if clip.shard >= 0:
            raise InputError("the videos lie in shards", "m2m unpack it, or fetch it, first")
    number = {label: i for i, label in enumerate(sorted({c.label for c in good}))}
    write_atomic(out / CLASSES, "".join(f"{label}\n" for label in number).encode())
    written = []
    for split in sorted({c.split for c in good}):
        lines = [f"{prefix}{c.path}{separator}{number[c.label]}\n" for c in good if c.split == split]
        written.append(out / f"{split}.csv")
        write_atomic(written[-1], "".join(lines).encode())
    return written
