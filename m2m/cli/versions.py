"""Subcommands of what leaves the house, and of what is deleted."""

import argparse
from pathlib import Path

from m2m.cli.options import Add, load, tell
from m2m.errors import Exit, UsageError


def add_versions(add: Add) -> None:
    """Adds what releases, registers and deletes."""
    release = add("release", _release, "write the copy of a data set that may leave the house")
    release.add_argument("dataset", metavar="DATASET", type=Path, help="a data set that m2m augment wrote")
    release.add_argument("output", metavar="OUTPUT", type=Path, help="a new folder")
    release.add_argument(
        "--key", type=Path, default=None, help="file of the secret (default: DATASET/.m2m/release.key)"
    )

    register = add("register", _register, "push the releasable form of a data set as a version, with DVC", params=True)
    register.add_argument("dataset", metavar="DATASET", help="its folder, or the hash of a published one")
    register.add_argument("--repository", default=None, help="a git repository with DVC: a URL or a folder")
    register.add_argument("--key", type=Path, default=None, help="file of the secret of the released names")

    purge = add("purge", _purge, "delete the personal data behind a finished data set, and prove it")
    purge.add_argument("dataset", metavar="DATASET", help="its folder, or the hash of a published one")
    purge.add_argument("output", metavar="OUTPUT", type=Path, help="the proof, a JSON file")
    purge.add_argument("--yes", action="store_true", help="really delete; without it the proof says what would go")
    purge.add_argument("--release-key", action="store_true", help="delete the secret of the released names too")
    text = "what m2m augment was given, for a folder: its videos go too, those that the data set was made from"
    purge.add_argument("--originals", type=Path, metavar="SOURCE", help=text)
    text = "a folder or s3://bucket/prefix that goes as a whole, as the logs of a run; may be repeated"
    purge.add_argument("--also", action="append", default=[], metavar="PLACE", help=text)
    text = "where each pipeline run has a folder: those that know of these clips go; may be repeated"
    purge.add_argument("--runs", action="append", default=[], metavar="PLACE", help=text)
    text = "where versions were registered: a URL, a bare repository, or a working copy with its cache"
    purge.add_argument("--repository", default="", help=text)


def _release(args: argparse.Namespace) -> int:
    from m2m.release import release, unreleased

    card, held = release(args.dataset, args.output, args.key), unreleased(args.dataset)
    tell(f"{card.clips} clips released to {args.output}, data set {card.hash[:12]}")
    for name, why in held.items():
        tell(f"  left out {name}: {why}")
    return int(Exit.QUARANTINED if held else Exit.DONE)


def _register(args: argparse.Namespace) -> int:
    from m2m.checkout import manifest
    from m2m.register import register

    overrides = {} if args.repository is None else {"repository": args.repository}
    params = load("register", args, overrides)
    with manifest(args.dataset) as folder:
        tell(str(register(folder, params, key=args.key)))
    return int(Exit.DONE)


def _purge(args: argparse.Namespace) -> int:
    from m2m.checkout import HASH
    from m2m.purge import purge_folder, purge_published

    given = {"yes": args.yes, "key": args.release_key, "also": args.also}
    if HASH.fullmatch(args.dataset):
        if args.originals is not None:
            raise UsageError("--originals is for the folder of a data set", "of a hash the stores hold the originals")
        proof = purge_published(args.dataset, args.output, runs=args.runs, repository=args.repository, **given)
    else:
        if args.runs or args.repository:
            raise UsageError("--runs and --repository are for published data sets", "name the hash of one")
        proof = purge_folder(Path(args.dataset), args.output, originals=args.originals, **given)
    tell(str(proof))
    return int(Exit.DONE)
