"""How big a run may be: Argo and Linux refuse what is bigger, after hours of work."""

import json
from typing import Any

from m2m.errors import InputError

ARGUMENT = 131_071
"""Bytes of one argument of a command; a task's whole input is one."""

WORKFLOW = 2**20
"""Bytes of Argo's workflow, as the API server of Kubernetes takes it."""

ARTIFACT = 670
"""Bytes that one artifact takes in a task's input."""


TASKS = 100
"""Tasks of one run: Argo keeps what is known of each in the workflow, which is one object."""


def executor_input(shards: int, arguments: dict[str, Any]) -> int:
    """Bytes of the biggest task's input: `merge` takes an artifact of every shard, and parameters."""
    return (shards + 2) * ARTIFACT + len(json.dumps(arguments).encode())


def check_tasks(name: str, tasks: int) -> None:
    """Refuses a run of too many tasks.

    Args:
        name: Of the run.
        tasks: How many.

    Raises:
        InputError: They are more than `TASKS`.
    """
    if tasks > TASKS:
        raise InputError(
            f"{name} would be {tasks} tasks, above {TASKS}",
            "plan fewer experiments in one call; of a curve keep fewer models: pretrain.keep_every in --data's params",
        )


def check(compiled: bytes, arguments: dict[str, Any]) -> None:
    """Refuses a run that would take more than half of what a backend takes.

    Args:
        compiled: The pipeline as a file.
        arguments: What the run gets.

    Raises:
        InputError: It is too big.
    """
    shards = int(arguments.get("ingest_params", {}).get("shards", len(arguments.get("downstream", []))))
    need = executor_input(shards, arguments)
    if need > ARGUMENT // 2:
        raise InputError(
            f"the biggest task's input would be {need} bytes, above half of {ARGUMENT}",
            "fewer, bigger shards: ingest.shards; or fewer tests in one run",
        )
    whole = len(compiled) + len(json.dumps(arguments).encode())
    if whole > WORKFLOW // 2:
        raise InputError(f"the pipeline is {whole} bytes, above half of {WORKFLOW}", "run it in parts")
