"""Subcommands that draw, list and choose videos."""

import argparse
from pathlib import Path

from m2m.cli.options import Add, add_limit, add_resume, add_workers, load, tell
from m2m.errors import Exit, InputError


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(","))


def _strength(text: str) -> tuple[str, float]:
    name, between, value = text.partition("=")
    if not between:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=SHARE, as gender=0.9")
    try:
        return name.strip(), float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{value!r} is not a number") from None


def add_data(add: Add) -> None:
    """Adds what draws, lists, selects and packs videos."""
    studio = add("studio", _studio, "draw clips of people with known truth, to try things on")
    studio.add_argument("output", metavar="OUTPUT", type=Path, help="a new folder")
    studio.add_argument("--classes", type=int, default=6, help="how many actions (default: 6)")
    studio.add_argument("--clips", type=int, default=2, help="clips an action (default: 2)")
    studio.add_argument("--seconds", type=float, default=3.0, help="length of a clip (default: 3)")
    studio.add_argument("--fps", type=int, default=24, help="frames a second (default: 24)")
    studio.add_argument("--plain", action="store_true", help="one person, large, still camera: easy to learn from")
    studio.add_argument(
        "--scene-bias", action="store_true", help="backgrounds that tell the class, from never to always"
    )
    text = (
        "a population: each of N persons does every action CLIPS times, so that attackers can be tried (default: off)"
    )
    studio.add_argument("--people", type=int, default=0, metavar="N", help=text)
    studio.add_argument("--places", type=int, default=8, help="backgrounds of a population (default: 8)")
    text = "clothes of each person of a population; 1 is always the same (default: 1)"
    studio.add_argument("--outfits", type=int, default=1, help=text)
    text = "actions, in place of the first CLASSES, with commas between them"
    studio.add_argument("--actions", type=_words, default=(), metavar="A,B", help=text)
    text = "how often a clip is seen before its class's own background, 0 to 1 (default: every clip has another)"
    studio.add_argument("--bias", type=float, default=None, metavar="SHARE", help=text)
    text = "further clips an action, split val, with other people and clothes (default: 0)"
    studio.add_argument("--test-clips", type=int, default=0, metavar="N", help=text)
    studio.add_argument("--test-bias", type=float, default=None, metavar="SHARE", help="--bias of the test clips")
    text = (
        "how often the person has the class's own gender, skin, build, clothes or identity, as gender=0.9; repeatable"
    )
    studio.add_argument("--attribute", type=_strength, action="append", default=[], metavar="NAME=SHARE", help=text)
    text = "test clips show people who do not have their class's own attribute"
    studio.add_argument("--reversed", action="store_true", help=text)
    text = "share of clips with something in front of the person (default: 0)"
    studio.add_argument("--occluders", type=float, default=0.0, metavar="SHARE", help=text)
    text = "share of clips with a moving camera (default: nearly half, none with --plain)"
    studio.add_argument("--moving", type=float, default=None, metavar="SHARE", help=text)
    studio.add_argument("--mannequins", action="store_true", help="plain grey people without skin, hair and clothes")
    studio.add_argument("--seed", type=int, default=0, help="same seed, same clips (default: 0)")
    add_workers(studio)

    ingest = add("ingest", _ingest, "make a data set of a source of videos", params=True)
    text = "a folder, a manifest, s3://bucket/prefix, or a YAML file that describes a public set"
    ingest.add_argument("source", metavar="SOURCE", help=text)
    ingest.add_argument("output", metavar="OUTPUT", type=Path, help="folder of the data set")
    ingest.add_argument(
        "--packed", action="store_true", help="pack the videos into the data store (M2M_STORE), write a manifest"
    )
    text = "SOURCE is a public set: kinetics, ucf101, hmdb51, diving48, ikea-fa, uav-human, mini-ssv2, synapt, list"
    ingest.add_argument("--format", default=None, help=text)
    ingest.add_argument("--annotations", default="", help="with --format: its official files, or lists")
    ingest.add_argument("--fold", type=int, default=1, help="with --format: number of the split (default: 1)")
    ingest.add_argument("--partial", action="store_true", help="with --format: a part of the set, of any counts")
    add_workers(ingest)
    add_limit(ingest, "an hour, and a minute for every MB")
    add_resume(ingest)

    lists = add("lists", _lists, "write a data set as lists that SlowFast, VideoMAE or PPMA read")
    lists.add_argument("dataset", metavar="DATASET", type=Path, help="a data set")
    lists.add_argument("output", metavar="OUTPUT", type=Path, help="folder of the lists")
    lists.add_argument("--separator", default=" ", help="between path and label (default: a blank; PPMA's is ;)")
    lists.add_argument("--prefix", default="", help="put before every path")

    curate = add("curate", _curate, "select the classes that stand for the others (K-NEXUS)", params=True)
    curate.add_argument("dataset", metavar="DATASET", type=Path, help="a data set that m2m ingest wrote")
    curate.add_argument("output", metavar="OUTPUT", type=Path, help="a new folder")
    text = "bias-aug, kmeans, bias-1d, resound-swap, random, list, published or synapt (default: bias-aug)"
    curate.add_argument("--method", default=None, help=text)
    curate.add_argument("--classes", type=int, default=None, help="how many to select (default: 150)")
    text = "of a cluster: most-videos, min-bias or medoid (default: most-videos)"
    curate.add_argument("--representative", default=None, help=text)
    curate.add_argument("--weight", type=float, default=None, help="of the bias beside the look (default: 1)")
    curate.add_argument("--list", default=None, metavar="FILE", help="the classes, one a line; for --method list")
    curate.add_argument("--encoder", default=None, help="embedded, or clip as LLaVA has it (default: embedded)")
    curate.add_argument("--seed", type=int, default=None, help="of frames and starts (default: 0)")
    add_workers(curate)

    worth = add(
        "curate-report", _curate_report, "measure selections beside random ones (m2m curate report)", params=True
    )
    worth.add_argument(
        "dataset", metavar="DATASET", help="the data set that was selected from: its folder, or its hash"
    )
    worth.add_argument("output", metavar="OUTPUT", type=Path, help="folder of curation.html and curation.json")
    text = "a selection.json, a folder with one, a list of classes, published or synapt; may be given again"
    worth.add_argument("--selection", action="append", required=True, help=text)
    worth.add_argument("--subsets", type=int, default=200, help="random selections to compare with (default: 200)")
    worth.add_argument("--encoder", default=None, help="embedded, or clip as LLaVA has it (default: embedded)")
    worth.add_argument("--seed", type=int, default=None, help="of frames, random selections and the map (default: 0)")
    text = "a classifier of all the classes, by m2m evaluate: what do all frames add to one?"
    worth.add_argument("--checkpoint", type=Path, default=None, help=text)
    add_workers(worth)

    compare = add("curate-compare", _curate_compare, "compare the classes of two selections (m2m curate compare)")
    compare.add_argument("first", metavar="SELECTION", help="as --selection of m2m curate report")
    compare.add_argument("second", metavar="SELECTION", help="another")
    text = "classes they were selected from (default: what a selection.json says, else 400)"
    compare.add_argument("--total", type=int, default=0, help=text)

    pack = add("pack", _pack, "put the videos of a data set into a few tars")
    pack.add_argument("dataset", metavar="DATASET", type=Path, help="a data set")
    pack.add_argument("output", metavar="OUTPUT", type=Path, help="a new folder")
    pack.add_argument("--shards", type=int, default=8, help="how many tars (default: 8)")

    unpack = add("unpack", _unpack, "take the videos of a packed data set out of its tars, and verify them")
    unpack.add_argument("dataset", metavar="DATASET", type=Path, help="a packed data set")
    unpack.add_argument("output", metavar="OUTPUT", type=Path, help="a new folder")


def _studio(args: argparse.Namespace) -> int:
    from m2m.studio import StudioParams, draw_dataset

    same = [
        *("classes", "clips", "seed", "fps", "seconds", "plain", "scene_bias", "people", "places", "outfits"),
        *("actions", "bias", "test_clips", "test_bias", "reversed", "occluders", "moving", "mannequins"),
    ]
    planted = dict(args.attribute)
    if len(planted) < len(args.attribute):
        raise InputError("an --attribute is there twice")
    try:
        params = StudioParams(**{name: getattr(args, name) for name in same}, attributes=planted)
    except ValueError as error:
        raise InputError(f"studio: {error}") from error
    drawn = draw_dataset(args.output, params, args.workers, progress=True)
    tell(f"{len(drawn)} clips drawn in {args.output}")
    return int(Exit.DONE)


def _ingest(args: argparse.Namespace) -> int:
    from m2m.datasets.ingest import ingest
    from m2m.datasets.official import official

    params, source = load("ingest", args), args.source
    if args.format is not None:
        source = official(args.format, args.source, args.annotations, args.fold, not args.partial)
    done = ingest(
        source, args.output, params, workers=args.workers, packed=args.packed, resume=args.resume, limit=args.limit
    )
    tell(str(done))
    return int(Exit.QUARANTINED if done.quarantined or done.missing else Exit.DONE)


def _lists(args: argparse.Namespace) -> int:
    from m2m.clips import MANIFEST, read_manifest
    from m2m.datasets.listed import write_lists

    rows = read_manifest(args.dataset / MANIFEST)
    for path in write_lists(rows, args.output, args.separator, args.prefix):
        tell(str(path))
    return int(Exit.DONE)


def _curate(args: argparse.Namespace) -> int:
    from m2m.curate.dataset import curate

    named = ("method", "classes", "representative", "weight", "list", "encoder", "seed")
    overrides = {name: getattr(args, name) for name in named if getattr(args, name) is not None}
    tell(str(curate(args.dataset, args.output, load("curate", args, overrides), workers=args.workers)))
    return int(Exit.DONE)


def _curate_report(args: argparse.Namespace) -> int:
    from m2m.curation import report_selections

    overrides = {name: getattr(args, name) for name in ("encoder", "seed") if getattr(args, name) is not None}
    model = None if args.checkpoint is None else (args.checkpoint, load("evaluate", args), load("model", args))
    how = {"subsets": args.subsets, "workers": args.workers, "model": model}
    params = load("curate", args, overrides)
    tell(str(report_selections(args.dataset, args.selection, args.output, params, **how)))
    return int(Exit.DONE)


def _curate_compare(args: argparse.Namespace) -> int:
    from m2m.curate.worth import compare

    tell(str(compare(args.first, args.second, args.total)))
    return int(Exit.DONE)


def _pack(args: argparse.Namespace) -> int:
    from m2m.shards import pack

    made = pack(args.dataset, args.output, args.shards)
    tell(f"{sum(s.clips for s in made)} clips in {len(made)} shards ({sum(s.size for s in made)} bytes): {args.output}")
    return int(Exit.DONE)


def _unpack(args: argparse.Namespace) -> int:
    from m2m.shards import unpack

    tell(f"{len(unpack(args.dataset, args.output))} clips: {args.output}")
    return int(Exit.DONE)
