"""Attackers and their page at one table: the laboratory or data sets, the table, the report."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from m2m.attack.laboratory import WORDS, Laboratory, build
from m2m.attack.params import AttackParams
from m2m.attack.reading import readings
from m2m.attack.run import Attacked, attack
from m2m.errors import InputError
from m2m.report.attack import PAGE, write_attack_report


@dataclass(frozen=True)
class Reported:
    """What attackers came to, and where the page is."""

    attacked: Attacked

    def __str__(self) -> str:
        done = self.attacked
        count = f"{done.made} pieces" + (f" ({done.found} earlier)" if done.found else "")
        return "\n".join([count, *readings(done.rows), *done.notes, f"report: {done.out / PAGE}"])


def attack_and_report(
    datasets: Sequence[Path],
    out: Path,
    chosen: dict[str, Any],
    *,
    originals: Path | None = None,
    people: Path | None = None,
    studio: bool = False,
    workers: int = 1,
    laboratory: Laboratory | None = None,
) -> Reported:
    """Runs attackers and writes the table and the page.

    Args:
        datasets: As in `attack`; none for the laboratory.
        out: Folder of the results.
        chosen: Fields of `AttackParams`; None keeps the default.
        originals: As in `attack`.
        people: As in `attack`.
        studio: Draw a population and attack it.
        workers: Processes that draw and augment.
        laboratory: Its size; None: the default.

    Raises:
        InputError: The arguments do not fit each other, or as `attack`.
        InfrastructureError: As `attack`.
    """
    try:
        named: dict[str, Any] = {k: tuple(v) for k, v in chosen.items() if v is not None}
        params = AttackParams(**named)
    except ValueError as error:
        raise InputError(f"attack: {error}") from error
    if studio and (datasets or originals or people):
        raise InputError("--studio draws its own clips", "leave out data sets, --originals and --people")
    if not studio and not datasets:
        raise InputError("there is nothing to attack", "name data sets, or --studio")
    data = ""
    if studio:
        datasets, people = build(laboratory or Laboratory(), out, workers=workers, say=_say)
        data = WORDS
    done = attack(datasets, out, params, originals=originals, people=people, laboratory=data, say=_say)
    write_attack_report(done)
    return Reported(done)


def _say(text: str) -> None:
    print(f"attack: {text}", file=sys.stderr, flush=True)
