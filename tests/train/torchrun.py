"""torchrun's own launcher, with forks of the test in place of new programs: nothing is imported again."""

import multiprocessing
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch._dynamo  # noqa: F401  # else every process imports it
from torch.distributed.launcher.api import LaunchConfig, elastic_launch


def start(work: Callable[..., Any], *args: Any, each: int = 2, nodes: int = 1) -> list[BaseProcess]:
    """Starts groups of processes that train one model, as `torchrun --nnodes NODES --nproc-per-node EACH` on each node.

    Args:
        work: What every process does.
        args: Its arguments; of a tuple each node has its own item.
        each: Processes a node.
        nodes: Nodes; all are this machine.

    Returns:
        The launcher of each node.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launchers = []
    for node in range(nodes):
        own = [arg[node] if isinstance(arg, tuple) else arg for arg in args]
        launchers.append(
            multiprocessing.get_context("fork").Process(target=_launch, args=(nodes, each, port, work, own))
        )
        launchers[-1].start()
    return launchers


def finished(launchers: list[BaseProcess], seconds: float = 60) -> list[int | None]:
    """Exit codes: 0 where all went well. What has not ended in time is killed, and has none."""
    for launcher in launchers:
        launcher.join(seconds)
    codes = [launcher.exitcode for launcher in launchers]
    for launcher in launchers:
        kill(launcher)
    return codes


def kill(launcher: BaseProcess) -> None:
    """Kills a launcher and its processes, as the loss of the machine does."""
    path = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children")
    with suppress(FileNotFoundError, ProcessLookupError):
        for pid in [launcher.pid, *map(int, path.read_text().split())]:
            os.kill(pid, signal.SIGKILL)
    launcher.join()


def _launch(nodes: int, each: int, port: int, work: Callable[..., Any], args: list[Any]) -> None:
    config = LaunchConfig(
        min_nodes=nodes,
        max_nodes=nodes,
        nproc_per_node=each,
        run_id="toys",
        rdzv_backend="c10d",
        rdzv_endpoint=f"localhost:{port}",
        start_method="fork",
        monitor_interval=0.05,
        max_restarts=0,
    )
    elastic_launch(config, work)(*args)
