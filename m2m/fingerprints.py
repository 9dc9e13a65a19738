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


def of_training(
    kind: str, data: str, params: Any, model: Any, parent: str = "", seed: int | None = None, also: str = ""
) -> str:
    """What the tracker knows a training by: known before it has begun, if what it starts from is.

    Args:
        kind: `pretrain`, `align`, `evaluate-ft` or `evaluate-lp`.
        data: Hash of its data set.
        params: The stage's section; of a pre-training and an alignment its seed is in it.
        model: The section `model`.
        parent: Fingerprint of the training that it starts from, or hash of a converted model; empty: from scratch. A
            model that was kept on the way is `FINGERPRINT/epoch-00020`.
        seed: Of an evaluation.
        also: Hash of an alignment's second data set.
    """
    more = (also,) if also else ()
    return fingerprint(kind, data, canonical(params), canonical(model), parent, seed, *more)


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
