"""Starts a training on several processes of this machine, or of many: what torchrun does, from Python.

The data set is fetched once a machine, before the processes start. Kubeflow's Trainer tells a pod by `PET_*` variables
which of how many machines it is (docs/pipelines.md); without them there is one.
"""

import os
import pickle
import signal
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from m2m.checkout import checkout
from m2m.errors import InfrastructureError, InputError, M2MError

FAILURE = "failure"
SAVING = 120
"""Seconds that processes have to save after SIGTERM, where whoever sent it waits as long."""

MEETING = 4 * 3600
"""Seconds in which machines must meet: each fetches the data set first, and one may take hours longer than another."""


@dataclass(frozen=True)
class Machines:
    """Who takes part.

    Attributes:
        count: How many machines.
        rank: Which one this is, from 0.
        address: HOST:PORT of the first one; of one machine it chooses itself.
    """

    count: int = 1
    rank: int = 0
    address: str = "localhost:0"


def machines(environment: Mapping[str, str]) -> Machines:
    """What the environment says, in the names of torchrun's own variables.

    Raises:
        InputError: A number is none, or the first machine's address is missing.
    """
    try:
        count, rank = (
            int(environment.get(f"PET_{key}", default)) for key, default in (("NNODES", 1), ("NODE_RANK", 0))
        )
    except ValueError as error:
        raise InputError(f"PET_NNODES and PET_NODE_RANK are whole numbers: {error}") from error
    if count == 1:
        return Machines()
    if not 0 <= rank < count or "PET_MASTER_ADDR" not in environment:
        raise InputError(
            f"machine {rank} of {count} at {environment.get('PET_MASTER_ADDR', 'no address')} is none",
            "set PET_NODE_RANK from 0 and PET_MASTER_ADDR to the first machine",
        )
    return Machines(count, rank, f"{environment['PET_MASTER_ADDR']}:{environment.get('PET_MASTER_PORT', '29400')}")


def processes(wanted: str) -> int:
    """How many processes are meant.

    Args:
        wanted: A number, or `gpu` for one on each GPU of this machine (one where there is none).

    Raises:
        InputError: It is neither.
    """
    if wanted == "gpu":
        import torch  # slow

        return max(1, torch.cuda.device_count())
    if not wanted.isdecimal() or int(wanted) < 1:
        raise InputError(f"processes is a number of 1 or more, or gpu, not {wanted!r}")
    return int(wanted)


def launch(stage: str, dataset: str | Path, *args: Any, count: int, **named: Any) -> Any:
    """Runs a function of `m2m.experiment` in some processes that train one model together.

    Args:
        stage: The function's name: `pretrain_set` and so on.
        dataset: Its first argument: a folder, or the hash of a published data set.
        args: Its others.
        count: Processes on this machine.
        named: More of them.

    Returns:
        What the function returns in the first process of this machine.

    Raises:
        M2MError: What the first process that failed raised.
        InfrastructureError: A process died.
        KeyboardInterrupt: After SIGTERM or Ctrl-C, if the program has no other way of dealing with it.
    """
    among = machines(os.environ)
    if "RANK" in os.environ or count == among.count == 1:  # torchrun has started us, or nobody has to
        from m2m import experiment

        return getattr(experiment, stage)(dataset, *args, **named)
    with ExitStack() as stack:
        folder = stack.enter_context(checkout(dataset))
        if named.get("also") is not None:
            named["also"] = stack.enter_context(checkout(named["also"]))
        notes = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="m2m-")))
        with _signals_handed_on():
            return _spread(among, count, notes, (stage, folder, *args), {**named, "address": str(dataset)})


@contextmanager
def _signals_handed_on() -> Iterator[None]:
    """The launcher takes signals for itself: it stops the processes and raises what no program knows. Afterwards they
    have their usual effect, and keep it.

    Raises:
        KeyboardInterrupt: A signal has come, and the program has no other way of dealing with it.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException

    ours = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT) if ours}
    try:
        yield
    except SignalException as error:
        handler = before.get(error.sigval)
        if callable(handler):
            handler(error.sigval, None)
        raise KeyboardInterrupt from error
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)


def _spread(among: Machines, count: int, notes: Path, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    alone = among.count == 1
    config = LaunchConfig(
        min_nodes=among.count,
        max_nodes=among.count,
        nproc_per_node=count,
        rdzv_backend="c10d" if alone else "static",
        rdzv_endpoint=among.address,
        rdzv_configs={} if alone else {"rank": among.rank, "timeout": MEETING},
        local_addr="localhost" if alone else None,
        run_id="m2m",
        max_restarts=0,  # whoever started this starts it again, and it goes on from its last checkpoint
        start_method="spawn",  # what has used a GPU or threads must not be forked
        logs_specs=DefaultLogsSpecs(str(notes / "logs")),  # else a folder of its own that stays
        shutdown_timeout=SAVING,
    )
    try:
        found = elastic_launch(config, _take_part)(notes, args, named)
    except ChildFailedError as error:
        failures = sorted(notes.glob(f"{FAILURE}-*"), key=lambda path: path.stat().st_mtime_ns)
        if failures:
            raise pickle.loads(failures[0].read_bytes()) from error  # our own process wrote it
        rank, first = error.get_first_failure()
        raise InfrastructureError(
            f"process {rank} of the training ended with {first.exitcode}",
            "check the memory and what it printed above; started again, it goes on",
        ) from error
    return found[min(found)]


def _take_part(notes: Path, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """What one process does."""
    from m2m import experiment

    try:
        return getattr(experiment, args[0])(*args[1:], **named)
    except M2MError as error:
        (notes / f"{FAILURE}-{os.environ['RANK']}").write_bytes(pickle.dumps(error))
        raise
    except KeyboardInterrupt:  # it would end as if all were well, and the launcher wait for its result for ever
        raise SystemExit(128 + signal.SIGTERM) from None
