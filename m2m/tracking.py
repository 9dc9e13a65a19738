"""Runs in MLflow: open or resume one, log to it, survive an outage of the tracker.

Everything is written to a spool on disk, in microseconds; a process of its own sends it (m2m.sender). A tracker that is
slow, dead or was never there costs the run nothing: what did not arrive stays in the spool and is sent when the next
run opens, or by `replay`.

Where to comes from the environment and is never an input of a pipeline's task, which would break its cache:
MLFLOW_TRACKING_URI, MLFLOW_EXPERIMENT_NAME, MLFLOW_RUN_ID (a run to go on with), M2M_PARENT_RUN (id of the parent) or
M2M_PIPELINE_RUN (name of the pipeline run, whose parent run is found or made), M2M_TRACKING (`off`; or `background`: a
run does not wait at its end, because its machine outlives it; or `later`: nothing is sent before somebody calls
`replay`, for many short runs that are sent together).
"""

import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from m2m import __version__
from m2m import spool as spools
from m2m.errors import InfrastructureError, InputError
from m2m.provenance import environment, git_revision
from m2m.spool import Spool
from m2m.store import WORK

if TYPE_CHECKING:
    from m2m.sender import Replayed

KIND = "m2m.kind"
FINGERPRINT = "m2m.fingerprint"
SWITCH = "M2M_TRACKING"
CLOSING = 120.0
"""Seconds a run waits for its sender at the very most; where the tracker does not answer it gives up long before."""

HTTP = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
"""MLflow's own patience is 7 tries of 120 s each; ours is the spool. Set for the sender, never for the run."""

DATABASES = ("sqlite", "postgresql", "mysql", "mssql")


class Run:
    """A run that is tracked. No method raises or waits because of the tracker.

    Args:
        spool: Where entries go; None: nowhere.

    Attributes:
        id: The tracker's id of the run, once it is closed; empty if the tracker has not answered.
        status: How it ends if nothing is raised.
    """

    def __init__(self, spool: Spool | None) -> None:
        self._spool = spool
        self.id = ""
        self.status = "FINISHED"

    def params(self, values: Mapping[str, Any]) -> None:
        """Logs parameters; sections of sections become names with dots. A parameter never changes."""
        self._add("params", values={_key(k): str(v)[:6000] for k, v in _flat(values).items()})

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Logs figures of a step.

        Raises:
            ValueError: A value is no number.
        """
        self._add("metrics", values={_key(k): float(v) for k, v in values.items()}, step=int(step), time=_now())

    def tags(self, values: Mapping[str, Any]) -> None:
        """Sets tags."""
        self._add("tags", values={_key(k): str(v)[:5000] for k, v in values.items()})

    def artifact(self, path: Path, folder: str = "") -> None:
        """Logs a file, which must not be changed in place afterwards; replacing it by renaming is fine.

        Args:
            path: The file.
            folder: Where it goes among the run's artifacts.

        Raises:
            InputError: There is no such file.
        """
        if self._spool is not None and (name := self._spool.keep(path)):
            self._add("artifact", file=name, folder=folder)

    def text(self, name: str, content: str) -> None:
        """Logs a text as an artifact."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / name
            file.write_text(content, encoding="utf-8")
            self.artifact(file)

    def dataset(self, name: str, hash: str, uri: str, context: str = "") -> None:
        """Logs which version of a data set the run reads.

        Args:
            name: Its name.
            hash: Its data hash.
            uri: Where it lies.
            context: What it is for: `training`, `validation` and so on.
        """
        self._add("dataset", name=name[:500] or "data", hash=hash, uri=uri, context=context or "input")
        self.tags({f"m2m.data.{context or 'input'}": hash})

    def _add(self, event: str, **values: Any) -> None:
        if self._spool is not None:
            self._spool.add(event, **values)


@contextmanager
def open_run(
    kind: str,
    name: str,
    fingerprint: str,
    *,
    spool: Path,
    params: Mapping[str, Any] | None = None,
    tags: Mapping[str, Any] | None = None,
    dataset: tuple[str, str, str] | None = None,
    parent: str = "",
    uri: str | None = None,
) -> Iterator[Run]:
    """Opens a run, or goes on with the one that has the same kind and fingerprint.

    It ends as FINISHED, as FAILED after an error, and as KILLED after Ctrl-C or SIGTERM. Of the processes of torchrun
    only the first tracks.

    Args:
        kind: `pretrain`, `align`, `evaluate`, or `pipeline` for the parent of a whole pipeline run.
        name: What people call it.
        fingerprint: Hash of everything the result depends on; of a pipeline run, its name.
        spool: Folder of the spools.
        params: Parameters, nested as they are.
        tags: Tags.
        dataset: Name, data hash and address of the data set.
        parent: Id of the parent run; empty: as the environment says.
        uri: The tracker; None: as the environment says.

    Raises:
        InputError: The tracker's address is none, or the spool's folder cannot be written.
    """
    target = tracking_uri(spool, uri)
    if os.environ.get(SWITCH) == "off" or os.environ.get("RANK", "0") != "0":
        yield Run(None)
        return
    out = Spool(spool, f"{_safe(kind)}-{_safe(fingerprint)[:16]}")
    run = Run(out)
    out.add("open", **_opening(kind, name, fingerprint, tags or {}, parent))
    run.params(params or {})
    if dataset is not None:
        run.dataset(*dataset)
    run.text("environment.txt", environment())
    sender = _start_sender(out, target)
    status = "FAILED"
    try:
        yield run
        status = run.status
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        out.add("close", status=status, time=_now())
        _close(run, out, sender)


def finish_pipeline(state: str, message: str = "") -> None:
    """Marks the run of a whole pipeline, named by M2M_PIPELINE_RUN, as it ended, and says so.

    Args:
        state: As KFP says it: `SUCCEEDED`, `FAILED` or `CANCELLED`.
        message: What went wrong.
    """
    name = os.environ.get("M2M_PIPELINE_RUN", "")
    print(f"m2m: pipeline run {name or 'without a name'}: {state.lower()}{': ' if message else ''}{message}")
    if not name:
        return
    with open_run("pipeline", name, _safe(name), spool=spool_folder(Path.cwd())) as run:
        run.status = {"SUCCEEDED": "FINISHED", "CANCELLED": "KILLED"}.get(state, "FAILED")
        run.tags({"m2m.state": state, "m2m.error": message})


def _opening(kind: str, name: str, fingerprint: str, tags: Mapping[str, Any], parent: str) -> dict[str, Any]:
    known = {
        "m2m.code_version": __version__,
        "mlflow.source.name": "m2m",
        "mlflow.source.git.commit": git_revision(),
        **tags,
    }
    pipeline = os.environ.get("M2M_PIPELINE_RUN", "")
    return {
        "kind": _safe(kind),
        "name": name,
        "fingerprint": _safe(fingerprint),
        "experiment": os.environ.get("MLFLOW_EXPERIMENT_NAME") or "m2m",
        "run_id": os.environ.get("MLFLOW_RUN_ID", ""),
        "parent": parent or os.environ.get("M2M_PARENT_RUN", ""),
        "pipeline": "" if kind == "pipeline" else _safe(pipeline),
        "tags": {_key(k): str(v)[:5000] for k, v in known.items() if v != ""},
        "time": _now(),
    }


def _start_sender(out: Spool, uri: str) -> subprocess.Popen[bytes] | None:
    if importlib.util.find_spec("mlflow") is None or os.environ.get(SWITCH) == "later":
        return None
    root = str(Path(__file__).resolve().parent.parent)
    path = os.pathsep.join(p for p in (root, os.environ.get("PYTHONPATH", "")) if p)
    with spools.log(out.path).open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "m2m.sender", str(out.path.absolute())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            pass_fds=[out.handle],  # and the lock with it
            start_new_session=True,  # Ctrl-C is for the run; what it logged last is still to be sent
            env={**os.environ, **HTTP, "PYTHONPATH": path, "MLFLOW_TRACKING_URI": uri},  # it may hold a password
        )


def _close(run: Run, out: Spool, sender: subprocess.Popen[bytes] | None) -> None:
    """Waits for the sender, which knows when to give up, and says what did not arrive."""
    answer: dict[str, Any] = {"arrived": False, "error": "mlflow is not installed"}
    try:
        if os.environ.get(SWITCH) == "later":
            return
        if sender is not None and os.environ.get(SWITCH) == "background":
            assert sender.stdin is not None
            with suppress(OSError):  # it is no longer there; the spool is
                sender.stdin.write(b".")
                sender.stdin.close()
            return
        if sender is not None:
            # Said and not only closed: the workers of a data loader have the pipe open too.
            said, _ = sender.communicate(b".", timeout=CLOSING)
            failed = {"arrived": False, "error": f"the sender failed, see {spools.log(out.path)}"}
            answer = json.loads(said) if said else failed
    except subprocess.TimeoutExpired:
        answer = {"arrived": False, "error": "the tracker is slow, and it is still being sent"}
    finally:
        out.close()
    run.id = answer.get("run_id") or run.id
    if not answer["arrived"]:
        why = answer["error"][:200]
        print(f"m2m: not tracked yet: {why}; the next run sends what is kept in {out.path}", file=sys.stderr)
    if answer.get("refused"):
        print(f"m2m: the tracker refused {answer['refused']} entries, see {out.path.parent}", file=sys.stderr)


def replay(spool: Path, uri: str | None = None) -> "Replayed":
    """Sends what earlier runs left in a folder, and in the work store if that is on S3. Doing it twice does no harm.

    Raises:
        InputError: There is no tracker, or its address is none.
        InfrastructureError: MLflow is not installed, or the tracker does not answer; what it took is not sent again.
    """
    target = tracking_uri(spool, uri)
    if not target:
        raise InputError("there is no tracker to send to", "set MLFLOW_TRACKING_URI")
    with patience():
        try:
            from m2m import sender
        except ImportError as error:
            raise InfrastructureError("mlflow is not installed", "pip install 'm2m[pipelines]'") from error
        done = sender.replay_to(target, spool)
    if done.left:
        raise InfrastructureError(
            f"{done}; the tracker does not answer: {done.error}", "nothing is lost; try again later"
        )
    return done


def patience() -> AbstractContextManager[None]:
    """While it is open, MLflow's client gives up soon where a tracker does not answer."""
    return _environment(HTTP)


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {k: os.environ.get(k) for k in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                del os.environ[key]
            else:
                os.environ[key] = value


def spool_folder(out: Path) -> Path:
    """Where a stage spools: in the work store if that is a folder, else beside its results."""
    work = os.environ.get(WORK, "")
    return Path(work).absolute() / "tracking" if work and "://" not in work else out / ".m2m" / "tracking"


def tracking_uri(spool: Path, uri: str | None = None) -> str:
    """The tracker's address: the one given, the environment's, or a database in the work folder or beside the spool.

    Returns:
        The address; empty if there is none because the work store is on S3, where no database can lie.

    Raises:
        InputError: It is MLflow's file store, or no address.
    """
    text = os.environ.get("MLFLOW_TRACKING_URI", "") if uri is None else uri
    work = os.environ.get(WORK, "")
    if not text and "://" in work:
        return ""
    text = text or f"sqlite:///{Path(work or spool.parent).absolute()}/mlflow.db"
    scheme = text.partition(":")[0].partition("+")[0]
    if scheme in ("http", "https", *DATABASES) and "://" in text:
        if scheme != "sqlite":
            return text
        path = Path(text.partition(":///")[2]).absolute()
        path.parent.mkdir(parents=True, exist_ok=True)
        return f"sqlite:///{path}"
    raise InputError(
        f"{text!r} is no tracker: MLflow's folders of files are not supported",
        "set MLFLOW_TRACKING_URI to sqlite:///PATH/mlflow.db or http://HOST:PORT",
    )


def artifact_root(uri: str) -> str | None:
    """Where a database's artifacts lie: beside it; a server knows where its own lie."""
    return (Path(uri.partition(":///")[2]).parent / "mlartifacts").as_uri() if uri.startswith("sqlite:") else None


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _key(name: str) -> str:
    """A name as MLflow takes it."""
    return re.sub(r"[^\w./ :-]", "_", str(name)).strip("/. ")[:250] or "_"


def _safe(text: str) -> str:
    """A text that is safe in a file's name and in a query."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", text)[:200]


def _now() -> int:
    return int(time.time() * 1000)
