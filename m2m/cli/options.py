"""Options that subcommands share, and what they say."""

import argparse
import os
import sys
from collections.abc import Callable
from typing import Any

from m2m.wording import say

Command = Callable[[argparse.Namespace], int]
Add = Callable[..., argparse.ArgumentParser]
"""Adds a subcommand: name, what runs it, one line of help."""


def add_workers(command: argparse.ArgumentParser) -> None:
    """Adds `--workers`."""
    command.add_argument("--workers", type=int, default=1, help="processes (default: 1)")


def add_resume(command: argparse.ArgumentParser) -> None:
    """Adds `--resume` and `--no-resume`."""
    text = "skip what an earlier run has finished (default: on)"
    command.add_argument("--resume", action=argparse.BooleanOptionalAction, default=True, help=text)


def add_limit(command: argparse.ArgumentParser, default: str) -> None:
    """Adds `--limit`; `default` says what holds without it."""
    text = f"most that one clip may take; then it is quarantined, and tried again by the next run (default: {default})"
    command.add_argument("--limit", type=positive, default=None, metavar="SECONDS", help=text)


def positive(text: str) -> float:
    """A number above 0.

    Raises:
        ValueError: It is none.
    """
    value = float(text)
    if not value > 0:
        raise ValueError(f"{text} is not a positive number")
    return value


def load(name: str, args: argparse.Namespace, overrides: dict[str, Any] | None = None) -> Any:
    """A section of the parameters, by the command's `--profile` and `--params`.

    Raises:
        InputError: A file is missing, or has a key or a value that the section does not take.
    """
    from m2m import params

    return params.load(name, args.profile, args.params, overrides)


def tell(text: str) -> None:
    """Prints a result; a reader that went away (`m2m ... | head`) changes no exit code."""
    try:
        say(text, sys.stdout)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
