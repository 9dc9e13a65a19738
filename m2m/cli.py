"""The command line: one subcommand a stage, no logic."""

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import Any

from m2m import __version__
from m2m.errors import Exit, InputError, M2MError


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="m2m", description="Human video that shows the motion and not the person.")
    parser.add_argument("--version", action="version", version=f"m2m {__version__}")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    augment = commands.add_parser(
        "augment",
        help="turn videos into M2M videos",
        description="Turns videos into M2M videos: people are masked, painted out and replaced by a neutral body. "
        "A clip in which somebody may still be seen is quarantined with its reason, never passed through.",
        epilog="Exit codes: 0 done, 1 bad input or parameters, 2 usage, 3 some clips quarantined, 5 infrastructure.",
    )
    augment.add_argument("input", metavar="INPUT", type=Path, help="a video, a folder of videos, or a manifest")
    augment.add_argument("output", metavar="OUTPUT", type=Path, help="folder of the data set to write")
    augment.add_argument("--profile", default=None, help="a profile (laptop), or a YAML file (default: laptop)")
    augment.add_argument("--params", type=Path, default=None, help="a params.yaml (default: the built-in values)")
    augment.add_argument("--variant", help="m2m, mesh_on_real, no_human, blur, pixelate or blackout (default: m2m)")
    augment.add_argument("--body", help="neutral, male or female (default: neutral)")
    augment.add_argument("--size", help="WIDTHxHEIGHT, or source (default: 432x240, as in the paper)")
    augment.add_argument("--workers", type=int, default=1, help="processes (default: 1)")
    augment.add_argument("--keep", default=None, metavar="LIST", help="intermediates to keep: people,plates,bodies")
    augment.add_argument(
        "--on-doubt", help="quarantine the clip, or blackout its doubtful frames (default: quarantine)"
    )
    augment.add_argument("--allow-empty", action="store_true", help="release clips in which nobody is found")
    resume = "skip what an earlier run has finished (default: on)"
    augment.add_argument("--resume", action=argparse.BooleanOptionalAction, default=True, help=resume)
    augment.add_argument(
        "--with-originals", action="store_true", help="show the originals in the report, for your eyes"
    )

    release = commands.add_parser("release", help="write the copy of a data set that may leave the house")
    release.add_argument("dataset", metavar="DATASET", type=Path, help="a data set that m2m augment wrote")
    release.add_argument("output", metavar="OUTPUT", type=Path, help="a new folder")
    release.add_argument(
        "--key", type=Path, default=None, help="file of the secret (default: DATASET/.m2m/release.key)"
    )

    studio = commands.add_parser("studio", help="draw clips of people with known truth, to try things on")
    studio.add_argument("output", metavar="OUTPUT", type=Path, help="a new folder")
    studio.add_argument("--classes", type=int, default=6, help="how many actions (default: 6)")
    studio.add_argument("--clips", type=int, default=2, help="clips an action (default: 2)")
    studio.add_argument("--seconds", type=float, default=3.0, help="length of a clip (default: 3)")
    studio.add_argument("--seed", type=int, default=0, help="same seed, same clips (default: 0)")
    return parser


def _augment(args: argparse.Namespace) -> int:
    from m2m import params
    from m2m.augment.dataset import augment

    overrides: dict[str, Any] = {}
    if args.variant is not None:
        overrides["compose"] = {"variant": args.variant}
    if args.body is not None:
        overrides["body"] = {"gender": args.body}
    if args.size is not None:
        overrides["size"] = args.size
    if args.keep is not None:
        overrides["keep"] = [k for k in args.keep.split(",") if k]
    if args.on_doubt is not None:
        overrides["verify"] = {"on_doubt": args.on_doubt}
    if args.allow_empty:
        overrides["allow_empty"] = True
    if args.workers < 1:
        raise InputError(f"--workers must be 1 or more, not {args.workers}")
    summary = augment(
        args.input,
        args.output,
        params=params.load("augment", args.profile or "laptop", args.params, overrides),
        workers=args.workers,
        resume=args.resume,
        with_originals=args.with_originals,
    )
    _say(str(summary))
    return int(Exit.QUARANTINED if summary.quarantined else Exit.DONE)


def _release(args: argparse.Namespace) -> int:
    from m2m.release import release

    card = release(args.dataset, args.output, args.key)
    _say(f"{card.clips} clips released to {args.output}, data set {card.hash[:12]}")
    return int(Exit.DONE)


def _studio(args: argparse.Namespace) -> int:
    from m2m.studio import draw_dataset

    clips = draw_dataset(args.output, args.classes, args.clips, args.seed, seconds=args.seconds)
    _say(f"{len(clips)} clips drawn in {args.output}")
    return int(Exit.DONE)


def _say(text: str) -> None:
    """Prints a result; a reader that went away (`m2m ... | head`) changes no exit code."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


COMMANDS = {"augment": _augment, "release": _release, "studio": _studio}


def main(argv: list[str] | None = None) -> int:
    """Runs the command line.

    Args:
        argv: Arguments without the program's name; None: those of the process.

    Returns:
        An exit code of `m2m.errors.Exit`, or 130 after Ctrl-C and 143 after SIGTERM, as a shell expects.
    """
    args = _parser().parse_args(argv)
    stopped_by: list[int] = []

    def stop(number: int, _: object) -> None:
        stopped_by.append(number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    try:
        return COMMANDS[args.command](args)
    except M2MError as error:
        if args.debug:
            raise
        print(f"m2m: {error}", file=sys.stderr)
        return int(error.code)
    except KeyboardInterrupt:
        print("m2m: stopped; finished clips are kept, the same command goes on from here", file=sys.stderr)
        return 128 + (stopped_by[0] if stopped_by else signal.SIGINT)


if __name__ == "__main__":
    sys.exit(main())
