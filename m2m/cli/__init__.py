"""The command line: one subcommand a stage, no logic."""

import argparse
import itertools
import signal
import sys
from pathlib import Path
from typing import Any

from m2m import __version__
from m2m.cli.augment import add_augment
from m2m.cli.data import add_data
from m2m.cli.options import Command
from m2m.cli.tables import add_reproduce
from m2m.cli.training import add_training
from m2m.cli.versions import add_versions
from m2m.errors import InputError, M2MError
from m2m.wording import printable, say

PAIRS = (
    ("curate", "report"),
    ("curate", "compare"),
    ("model", "convert"),
    ("audit", "review"),
    ("audit", "decide"),
    ("audit", "certify"),
    ("audit", "verify"),
    ("audit", "attack"),
)
"""Commands of two words."""


class _Parser(argparse.ArgumentParser):
    """Repeats no control characters of the arguments that it does not take: `m2m augment *` names files of others."""

    def _print_message(self, message: str, file: Any = None) -> None:
        super()._print_message(printable(message) if message else message, file)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="m2m",
        description="Human video that shows the motion and not the person.",
        epilog="Exit codes: 0 done, 1 bad input or parameters, 2 usage, 3 some clips quarantined, 4 the audit gate "
        "failed, 5 infrastructure.",
    )
    parser.add_argument("--version", action="version", version=f"m2m {__version__}")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, run: Command, text: str, *, params: bool = False, **more: Any) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=more.pop("description", None), **more)
        command.set_defaults(run=run)
        if params:
            text = "a profile (laptop, paper, videomae), or a YAML file; may be repeated, the last one wins"
            command.add_argument("--profile", action="append", default=None, help=text)
            command.add_argument(
                "--params", type=Path, default=None, help="a params.yaml (default: the built-in values)"
            )
        return command

    add_data(add)
    add_augment(add)
    add_training(add)
    add_reproduce(add)
    add_versions(add)
    return parser


def _joined(argv: list[str]) -> list[str]:
    """`curate report` and its like as the one word that the parser knows; a folder of that name is ./report."""
    for index, pair in enumerate(itertools.pairwise(argv)):
        if pair in PAIRS and all(a.startswith("-") for a in argv[:index]):
            return [*argv[:index], "-".join(pair), *argv[index + 2 :]]
    return argv


def main(argv: list[str] | None = None) -> int:
    """Runs the command line.

    Args:
        argv: Arguments without the program's name; None: those of the process.

    Returns:
        An exit code of `m2m.errors.Exit`, or 130 after Ctrl-C and 143 after SIGTERM, as a shell expects.
    """
    args = _parser().parse_args(_joined(sys.argv[1:] if argv is None else argv))
    stopped_by: list[int] = []

    def stop(number: int, _: object) -> None:
        stopped_by.append(number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    try:
        for name in ("workers", "shards"):
            if getattr(args, name, 1) < 1:
                raise InputError(f"--{name} must be 1 or more, not {getattr(args, name)}")
        seeds = getattr(args, "seed", None) or 0
        for seed in seeds if isinstance(seeds, list) else [seeds]:
            if seed < 0:
                raise InputError(f"--seed must be 0 or more, not {seed}")
        return args.run(args)
    except M2MError as error:
        if args.debug:
            raise
        say(f"m2m: {error}", sys.stderr)
        return int(error.code)
    except KeyboardInterrupt:
        print("m2m: stopped; what is finished is kept, the same command goes on from here", file=sys.stderr)
        return 128 + (stopped_by[0] if stopped_by else signal.SIGINT)
