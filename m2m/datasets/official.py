"""The public sets in their official formats: what their annotations list, and which of the videos are there."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from m2m.clips import Clip, clip_ids, scan
from m2m.datasets.formats import diving48, hmdb51, ikea_fa, kinetics, uav_human, ucf101
from m2m.datasets.listed import Listed, read_lists
from m2m.errors import InputError
from m2m.video import SUFFIXES

MISSING = "missing"
"""The reason of a row whose video is not there."""

Reader = Callable[[Path, int], list[Listed]]


@dataclass(frozen=True)
class Format:
    """How a public set comes.

    Attributes:
        read: Reads annotation files, by their place and the number of the split; None where names tell everything.
        named: Gives class and split to videos by their names.
        counts: Videos to train on and to test on, by number of the split, as published; None where that is not known.
        classes: Classes that have videos; 0: not fixed.
        licence: Under what the videos come, as far as their authors say.
    """

    read: Reader | None
    named: Callable[[list[Listed]], list[Listed]] | None
    counts: dict[int, tuple[int | None, int]]
    classes: int
    licence: str


def _listed(annotations: Path, fold: int) -> list[Listed]:  # noqa: ARG001
    return read_lists(annotations)


def _synapt(rows: list[Listed]) -> list[Listed]:
    known = {plain(name): name for name in class_list("synapt")}
    strange = sorted({row.label for row in rows if plain(row.label) not in known})
    if strange:
        raise InputError(f"{strange[0]!r} is not one of SynAPT's 150 classes ({len(strange)} such folders)")
    return [Listed(row.path, known[plain(row.label)], row.split) for row in rows]


def plain(label: str) -> str:
    """A class's name without what differs between folders and lists: case, underscores, blanks."""
    return " ".join(label.lower().replace("_", " ").split())


def class_list(name: str) -> tuple[str, ...]:
    """A list of classes of Kinetics-400: `published` (the paper's 150 as its authors published them), or `synapt`."""
    text = resources.files("m2m.datasets").joinpath("lists", f"{name}.txt").read_text(encoding="utf-8")
    return tuple(text.split("\n")[:-1])


FORMATS = {
    "kinetics": Format(kinetics.read, None, {}, 0, "Kinetics: annotations CC BY 4.0; the videos are their uploaders'"),
    "ucf101": Format(
        ucf101.read, None, {1: (9537, 3783), 2: (9586, 3734), 3: (9624, 3696)}, 101,
        "UCF101: no licence stated; the videos are their uploaders'",
    ),
    "hmdb51": Format(
        hmdb51.read, None, dict.fromkeys((1, 2, 3), (3570, 1530)), 51,
        "HMDB51: CC BY 4.0; the videos are their owners'",
    ),
    "diving48": Format(
        diving48.read, None, {1: (15027, 1970)}, 47, "Diving48: no licence stated; the videos are their owners'"
    ),
    "ikea-fa": Format(
        None, lambda rows: ikea_fa.read(r.path for r in rows), {1: (1781, 163)}, 12, "IkeaFA: no licence stated"
    ),
    "uav-human": Format(
        None, lambda rows: uav_human.read(r.path for r in rows), {1: (16285, 6191)}, 155,
        "UAV-Human: for academic research only",
    ),
    "mini-ssv2": Format(_listed, None, {1: (None, 11799)}, 87, "Something-Something V2: for research, by agreement"),
    "synapt": Format(None, _synapt, {}, 150, "SynAPT: of SynADL, SURREACT and PHAV, each under its own licence"),
    "list": Format(_listed, None, {}, 0, ""),
}  # fmt: skip
"""The public sets by name; `list` is anybody's `path label` or `path;label`."""


@dataclass(frozen=True)
class Official:
    """A public set on this machine; from Python, from the command line, or from a YAML file with these keys.

    Attributes:
        format: A key of `FORMATS`.
        videos: Folder of the videos, in whatever folders they lie.
        annotations: The official files, or lists; may be left out where names tell everything (uav-human, ikea-fa,
            synapt), but then nobody knows which videos are missing.
        fold: Number of the split, for ucf101 and hmdb51.
        published: Refuse annotations that do not have the published counts; off for a part of a set.
    """

    format: str
    videos: str
    annotations: str = ""
    fold: int = 1
    published: bool = True

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise ValueError(f"format is one of {', '.join(FORMATS)}, not {self.format!r}")
        counts = FORMATS[self.format].counts
        if self.fold not in (counts or (1,)):
            raise ValueError(f"{self.format} has no split {self.fold}")
        if not self.annotations and FORMATS[self.format].read is not None:
            raise ValueError(f"{self.format} needs annotations; class folders are read without a format")


def official(format: str, videos: str, annotations: str = "", fold: int = 1, published: bool = True) -> Official:
    """A public set, as `Official` describes it.

    Raises:
        InputError: A value that `Official` refuses.
    """
    try:
        return Official(format, videos, annotations, fold, published)
    except ValueError as error:
        raise InputError(str(error)) from error


@dataclass(frozen=True)
class Listing:
    """What a public set lists, and what of it is there.

    Attributes:
        clips: A row for every listed video, by id; a missing one is quarantined with the reason `missing` and keeps the
            listed name as its path. Ids come from the lists and not from where the files lie.
        notes: What else a reader should know, in sentences.
        licence: Under what the videos come.
    """

    clips: tuple[Clip, ...]
    notes: tuple[str, ...]
    licence: str


def load(path: Path) -> Official:
    """A public set from a YAML file; its paths are relative to the file.

    Raises:
        InputError: It cannot be read, or has an unknown key or value.
    """
    from m2m.params import build, read_yaml  # knows all stages, this one among them

    values: dict[str, Any] = read_yaml(path)
    for key in ("format", "videos"):
        if key not in values:
            raise InputError(f"{path} has no key {key!r}", "a source names format, videos and annotations")
    official = build(Official, values, str(path))
    at = {key: str(path.parent / value) for key in ("videos", "annotations") if (value := getattr(official, key))}
    return Official(**{**vars(official), **at})


def listing(source: Official) -> Listing:
    """Reads annotations and looks for their videos. None is opened.

    A video is looked for where the list says (with or without suffix), in a folder of its class, and then by its name
    alone in the whole folder, whatever the case: lists and mirrors differ in folders, and lists have misprints there.

    Raises:
        InputError: Annotations cannot be read, differ from the published counts or list a video twice; there is no
            folder of videos; two files could be the same video.
    """
    form, root = FORMATS[source.format], Path(source.videos)
    if not root.is_dir():
        raise InputError(f"{root} is not a folder of videos")
    there = scan(root)
    files = {Path(c.path).relative_to(root.absolute()).as_posix(): c for c in there}
    notes = []
    if form.read is not None:
        rows = form.read(Path(source.annotations), source.fold)
    else:
        lists = bool(source.annotations)
        known = (
            read_lists(Path(source.annotations)) if lists else [Listed(p, c.label, c.split) for p, c in files.items()]
        )
        assert form.named is not None
        rows = form.named(known)
    twice = [path for path, n in Counter(row.path for row in rows).items() if n > 1]
    if twice:
        raise InputError(f"the annotations list {twice[0]!r} twice ({len(twice)} such videos)")
    if source.published and (complaint := _differs(rows, source)):
        if source.annotations:
            raise InputError(f"{source.annotations}: {complaint}", "set published: false for a part of the set")
        notes.append(complaint)
    found = _locate(rows, files)
    ids = clip_ids([row.path if Path(row.path).suffix.lower() in SUFFIXES else f"{row.path}.mp4" for row in rows])
    clips = [
        Clip(name, file, row.label, row.split)
        if file
        else Clip(name, row.path, row.label, row.split, status="quarantined", reason=MISSING)
        for name, row, file in zip(ids, rows, found, strict=True)
    ]
    unlisted = len(there) - len(set(found) - {""})
    if unlisted:
        notes.append(f"{unlisted} videos of {root} are on no list and were left alone")
    return Listing(tuple(sorted(clips, key=lambda c: c.clip_id)), tuple(notes), form.licence)


def _differs(rows: Sequence[Listed], source: Official) -> str:
    """How what is listed differs from what was published, or nothing."""
    form = FORMATS[source.format]
    counts, classes = Counter(row.split for row in rows), len({row.label for row in rows})
    said = []
    for split, want in zip(("train", "val"), form.counts.get(source.fold, (None, None)), strict=True):
        if want is not None and counts[split] != want:
            said.append(f"{counts[split]} videos for {split} where {want} were published")
    if form.classes and classes != form.classes:
        said.append(f"{classes} classes where {form.classes} were published")
    return "; ".join(said)


def _locate(rows: Sequence[Listed], files: dict[str, Clip]) -> list[str]:
    """Where each listed video lies, or nothing."""
    by_path: dict[str, list[str]] = {}
    by_name: dict[str, list[str]] = {}
    for path in files:
        by_path.setdefault(_key(path), []).append(path)
        by_name.setdefault(_key(path).rpartition("/")[2], []).append(path)
    out = []
    for row in rows:
        key = _key(row.path)
        near = [row.path] if row.path in files else by_path.get(key, by_name.get(key.rpartition("/")[2], []))
        if len(near) > 1:
            near = [p for p in near if plain(p.split("/")[-2] if "/" in p else "") == plain(row.label)] or near
        if len(near) > 1:
            raise InputError(f"{near[0]!r} and {near[1]!r} could both be the listed {row.path!r}", "remove one of them")
        out.append(files[near[0]].path if near else "")
    return out


def _key(path: str) -> str:
    """A path without the suffix of a video, in lower case."""
    suffix = Path(path).suffix
    return (path.removesuffix(suffix) if suffix.lower() in SUFFIXES else path).lower()
