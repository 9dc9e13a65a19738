"""The tracker's side of a run: finds or makes it in MLflow and sends it what a spool holds."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from m2m import spool
from m2m.spool import Event
from m2m.tracking import FINGERPRINT, KIND, artifact_root
from m2m.wording import shown

T = TypeVar("T")

PARENT = "mlflow.parentRunId"
SETTLED = "m2m.settled"
LOOKS = 6
"""How often to look for a run on which its maker has settled."""
MISSING = "RESOURCE_DOES_NOT_EXIST"
LIMITS = {"metrics": 1000, "params": 100, "tags": 100}
"""How many of each MLflow takes in one call."""


class Unreachable(Exception):
    """The tracker did not take something and may take it later."""


class Gone(Unreachable):
    """The tracker no longer has the run: its database is another one."""


class Refused(Exception):
    """The tracker will never take something."""


class Tracker:
    """An MLflow server or database.

    Args:
        uri: Its address.
        settle: Seconds between looks whether another process made the same run.

    Raises:
        Unreachable: It is a database that cannot be opened.
    """

    def __init__(self, uri: str, settle: float = 1.0) -> None:
        self._uri, self._settle = uri, settle
        self._known: dict[tuple[str, str], set[tuple[int, str]]] = {}
        with _sorted_errors():
            self._client = MlflowClient(uri)

    def open(self, opened: Event) -> tuple[str, bool]:
        """Finds or makes the run that a spool begins.

        It is the run that the environment named, if that exists; else the one with the same kind and fingerprint; else
        a new one. Under a parent, a run that another parent has finished is not continued.

        Args:
            opened: First entry of the spool.

        Returns:
            The run's id, and whether it was there before.

        Raises:
            Unreachable: The tracker does not answer, or does not take the run.
        """
        identity = {KIND: opened["kind"], FINGERPRINT: opened["fingerprint"]}
        try:
            with _sorted_errors():
                run, resumed = self._named(opened["run_id"]), True
                if run is None:
                    experiment, parent = self._experiment(opened["experiment"]), opened["parent"]
                    if not parent and opened["pipeline"]:
                        name, whole = opened["pipeline"], {KIND: "pipeline", FINGERPRINT: opened["pipeline"]}
                        parent = self._find_or_make(experiment, name, whole, "", opened["time"])[0].info.run_id
                    run, resumed = self._find_or_make(experiment, opened["name"], identity, parent, opened["time"])
                run_id = str(run.info.run_id)
                if resumed:
                    self._client.update_run(run_id, status="RUNNING")
                tags = [RunTag(k, v) for k, v in {**identity, **opened["tags"]}.items()]
                self._client.log_batch(run_id, tags=tags)
                return run_id, resumed
        except Refused as error:
            raise Unreachable(str(error)) from error

    def send(self, run_id: str, events: Sequence[Event], path: Path, resumed: bool) -> list[tuple[Event, str]]:
        """Sends entries. What is sent twice is there once: MLflow drops metrics of equal value, step and time.

        Args:
            run_id: The run.
            events: Entries of a spool.
            path: The spool, which keeps the artifacts.
            resumed: Whether to leave out metrics that the run has already with another time: a retry repeats the steps
                since its last checkpoint.

        Returns:
            Entries that the tracker will never take, each with the reason.

        Raises:
            Unreachable: The tracker does not answer; some entries may have arrived.
        """
        try:
            with _sorted_errors():
                self._send(run_id, events, path, resumed)
        except Refused as error:
            if len(events) == 1:
                return [(events[0], str(error))]
            return [refused for event in events for refused in self.send(run_id, [event], path, resumed)]
        return []

    def _send(self, run_id: str, events: Sequence[Event], path: Path, resumed: bool) -> None:
        batch: dict[str, list[Any]] = {"metrics": [], "params": [], "tags": []}
        for e in events:
            match e["event"]:
                case "metrics":
                    new = [Metric(k, v, e["time"], e["step"]) for k, v in e["values"].items()]
                    batch["metrics"] += [m for m in new if not (resumed and self._has(run_id, m))]
                case "params":
                    batch["params"] += [Param(k, v) for k, v in e["values"].items()]
                case "tags":
                    batch["tags"] += [RunTag(k, v) for k, v in e["values"].items()]
        for what, entities in batch.items():
            for some in _chunks(entities, LIMITS[what]):
                named: dict[str, Any] = {what: some}
                self._client.log_batch(run_id, **named)
        for e in events:
            match e["event"]:
                case "dataset":
                    self._client.log_inputs(run_id, datasets=[_dataset(e)])
                case "artifact":
                    try:
                        file = spool.kept(path, e["file"])
                    except ValueError as error:
                        raise Refused(str(error)) from error
                    if not file.is_file():
                        raise Refused(f"{file} is no longer there")
                    self._client.log_artifact(run_id, str(file), e["folder"] or None)
                case "close":
                    self._client.set_terminated(run_id, e["status"], e["time"])

    def _has(self, run_id: str, metric: Metric) -> bool:
        key = (run_id, metric.key)
        if key not in self._known:
            history = self._client.get_metric_history(run_id, metric.key)
            self._known[key] = {(m.step, repr(m.value)) for m in history}
        return (metric.step, repr(metric.value)) in self._known[key]

    def _named(self, run_id: str) -> Run | None:
        if not run_id:
            return None
        try:
            run = self._client.get_run(run_id)
        except MlflowException as error:
            if error.error_code == MISSING:
                return None
            raise
        return run if run.info.lifecycle_stage == "active" else None

    def _experiment(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        if found is None:
            try:
                tags = {"mlflow.experimentKind": "custom_model_development"}  # MLflow would guess it
                return str(self._client.create_experiment(name, artifact_root(self._uri), tags))
            except MlflowException:
                found = self._client.get_experiment_by_name(name)
                if found is None:  # it was not another process that made it
                    raise
        if found.lifecycle_stage != "active":
            self._client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)

    def _find_or_make(
        self, experiment: str, name: str, identity: dict[str, str], parent: str, began: int
    ) -> tuple[Run, bool]:
        # MLflow cannot make a run only if there is none. So whoever made one looks again, all wait for one on which its
        # maker has settled, and the others delete theirs. Where a maker died before that, the last look decides.
        tags = {**identity, PARENT: parent} if parent else identity
        made: Run | None = None
        for _ in range(LOOKS):
            first = self._find(experiment, identity, parent)
            if first is not None and (SETTLED in first.data.tags or _same(first, made)):
                break
            if first is None and made is None:
                made = self._client.create_run(experiment, start_time=began, tags=tags, run_name=name)
            time.sleep(self._settle)
        chosen = first or made
        if chosen is None:
            raise Unreachable(f"the tracker has a run {name} and loses it again")
        run_id = chosen.info.run_id
        if SETTLED not in chosen.data.tags:
            self._client.set_tag(run_id, SETTLED, "1")
        if _same(chosen, made):
            return chosen, False
        if made is not None:
            self._client.delete_run(made.info.run_id)
        if parent and chosen.data.tags.get(PARENT) != parent:
            self._client.set_tag(run_id, PARENT, parent)
        return chosen, True

    def _find(self, experiment: str, identity: dict[str, str], parent: str) -> Run | None:
        """The first run under a parent, else one that was never finished; without a parent, the first of all.

        First is who has settled, then who is older.
        """
        query = " and ".join(f"tags.`{k}` = '{v}'" for k, v in identity.items())
        order = ["attributes.start_time ASC", "attributes.run_id ASC"]
        runs = sorted(
            self._client.search_runs([experiment], query, order_by=order), key=lambda r: SETTLED not in r.data.tags
        )
        if not parent:
            return runs[0] if runs else None
        under = [r for r in runs if r.data.tags.get(PARENT) == parent]
        return next((r for r in (*under, *runs) if r in under or r.info.status != "FINISHED"), None)


def _same(run: Run, other: Run | None) -> bool:
    return other is not None and run.info.run_id == other.info.run_id


@contextmanager
def _sorted_errors() -> Iterator[None]:
    """Tells what will never be taken from what may be taken later: a refused secret or host name is mended one day."""
    try:
        yield
    except MlflowException as error:
        why = shown(" ".join(str(error).split()))[:500]
        if error.error_code == MISSING:  # and not any 404: a proxy says that too
            raise Gone(why) from error
        raise (Refused if error.get_http_status_code() == 400 else Unreachable)(why) from error
    except (OSError, SQLAlchemyError) as error:
        raise Unreachable(shown(" ".join(str(error).split()))[:500]) from error


def _chunks(items: Sequence[T], n: int) -> Iterator[Sequence[T]]:
    return (items[start : start + n] for start in range(0, len(items), n))


def _dataset(event: Event) -> DatasetInput:
    """MLflow has 36 characters for the digest of a data set; the whole hash goes into its profile."""
    uri = event["uri"]
    kind = "s3" if uri.startswith("s3://") else "http" if uri.startswith(("http://", "https://")) else "local"
    source = json.dumps({"url" if kind == "http" else "uri": uri})
    data = Dataset(event["name"], event["hash"][:36], kind, source, profile=json.dumps({"hash": event["hash"]}))
    return DatasetInput(data, [InputTag("mlflow.data.context", event["context"])])
