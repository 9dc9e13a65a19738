"""What is still to be computed, and what it costs: hours and disk, from what was measured."""

import json
import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from m2m.params import section
from m2m.reproduce.graph import DATA, TRAINING, Graph, Node
from m2m.reproduce.node import done
from m2m.reproduce.scale import Scale
from m2m.train.params import ModelParams

BACKWARD = 3
"""A step costs three times what the forward pass does."""
FLOAT = 4
"""Bytes of a weight."""
RESNET_FLOPS = {14: 1.5e9, 26: 2.4e9, 50: 4.1e9, 101: 7.8e9}
"""Forward, one picture of 224x224; of an inflated one about as much for a frame."""


@dataclass(frozen=True)
class Line:
    """A line of a plan.

    Attributes:
        kind: Of nodes.
        all: How many there are.
        there: How many of them are finished.
        least: Hours for the others at the best; of a GPU or core, as the scale says.
        most: At the worst.
        megabytes: Disk that they will take.
        known: Whether hours are known at all.
    """

    kind: str
    all: int
    there: int
    least: float
    most: float
    megabytes: float
    known: bool = True


@dataclass(frozen=True)
class Plan:
    """What a reproduction will do.

    Attributes:
        lines: By kind of node.
        todo: Names of what is to be computed, in order.
        wanted: What the user has yet to bring: name and what it must be.
        scale: The scale.
        workers: Processes.
    """

    lines: tuple[Line, ...]
    todo: tuple[str, ...]
    wanted: Mapping[str, str]
    scale: Scale
    workers: int

    @property
    def hours(self) -> tuple[float, float]:
        """Of everything that is to be done, least and most."""
        return sum(line.least for line in self.lines), sum(line.most for line in self.lines)

    def __str__(self) -> str:
        rows = [f"{self.scale.about}", f"{'':10s} {'all':>6s} {'there':>6s} {'to do':>6s} {'hours':>12s} {'disk':>9s}"]
        for line in self.lines:
            hours = _range(line.least, line.most) if line.known else "not known"
            disk = _size(line.megabytes)
            rows.append(
                f"{line.kind:10s} {line.all:6d} {line.there:6d} {line.all - line.there:6d} {hours:>12s} {disk:>9s}"
            )
        speed, (least, most) = self.scale.speed, self.hours
        rows.append(f"together {_range(least, most)} hours of {speed.device} ({speed.source})")
        if self.workers > 1 and most:
            rows.append(
                f"with {self.workers} processes about {_range(least / self.workers, most / self.workers)} hours"
            )
        rows += [f"  not there yet: {name}: {what}" for name, what in self.wanted.items()]
        return "\n".join(rows)


def make_plan(graph: Graph, scale: Scale, root: Path, workers: int = 1) -> Plan:
    """The plan of a graph.

    Args:
        graph: What is needed.
        scale: Its scale.
        root: Folder of the reproduction; need not be there.
        workers: Processes.
    """
    clips = {key: _clips(graph, node, scale, root) for key, node in graph.nodes.items() if node.kind in DATA}
    pace = _pace(graph, clips, root)
    lines, todo = [], []
    for kind in (*DATA, *TRAINING):
        nodes = [node for node in graph.nodes.values() if node.kind == kind]
        missing = [node for node in nodes if done(root, node) is None]
        if nodes:
            costs = [_cost(node, clips, pace, scale) for node in missing]
            known = all(math.isfinite(most) for _, most, _ in costs)
            least, most = (sum(c[i] for c in costs if math.isfinite(c[i])) / 3600 for i in (0, 1))
            lines.append(
                Line(kind, len(nodes), len(nodes) - len(missing), least, most, sum(c[2] for c in costs), known)
            )
        todo += [f"{node.kind} {node.name}" for node in missing]
    wanted = {n.name: n.work["wanted"] for n in graph.nodes.values() if n.kind == "fetch" and "wanted" in n.work}
    return Plan(tuple(lines), tuple(todo), wanted, scale, workers)


def _range(least: float, most: float) -> str:
    def text(hours: float) -> str:
        return f"{hours:.0f}" if hours >= 10 else f"{hours:.1f}" if hours >= 0.1 or not hours else f"{hours:.2f}"

    return text(least) if text(least) == text(most) else f"{text(least)}-{text(most)}"


def _size(megabytes: float) -> str:
    return f"{megabytes / 1000:.1f} GB" if megabytes >= 1000 else f"{megabytes:.0f} MB"


def _clips(graph: Graph, node: Node, scale: Scale, root: Path) -> tuple[int, int]:
    """How many clips a data set has to train and to test on: counted where it is there, else as its recipe says."""
    path = root / node.folder / "dataset" / "clips.parquet"
    if done(root, node) is not None and path.is_file():
        from m2m.clips import read_manifest

        rows = [clip for clip in read_manifest(path) if clip.status == "ok"]
        held = sum(clip.split not in ("train", "training", "") for clip in rows)
        return len(rows) - held, held
    needs = {role: graph.nodes[key] for role, key in node.needs.items()}
    if node.kind == "draw":
        work = node.work["studio"]
        classes = len(work.get("actions", ())) or work.get("classes", 6)
        return classes * work.get("clips", 2) * max(1, work.get("people", 0)), classes * work.get("test_clips", 0)
    if node.kind == "select":
        train, test = _clips(graph, needs["data"], scale, root)
        share = node.work["curate"]["classes"] / max(1, _classes(graph, needs["data"]))
        return round(train * share), round(test * share)
    if node.kind == "fetch":
        named = scale.data.get(node.name)
        train, test = named.clips if named is not None and named.clips else (0, 0)
        return train, test
    train, test = _clips(graph, needs["data"], scale, root)
    return (train, _clips(graph, needs["test"], scale, root)[1]) if node.kind == "join" else (train, test)


def _classes(graph: Graph, node: Node) -> int:
    """Classes of a drawn set, or of what was made of it."""
    if node.kind == "draw":
        work = node.work["studio"]
        return len(work.get("actions", ())) or int(work.get("classes", 6))
    if node.kind == "select":
        return int(node.work["curate"]["classes"])
    return _classes(graph, graph.nodes[node.needs["data"]]) if "data" in node.needs else 1


def _pace(graph: Graph, clips: Mapping[str, tuple[int, int]], root: Path) -> dict[str, float]:
    """Seconds a unit of work by kind, as this machine has measured them: a clip, or an operation."""
    spent, units = defaultdict[str, float](float), defaultdict[str, float](float)
    for node in graph.nodes.values():
        found = done(root, node)
        if found is not None and (unit := _units(node, clips)) > 0:
            spent[node.kind] += found.seconds
            units[node.kind] += unit
    return {kind: spent[kind] / units[kind] for kind in spent}


def _units(node: Node, clips: Mapping[str, tuple[int, int]]) -> float:
    """How much work a node is: clips of a data set, operations of a training."""
    return float(sum(clips[node.key])) if node.kind in DATA else operations(node, clips)


def _cost(
    node: Node, clips: Mapping[str, tuple[int, int]], pace: Mapping[str, float], scale: Scale
) -> tuple[float, float, float]:
    """Seconds, least and most (infinite where nobody knows), and megabytes."""
    units, speed = _units(node, clips), scale.speed
    if node.kind in DATA:
        megabytes = units * speed.megabytes * (1 + (node.kind in ("draw", "augment")))
        known = {"draw": speed.draw, "augment": speed.augment or math.inf}.get(node.kind, 0.01)
        seconds = units * pace.get(node.kind, known)
        return seconds, seconds, megabytes
    model = section("model", node.work["model"])
    kept = 1.0
    if node.kind == "pretrain" and (every := node.work["pretrain"]["keep_every"]):
        kept += node.work["pretrain"]["epochs"] // every
    megabytes = kept * weights(model) * FLOAT / 1e6 if node.kind != "evaluate" else 0.1
    if node.kind in pace:
        return units * pace[node.kind], units * pace[node.kind], megabytes
    slow, fast = min(speed.flops), max(speed.flops)
    return units / fast + speed.start, units / slow + speed.start, megabytes


def operations(node: Node, clips: Mapping[str, tuple[int, int]]) -> float:
    """Floating-point operations of a training, its test included.

    Args:
        node: The training.
        clips: Clips to train and to test on, by data set.
    """
    work: Mapping[str, Any] = node.work
    model = section("model", work["model"])
    train, test = clips[node.needs["data"]]
    if "also" in node.needs:
        train += clips[node.needs["also"]][0]
    if node.kind == "pretrain":
        how = work["pretrain"]
        return BACKWARD * train * how["epochs"] * how["samples"] * pretrain_flops(model, how["mask_ratio"])
    if node.kind == "align":
        how = work["align"]
        return BACKWARD * train * how["epochs"] * how["samples"] * flops(model)
    stage, views = work["evaluate"], math.prod(work["evaluate"]["views"])
    how, probe = stage[work["protocol"]], work["protocol"] == "lp"
    epochs = how["features"] or how["epochs"]
    every = stage["validate_every"]
    looks = (how["epochs"] // every if every else 0) + views
    return flops(model) * (train * epochs * how["samples"] * (1 if probe else BACKWARD) + test * looks)


def flops(model: ModelParams) -> float:
    """Operations of the forward pass of a classifier on one sample; a multiply-add is two."""
    frames = model.frames
    if model.kind in ("tsn", "i3d"):
        return RESNET_FLOPS[model.depth] * frames * math.prod(model.size) / 224**2
    tubelet = model.tubelet if model.kind == "videomae" else 1
    tokens = frames // tubelet * math.prod(side // model.patch for side in model.size)
    return blocks(model.depth, model.width, tokens) + 2 * tokens * 3 * tubelet * model.patch**2 * model.width


def pretrain_flops(model: ModelParams, ratio: float) -> float:
    """The same of a masked autoencoder that hides a share of the tokens."""
    tokens = math.prod(model.grid)
    seen, pixels = round(tokens * (1 - ratio)), 3 * model.tubelet * model.patch**2
    encoder = blocks(model.depth, model.width, seen) + 2 * seen * pixels * model.width
    hidden = 2 * (tokens - seen) * pixels * model.decoder_width
    return encoder + blocks(model.decoder_depth, model.decoder_width, tokens) + hidden


def blocks(depth: int, width: int, tokens: int) -> float:
    """Operations of transformer blocks."""
    return depth * (24.0 * tokens * width**2 + 4.0 * tokens**2 * width)


def weights(model: ModelParams) -> float:
    """How many weights a model has, roughly."""
    if model.kind in ("tsn", "i3d"):
        return {14: 8e6, 26: 14e6, 50: 25e6, 101: 44e6}[model.depth]
    trunk = 12.0 * model.depth * model.width**2 + 3 * model.tubelet * model.patch**2 * model.width
    return (
        trunk
        + 12.0 * model.decoder_depth * model.decoder_width**2
        + 3 * model.tubelet * model.patch**2 * model.decoder_width
    )


def as_json(plan: Plan) -> str:
    """The plan for programs."""
    values = {
        "scale": plan.scale.name,
        "lines": [vars(line) for line in plan.lines],
        "todo": list(plan.todo),
        "wanted": dict(plan.wanted),
        "hours": list(plan.hours),
    }
    return json.dumps(values, indent=1, allow_nan=False) + "\n"
