"""The data sheet of a selection: what is in it, where it comes from, how it was made (after Gebru et al., 2018)."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from m2m.clips import Clip, DatasetCard
from m2m.curate.select import Selection
from m2m.files import write_atomic
from m2m.wording import markdown

FILE = "DATASHEET.md"


def write_datasheet(card: DatasetCard, rows: Sequence[Clip], selection: Selection, folder: Path) -> None:
    """Writes the data sheet; the same data set gives the same bytes, and no clip is named.

    Args:
        card: The subset's card.
        rows: Its rows.
        selection: How it came about.
        folder: Where.

    Raises:
        InfrastructureError: It cannot be written.
    """
    good = [row for row in rows if row.status == "ok"]
    refused = Counter(row.reason for row in rows if row.status != "ok")
    splits = sorted({row.split for row in good})
    by_class = Counter((row.label, row.split) for row in good)
    why = {row.label: row for row in selection.classes}
    reasons = markdown(", ".join(f"{n} {r}" for r, n in sorted(refused.items())))
    parameters = ", ".join(f"{k} {v}" for k, v in sorted(selection.parameters.items()) if v != "")
    lines = [
        f"# {markdown(card.name)}",
        "",
        f"- **Content**: {len(good)} clips of {len(selection.selected)} classes, out of {len(selection.classes)}; "
        f"{sum(refused.values())} quarantined ({reasons or 'none'}). "
        + ("The people in them are shown." if not card.private else "The people in them were removed."),
        f"- **Licences**: {markdown('; '.join(card.licences)) or 'not recorded; they are those of the source'}",
        f"- **Hash**: {card.hash}",
        f"- **Selected from**: {card.parent}",
        f"- **Method**: {markdown(f'{selection.method}, code {card.code_version}')}",
        f"- **Frames described by**: {markdown(selection.encoder) or 'nothing: no clip was looked at'}",
        f"- **Parameters**: {markdown(parameters)}",
        "",
        f"| class | {' | '.join(markdown(s) or 'no split' for s in splits)} | bias | why |",
        f"|---|{'---:|' * (len(splits) + 1)}---|",
    ]
    for label in selection.selected:
        bias = why[label].bias
        counts = " | ".join(str(by_class[label, split]) for split in splits)
        lines.append(
            f"| {markdown(label)} | {counts} | {'' if bias is None else f'{bias:.2f}'} | {markdown(why[label].why)} |"
        )
    write_atomic(folder / FILE, ("\n".join(lines) + "\n").encode())
