"""Which clips of a class are kept and which become `val`: by hash, so that neither order nor place decides."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from m2m.clips import Clip
from m2m.fingerprints import fingerprint

NAMES = {"training": "train", "valid": "val", "validation": "val", "testing": "test"}
"""Names of splits that mean another one."""


def canonical_split(name: str) -> str:
    """A split as later stages name it: `Training` is `train`, `validation` is `val`; others in lower case."""
    lower = name.strip().lower()
    return NAMES.get(lower, lower)


def cap(clips: Sequence[Clip], limit: int, seed: int) -> list[Clip]:
    """At most `limit` clips of each class in each split, chosen by hash.

    A clip that is added takes the place of at most one other.

    Returns:
        The clips that are kept, by id.
    """
    groups = _groups(clips, lambda c: (c.label, c.split))
    kept = [c for group in groups for c in _ranked(group, "cap", seed)[:limit]]
    return sorted(kept, key=lambda c: c.clip_id)


def assign(clips: Sequence[Clip], val_share: float, seed: int) -> list[Clip]:
    """Gives clips without a split one: in each class the first by hash become `val`, the others `train`.

    The counts of each class are exact: the share, rounded, and at least one of each where a class has two clips or
    more. A clip that is added changes the split of at most one other clip, of its own class.

    Args:
        clips: Clips; those that have a split keep it.
        val_share: Share of `val` in [0, 1).
        seed: Another seed is another draw.

    Returns:
        All clips, by id.
    """
    out = [c for c in clips if c.split]
    for group in _groups([c for c in clips if not c.split], lambda c: (c.label,)):
        n = val_count(len(group), val_share)
        ranked = _ranked(group, "val", seed)
        out += [replace(c, split="val" if i < n else "train") for i, c in enumerate(ranked)]
    return sorted(out, key=lambda c: c.clip_id)


def val_count(n: int, share: float) -> int:
    """How many of a class's `n` clips become `val`."""
    if n < 2 or not share:
        return 0
    return min(max(int(n * share + 0.5), 1), n - 1)


def _ranked(clips: Iterable[Clip], what: str, seed: int) -> list[Clip]:
    return sorted(clips, key=lambda c: (fingerprint(what, seed, c.clip_id), c.clip_id))


def _groups(clips: Iterable[Clip], key: Callable[[Clip], tuple[str, ...]]) -> list[list[Clip]]:
    groups: dict[tuple[str, ...], list[Clip]] = defaultdict(list)
    for clip in clips:
        groups[key(clip)].append(clip)
    return list(groups.values())
