"""Where the figures of an experiment are found: in the folder of a reproduction (here), or in MLflow (`tracked`)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from m2m.errors import InputError
from m2m.reproduce.graph import Graph, Node
from m2m.reproduce.node import done


@dataclass(frozen=True)
class Found:
    """A finished evaluation.

    Attributes:
        figures: What its `metrics.json` holds.
        place: Where that lies, for messages.
        run: Id of its run in MLflow; empty: none is known.
    """

    figures: Mapping[str, Any]
    place: str
    run: str = ""


class Finder(Protocol):
    """Finds what has been computed."""

    def evaluation(self, node: Node) -> Found | None:
        """What an evaluation came to; None: it is not finished.

        Raises:
            InputError: Its figures are damaged.
        """

    def groups(self, node: Node) -> Mapping[str, Sequence[str]]:
        """The clips of an evaluation's test by group.

        Raises:
            InputError: Nobody knows.
        """

    def card(self, name: str) -> Mapping[str, Any] | None:
        """The `dataset.json` of a data set; None: it is not there."""

    def audit(self, name: str) -> Mapping[str, Any] | None:
        """The `audit.json` of a data set; None: there is none."""

    def left(self, name: str) -> Mapping[str, float] | None:
        """How much of its people is left in a data set, see `people_left`; None: nobody knows.

        Raises:
            InputError: A file that it is counted of is missing or damaged.
        """


def read_figures(path: Path, place: str, advice: str) -> Any:
    """A JSON file.

    Args:
        path: The file.
        place: What messages call it.
        advice: What to do where it is none.

    Raises:
        InputError: It is not there, or damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{place} cannot be read: {error}", advice) from error


def read_if_there(path: Path) -> Mapping[str, Any] | None:
    """A JSON mapping; None where there is no such file, or it is none."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return values if isinstance(values, dict) else None


class Folders:
    """The folder of a reproduction.

    Args:
        graph: What was to be computed.
        root: The folder.
        runs: Ids of MLflow's runs by the fingerprint of their figures.
    """

    def __init__(self, graph: Graph, root: Path, runs: Mapping[str, str] | None = None) -> None:
        self._graph, self._root, self._runs = graph, root, runs or {}

    def evaluation(self, node: Node) -> Found | None:
        """See `Finder`."""
        if done(self._root, node) is None:
            return None
        path = self._root / node.folder / "metrics.json"
        figures = read_figures(path, str(path), "remove its folder and run again")
        run = self._runs.get(str(figures.get("fingerprint")), "") if isinstance(figures, dict) else ""
        return Found(figures, str(path), run)

    def groups(self, node: Node) -> dict[str, list[str]]:
        """See `Finder`."""
        path = self._dataset(node.needs["data"]) / "groups.json"
        groups: dict[str, list[str]] = read_figures(path, str(path), "run again")
        return groups

    def card(self, name: str) -> Mapping[str, Any] | None:
        """See `Finder`."""
        return self._of(name, "dataset.json")

    def audit(self, name: str) -> Mapping[str, Any] | None:
        """See `Finder`."""
        return self._of(name, "audit.json")

    def left(self, name: str) -> Mapping[str, float] | None:
        """See `Finder`."""
        from m2m.reproduce.left import people_left

        key = self._graph.data.get(name)
        if key is None or self.card(name) is None:
            return None
        return people_left(self._root / self._graph.nodes[key].folder)

    def _of(self, name: str, file: str) -> Mapping[str, Any] | None:
        key = self._graph.data.get(name)
        return read_if_there(self._dataset(key) / file) if key else None

    def _dataset(self, key: str) -> Path:
        from m2m.reproduce.data import DATASET

        return self._root / self._graph.nodes[key].folder / DATASET
