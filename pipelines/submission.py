"""What is submitted to reproduce experiments: a run of the experiment pipeline for each training and seed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from m2m.errors import InputError
from m2m.fingerprints import fingerprint
from m2m.reproduce.graph import TRAINING, Cell, Graph, Node
from m2m.reproduce.scale import Scale
from m2m.reproduce.tracked import identity
from pipelines.experiment import TRAININGS, Wiring
from pipelines.limits import check, check_tasks

DIGITS = 8
"""Of the key in a name."""
BESIDE = 2
"""Tasks besides trainings and tests: the page, and the one that notes how the run ended."""


@dataclass(frozen=True)
class Submission:
    """A run of the experiment pipeline.

    Attributes:
        name: The same in every planning of the same experiments.
        wiring: Which of the experiment pipelines.
        arguments: Its parameters.
        tasks: How many it has.
        shared: What the tracker will know its pre-training by; empty: it has none.
        rows: The rows that it is, as `table1/ppma`.
    """

    name: str
    wiring: Wiring
    arguments: Mapping[str, Any]
    tasks: int
    shared: str
    rows: tuple[str, ...]


def submissions(graph: Graph, scale: Scale) -> tuple[Submission, ...]:
    """What is to be submitted: rows that are the same training once, in the order of the experiments.

    Raises:
        InputError: A data set is not published, or a run would be too big for Argo.
    """
    hashes = data_hashes(graph, scale)
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in graph.cells:
        node = graph.nodes[cell.node]
        # The same model under another recipe of the tests is another run.
        recipe = fingerprint(node.work["evaluate"], node.work["model"])
        groups.setdefault((node.needs["parent"], recipe), []).append(cell)
    made = tuple(_submission(graph, hashes, graph.nodes[model], cells) for (model, _), cells in groups.items())
    for one in made:
        check_tasks(one.name, one.tasks)
        check(b"", dict(one.arguments))
    return made


def _submission(graph: Graph, hashes: Mapping[str, str], model: Node, cells: list[Cell]) -> Submission:
    tests = [graph.nodes[key] for key in dict.fromkeys(cell.node for cell in cells)]
    before = model.needs.get("parent", "") if model.kind == "align" else model.key
    learned = graph.nodes[before] if before else None
    wiring: Wiring = "unaligned" if model.kind == "pretrain" else "whole" if learned is not None else "scratch"
    # What is shared with others is named as they name it, or no cache would know it again.
    arguments = {
        "downstream": [_test(test, hashes) for test in tests],
        "model_params": (learned or model).work["model"],
        "evaluate_params": tests[0].work["evaluate"],
        "seed": model.work["seed"],
    }
    shared = ""
    if learned is not None:
        arguments |= {"pretrain_set": hashes[learned.needs["data"]], "pretrain_params": learned.work["pretrain"]}
        shared = identity(learned, hashes[learned.needs["data"]])
    if model.kind == "align":
        also = hashes[model.needs["also"]] if "also" in model.needs else ""
        arguments |= {"align_set": hashes[model.needs["data"]], "align_params": model.work["align"], "also_set": also}
    key = fingerprint(sorted([test.key, hashes[test.needs["data"]]] for test in tests))
    first = min(cells, key=lambda cell: (cell.experiment, cell.row))
    name = f"{first.experiment}-{first.row}-seed{model.work['seed']}-{key[:DIGITS]}"
    rows = tuple(dict.fromkeys(f"{cell.experiment}/{cell.row}" for cell in cells))
    return Submission(name, wiring, arguments, len(tests) + TRAININGS[wiring] + BESIDE, shared, rows)


def _test(node: Node, hashes: Mapping[str, str]) -> dict[str, Any]:
    about = {"title": node.work["name"], "dataset": hashes[node.needs["data"]], "protocol": node.work["protocol"]}
    return {**about, "seed": node.work["seed"], "epoch": node.work.get("epoch", 0)}


def data_hashes(graph: Graph, scale: Scale) -> dict[str, str]:
    """The hash of every data set that is trained or tested on, by its key.

    Raises:
        InputError: One is not published, which a cluster does not see.
    """
    hashes: dict[str, str] = {}
    lost: dict[str, str] = {}
    for node in graph.nodes.values():
        if node.kind in TRAINING:
            for key in (node.needs[role] for role in ("data", "also") if role in node.needs):
                for name, found, why in _published(graph, scale, node, key):
                    if found:
                        hashes[key] = found
                    else:
                        lost[name] = why
    if lost:
        listed = "; ".join(f"{name} ({why})" for name, why in lost.items())
        raise InputError(
            f"a cluster takes published data sets, and these are none: {listed}",
            "name them in a file for --data, as {data: {NAME: {published: HASH}}}",
        )
    return hashes


def _published(graph: Graph, scale: Scale, node: Node, key: str) -> Iterator[tuple[str, str, str]]:
    """Name and hash of a data set; in place of the hash nothing, and why."""
    data = graph.nodes[key]
    if data.kind != "join":
        names = [name for name, of in graph.data.items() if of == key]
        yield names[0], str(data.work.get("published", "")), str(data.work.get("wanted") or f"it is {_made(data)}")
        return
    train = next(name for name, of in graph.data.items() if of == data.needs["data"])
    name = joined_name(node.work["name"], train)
    source = scale.data.get(name)
    why = f"{train} joined with the test clips of {node.work['name']}: docs/pipelines.md says how"
    yield name, source.published if source else "", why


def _made(data: Node) -> str:
    return {"draw": "drawn", "fetch": "a folder or a version"}.get(data.kind, f"made by {data.kind}")


def joined_name(test: str, train: str) -> str:
    """What a joined data set is called in a file for `--data`: a set of groups is trained on in every row's own."""
    return f"{test}-{train}"
