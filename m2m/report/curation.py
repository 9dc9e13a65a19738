"""The page of selections of classes: what each is worth, its clusters, a map. One file, nothing fetched."""

import json
from dataclasses import asdict
from pathlib import Path

from m2m import __version__
from m2m.curate.worth import Study, Worth
from m2m.files import write_atomic
from m2m.report.figures import space
from m2m.report.pages import render

PAGE, FIGURES = "curation.html", "curation.json"

MEANING = {
    "RESOUND bias": "log accuracy less log chance of a classifier that sees one frame; less is less biased",
    "cosine to the nearest class": "how much a class looks like the most alike of the others; more is harder to tell",
    "entropy of clips per class": "1 where all classes have as many clips",
    "top-1 from all": "what motion adds to a model that was trained on all frames; more is less static",
}


def write_curation_report(study: Study, out: Path) -> None:
    """Writes `curation.html` and `curation.json`, the same figures for programs.

    Args:
        study: Selections, measured.
        out: A folder.

    Raises:
        InfrastructureError: They cannot be written.
    """
    text = render(
        "curation.html",
        study=study,
        version=__version__,
        meanings=MEANING,
        drawn=[(worth, _map(study, worth), _clusters(worth)) for worth in study.worths],
    )
    figures = {
        "schema": 1,
        "code_version": __version__,
        "dataset": study.dataset,
        "hash": study.hash,
        "encoder": study.encoder,
        "classes": len(study.classes),
        "clips": {"train": study.train, "test": study.test},
        "seed": study.seed,
        "selections": [
            {
                "name": worth.name,
                "method": worth.selection.method,
                "made_on_these_clips": worth.own,
                "classes": list(worth.selection.selected),
                "measures": [asdict(m) for m in worth.measures],
            }
            for worth in study.worths
        ],
    }
    write_atomic(out / FIGURES, (json.dumps(figures, indent=1, ensure_ascii=False) + "\n").encode())
    write_atomic(out / PAGE, text.encode())


def _map(study: Study, worth: Worth) -> str:
    cluster = {row.label: row.cluster for row in worth.selection.classes}
    numbers = [cluster.get(label) for label in study.classes]
    return space(study.places, study.classes, numbers, set(worth.selection.selected), worth.name)


def _clusters(worth: Worth) -> list[tuple[str, list[str]]]:
    """Each selected class and the others of its cluster."""
    rows = worth.selection.classes
    return [
        (r.label, [o.label for o in rows if o.cluster == r.cluster and o.label != r.label and r.cluster is not None])
        for r in rows
        if r.selected
    ]
