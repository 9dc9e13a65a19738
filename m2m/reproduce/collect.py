"""Collects what the evaluations of an experiment came to in one file, which pages and comparisons are made of."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from m2m.errors import InputError
from m2m.files import write_atomic
from m2m.report.privacy import LEFT
from m2m.reproduce.experiment import Experiment, Row
from m2m.reproduce.found import Finder, Found
from m2m.reproduce.graph import Cell, Graph
from m2m.reproduce.scale import Scale

RESULTS = "results.json"
SCHEMA = 1


def collect(experiment: Experiment, scale: Scale, graph: Graph, finder: Finder) -> dict[str, Any]:
    """What is known of an experiment.

    Args:
        experiment: The experiment.
        scale: The scale at which it is run.
        graph: What it needs.
        finder: Where its figures are found.

    Returns:
        What goes into `results.json`; evaluations that are not finished are named under `missing`.

    Raises:
        InputError: A file of figures is damaged.
    """
    cells = [cell for cell in graph.cells if cell.experiment == experiment.name]
    rows = {name: experiment.rows[name] for name in dict.fromkeys(cell.row for cell in cells)}
    found, missing = [], []
    for cell in cells:
        node = graph.nodes[cell.node]
        evaluation = finder.evaluation(node)
        if evaluation is None:
            why = "not computed yet"
            missing += [_missing(cell, name, why) for name in experiment.groups or (cell.set,)]
        else:
            groups = finder.groups(node) if experiment.groups else {}
            found += list(_evaluations(cell, evaluation, experiment.groups, groups))
    for name, why in scale.left_out.get(experiment.name, {}).items():
        for of in experiment.groups or experiment.sets:
            missing += [
                {"row": name, "set": of, "protocol": p, "seed": s, "why": f"not run at this scale: {why}"}
                for p in experiment.protocols
                for s in scale.seeds
            ]
    columns: list[tuple[str, str, float | None]] = [(g, g.replace("_", " "), None) for g in experiment.groups]
    columns = columns or [(name, scale.sets[name].title, scale.sets[name].bias) for name in experiment.sets]
    known = {**rows, **{n: experiment.rows[n] for n in scale.left_out.get(experiment.name, {}) if n in experiment.rows}}
    order = [name for name in experiment.rows if name in known]
    return {
        "schema": SCHEMA,
        "experiment": experiment.name,
        "title": experiment.title,
        "question": experiment.question,
        "scale": scale.name,
        "kind": experiment.kind,
        "sets": [{"name": n, "title": t, "bias": b} for n, t, b in columns],
        "protocols": list(experiment.protocols),
        "rows": [_row(name, known[name], finder) for name in order],
        "compare": [list(pair) for pair in experiment.compare if set(pair) <= set(known)],
        "baseline": experiment.baseline if experiment.baseline in known else "",
        "evaluations": found,
        "privacy": list(_privacy(rows, finder)),
        "missing": missing,
        "mixed_code": sorted({e["code_version"] for e in found}) if len({e["code_version"] for e in found}) > 1 else [],
    }


def write_results(values: dict[str, Any], folder: Path) -> Path:
    """Writes the file; gives its path."""
    path = folder / RESULTS
    write_atomic(path, (json.dumps(values, indent=1, allow_nan=False) + "\n").encode())
    return path


def _missing(cell: Cell, name: str, why: str) -> dict[str, Any]:
    return {"row": cell.row, "set": name, "protocol": cell.protocol, "seed": cell.seed, "why": why}


def _evaluations(
    cell: Cell, evaluation: Found, names: Sequence[str], groups: Mapping[str, Sequence[str]]
) -> Iterator[dict[str, Any]]:
    """An evaluation as the file has it; one for each group of the test where there are groups."""
    from m2m.train.scores import share

    figures = evaluation.figures
    try:
        right = {str(mark): bool(hit) for mark, hit in figures["right"].items()}
        about = {
            "row": cell.row,
            "protocol": cell.protocol,
            "seed": cell.seed,
            "epoch": cell.epoch,
            "fingerprint": figures["fingerprint"],
            "classes": len(figures["classes"]),
            "variant": figures["variant"],
            "dataset": figures["dataset"],
            "data_hash": figures["data_hash"],
            "test_hash": figures["test_hash"],
            "code_version": figures["code_version"],
            "run": evaluation.run,
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{evaluation.place} is not an evaluation: {error!r}", "compute it again") from error
    for name, clips in (_grouped(names, groups, right) if names else {cell.set: right}).items():
        top1 = share(sum(clips.values()), len(clips))
        yield {
            **about,
            "set": name,
            "top1": top1.value,
            "low": top1.low,
            "high": top1.high,
            "n": top1.n,
            "clips": clips,
        }


def _grouped(
    names: Sequence[str], groups: Mapping[str, Sequence[str]], right: dict[str, bool]
) -> dict[str, dict[str, bool]]:
    """The clips of a test by group."""
    from m2m.train.marks import clip_mark

    lost = [name for name in names if not groups.get(name)]
    if lost:
        raise InputError(f"the list of groups names no clip of the group {lost[0]!r}", f"groups: {', '.join(groups)}")
    return {name: {mark: right[mark] for mark in map(clip_mark, groups[name])} for name in names}


def _row(name: str, row: Row, finder: Finder) -> dict[str, Any]:
    cards = [finder.card(data) or {} for data in row.data]
    known = all({"variant", "private"} <= set(card) for card in cards)
    variants = [str(card["variant"]) for card in cards] if known else []
    private = known and all(card["private"] for card in cards)
    return {
        "name": name,
        "title": row.title or name,
        "private": private,
        "reported": row.reported,
        "variant": " > ".join(dict.fromkeys(variants)),
        "note": row.note,
    }


def _privacy(rows: dict[str, Row], finder: Finder) -> Iterator[dict[str, Any]]:
    """What is known of the people in what each row was trained on: the audit's figures, and what is left of them."""
    for name, row in rows.items():
        data = tuple(dict.fromkeys(row.data))
        figures = {**_left(data, finder), **_audited(data, finder)}
        if figures:
            yield {"row": name, "figures": figures}


def _left(data: Sequence[str], finder: Finder) -> dict[str, Any]:
    """Of several data sets, that which shows most."""
    found = [left for name in data if (left := finder.left(name)) is not None]
    return {LEFT: max(found, key=lambda left: left["value"])} if len(found) == len(data) > 0 else {}


def _audited(data: Sequence[str], finder: Finder) -> dict[str, Any]:
    """The audits' figures of all data sets together; none where one was not audited."""
    audited, failed, checks = 0, 0, dict[str, list[int]]()
    for name in data:
        # What shows people on purpose is not audited for people, so its audit would say that all is well.
        audit = finder.audit(name) if (finder.card(name) or {}).get("private") else None
        if audit is None:
            return {}
        for found in audit["rows"]:
            audited += 1
            failed += found["verdict"] != "pass"
            for check, result in found["checks"].items():
                count = checks.setdefault(check, [0, 0])
                count[0] += result["ok"] is False
                count[1] += result["ok"] is not None
    if not audited:
        return {}
    figures = {check: {"k": k, "n": n} for check, (k, n) in sorted(checks.items()) if n}
    return {"audited": audited, "failed": failed, "failed by": figures}
