"""What may be shown of a text: no password of an address, and nothing that steers a terminal."""

import html
import re
import unicodedata
from typing import TextIO

PAIR = r"""[^\s@:/"'<>]*:(?!\d+[/?#])[^\s"'<>]*@"""
"""`user:password@`; a password may hold `@` and `/`, and digits before a slash are a port."""

PASSWORD = re.compile(rf"""//(?:[^\s/"'<>]*@|{PAIR})""")
"""Who calls, and with which password, between the slashes of an address and its host."""

KEPT = re.compile(rf"""//{PAIR}|\bhttps?://[^\s/"'<>]+@""")
"""The same where it is a secret: `user:password@`, or a token as the user of a web address."""

STEERING = frozenset(map(chr, (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))))
"""Marks that turn the direction of writing, and so what a name seems to be."""


def shown(text: str) -> str:
    """A text without the users and passwords of the addresses in it."""
    return PASSWORD.sub("//", text)


def secret_in(text: str) -> bool:
    """Whether an address in a text holds a password or a token."""
    return KEPT.search(text) is not None


def printable(text: str) -> str:
    """A text in which what a terminal would obey is written out, as `\\x1b`; line ends and tabs stay."""
    return "".join(c if _harmless(c) else c.encode("unicode_escape").decode() for c in text)


def cell(text: str) -> str:
    """A text as a cell of a table that people open: a quote before what a spreadsheet would take for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def markdown(text: str) -> str:
    """A text as a line of Markdown, or a cell of its tables, in which it stays text."""
    plain = html.escape(" ".join(printable(text).split()), quote=False)
    return plain.replace("|", "&#124;").replace("[", "&#91;").replace("`", "&#96;")


def say(text: str, file: TextIO) -> None:
    """Prints a line, whatever is in it and whatever characters the stream knows.

    Raises:
        OSError: It cannot be written; a reader that went away is one.
    """
    encoding = getattr(file, "encoding", None) or "utf-8"
    print(printable(text).encode(encoding, "backslashreplace").decode(encoding), file=file, flush=True)


def _harmless(letter: str) -> bool:
    if letter in "\n\t":
        return True
    return letter not in STEERING and unicodedata.category(letter) not in ("Cc", "Cs", "Zl", "Zp")
