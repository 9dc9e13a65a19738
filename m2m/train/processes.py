"""One process or several: what torchrun started us as."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from m2m.errors import InfrastructureError, InputError
from m2m.train.precision import autocast

LOST = ("gloo", "nccl", "connection", "timed out")
"""Words in what PyTorch says when another process is gone; gloo has no exception of its own."""


@dataclass(frozen=True)
class Processes:
    """This process among all.

    Attributes:
        rank: Its number.
        count: How many there are.
        device: Where it computes.
        precision: In which numbers: `auto`, `bf16` or `fp32`.
    """

    rank: int
    count: int
    device: torch.device
    precision: str = "auto"

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def autocast(self) -> AbstractContextManager[Any]:
        """Where a model computes."""
        return autocast(self.precision, self.device)

    def share(self, model: nn.Module) -> nn.Module:
        """The model on the device; with several processes one whose gradients are averaged over them."""
        model = model.to(self.device)
        if self.count == 1:
            return model
        return DistributedDataParallel(model, device_ids=[self.device.index] if self.device.type == "cuda" else None)

    def sum(self, values: Tensor) -> Tensor:
        """The sum over all processes."""
        if self.count > 1:
            dist.all_reduce(values)
        return values

    def any(self, *flags: bool) -> tuple[bool, ...]:
        """Of each flag whether it is set in any process. On a GPU nobody waits for what it computes."""
        if self.count == 1:
            return flags
        values = torch.tensor(flags, dtype=torch.int32)
        dist.all_reduce(values, dist.ReduceOp.MAX)
        return tuple(bool(v) for v in values.tolist())

    def share_buffers(self, model: nn.Module) -> None:
        """Gives all processes the first one's buffers: means that batch norm has of its own part of the last step."""
        if self.count > 1:
            for buffer in model.buffers():
                dist.broadcast(buffer, 0)

    def gather(self, value: Any) -> list[Any]:
        """What every process has, in the order of ranks."""
        if self.count == 1:
            return [value]
        values: list[Any] = [None] * self.count
        dist.all_gather_object(values, value)
        return values

    def from_first(self, value: Any) -> Any:
        """What the first process has."""
        if self.count == 1:
            return value
        values = [value]
        dist.broadcast_object_list(values)
        return values[0]


def check_share(batch: int, samples: int, count: int) -> None:
    """Makes sure that processes have equal parts of every batch: else most of them would wait for one.

    Args:
        batch: Samples a step, over all processes.
        samples: Samples of a clip, which one process has.
        count: Processes.

    Raises:
        InputError: They have not.
    """
    clips = max(1, batch // samples)
    if clips % count == 0:
        return
    fitting = max(n for n in range(1, count) if clips % n == 0)
    less, more = clips // count * count * samples, (clips // count + 1) * count * samples
    what = f"a batch of {batch} samples" + (f" of {clips} clips" if samples > 1 else "")
    batches = f"{less} or {more}" if less else f"{more}"
    raise InputError(
        f"{what} cannot be shared evenly by {count} processes",
        f"start {fitting} process{'es' * (fitting > 1)}, or set batch to {batches} (and lr with it)",
    )


@contextmanager
def processes(device: str, precision: str = "auto") -> Iterator[Processes]:
    """Joins the other processes that torchrun started, if any.

    Args:
        device: `auto`, `cpu` or `cuda`.
        precision: `auto`, `bf16` or `fp32`.

    Raises:
        InputError: There is no GPU and `cuda` was asked for, or fewer than processes.
        InfrastructureError: Another process is gone, or the GPU's memory is full.
    """
    where, count = _device(device), int(os.environ.get("WORLD_SIZE", "1"))
    try:
        if count > 1:
            # On GPUs gloo too: flags and figures that lie in the CPU's memory do not wait for the GPU.
            dist.init_process_group("cpu:gloo,cuda:nccl" if where.type == "cuda" else "gloo")
        yield Processes(dist.get_rank() if count > 1 else 0, count, where, precision)
    except torch.OutOfMemoryError as error:
        raise InfrastructureError(
            f"the GPU's memory is full: {str(error).splitlines()[0]}", "set micro_batch, or set it lower"
        ) from error
    except RuntimeError as error:
        if count == 1 or not any(word in str(error).lower() for word in LOST):
            raise
        why = str(error).splitlines()[0][:300]
        raise InfrastructureError(
            f"another process of this training is gone: {why}", "start all again; they go on from the last checkpoint"
        ) from error
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def _device(wanted: str) -> torch.device:
    if wanted == "cpu" or (wanted == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise InputError("there is no GPU that PyTorch can use", "set device to auto or cpu")
    number, gpus = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if number >= gpus:
        raise InputError(f"there is no GPU for process {number}: this machine has {gpus}", "start as many processes")
    device = torch.device("cuda", number)
    torch.cuda.set_device(device)
    return device
