"""What a pipeline artifact says of itself: its kind and the schema's version, checked by the stage that receives it."""

from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, Protocol

from m2m.errors import InputError

SCHEMA = 1
"""Version of what artifacts hold; raised when a stage can no longer read what an older one wrote."""

KINDS = frozenset(
    ("dataset", "people", "plates", "bodies", "composed", "audited", "checkpoint", "evaluation", "report")
)


class Artifact(Protocol):
    """What is needed of a Kubeflow artifact.

    Attributes:
        path: Where it lies on this machine.
        metadata: JSON values that travel with it.
    """

    path: str
    metadata: dict[str, Any]


def stamp(artifact: Artifact, kind: str, about: Any = None, **more: Any) -> None:
    """Writes kind, schema version and figures into an artifact's metadata.

    Args:
        artifact: What a stage has written.
        kind: One of `KINDS`.
        about: A dataclass of figures, or None.
        more: Further figures; they win over `about`.

    Raises:
        ValueError: The kind is unknown.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown kind of artifact {kind!r}; known: {', '.join(sorted(KINDS))}")
    figures = asdict(about) if is_dataclass(about) and not isinstance(about, type) else {}
    plain = {k: _plain(v) for k, v in {**figures, **more}.items()}
    artifact.metadata.update({**plain, "m2m_kind": kind, "m2m_schema": SCHEMA})


def opened(artifact: Artifact, kind: str) -> Path:
    """The path of an artifact of the kind that a stage reads.

    A missing or empty input counts as success on a real backend, so it is looked at here.

    Raises:
        InputError: It is of another kind or schema, or there is nothing at its path.
    """
    found, schema = artifact.metadata.get("m2m_kind"), artifact.metadata.get("m2m_schema")
    if found != kind:
        raise InputError(
            f"this stage reads a {kind} artifact and was given {found or 'one without a kind'}: {artifact.path}",
            "check how the pipeline is wired",
        )
    # JSON knows no integers: a backend may hand back 1.0.
    if schema != SCHEMA:
        raise InputError(
            f"{artifact.path} has schema {schema}, this code reads {SCHEMA}", "run the stage that wrote it again"
        )
    path = Path(artifact.path)
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        raise InputError(f"the {kind} artifact {path} is empty", "look at the store; run the stage that wrote it again")
    return path


def _plain(value: Any) -> Any:
    """A value as JSON holds it; paths and what else is not JSON as text."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return str(value)
