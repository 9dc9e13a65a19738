"""What others measured and the certificate shows: attackers' figures beside the data set, recall of the detectors."""

import json
from collections.abc import Mapping
from importlib import resources
from math import isfinite
from pathlib import Path
from typing import Any

import yaml

from m2m.audit.bound import interval
from m2m.parsing import parse_json

ATTACK = "attack.json"


def attack(path: Path, dataset: str) -> dict[str, Any]:
    """The attackers' figures, or why there are none; a file that cannot be used counts for nothing and is told of."""
    none: dict[str, Any] = {"rows": [], "conditions": {}, "notes": []}
    if not path.is_file():
        return {**none, "why": "no attacker was run"}
    try:
        values = parse_json(path.read_bytes())
        if dataset not in values.get("conditions", {}).get("variants", {"": dataset}).values():
            return {**none, "why": f"{ATTACK} is of another data set: it does not count"}
        rows = [_attack_row(row) for row in values["rows"]]
        conditions = {
            str(k): v if isinstance(v, str) else json.dumps(v) for k, v in values.get("conditions", {}).items()
        }
        notes = [str(note) for note in values.get("notes", [])]
    except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        return {**none, "why": f"{ATTACK} cannot be read and does not count: {error!r:.200}"}
    return {"rows": rows, "conditions": conditions, "notes": notes, "why": "" if rows else f"{ATTACK} has no figure"}


def _attack_row(row: Mapping[str, Any]) -> dict[str, Any]:
    names = ("value", "low", "high", "chance", "control")
    numbers = {k: None if row.get(k) is None else float(row[k]) for k in names}
    if numbers["value"] is None or not all(isfinite(v) for v in numbers.values() if v is not None):
        raise ValueError("a figure has no value")
    said = {k: str(row[k]) for k in ("attacker", "variant", "figure")}
    return {**said, **numbers, "n": int(row["n"]), "verdict": str(row.get("verdict", ""))}


def recall() -> dict[str, Any]:
    """What benchmarks measured of the detectors by skin tone, size and truncation, if they did."""
    path = resources.files("m2m.audit").joinpath("recall.yaml")
    if not path.is_file():
        return {"conditions": "", "groups": [], "why": "nothing was measured yet"}
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    groups = []
    for g in values["groups"]:
        n, found = int(g["n"]), int(g["found"])
        low, high = interval(found, n) if n else (0.0, 1.0)
        groups.append({"group": g["group"], "value": str(g["value"]), "n": n, "found": found, "low": low, "high": high})
    return {"conditions": str(values["conditions"]), "groups": groups, "why": ""}
