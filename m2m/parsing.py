"""JSON and YAML that anybody may have written: read into plain values, or refused with a ValueError.

What is nested deeper than Python can follow, or comes to far more than its text, is refused as other damage is.
"""

import dataclasses
import functools
import json
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

import yaml

T = TypeVar("T")

MOST_VALUES = 100_000
"""Values in a YAML file, those that are there by reference counted each time."""
MOST_BRACKETS = 2_000
"""What opens lists and mappings within a line: PyYAML's time grows with the square of their depth."""


def parse_json(data: str | bytes) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: It is none, has NaN or an infinite number, or is nested too deeply.
    """
    try:
        return json.loads(data, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def parse_yaml(text: str) -> Any:
    """The value of a YAML text: no object of Python is made, and references may not multiply without end.

    Raises:
        ValueError: It is no YAML, is nested too deeply, or comes to more than MOST_VALUES.
    """
    if text.count("[") + text.count("{") > MOST_BRACKETS:
        raise ValueError(f"it has more than {MOST_BRACKETS} brackets")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    left, count = [value], 0
    while left:
        one = left.pop()
        count += 1
        if count > MOST_VALUES:
            raise ValueError(f"it comes to more than {MOST_VALUES} values")
        if isinstance(one, dict):
            left += [*one, *one.values()]
        elif isinstance(one, list | tuple | set):
            left += one
    return value


def typed(cls: type[T], values: Any) -> T:
    """A dataclass of JSON values, each of the type that its field says; lists become tuples.

    Raises:
        TypeError: They are no mapping, a field is missing or unknown, or a value has another type.
        ValueError: The dataclass refuses a value.
    """
    if not isinstance(values, Mapping):
        raise TypeError(f"{cls.__name__} is a {type(values).__name__}, not a mapping")
    known: Any = cls
    hints = _hints(known)
    return cls(**{name: _value(hints.get(name, Any), value, name) for name, value in values.items()})


@functools.cache
def _hints(cls: Any) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _value(hint: Any, value: Any, at: str) -> Any:
    origin, args = typing.get_origin(hint) or hint, typing.get_args(hint)
    if hint is Any:
        return value
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in args:
            return None
        return _value(next(a for a in args if a is not type(None)), value, at)
    if origin is typing.Literal and value in args:
        return value
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return typed(hint, value)
    if origin is tuple and isinstance(value, list | tuple):
        of = args[:1] * len(value) if args[-1:] == (Ellipsis,) else args
        if len(of) == len(value):
            return tuple(_value(a, v, at) for a, v in zip(of, value, strict=True))
    if origin in (dict, Mapping) and isinstance(value, dict):
        return {_value(args[0], k, at): _value(args[1], v, at) for k, v in value.items()} if args else value
    if origin is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise ValueError(f"{at} is out of range") from None
    if (
        origin in (str, int, float, bool, list)
        and isinstance(value, origin)
        and (origin is bool or not isinstance(value, bool))
    ):
        return value
    raise TypeError(f"{at} is {value!r:.80}, not {hint}")
