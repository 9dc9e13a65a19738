"""A reviewer's answers: what may stand in one, and the file to which they are appended as they come."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from m2m.audit.decisions import NOTHING, SOMEBODY
from m2m.audit.review.key import Key, private_folder
from m2m.errors import InputError
from m2m.files import disk_errors
from m2m.parsing import parse_json

CHECKLIST = {
    "face": "a face",
    "body": "skin, hair or a part of a body",
    "reflection": "a reflection in glass, water or metal",
    "shadow": "a shadow of somebody who is not drawn",
    "picture": "a screen, photo or poster that shows somebody",
    "tattoo": "a tattoo, scar or other mark",
    "text": "text: a name, a number plate, a shirt, a badge",
    "outline": "somebody's outline in the background",
    "other": "anything else of a person",
}
"""What to look for; several may be named."""

LONGEST_NAME, LONGEST_NOTE = 80, 2000
SCHEMA = 1


@dataclass(frozen=True)
class Answer:
    """What one reviewer says of one item.

    Attributes:
        item: Its id.
        reviewer: Name or pseudonym.
        verdict: `nothing` of a person is to be seen, or `somebody` is, or something of somebody.
        seen: Which items of the check list.
        note: In the reviewer's words.
        at: When, ISO 8601 in UTC.
    """

    item: str
    reviewer: str
    verdict: str
    seen: tuple[str, ...] = ()
    note: str = ""
    at: str = ""


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def reviewer_name(name: Any) -> str:
    """A name or pseudonym in one line.

    Raises:
        InputError: It is empty or too long.
    """
    plain = " ".join(str(name or "").split())
    if not plain or len(plain) > LONGEST_NAME or not plain.isprintable():
        raise InputError(f"a reviewer is a name or pseudonym of 1 to {LONGEST_NAME} letters, not {plain!r:.100}")
    return plain


def answer_from(values: Any, reviewer: str, key: Key) -> Answer:
    """An answer of a page, checked.

    Raises:
        InputError: It is none, or about an item that the review does not have.
    """
    try:
        item, verdict = str(values["item"]), values["verdict"]
        seen, note = list(values.get("seen", [])), str(values.get("note", ""))
        note = "".join(c if c.isprintable() else " " for c in note).strip()
        at = str(values.get("at") or now())
        datetime.strptime(at, "%Y-%m-%dT%H:%M:%SZ")
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise InputError(f"an answer is damaged: {error!r:.200}", "save the page's answers again") from error
    if item not in key.named():
        raise InputError(f"the review {key.review} has no item {item!r:.80}", "answer the page of this data set")
    if verdict not in (NOTHING, SOMEBODY):
        raise InputError(f"the answer to {item} is {verdict!r:.80}, not {NOTHING} or {SOMEBODY}")
    if unknown := [s for s in seen if not isinstance(s, str) or s not in CHECKLIST]:
        raise InputError(f"{unknown[0]!r:.80} is not on the check list", f"it has {', '.join(CHECKLIST)}")
    if len(note) > LONGEST_NOTE:
        raise InputError(f"the note on {item} is longer than {LONGEST_NOTE} letters")
    named = tuple(name for name in CHECKLIST if name in seen) if verdict == SOMEBODY else ()
    return Answer(item, reviewer_name(reviewer), verdict, named, note, at)


def read_saved(path: Path, key_of: Any, reviewer: str = "") -> tuple[Key, list[Answer]]:
    """The answers of a file that the page saved.

    Args:
        path: The file.
        key_of: Gives the key of a review by its id.
        reviewer: Who answered, if the file does not say.

    Raises:
        InputError: It is no such file, of another review or page, or names another reviewer.
    """
    try:
        values = parse_json(path.read_bytes())
        review, page, dataset, saved = values["review"], values["page"], values["dataset"], values["answers"]
        named = values.get("reviewer", "")
        if values["schema"] != SCHEMA or not isinstance(saved, list):
            raise ValueError("another schema")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{path} is not what the page of a review saves: {error!r:.200}") from error
    key = key_of(str(review))
    if dataset != key.dataset or page != key.page:
        raise InputError(f"{path} is of another data set or page than the review {key.review}")
    if named and reviewer and reviewer_name(named) != reviewer_name(reviewer):
        raise InputError(f"{path} was answered by {named!r:.80}, not by {reviewer!r:.80}", "leave --reviewer out")
    if not (named or reviewer):
        raise InputError(f"{path} does not say who answered", "name the reviewer with --reviewer")
    return key, [answer_from(answer, named or reviewer, key) for answer in saved]


def append(answers: Iterable[Answer], key: Key, dataset: Path) -> None:
    """Adds answers to a review's file; when this returns they are on the disk.

    Raises:
        InfrastructureError: They cannot be written.
    """
    lines = "".join(json.dumps(asdict(answer), sort_keys=True) + "\n" for answer in answers)
    path = _journal(key, dataset)
    with disk_errors(path.parent):
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(handle, "r+b") as file:
            if file.seek(0, os.SEEK_END) and os.pread(handle, 1, file.tell() - 1) != b"\n":
                file.write(b"\n")  # of a line that was cut off
            file.write(lines.encode())
            file.flush()
            os.fsync(handle)


def read_answers(key: Key, dataset: Path) -> list[Answer]:
    """All answers of a review in the order in which they came; a line that was cut off is left out.

    Raises:
        InfrastructureError: They cannot be read.
    """
    path = _journal(key, dataset)
    if not path.is_file():
        return []
    with disk_errors(path.parent):
        lines = path.read_bytes().splitlines()
    whole = (values for line in lines if (values := _parsed(line)) is not None)
    return [answer_from(values, values.get("reviewer", ""), key) for values in whole]


def _parsed(line: bytes) -> Mapping[str, Any] | None:
    try:
        values = parse_json(line)
    except ValueError:
        return None
    return values if isinstance(values, dict) else None


def _journal(key: Key, dataset: Path) -> Path:
    return private_folder(dataset) / f"{key.review}.jsonl"
