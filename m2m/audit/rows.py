"""Audit rows: what was checked of each clip, with figures and a verdict, as `audit.json` holds them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from m2m.errors import InputError
from m2m.files import write_atomic
from m2m.fingerprints import canonical
from m2m.parsing import parse_json

AUDIT = "audit.json"
SCHEMA = 1


@dataclass(frozen=True)
class Check:
    """One check of one clip.

    Attributes:
        ok: Whether it passed; None: it could not be done, and nothing follows from it.
        figures: What was measured, JSON values; `why` says in words what is wrong or why it was not done.
    """

    ok: bool | None
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """All checks of one clip.

    Attributes:
        clip_id: The clip.
        sha256: Hash of the video that was looked at.
        checks: By name.
    """

    clip_id: str
    sha256: str
    checks: dict[str, Check]

    @property
    def failed(self) -> list[str]:
        """Names of the checks that failed."""
        return [name for name, check in self.checks.items() if check.ok is False]

    @property
    def unchecked(self) -> list[str]:
        """Names of the checks that could not be done."""
        return [name for name, check in self.checks.items() if check.ok is None]

    @property
    def verdict(self) -> str:
        """`pass` if some check was done and none failed, else `fail`."""
        done = any(check.ok is not None for check in self.checks.values())
        return "pass" if done and not self.failed else "fail"

    def why(self) -> str:
        """What failed, in a sentence."""
        said = (f"{name}: {self.checks[name].figures.get('why', 'failed')}" for name in self.failed)
        return "; ".join(said) or ("" if self.verdict == "pass" else "nothing could be checked")


def row_dict(row: Row) -> dict[str, Any]:
    """A row as JSON values; verdict and reason are written out for readers."""
    return {**canonical(row), "verdict": row.verdict}


def row_from(values: Mapping[str, Any]) -> Row:
    """A row from JSON values. The verdict is worked out again from the checks.

    Raises:
        KeyError: A field is missing.
        TypeError: A field is of the wrong type.
        ValueError: The verdict does not follow from the checks.
    """
    checks = {}
    for name, check in values["checks"].items():
        if check["ok"] not in (True, False, None):
            raise ValueError(f"check {name} of {values['clip_id']} is neither true, false nor null")
        checks[name] = Check(check["ok"], dict(check["figures"]))
    row = Row(str(values["clip_id"]), str(values["sha256"]), checks)
    if values["verdict"] != row.verdict:
        raise ValueError(f"the verdict of {row.clip_id} is {values['verdict']!r}, its checks say {row.verdict!r}")
    return row


def write_audit(folder: Path, rows: Sequence[Row], about: Mapping[str, Any]) -> None:
    """Writes `audit.json`; the same rows in any order give the same bytes.

    Args:
        folder: Where to.
        rows: A row a clip.
        about: What the rows were made with: parameters and code version.

    Raises:
        InfrastructureError: It cannot be written.
    """
    ordered = [row_dict(r) for r in sorted(rows, key=lambda r: r.clip_id)]
    text = json.dumps({"schema": SCHEMA, **about, "rows": ordered}, indent=1, sort_keys=True, allow_nan=False)
    write_atomic(folder / AUDIT, (text + "\n").encode())


def read_audit(folder: Path) -> tuple[list[Row], dict[str, Any]]:
    """The rows of an `audit.json`, and what they were made with.

    Raises:
        InputError: It is missing, damaged, of another schema, or names a clip twice.
    """
    path = folder / AUDIT
    try:
        values = parse_json(path.read_bytes())
        if values["schema"] != SCHEMA:
            raise InputError(f"{path} has schema {values['schema']}, this code reads {SCHEMA}", "audit again")
        rows = [row_from(r) for r in values["rows"]]
    except OSError as error:
        raise InputError(f"{folder} is not audited: cannot read {AUDIT}: {error.strerror}", "run m2m audit") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{path} is not the result of an audit: {error!r}", "audit again") from error
    names = [r.clip_id for r in rows]
    if len(set(names)) != len(names):
        raise InputError(f"{path} names a clip twice", "audit again")
    return rows, {k: v for k, v in values.items() if k not in ("rows", "schema")}
