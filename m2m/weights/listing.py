"""What `m2m weights list` prints."""

from m2m.errors import M2MError
from m2m.weights.registry import REGISTRY, check, folder


def listing() -> str:
    """Every checkpoint: whether it is there, its licence, who loads it, and how to get it."""
    lines = [f"folder: {folder()} (M2M_WEIGHTS)"]
    for weight in REGISTRY.values():
        permits = "any use" if weight.commercial else "non-commercial use only"
        state = "absent"
        if weight.path.is_file():
            try:
                state = f"there, sha256 {check(weight)[:12]}" if weight.accepted else "there, licence not accepted"
            except M2MError as error:
                state = f"WRONG: {error}"
        lines += [
            f"{weight.name}: {state}",
            f"  {weight.file}, for {', '.join(weight.used_by)}; {weight.licence}: {permits}",
            f"  from {weight.source}",
        ]
        if not state.startswith("there, sha"):
            accept = f"m2m weights accept {weight.name}"
            lines.append(f"  get it: {accept if weight.path.is_file() and not weight.accepted else weight.advice}")
    return "\n".join(lines)
