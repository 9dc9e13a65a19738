"""Strings that leave the house: none may be, or contain, what a source was called."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

from m2m.audit.container import SHORTEST, SHORTEST_BYTES
from m2m.clips import Clip, DatasetCard
from m2m.params import AugmentParams, to_dict

HEXADECIMAL = re.compile(r"[0-9a-f]+", re.IGNORECASE)


def source_names(rows: Iterable[Clip]) -> set[str]:
    """What the sources of a working data set's clips are called: ids, and their last part, the file's own name."""
    return {name for clip in rows for name in (clip.clip_id, clip.clip_id.rpartition("__")[2])}


def named(rows: Sequence[Clip], card: DatasetCard, names: Iterable[str]) -> list[tuple[str, str]]:
    """Strings of a data set that give a source away.

    Labels and splits are published on purpose. A name of less than four letters, or one of less than eight that might
    stand in a hash by chance (`face`), cannot be looked for.

    Args:
        rows: The manifest's rows.
        card: Its card.
        names: What sources are called.

    Returns:
        Pairs of a string and the name that it contains, at most one a string.
    """
    searched = {n.casefold() for n in names if len(n) >= (SHORTEST_BYTES if HEXADECIMAL.fullmatch(n) else SHORTEST)}
    lengths = sorted({len(n) for n in searched}, reverse=True)
    ours = set(_strings(to_dict(AugmentParams())))  # a source may be called as a parameter's value is
    told = [s for clip in rows for s in (clip.clip_id, PurePosixPath(clip.path).stem, clip.reason)]
    told += [s for s in _strings([card.name, card.parent, card.parameters, card.licences]) if s not in ours]
    return [(text, name) for text in told if (name := _first(text.casefold(), searched, lengths))]


def _first(text: str, names: set[str], lengths: Sequence[int]) -> str:
    """The longest of the names that a text contains, or nothing; as fast for a hundred thousand names as for one."""
    for length in lengths:
        for start in range(len(text) - length + 1):
            if text[start : start + length] in names:
                return text[start : start + length]
    return ""


def _strings(values: Any) -> Iterator[str]:
    """All strings inside of JSON values but for the keys."""
    if isinstance(values, str):
        yield values
    elif isinstance(values, dict):
        for value in values.values():
            yield from _strings(value)
    elif isinstance(values, list | tuple):
        for value in values:
            yield from _strings(value)
