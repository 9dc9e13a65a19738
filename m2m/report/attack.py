"""The page of attackers, and the same table as Markdown."""

from typing import Any

from m2m import __version__
from m2m.attack.params import MEANING
from m2m.attack.reading import NAMES, percent, readings
from m2m.attack.rows import Row
from m2m.attack.run import Attacked
from m2m.files import write_atomic
from m2m.report.pages import render
from m2m.wording import markdown as as_markdown

PAGE, TEXT = "attack.html", "attack.md"
HEADINGS = (
    "attacker",
    "variant",
    "figure",
    "value",
    "95 % interval",
    "chance",
    "plate alone",
    "over the plate",
    "n",
    "verdict",
)


def write_attack_report(done: Attacked) -> None:
    """Writes `attack.html` and `attack.md` into the folder of the results.

    Raises:
        InfrastructureError: They cannot be written.
    """
    values: dict[str, Any] = {
        "rows": [(row, cells(row)) for row in done.rows],
        "headings": HEADINGS,
        "readings": readings(done.rows),
        "conditions": done.conditions,
        "notes": done.notes,
        "meanings": {
            k: v for k, v in MEANING.items() if any(r.attacker.split(",")[0].split(":")[0] == k for r in done.rows)
        },
        "version": __version__,
    }
    write_atomic(done.out / PAGE, render("attack.html", **values).encode())
    write_atomic(done.out / TEXT, markdown(done).encode())


def cells(row: Row) -> tuple[str, ...]:
    """A row as words, in the order of HEADINGS."""

    def shown(value: float) -> str:
        return f"{value:.1f}" if row.figure == "median_rank" else percent(value)

    over = "" if row.over_control is None else f"{shown(row.over_control[1])} to {shown(row.over_control[2])}"
    return (
        row.attacker,
        row.variant,
        NAMES[row.figure],
        shown(row.value),
        f"{shown(row.low)} to {shown(row.high)}",
        shown(row.chance),
        "" if row.control is None else shown(row.control),
        over,
        str(row.n),
        row.verdict,
    )


def markdown(done: Attacked) -> str:
    """The table as Markdown."""
    known = done.conditions
    data = as_markdown(str(known["data"]))
    size = ", ".join(f"{known[k]} {k}" for k in ("clips", "persons", "places") if k in known)
    lines = [
        f"{data}: {size}; {len(known['params']['seeds'])} seeds; intervals are {known['interval']}.",
        "",
    ]
    lines += [f"- {as_markdown(sentence)}" for sentence in readings(done.rows)]
    lines += ["", f"| {' | '.join(HEADINGS)} |", f"|{'---|' * len(HEADINGS)}"]
    lines += [f"| {' | '.join(map(as_markdown, cells(row)))} |" for row in done.rows]
    lines += ["", *(f"- {as_markdown(note)}" for note in done.notes)]
    return "\n".join(lines) + "\n"
