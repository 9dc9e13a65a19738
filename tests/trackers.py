"""What tests of the tracker share: an MLflow database that is ready, and a look into it."""

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

from mlflow import MlflowClient


@functools.cache
def _ready() -> Path:
    """A database with its tables made, which takes MLflow seconds."""
    folder = tempfile.mkdtemp(prefix="m2m-mlflow-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = Path(folder) / "mlflow.db"
    MlflowClient(f"sqlite:///{path}")
    return path


def database(folder: Path) -> str:
    """Address of an empty database in a folder."""
    shutil.copyfile(_ready(), folder / "mlflow.db")
    return f"sqlite:///{folder / 'mlflow.db'}"


def runs(uri: str) -> list:
    """All runs that are not deleted, oldest first."""
    client = MlflowClient(uri)
    experiments = [e.experiment_id for e in client.search_experiments()]
    return sorted(client.search_runs(experiments), key=lambda r: r.info.start_time)


def history(uri: str, run_id: str, key: str) -> list[tuple[int, float]]:
    """Step and value of every entry of a metric, in order."""
    return sorted((m.step, m.value) for m in MlflowClient(uri).get_metric_history(run_id, key))
