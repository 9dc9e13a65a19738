"""One process or several: what torchrun started us as."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from m2m.errors import InputError


@dataclass(frozen=True)
class Processes:
    """This process among all.

    Attributes:
        rank: Its number.
        count: How many there are.
        device: Where it computes.
    """

    rank: int
    count: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

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


@contextmanager
def processes(device: str) -> Iterator[Processes]:
    """Joins the other processes that torchrun started, if any.

    Args:
        device: `auto`, `cpu` or `cuda`.

    Raises:
        InputError: There is no GPU and `cuda` was asked for.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("there is no GPU that PyTorch can use", "set device to auto or cpu")
    where = torch.device("cpu")
    if device == "cuda" or (device == "auto" and torch.cuda.is_available()):
        where = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(where)
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Processes(0, 1, where)
        return
    dist.init_process_group("nccl" if where.type == "cuda" else "gloo")
    try:
        yield Processes(dist.get_rank(), dist.get_world_size(), where)
    finally:
        dist.destroy_process_group()
