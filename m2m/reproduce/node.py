"""Computes one node of a graph in its folder; what is there and finished is not done again."""

import json
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from m2m.errors import InputError
from m2m.files import write_atomic
from m2m.reproduce.graph import DATA, Node

DONE = "done.json"
OF = "of"
SCHEMA = 1


@dataclass(frozen=True)
class Done:
    """A finished node.

    Attributes:
        key: Its key.
        seconds: How long it took.
        note: What it came to, in a line.
    """

    key: str
    seconds: float
    note: str


def done(root: Path, node: Node) -> Done | None:
    """What a finished node has left, or None."""
    try:
        values = json.loads((root / node.folder / DONE).read_text(encoding="utf-8"))
        found = Done(str(values["key"]), float(values["seconds"]), str(values["note"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if found.key == node.key else None


def compute(root: Path, node: Node, needs: Mapping[str, str], workers: int = 1) -> Done:
    """Computes a node. Interrupted and started again, a training goes on from its last checkpoint.

    Args:
        root: Folder of the reproduction.
        node: The node.
        needs: Folders of what it needs, relative to `root`, by role.
        workers: Processes of a data set's making.

    Raises:
        M2MError: It cannot be made.
    """
    known = done(root, node)
    if known is not None:
        return known
    out, began = root / node.folder, time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    given = {role: root / folder for role, folder in needs.items()}
    note = _make(node, out, given, root, workers) if node.kind in DATA else _train(node, out, given)
    made = Done(node.key, _seconds(out, time.monotonic() - began), note)
    about = {"schema": SCHEMA, "key": made.key, "kind": node.kind, "name": node.name}
    text = json.dumps({**about, "seconds": round(made.seconds, 2), "note": made.note, "work": node.work}, indent=1)
    write_atomic(out / DONE, (text + "\n").encode())
    return made


def _seconds(out: Path, seconds: float) -> float:
    """The time of this run, and of those of interrupted ones that a file remembers."""
    try:
        return seconds + float((out / "interrupted").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return seconds


def interrupted(root: Path, node: Node, seconds: float) -> None:
    """Remembers the time of a run that was stopped before its end."""
    out = root / node.folder
    if out.is_dir():
        write_atomic(out / "interrupted", f"{_seconds(out, seconds):.2f}\n".encode())


def _make(node: Node, out: Path, needs: Mapping[str, Path], root: Path, workers: int) -> str:
    from m2m.clips import read_card
    from m2m.reproduce.data import CLIPS, DATASET, make_data

    for path in out.iterdir():  # but for what can be gone on with: drawn clips, and whatever the work store has
        if path.name != CLIPS:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    if node.kind in ("select", "augment", "plates"):
        (out / OF).symlink_to(os.path.relpath(needs["data"], out), target_is_directory=True)
    make_data(node, out, needs, root, workers)
    card = read_card(out / DATASET)
    return f"{card.clips} clips, {card.quarantined} quarantined, data {card.hash[:12]}"


def _train(node: Node, out: Path, needs: Mapping[str, Path]) -> str:
    from m2m import experiment
    from m2m.params import section
    from m2m.reproduce.data import DATASET
    from m2m.train.checkpoints import NAME

    work: Mapping[str, Any] = node.work
    how, model = section(node.kind, work[node.kind]), section("model", work["model"])
    data, seed = needs["data"] / DATASET, int(work["seed"])
    parent = needs.get("parent")
    if node.kind == "pretrain":
        trained = experiment.pretrain_set(data, out, how, model, seed=seed)
    elif node.kind == "align":
        also = needs["also"] / DATASET if "also" in needs else None
        trained = experiment.align_set(data, parent, out, how, model, seed=seed, also=also)
    else:
        named = {"name": work["name"], "protocol": work["protocol"], "seed": seed, "keep_model": False}
        named["epoch"] = work.get("epoch", 0)
        trained = experiment.evaluate_set(data, parent, out, how, model, **named)
    # Of no use once a training is over, and as large as several models.
    shutil.rmtree(out / ".m2m" / "checkpoints", ignore_errors=True)
    if node.kind != "evaluate" and not (out / NAME).is_file():
        raise InputError(f"{out} has no model", "remove the folder and run again")
    return str(trained)
