"""A KFP backend: pipelines are uploaded under a version named by their content, then run or scheduled."""

import argparse
import functools
import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import kfp_server_api as api
import urllib3
from kfp import compiler

from m2m.errors import InfrastructureError, InputError
from pipelines.limits import check

T = TypeVar("T")

TOKEN = "KF_PIPELINES_TOKEN"
"""A user's token, in the environment: the command line is no place for secrets."""

TOKEN_PATH = "KF_PIPELINES_SA_TOKEN_PATH"
POD_TOKEN = Path("/var/run/secrets/kubeflow/pipelines/token")
"""The token of a pod's service account, where KFP's manifests mount it; TOKEN_PATH names another place."""

IN_CLUSTER = "http://ml-pipeline.kubeflow.svc.cluster.local:8888"
"""The API server's service, as KFP's manifests name it."""

PAGE = 100


@dataclass(frozen=True)
class Listed:
    """A run as the server lists it.

    Attributes:
        id: Its id.
        name: Its name.
        state: As KFP says it, `SUCCEEDED` say; empty as long as nothing has begun.
        about: Its description.
    """

    id: str
    name: str
    state: str
    about: str

    @property
    def succeeded(self) -> bool:
        """Whether all of it is done."""
        return self.state == "SUCCEEDED"

    @property
    def failed(self) -> bool:
        """Whether nothing more will come of it."""
        return self.state in ("FAILED", "CANCELED", "SKIPPED")

    @property
    def alive(self) -> bool:
        """Whether it runs, or waits to run."""
        return not self.succeeded and not self.failed


class Cluster:
    """A KFP API server, version 2.17.

    Args:
        endpoint: Its address; empty for the one in the cluster around this pod.
        namespace: Where runs run, on a server with users; empty on one without, which refuses any.
        experiment: What runs are grouped by; made where absent.
        service_account: Of their pods; empty for KFP's own.
        ca: Certificates of the endpoint.

    Attributes:
        client: What the generated services of `kfp_server_api` take.

    Raises:
        InputError: No endpoint is known, or a file that was named is not there.
    """

    def __init__(
        self,
        endpoint: str,
        namespace: str = "",
        experiment: str = "m2m",
        service_account: str = "",
        ca: Path | None = None,
    ) -> None:
        if not endpoint and "KUBERNETES_SERVICE_HOST" not in os.environ:
            raise InputError("no KFP endpoint is named", "give --endpoint or set KF_PIPELINES_ENDPOINT")
        if ca is not None and not ca.is_file():
            raise InputError(f"there is no file {ca}", "--ca names a file of certificates")
        if endpoint and "://" not in endpoint:
            raise InputError(
                f"--endpoint {endpoint!r} is no address", "name its scheme as well, as https://kfp.example"
            )
        self._endpoint = endpoint.rstrip("/") or IN_CLUSTER
        self._namespace, self._experiment_name, self._service_account = namespace, experiment, service_account
        # Not kfp.Client: it asks a server that is down for half a minute, and keeps the namespace in the home folder.
        settings = api.Configuration(host=self._endpoint)
        settings.ssl_ca_cert = str(ca) if ca else None
        settings.retries = urllib3.Retry(2, backoff_factor=0.5)
        if token := _token():
            settings.api_key, settings.api_key_prefix = {"authorization": token}, {"authorization": "Bearer"}
        self.client = client = api.ApiClient(settings)
        self._pipelines, self._uploads = api.PipelineServiceApi(client), api.PipelineUploadServiceApi(client)
        self._experiments, self._runs = api.ExperimentServiceApi(client), api.RunServiceApi(client)
        self._recurring = api.RecurringRunServiceApi(client)
        self._uploaded: dict[int, tuple[Any, bytes, Any]] = {}

    @classmethod
    def of(cls, args: argparse.Namespace) -> "Cluster":
        """The cluster that a command line means."""
        return cls(args.endpoint, args.namespace, args.experiment, args.service_account, args.ca)

    def submit(self, pipeline: Any, arguments: dict[str, Any], name: str = "", about: str = "") -> str:
        """Runs a pipeline now; gives the run's id.

        Args:
            pipeline: As the factories give it, for a cluster.
            arguments: Its parameters.
            name: Of the run; empty: the pipeline's.
            about: The run's description.

        Raises:
            InputError: The server refuses the token or the request, or the run would be too big for Argo.
            InfrastructureError: The server does not answer, or fails.
        """
        run = api.V2beta1Run(
            display_name=name or pipeline.name,
            description=about or None,
            experiment_id=self._experiment(),
            pipeline_version_reference=self._upload(pipeline, arguments),
            runtime_config=api.V2beta1RuntimeConfig(parameters=arguments),
            service_account=self._service_account or None,
        )
        return str(self._asked(lambda: self._runs.run_service_create_run(run)).run_id)

    def runs(self) -> list[Listed]:
        """All runs of the experiment, archived ones too; none where the experiment is not there."""
        found = self._named("experiments", self._experiments.experiment_service_list_experiments, self._experiment_name)
        if not found:
            return []
        listed = self._pages("runs", self._runs.run_service_list_runs, experiment_id=found[0].experiment_id)
        return [Listed(str(r.run_id), r.display_name or "", r.state or "", r.description or "") for r in listed]

    def schedule(self, name: str, pipeline: Any, arguments: dict[str, Any], cron: str) -> str:
        """Makes a schedule, or replaces the one of that name if it says something else.

        One run at a time, no catching up, the version pinned. The new schedule is there before the old one goes.

        Args:
            name: The schedule's name, its identity in the experiment.
            pipeline: As the factories give it, for a cluster.
            arguments: Its parameters.
            cron: Six fields.

        Returns:
            `new`, `changed` or `unchanged`.

        Raises:
            InputError: As for `submit`.
            InfrastructureError: As for `submit`.
        """
        wanted = api.V2beta1RecurringRun(
            display_name=name,
            experiment_id=self._experiment(),
            pipeline_version_reference=self._upload(pipeline, arguments),
            runtime_config=api.V2beta1RuntimeConfig(parameters=arguments),
            service_account=self._service_account or None,
            trigger=api.V2beta1Trigger(cron_schedule=api.V2beta1CronSchedule(cron=cron)),
            mode=api.RecurringRunMode.ENABLE,
            max_concurrency="1",
            no_catchup=True,
        )
        old = [run for run in self._schedules(wanted.experiment_id) if run.display_name == name]
        if len(old) == 1 and _said(old[0]) == _said(wanted):
            return "unchanged"
        self._asked(lambda: self._recurring.recurring_run_service_create_recurring_run(wanted))
        for run in old:
            gone = functools.partial(self._recurring.recurring_run_service_delete_recurring_run, run.recurring_run_id)
            self._asked(gone)
        return "changed" if old else "new"

    def _schedules(self, experiment: str) -> list[Any]:
        return self._pages(
            "recurring_runs", self._recurring.recurring_run_service_list_recurring_runs, experiment_id=experiment
        )

    def _experiment(self) -> str:
        """The id of the experiment; made where absent."""
        found = self._named("experiments", self._experiments.experiment_service_list_experiments, self._experiment_name)
        if not found:
            new = api.V2beta1Experiment(display_name=self._experiment_name, namespace=self._namespace or None)
            found = [self._asked(lambda: self._experiments.experiment_service_create_experiment(new))]
        return str(found[0].experiment_id)

    def _upload(self, pipeline: Any, arguments: dict[str, Any]) -> Any:
        """The version that holds exactly this content; uploaded where absent, and asked for once."""
        if (known := self._uploaded.get(id(pipeline))) is not None:
            check(known[1], arguments)
            return known[2]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{pipeline.name}.yaml"
            compiler.Compiler().compile(pipeline, str(path))
            content = path.read_bytes()
            check(content, arguments)
            name = f"{pipeline.name}-{hashlib.sha256(content).hexdigest()[:12]}"
            found = self._named("pipelines", self._pipelines.pipeline_service_list_pipelines, pipeline.name)
            where = {"namespace": self._namespace} if self._namespace else {}
            if not found:
                found = [self._asked(lambda: self._uploads.upload_pipeline(str(path), name=pipeline.name, **where))]
            parent = found[0].pipeline_id
            versions = self._pages("pipeline_versions", self._pipelines.pipeline_service_list_pipeline_versions, parent)
            held = [version for version in versions if version.display_name == name]
            if not held:
                held = [
                    self._asked(lambda: self._uploads.upload_pipeline_version(str(path), name=name, pipelineid=parent))
                ]
        version = held[0].pipeline_version_id
        reference = api.V2beta1PipelineVersionReference(pipeline_id=parent, pipeline_version_id=version)
        self._uploaded[id(pipeline)] = pipeline, content, reference  # with the pipeline, or another may get its id
        return reference

    def _named(self, kind: str, call: Callable[..., Any], name: str) -> list[Any]:
        """What has that name, in this namespace."""
        predicate = {"operation": "EQUALS", "key": "display_name", "stringValue": name}
        where = {"namespace": self._namespace} if self._namespace else {}
        return self._pages(kind, call, filter=json.dumps({"predicates": [predicate]}), **where)

    def _pages(self, kind: str, call: Callable[..., Any], *given: str, **more: Any) -> list[Any]:
        """Everything that a listing has, page by page."""
        found: list[Any] = []
        page = ""
        while True:
            got = self._asked(functools.partial(call, *given, page_token=page, page_size=PAGE, **more))
            found += getattr(got, kind) or []
            page = got.next_page_token or ""
            if not page:
                return found

    def _asked(self, ask: Callable[[], T]) -> T:
        """The answer, or the error in words."""
        try:
            return ask()
        except api.ApiException as error:
            if error.status in (401, 403):
                raise InputError(
                    f"{self._endpoint} refuses the token ({error.status})",
                    f"set {TOKEN} to a valid one, of somebody who may use the namespace",
                ) from error
            if error.status is not None and 400 <= error.status < 500:
                raise InputError(f"{self._endpoint} refuses the request: {_reason(error)}") from error
            raise InfrastructureError(f"{self._endpoint} failed: {_reason(error)}", "look at its log") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise InfrastructureError(
                f"{self._endpoint} does not answer: {error}", "check --endpoint, and that the server is up"
            ) from error


def _reason(error: api.ApiException) -> str:
    return " ".join(str(error.body or error.reason or error).split())[:300]


def _said(run: Any) -> tuple[Any, ...]:
    """What makes two schedules of one name the same."""
    version = run.pipeline_version_reference and run.pipeline_version_reference.pipeline_version_id
    cron = run.trigger and run.trigger.cron_schedule and run.trigger.cron_schedule.cron
    arguments = (run.runtime_config and run.runtime_config.parameters) or {}
    return version, cron, arguments, run.service_account or "", run.mode, str(run.max_concurrency), run.no_catchup


def _token() -> str:
    """The user's token, or that of this pod's service account; empty where there is none."""
    if token := os.environ.get(TOKEN):
        return token
    path = Path(os.environ.get(TOKEN_PATH) or POD_TOKEN)
    if TOKEN_PATH in os.environ and not path.is_file():
        raise InputError(f"{TOKEN_PATH} names {path}, which is not there", "mount the token, or unset it")
    return path.read_text(encoding="utf-8").strip() if path.is_file() else ""
