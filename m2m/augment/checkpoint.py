"""Checkpoints of others: read without running what is in them, and loaded whole or not at all."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from m2m.errors import InputError

SHOWN = 3
AGAIN = "get it again from where it is published"
OTHER = "name the model's own file"


def read_pytorch(path: Path) -> Any:
    """What a file of PyTorch holds: tensors and plain values; no code in it runs.

    Raises:
        InputError: It is none, or asks for more.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a file of other bytes makes pickle and torch raise
        raise InputError(f"{path} is no checkpoint of PyTorch: {' '.join(str(error).split())[:200]}", AGAIN) from error


def compare_names(wanted: set[str], found: set[str], where: Path, advice: str = OTHER) -> None:
    """Raises InputError unless a checkpoint's names are the model's, with the first that are not."""
    faults = [
        f"{kind} {_some(names)}"
        for kind, names in (("lacks", wanted - found), ("has unknown", found - wanted))
        if names
    ]
    if faults:
        raise InputError(f"{where} is no checkpoint of this model: it {' and '.join(faults)}", advice)


def load_strict(model: torch.nn.Module, state: Any, where: Path, advice: str = OTHER) -> None:
    """Puts a checkpoint into a model: every weight of the one, and no other.

    Args:
        model: The model.
        state: Tensors by name, as read.
        where: The file, for messages.
        advice: What a user can do about another file.

    Raises:
        InputError: Names or shapes are not the model's, or it holds something else.
    """
    if not isinstance(state, Mapping) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise InputError(f"{where} is no checkpoint of this model: it holds no tensors by name", advice)
    own = model.state_dict()
    compare_names(set(own), set(state), where, advice)
    other = {k for k, v in state.items() if v.shape != own[k].shape}
    if other:
        shapes = ", ".join(f"{k} {tuple(state[k].shape)} for {tuple(own[k].shape)}" for k in sorted(other)[:SHOWN])
        raise InputError(
            f"{where} is no checkpoint of this model: {len(other)} tensors have another shape: {shapes}", advice
        )
    model.load_state_dict(dict(state))


def _some(names: set[str]) -> str:
    shown = ", ".join(sorted(names)[:SHOWN])
    return shown if len(names) <= SHOWN else f"{shown} and {len(names) - SHOWN} more"
