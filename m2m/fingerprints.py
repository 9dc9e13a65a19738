"""Fingerprints: hashes of values that are the same in every process and on every machine."""

import dataclasses
import hashlib
import json
from typing import Any


def fingerprint(*parts: Any) -> str:
    """A hash of values: the same values give the same 64 hexadecimal digits in every process and on every machine.

    Args:
        parts: JSON values, tuples (as lists) and dataclasses (as mappings), nested as needed.

    Raises:
        TypeError: A value has no canonical form (a set, a path, bytes, an object).
        ValueError: A number is not finite.
    """
    text = json.dumps([canonical(p) for p in parts], sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def canonical(value: Any) -> Any:
    """A value as JSON holds it: tuples as lists, dataclasses as mappings.

    Raises:
        TypeError: It has no such form.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: canonical(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict) and all(isinstance(k, str) for k in value):
        return {k: canonical(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [canonical(v) for v in value]
    raise TypeError(f"no canonical form for {type(value).__name__} {value!r}")
