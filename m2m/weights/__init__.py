"""Model files that M2M does not ship: which there are, where they lie, what their licences permit."""

from collections.abc import Sequence

from m2m.errors import InputError, UsageError
from m2m.weights.fetch import fetch
from m2m.weights.listing import listing
from m2m.weights.registry import REGISTRY, Weight, accept, check, find_weight, folder, known

__all__ = ["REGISTRY", "Weight", "accept", "act", "check", "fetch", "find_weight", "folder", "known"]


def act(action: str, names: Sequence[str]) -> str:
    """What `m2m weights` does.

    Args:
        action: `list`, `fetch`, `check` (all that are there, if none is named) or `accept`.
        names: Of checkpoints.

    Returns:
        What to print.

    Raises:
        UsageError: `fetch` or `accept` without a name: nothing is downloaded or agreed to without being asked.
        InputError: There is no such checkpoint, it is absent or another file, or its licence was not accepted.
        InfrastructureError: The network or the disk fails.
    """
    wanted = [known(name) for name in names]
    if action in ("fetch", "accept") and not wanted:
        raise UsageError(f"m2m weights {action} needs a name", "m2m weights list names them")
    if action == "fetch":
        return "\n".join(f"{weight.name}: {fetch(weight)}" for weight in wanted)
    if action == "accept":
        for weight in wanted:
            accept(weight)
        return "\n".join(f"{weight.name}: accepted {weight.licence} ({weight.source})" for weight in wanted)
    if action == "check":
        for weight in wanted:
            if not weight.path.is_file():
                raise InputError(f"{weight.name} is not at {weight.path}", weight.advice)
        there = wanted or [weight for weight in REGISTRY.values() if weight.path.is_file()]
        lines = [f"{weight.name}: {check(weight, thoroughly=True)} {weight.path}" for weight in there]
        return "\n".join(lines) or f"no checkpoint is in {folder()}"
    return listing()
