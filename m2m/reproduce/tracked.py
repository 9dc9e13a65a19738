"""What MLflow knows of trainings, found by what they are: before one has begun, and whoever has computed it."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from m2m.checkout import manifest
from m2m.errors import InfrastructureError, InputError
from m2m.fingerprints import of_training
from m2m.params import section
from m2m.reproduce.found import Found, read_figures, read_if_there
from m2m.reproduce.graph import Graph, Node
from m2m.reproduce.scale import Scale
from m2m.store import DATA as STORE
from m2m.tracking import FINGERPRINT, KIND, patience, tracking_uri
from m2m.train.versions import CODE_VERSION
from m2m.wording import shown

PAGE = 1000


@dataclass(frozen=True)
class Known:
    """A run of MLflow.

    Attributes:
        id: Its id.
        finished: Whether it is FINISHED.
        fingerprint: Of the training; what follows it names it by that.
        ours: Whether the same code trained that is here.
        began: When, in milliseconds since 1970.
    """

    id: str
    finished: bool
    fingerprint: str
    ours: bool
    began: int


class Runs:
    """The runs of a tracker.

    Args:
        uri: Its address; None: MLFLOW_TRACKING_URI.

    Raises:
        InputError: There is none.
        InfrastructureError: MLflow is not installed, or the tracker does not answer.
    """

    def __init__(self, uri: str | None = None) -> None:
        address = os.environ.get("MLFLOW_TRACKING_URI", "") if uri is None else uri
        if not address:
            raise InputError(
                "no tracker is named", "set MLFLOW_TRACKING_URI to the one that the cluster's tasks log to"
            )
        self._uri = tracking_uri(Path.cwd(), address)
        with self._asked() as mlflow:
            self._client = mlflow.MlflowClient(self._uri)

    def of(self, kind: str) -> dict[str, list[Known]]:
        """All runs of a kind by what the tracker knows a training by.

        Args:
            kind: `pretrain`, `align` or `evaluate`.
        """
        found: dict[str, list[Known]] = {}
        with self._asked():
            experiment = self._client.get_experiment_by_name(os.environ.get("MLFLOW_EXPERIMENT_NAME") or "m2m")
            token = None if experiment is not None else ""
            while token is None or token:
                query = f"tags.`{KIND}` = '{kind}'"
                page = self._client.search_runs([experiment.experiment_id], query, max_results=PAGE, page_token=token)
                for run in page:
                    found.setdefault(run.data.tags.get(FINGERPRINT, ""), []).append(_known(run))
                token = page.token or ""
        return found

    def figures(self, run: str) -> dict[str, Any]:
        """The `metrics.json` of a run."""
        with tempfile.TemporaryDirectory(prefix="m2m-") as scratch, self._asked():
            path = Path(self._client.download_artifacts(run, "metrics.json", scratch))
            figures: dict[str, Any] = read_figures(path, f"metrics.json of the run {run}", "compute it again")
            return figures

    @contextmanager
    def _asked(self) -> Iterator[Any]:
        """MLflow, and its errors in words."""
        try:
            import mlflow
            from sqlalchemy.exc import SQLAlchemyError
        except ImportError as error:
            raise InfrastructureError("mlflow is not installed", "pip install 'm2m[pipelines]'") from error
        try:
            with patience():
                yield mlflow
        except (mlflow.MlflowException, SQLAlchemyError, OSError) as error:
            why = shown(" ".join(str(error).split()))[:300]
            raise InfrastructureError(f"the tracker does not answer: {why}", "check MLFLOW_TRACKING_URI") from error


def _known(run: Any) -> Known:
    params, info = run.data.params, run.info
    ours = params.get("code_version") == CODE_VERSION
    return Known(info.run_id, info.status == "FINISHED", params.get("fingerprint", ""), ours, info.start_time or 0)


def identity(node: Node, data: str, parent: str = "", also: str = "") -> str:
    """What the tracker knows a training by.

    Args:
        node: The training.
        data: Hash of its data set.
        parent: Fingerprint of the training before it, if there is one.
        also: Hash of the second data set of an alignment.
    """
    work = node.work
    how, model = section(node.kind, work[node.kind]), section("model", work["model"])
    if node.kind == "evaluate":
        kept = f"{parent}/epoch-{work['epoch']:05d}" if "epoch" in work else parent
        return of_training(f"evaluate-{work['protocol']}", data, how, model, kept, work["seed"])
    return of_training(node.kind, data, replace(how, seed=work["seed"]), model, parent, None, also)


class Tracked:
    """Finds evaluations in MLflow, see `m2m.reproduce.found.Finder`. Cards and audits come from the data store.

    Args:
        graph: What was to be computed.
        scale: At which scale.
        hashes: Hash of the data set of every training, by the data set's key.
        runs: The tracker.
    """

    def __init__(self, graph: Graph, scale: Scale, hashes: Mapping[str, str], runs: Runs) -> None:
        self._graph, self._scale, self._hashes, self._runs = graph, scale, hashes, runs
        self._by_kind: dict[str, dict[str, list[Known]]] = {}
        self._trained: dict[str, list[Known]] = {}
        self._found: dict[str, Found] = {}
        self._files: dict[str, tuple[Mapping[str, Any] | None, ...]] = {}

    def evaluation(self, node: Node) -> Found | None:
        """See `Finder`."""
        runs = self._finished(node)
        if not runs:
            return None
        if node.key not in self._found:
            run = max(runs, key=lambda run: (run.ours, run.began))
            self._found[node.key] = Found(self._runs.figures(run.id), f"metrics.json of the run {run.id}", run.id)
        return self._found[node.key]

    def _finished(self, node: Node) -> list[Known]:
        """The finished runs of a training, whichever pipeline has run it."""
        if node.key not in self._trained:
            if node.kind not in self._by_kind:
                self._by_kind[node.kind] = self._runs.of(node.kind)
            known = self._by_kind[node.kind]
            before = node.needs.get("parent")
            parents = {run.fingerprint for run in self._finished(self._graph.nodes[before])} if before else {""}
            data, also = self._hashes[node.needs["data"]], self._hashes.get(node.needs.get("also", ""), "")
            found = [run for parent in sorted(parents) for run in known.get(identity(node, data, parent, also), [])]
            self._trained[node.key] = [run for run in found if run.finished]
        return self._trained[node.key]

    def groups(self, node: Node) -> dict[str, list[str]]:
        """See `Finder`: from the list of the scale's own, which the joined data set was made of."""
        from m2m.reproduce.data import clip_names, read_groups
        from m2m.train.marks import clip_mark

        named = self._scale.sets[node.work["name"]].groups
        if not named:
            raise InputError(
                f"nobody says which clips of {node.work['name']} are in which group",
                "name the list, as {sets: {NAME: {groups: FILE}}} in a file for --data",
            )
        found = self.evaluation(node)
        tested = found.figures.get("right", {}) if found else {}
        groups: dict[str, list[str]] = {}
        for path, _, group in read_groups(Path(named)):
            name = next((name for name in clip_names(path) if clip_mark(name) in tested), None)
            if name is None:
                raise InputError(f"{named} names {path}, which was not tested", "give the list that was joined by")
            groups.setdefault(group, []).append(name)
        return groups

    def card(self, name: str) -> Mapping[str, Any] | None:
        """See `Finder`."""
        return self._published(name)[0]

    def audit(self, name: str) -> Mapping[str, Any] | None:
        """See `Finder`."""
        return self._published(name)[1]

    def left(self, name: str) -> None:
        """See `Finder`: where clips were drawn, and what is true of them, is not published."""

    def _published(self, name: str) -> tuple[Mapping[str, Any] | None, ...]:
        """Card and audit of a data set; none where no data store is named."""
        if not os.environ.get(STORE):
            return None, None
        if name not in self._files:
            with manifest(self._hashes[self._graph.data[name]]) as folder:
                self._files[name] = tuple(read_if_there(folder / f"{file}.json") for file in ("dataset", "audit"))
        return self._files[name]
