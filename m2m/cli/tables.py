"""The subcommand that reproduces the paper."""

import argparse
from pathlib import Path

from m2m.cli.options import Add, add_workers, positive, tell
from m2m.errors import Exit, InputError


def add_reproduce(add: Add) -> None:
    """Adds what makes the paper's tables."""
    reproduce = add(
        "reproduce", _reproduce, "reproduce the paper's tables and figure: plan, compute what is missing, report"
    )
    text = "table1 to table4, figure3, or the path of a .yaml file"
    reproduce.add_argument("experiments", nargs="+", metavar="EXPERIMENT", help=text)
    text = "the scale: studio (drawn clips, a small model), paper, or the path of a .yaml file (default: studio)"
    reproduce.add_argument("--profile", default="studio", help=text)
    reproduce.add_argument(
        "--output",
        type=Path,
        default=Path("reproduced"),
        help="folder of everything that is computed (default: reproduced)",
    )
    reproduce.add_argument("--data", type=Path, default=None, metavar="FILE", help="your own data sets, as YAML")
    reproduce.add_argument("--rows", default="", help="some rows, as m2m,mesh_on_real (default: all)")
    reproduce.add_argument("--seeds", default="", help="in place of the scale's, as 0,1,2")
    reproduce.add_argument("--dry-run", action="store_true", help="say what is there, and what the rest costs")
    text = "begin nothing new after so long; the same command goes on from there (default: until all is done)"
    reproduce.add_argument("--minutes", type=positive, default=None, help=text)
    reproduce.add_argument(
        "--tracker", default="", metavar="URL", help="address of MLflow's page, for links to its runs"
    )
    add_workers(reproduce)


def _reproduce(args: argparse.Namespace) -> int:
    from m2m.reproduce.reproduce import prepare, reproduce

    rows, seeds = tuple(filter(None, args.rows.split(","))), tuple(filter(None, args.seeds.split(",")))
    if not all(seed.isascii() and seed.isdigit() for seed in seeds):
        raise InputError(f"--seeds is whole numbers from 0, as 0,1,2, not {args.seeds!r}")
    chosen = {"data": args.data, "rows": rows, "seeds": tuple(map(int, seeds))}
    what = prepare(args.experiments, args.profile, args.output / Path(args.profile).stem, **chosen)
    if args.dry_run:
        tell(str(what.plan(args.workers)))
        return int(Exit.DONE)
    done = reproduce(what, workers=args.workers, minutes=args.minutes, tracker=args.tracker)
    tell(str(done))
    if done.error is not None:
        raise done.error
    return int(Exit.DONE)
