"""Whatever bytes a reader finds: it gives the value, or an error that a user can act on. Nothing else.

A target is a valid file and what reads it. Its bytes are replaced, turned over, cut and doubled; JSON is also changed
as JSON: another type, a number out of all range, a name that leads elsewhere, a thousand levels of lists.
"""

import json
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from m2m.errors import M2MError

MEGABYTES = 1024
"""The most memory that reading one damaged file may add."""
JUNK = (
    None,
    True,
    -1,
    0,
    10**400,
    1e308,
    "",
    "x",
    "../../etc/passwd",
    "/etc/passwd",
    "\0",
    "\ud800",
    [],
    {},
    [[]],
    {"x": 1},
)


@dataclass(frozen=True)
class Target:
    """A reader and what it reads.

    Attributes:
        name: The file's name.
        make: Writes a whole one into a folder.
        read: Reads it from the folder.
        text: Whether it is JSON, to be changed as such.
        errors: What it may raise besides M2MError.
    """

    name: str
    make: Callable[[Path], None]
    read: Callable[[Path], Any]
    text: bool = False
    errors: tuple[type[Exception], ...] = ()


@st.composite
def damaged(draw: st.DrawFn, whole: bytes, text: bool) -> bytes:
    """Bytes that are not those of a whole file, or differ from them in little."""
    kind = draw(st.sampled_from(("value", "value", "value", "key") if text else ("raw",)) | st.sampled_from(
        ("raw", "bits", "cut", "block", "twice", "deep")))  # fmt: skip
    if kind in ("value", "key"):
        return _changed(draw, json.loads(whole), kind)
    if kind == "raw":
        return draw(st.binary(max_size=200))
    if kind == "deep":
        return b'{"schema": ' + b"[" * 20_000 + b"]" * draw(st.sampled_from((0, 20_000)))
    at = draw(st.integers(0, max(0, len(whole) - 1)))
    if kind == "bits":
        out = bytearray(whole)
        for _ in range(draw(st.integers(1, 4))):
            at = draw(st.integers(0, len(whole) - 1))
            out[at] ^= 1 << draw(st.integers(0, 7))
        return bytes(out)
    if kind == "block":
        return whole[:at] + draw(st.binary(min_size=1, max_size=16)) + whole[at + draw(st.integers(0, 16)) :]
    return whole[:at] if kind == "cut" else whole + whole[at:]


def _changed(draw: st.DrawFn, value: Any, kind: str) -> bytes:
    """Another value somewhere in a JSON text, or a key that is lost or strange."""
    places: list[tuple[Any, Any]] = []

    def collect(one: Any) -> None:
        for key in range(len(one)) if isinstance(one, list) else one:
            places.append((one, key))
            if isinstance(one[key], dict | list):
                collect(one[key])

    if isinstance(value, dict | list):
        collect(value)
    if not places:
        return json.dumps(draw(st.sampled_from(JUNK))).encode()
    around, key = draw(st.sampled_from(places))
    if kind == "value":
        around[key] = draw(st.sampled_from(JUNK))
        if draw(st.integers(0, 9)) == 0:
            around[key] = float("nan")
    elif draw(st.booleans()):
        del around[key]
    elif isinstance(around, dict):
        around[draw(st.sampled_from(("x", "", "__class__", "schema")))] = around.pop(key)
    return json.dumps(value).encode()


def check(target: Target, folder: Path, data: bytes) -> None:
    """Reads damaged bytes; fails where the reader does anything but give a value or an error for the user."""
    (folder / target.name).write_bytes(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        target.read(folder)
    except M2MError as error:
        assert error.what
    except target.errors:
        pass
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < MEGABYTES, f"{target.name}: {grown:.0f} MB more"


def campaign(target: Target, examples: int, seed: int | None = None) -> None:
    """Reads so many damaged files of a target."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        target.make(folder)
        whole = (folder / target.name).read_bytes()
        target.read(folder)  # what is whole is read

        @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @hypothesis.given(data=damaged(whole, target.text))
        def one(data: bytes) -> None:
            check(target, folder, data)

        (one if seed is None else hypothesis.seed(seed)(one))()


def run(seed: int, until: float) -> bool:
    """All readers in turn until the time is over; prints what is wrong. Returns whether nothing is."""
    from tests.fuzz.targets import TARGETS

    wrong: dict[str, str] = {}
    count, rounds = 0, 0
    while time.monotonic() < until and len(wrong) < len(TARGETS):
        for name, target in TARGETS.items():
            if time.monotonic() > until:
                break
            if name in wrong:
                continue
            try:
                campaign(target, 200, seed + rounds)
                count += 200
            except Exception as error:  # what the campaign is for
                wrong[name] = f"{type(error).__name__}: {error}"[:400]
                print(f"!! {name}: {wrong[name]}", flush=True)
        rounds += 1
    print(f"readers: {count} damaged files of {len(TARGETS)} readers, {len(wrong)} of them wrong", flush=True)
    return not wrong
