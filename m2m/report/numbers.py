"""Numbers of tables as text: shares in percent, differences in points."""

import re
from collections.abc import Sequence

from m2m.report.significance import Estimate

NONE = "–"
PROTOCOLS = {"ft": "Fine-tuning", "lp": "Linear probing"}


def counted(n: int, noun: str) -> str:
    """How many, with the noun."""
    return f"{n} {noun}" + ("" if n == 1 else "s")


def named(protocol: str) -> str:
    """A protocol as people call it."""
    return PROTOCOLS.get(protocol, protocol)


def percent(share: float, digits: int = 1) -> str:
    """A share in percent."""
    return f"{100 * share:.{digits}f}"


def points(difference: float | None, digits: int = 1) -> str:
    """A difference of shares in points, with its sign, zero without one; empty where there is none."""
    if difference is None:
        return ""
    text = f"{100 * difference:+.{digits}f}"
    return text if re.search("[1-9]", text) else text[1:]


def ends(interval: tuple[float, float] | None) -> str:
    """An interval of shares; empty where there is none."""
    return "" if interval is None else f"{percent(interval[0])} to {percent(interval[1])}"


def listed(numbers: Sequence[int]) -> str:
    """Numbers with commas."""
    return ", ".join(map(str, numbers))


def signed(found: Estimate) -> str:
    """An interval of differences."""
    return f"{points(found.low)} to {points(found.high)}"


def shown_p(p: float) -> str:
    """A p, as far as it means something."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
