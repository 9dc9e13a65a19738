"""What the table says, in words; nothing is said that does not follow from its intervals."""

from collections.abc import Sequence

from m2m.attack.material import CONTROL
from m2m.attack.rows import ABOVE, BEYOND, NOTHING, PLATE, Row

FIRST = ("rank1", "balanced_accuracy", "iou", "auc")
"""The figure by which an attacker is read, the first that there is."""
NAMES = {
    "rank1": "rank-1",
    "rank10": "rank-10",
    "median_rank": "median rank",
    "eer": "EER",
    "auc": "AUC",
    "iou": "IoU",
    "balanced_accuracy": "balanced accuracy",
}
SENTENCES = {
    NOTHING: "no better than guessing was shown",
    PLATE: "it succeeds, but by no more than the plate alone gives away",
    BEYOND: "it survives: more than the plate alone gives away",
    ABOVE: "it survives: better than guessing",
}
WEAK = "this attacker fails on real video as well, so nothing follows"
ORIGINAL = "real"
"""The variant that shows what an attacker is worth."""


def main_rows(rows: Sequence[Row]) -> list[Row]:
    """Of every attacker and variant the row by which it is read."""
    out: dict[tuple[str, str], Row] = {}
    for one in rows:
        key = one.attacker, one.variant
        known = out.get(key)
        if one.figure in FIRST and (known is None or FIRST.index(one.figure) < FIRST.index(known.figure)):
            out[key] = one
    return list(out.values())


def readings(rows: Sequence[Row], variant: str = "m2m") -> list[str]:
    """A sentence an attacker about a variant, the worst for the people first.

    Attackers of which that variant has no row, such as the silhouette's, speak of the plate. One that shows nothing on
    real video is told apart from one that the work has stopped.
    """
    chosen: dict[str, Row] = {}
    for one in main_rows(rows):
        if one.variant == variant or (one.variant == CONTROL and one.attacker not in chosen):
            chosen[one.attacker] = one
    order = (BEYOND, ABOVE, PLATE, NOTHING)
    ranked = sorted(chosen.values(), key=lambda r: order.index(r.verdict))
    weak = {one.attacker for one in main_rows(rows) if one.variant == ORIGINAL and one.verdict == NOTHING}
    return [_sentence(one, one.attacker in weak) for one in ranked]


def _sentence(one: Row, weak: bool) -> str:
    beside = "" if one.control is None else f", on the plate alone {percent(one.control)}"
    figure = f"{percent(one.value)} ({percent(one.low)} to {percent(one.high)}{beside}, chance {percent(one.chance)})"
    said = WEAK if weak and one.verdict == NOTHING else SENTENCES[one.verdict]
    return f"{one.attacker} on {one.variant}: {said}; {NAMES[one.figure]} {figure}."


def percent(value: float) -> str:
    """A share in percent, exact enough for small ones."""
    return f"{100 * value:.1f} %" if abs(value) < 0.0995 else f"{100 * value:.0f} %"
