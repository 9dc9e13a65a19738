"""Where heavy models run, and what to do when a GPU's memory is short."""

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from m2m.errors import InfrastructureError, InputError

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)
T = TypeVar("T")
R = TypeVar("R")


def pick_device(wanted: str) -> "torch.device":
    """The device that a parameter names.

    Args:
        wanted: `auto` (a GPU where there is one), `cpu`, `cuda` or `cuda:N`.

    Raises:
        InputError: It names no device.
        InfrastructureError: PyTorch is not installed, or a GPU was asked for and there is none.
    """
    try:
        import torch
    except ImportError as error:
        raise InfrastructureError("this backend needs PyTorch", "Install it with `pip install 'm2m[paper]'`") from error
    kind, _, number = wanted.partition(":")
    if kind not in ("auto", "cpu", "cuda") or (":" in wanted and not (kind == "cuda" and number.isdecimal())):
        raise InputError(f"device is auto, cpu, cuda or cuda:N, not {wanted!r}")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if kind == "cuda" and int(number or 0) >= count:
        raise InfrastructureError(
            f"device {wanted} was asked for, and PyTorch sees {count} GPUs",
            "check the driver with nvidia-smi, or set the device to cpu",
        )
    return torch.device("cuda" if kind == "auto" and count else "cpu" if kind == "auto" else wanted)


def halving(work: Callable[[Sequence[T]], list[R]], items: Sequence[T], least: int = 1) -> list[R]:
    """Does work in pieces, each half as long as the one for which the GPU's memory was short.

    Args:
        work: Turns n items into n results, one by one whatever stands beside an item.
        items: All of them.
        least: Items below which there is no smaller piece.

    Raises:
        InfrastructureError: `least` items do not fit either.
    """
    import torch

    done: list[R] = []
    size = len(items)
    while len(done) < len(items):
        try:
            done += work(items[len(done) : len(done) + size])
        except torch.OutOfMemoryError as error:
            if size <= least:
                raise InfrastructureError(
                    f"the GPU's memory is too short for {size} at a time: {str(error).splitlines()[0]}",
                    "use a GPU with more memory, fewer workers, or a smaller size",
                ) from error
            size = max(least, size // 2)
            torch.cuda.empty_cache()
            log.warning("the GPU's memory is short: going on with %d at a time", size)
    return done
