"""Figures of privacy beside those of accuracy: shown as they were given, and one of them chosen to be drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

FAILED, FAILED_BY, LEFT = "failed the audit", "failed by: ", "people left"
ORDER = ("attack", LEFT, FAILED)
"""What is drawn first of figures that as many rows have: attackers say most, then what a detector finds."""


@dataclass(frozen=True)
class Figure:
    """One figure of one row.

    Attributes:
        text: As it is shown.
        share: As a share, 0 to 1, or None where it is none: a count, a word.
        chance: What guessing reaches, or None.
    """

    text: str
    share: float | None = None
    chance: float | None = None


def figures(given: Mapping[str, Any]) -> dict[str, Figure]:
    """Figures by name, sections of sections in one name.

    Args:
        given: Numbers and words; `{n, k}` is k of n, `{value, chance}` a share beside what guessing reaches.
    """
    found = _flat(given, "")
    audited, failed = given.get("audited"), given.get("failed")
    if isinstance(audited, int) and isinstance(failed, int) and audited > 0:
        found[FAILED] = _of(failed, audited)
        del found["audited"], found["failed"]
    return found


def names(rows: Mapping[str, Mapping[str, Figure]]) -> list[str]:
    """The names of all figures of several rows, in the order in which they are met."""
    return list(dict.fromkeys(name for row in rows.values() for name in row))


def unfailed(rows: Mapping[str, Mapping[str, Figure]]) -> list[str]:
    """The figures of an audit's checks that no clip of any row failed."""
    checks = [name for name in names(rows) if name.startswith(FAILED_BY)]
    return [name for name in checks if all(row[name].share == 0 for row in rows.values() if name in row)]


def drawn(rows: Mapping[str, Mapping[str, Figure]]) -> str:
    """The figure that most rows have as a share; of several the one that ORDER names first; empty: there is none."""
    counts = {name: sum(name in row and row[name].share is not None for row in rows.values()) for name in names(rows)}
    counts = {name: n for name, n in counts.items() if n}
    return max(counts, key=lambda name: (counts[name], -_rank(name)), default="")


def _rank(name: str) -> int:
    return next((i for i, start in enumerate(ORDER) if name.startswith(start)), len(ORDER))


def _flat(given: Mapping[str, Any], section: str) -> dict[str, Figure]:
    found: dict[str, Figure] = {}
    for key, value in given.items():
        name = f"{section}{key}".replace("_", " ")
        if not isinstance(value, Mapping):
            found[name] = Figure(_text(value))
        elif _number(value.get("n")) and _number(value.get("k")):
            found[name] = _of(value["k"], value["n"])
        elif _number(value.get("value")):
            found[name] = _beside(value["value"], value.get("chance"))
        else:
            found |= _flat(value, f"{name}: ")
    return found


def _of(k: float, n: float) -> Figure:
    share = k / n if n > 0 and 0 <= k <= n else None
    return Figure(f"{k} of {n}" + (f" ({100 * share:.1f} %)" if share is not None else ""), share)


def _beside(value: float, chance: Any) -> Figure:
    known = float(chance) if _number(chance) else None
    if not 0 <= value <= 1:
        return Figure(_text(value) + (f" (chance {_text(known)})" if known is not None else ""))
    text = f"{100 * value:.1f} %" + (f" (chance {100 * known:.1f} %)" if known is not None else "")
    return Figure(text, float(value), known)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: Any) -> str:
    if value is None or value == []:
        return "–"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(_text, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
