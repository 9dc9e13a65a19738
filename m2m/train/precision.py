"""In which numbers a model computes, and by which code: PyTorch's own kernels, or compiled ones."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import nn

from m2m.errors import InfrastructureError


def resolved(precision: str, device: torch.device) -> str:
    """`bf16` or `fp32`: `auto` is bfloat16 where the hardware is made for it, on GPUs."""
    return precision if precision != "auto" else ("bf16" if device.type == "cuda" else "fp32")


def autocast(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """Products in bfloat16 or all in float32; weights, sums and losses are float32 either way."""
    return torch.autocast(device.type, torch.bfloat16) if resolved(precision, device) == "bf16" else nullcontext()


def compiled(model: nn.Module) -> nn.Module:
    """The model behind compiled code, on the same weights; what is random is drawn as without."""
    return torch.compile(model, dynamic=False, options={"fallback_random": True})  # type: ignore[return-value]


@contextmanager
def compiling(wanted: bool) -> Iterator[None]:
    """Where compiled code is called, for it is made at the first call.

    Raises:
        InfrastructureError: It cannot be made.
    """
    if not wanted:
        yield
        return
    from torch._dynamo.exc import TorchDynamoException  # takes seconds to import

    try:
        yield
    except TorchDynamoException as error:
        why = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise InfrastructureError(
            f"the model cannot be compiled: {why[:300]}",
            "install a C++ compiler (on a GPU also Triton), or set compile to false",
        ) from error
