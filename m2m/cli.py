"""The command line: one subcommand a stage, no logic."""

import argparse
import itertools
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from m2m import __version__
from m2m.errors import Exit, InputError, M2MError, UsageError
from m2m.wording import printable, say

Command = Callable[[argparse.Namespace], int]

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

    _add_data(add)
    _add_augment(add)
    _add_training(add)
    _add_reproduce(add)
    _add_versions(add)
    return parser


def _workers(command: argparse.ArgumentParser) -> None:
    command.add_argument("--workers", type=int, default=1, help="processes (default: 1)")


def _resume(command: argparse.ArgumentParser) -> None:
    text = "skip what an earlier run has finished (default: on)"
    command.add_argument("--resume", action=argparse.BooleanOptionalAction, default=True, help=text)


def _limit(command: argparse.ArgumentParser, default: str) -> None:
    text = f"most that one clip may take; then it is quarantined, and tried again by the next run (default: {default})"
    command.add_argument("--limit", type=_positive, default=None, metavar="SECONDS", help=text)


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


def _positive(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise ValueError(f"{text} is not a positive number")
    return value


def _add_data(add: Callable[..., argparse.ArgumentParser]) -> None:
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
    _workers(studio)

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
    _workers(ingest)
    _limit(ingest, "an hour, and a minute for every MB")
    _resume(ingest)

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
    _workers(curate)

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
    _workers(worth)

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


def _add_augment(add: Callable[..., argparse.ArgumentParser]) -> None:
    augment = add(
        "augment",
        _augment,
        "turn videos into M2M videos",
        description="Turns videos into M2M videos: people are masked, painted out and replaced by a neutral body. "
        "A clip in which somebody may still be seen is quarantined with its reason, never passed through.",
        params=True,
    )
    augment.add_argument("input", metavar="INPUT", type=Path, help="a video, a folder of videos, or a manifest")
    augment.add_argument("output", metavar="OUTPUT", type=Path, help="folder of the data set to write")
    augment.add_argument("--variant", help="m2m, mesh_on_real, no_human, blur, pixelate or blackout (default: m2m)")
    augment.add_argument("--body", help="neutral, male or female (default: neutral)")
    augment.add_argument("--use", help="research, or commercial: stops where a licence forbids it (default: research)")
    augment.add_argument("--size", help="WIDTHxHEIGHT, or source (default: 432x240, as in the paper)")
    _workers(augment)
    _limit(augment, "none")
    augment.add_argument("--keep", default=None, metavar="LIST", help="intermediates to keep: people,plates,bodies")
    augment.add_argument(
        "--on-doubt", help="quarantine the clip, or blackout its doubtful frames (default: quarantine)"
    )
    augment.add_argument("--allow-empty", action="store_true", help="release clips in which nobody is found")
    _resume(augment)
    augment.add_argument(
        "--with-originals", action="store_true", help="show the originals in the report, for your eyes"
    )

    audit = add("audit", _audit, "look at finished clips with other eyes", params=True)
    audit.add_argument("dataset", metavar="DATASET", type=Path, help="a data set that m2m augment wrote")
    audit.add_argument("--originals", type=Path, default=None, help="what it was made from: finds copies of it")
    audit.add_argument("--output", type=Path, default=None, help="a folder (default: DATASET)")
    _workers(audit)
    _limit(audit, "none")
    _resume(audit)

    review = add(
        "audit-review", _audit_review, "write the page on which a person looks (m2m audit review)", params=True
    )
    review.add_argument("dataset", metavar="DATASET", help="an audited data set: its folder, or its hash with --out")
    text = "what it was made from: shown beside doubtful frames, and plants are made of it"
    review.add_argument("--originals", type=Path, default=None, help=text)
    text = "clips drawn by chance, for a bound on what remains (default: 0, only what is doubtful)"
    review.add_argument("--sample", type=int, default=0, help=text)
    review.add_argument("--seed", type=int, default=0, help="of the sample (default: 0)")
    text = "clips among the sample that somebody is put into (default: a fifth of it, 10 at least)"
    review.add_argument("--plants", type=int, default=None, help=text)
    text = "of each check, clips that passed and came nearest to failing (default: 3)"
    review.add_argument("--near", type=int, default=3, help=text)
    review.add_argument("--out", type=Path, default=None, help="folder for a copy of the page, review.html")
    text = "show the page to this machine's browser, record every answer as it comes; Ctrl-C ends it"
    review.add_argument("--serve", action="store_true", help=text)
    review.add_argument("--port", type=int, default=0, help="with --serve: on 127.0.0.1 (default: any that is free)")

    decide = add("audit-decide", _audit_decide, "record the answers that the page saved (m2m audit decide)")
    decide.add_argument("dataset", metavar="DATASET", type=Path, help="the data set that was reviewed")
    decide.add_argument("decisions", metavar="DECISIONS", type=Path, help="the file that the page saved")
    decide.add_argument("--reviewer", default="", help="name or pseudonym, if the file has none")

    certify = add("audit-certify", _audit_certify, "write the certificate again, and sign it (m2m audit certify)")
    certify.add_argument("dataset", metavar="DATASET", type=Path, help="an audited data set")
    certify.add_argument("--key", type=Path, default=None, help="an Ed25519 private key, PEM: signs it")
    text = "a file that the page of a review saved, recorded first; may be given again"
    certify.add_argument("--decisions", type=Path, action="append", default=[], help=text)

    verify = add("audit-verify", _audit_verify, "check data set, certificate and signature (m2m audit verify)")
    verify.add_argument("dataset", metavar="DATASET", type=Path, help="a certified data set")
    verify.add_argument("--public", type=Path, default=None, help="the public key that it must be signed with, PEM")

    attack = add("audit-attack", _audit_attack, "try to tell the people of finished clips apart (m2m audit attack)")
    text = "data sets of the same clips, one a variant; no_human tells what the scene alone gives away"
    attack.add_argument("datasets", metavar="DATASET", type=Path, nargs="*", help=text)
    attack.add_argument("--out", type=Path, required=True, help="folder of attack.json, attack.html and attack.md")
    attack.add_argument("--originals", type=Path, default=None, help="what they were made from, as the variant real")
    text = "who is in which clip: a CSV clip_id,person,place[,clothes][,attribute...]"
    attack.add_argument("--people", type=Path, default=None, metavar="CSV", help=text)
    text = "draw a population and attack it: no DATASET, about an hour on two cores"
    attack.add_argument("--studio", action="store_true", help=text)
    text = (
        "face, colours, body, attributes, identity, motion, gait, silhouette, linkage or membership; may be given again"
    )
    attack.add_argument("--attacker", action="append", default=None, help=f"{text} (default: all)")
    text = "of one test each: other persons, other networks; may be given again (default: 0, 1 and 2)"
    attack.add_argument("--seed", type=int, action="append", default=None, help=text)
    _workers(attack)

    gate = add("gate", _gate, "fail where a data set may not be used", params=True)
    gate.add_argument("dataset", metavar="DATASET", help="an audited data set: its folder, or its hash")


def _add_training(add: Callable[..., argparse.ArgumentParser]) -> None:
    for name, run, text in (
        ("pretrain", _pretrain, "pre-train VideoMAE on a data set"),
        ("align", _align, "align a pre-trained encoder on the labels of a data set"),
        ("evaluate", _evaluate, "fine-tune or probe an encoder on a data set and test it"),
    ):
        command = add(name, run, text, params=True)
        command.add_argument("dataset", metavar="DATASET", help="its folder, or the hash of a published one")
        command.add_argument("output", metavar="OUTPUT", type=Path, help="folder of checkpoint.pt and metrics.json")
        command.add_argument("--seed", type=int, default=None if name != "evaluate" else 0, help="of everything random")
        text = "that train one model together on this machine: a number, or gpu for one on each (default: 1)"
        command.add_argument("--processes", default="1", help=text)
        if name != "pretrain":
            text = "what m2m pretrain wrote" if name == "align" else "what m2m align or pretrain wrote"
            command.add_argument("--checkpoint", type=Path, default=None, help=f"{text}, or m2m model convert")
        if name == "align":
            command.add_argument("--also", default=None, metavar="DATASET", help="another one, with a head of its own")
        if name == "evaluate":
            command.add_argument(
                "--protocol", choices=("ft", "lp"), default="ft", help="all weights, or the head alone"
            )
            command.add_argument("--name", default="", help="what tables call the data set")

    curve = add("curve", _curve, "evaluate every model that pretraining kept: the learning curve", params=True)
    curve.add_argument("dataset", metavar="DATASET", help="its folder, or the hash of a published one")
    text = "what m2m pretrain wrote with keep_every; of two the gap is shaded"
    curve.add_argument("pretrained", metavar="PRETRAINED", type=Path, nargs="+", help=text)
    curve.add_argument("output", metavar="OUTPUT", type=Path, help="folder of curve.json and curve.svg")
    curve.add_argument("--protocol", choices=("ft", "lp"), default="ft", help="all weights, or the head alone")
    curve.add_argument("--scratch", action="store_true", help="evaluate an untrained model too, as epoch 0")
    text = "one evaluation of each model by each seed; may be given again (default: seeds of evaluate)"
    curve.add_argument("--seed", type=int, action="append", default=None, help=text)
    curve.add_argument("--name", default="", help="what figures call the data set")
    text = "that train one model together on this machine: a number, or gpu for one on each (default: 1)"
    curve.add_argument("--processes", default="1", help=text)

    formats = ("auto", "m2m", "videomae", "transformers", "timm")
    convert = add(
        "model-convert",
        _model_convert,
        "read a model of VideoMAE, transformers or timm, or write one (m2m model convert)",
        params=True,
    )
    convert.add_argument("source", metavar="IN", type=Path, help="a file of weights, or a folder with one")
    convert.add_argument("output", metavar="OUT", type=Path, help="a folder; for videomae a file")
    convert.add_argument("--from", dest="read_as", choices=formats, default="auto", help="format of IN (default: auto)")
    text = "format of OUT (default: m2m; of an m2m checkpoint videomae)"
    convert.add_argument("--to", dest="write_as", choices=formats[:4], default="auto", help=text)

    report = add("report", _report, "write the page of data sets and evaluations, or those of reproduced tables")
    report.add_argument("output", metavar="OUTPUT", type=Path, help="an HTML file; of --results a folder")
    report.add_argument("--dataset", action="append", default=[], help="a folder, or the hash of a published data set")
    report.add_argument("--evaluation", action="append", type=Path, default=[], help="a folder that evaluate wrote")
    report.add_argument("--title", default="", help="its heading")
    text = "a results.json that m2m reproduce wrote: a page each, and a list of several"
    report.add_argument("--results", action="append", type=Path, default=[], help=text)
    text = "address of MLflow's page, http://HOST:PORT, which the runs of --results are linked to"
    report.add_argument("--tracker", metavar="URL", default="", help=text)
    text = "let evaluations of --results come from different versions of the code; the page says so"
    report.add_argument("--mixed-code", action="store_true", help=text)

    weights = add("weights", _weights, "list, fetch, check and accept model files that M2M does not ship")
    weights.add_argument("action", choices=("list", "fetch", "check", "accept"), help="what to do")
    weights.add_argument("names", metavar="NAME", nargs="*", help="checkpoints, as list names them")

    doctor = add("doctor", _doctor, "say what works on this machine, and what mends the rest", params=True)
    doctor.add_argument("--gpu", action="store_true", help="fail where no GPU computes and draws")

    replay = add("replay", _replay, "send the tracker what it did not get while it was down")
    replay.add_argument("spool", metavar="SPOOL", type=Path, help="the folder that the run named")


def _add_reproduce(add: Callable[..., argparse.ArgumentParser]) -> None:
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
    reproduce.add_argument("--minutes", type=_positive, default=None, help=text)
    reproduce.add_argument(
        "--tracker", default="", metavar="URL", help="address of MLflow's page, for links to its runs"
    )
    _workers(reproduce)


def _add_versions(add: Callable[..., argparse.ArgumentParser]) -> None:
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


def _load(name: str, args: argparse.Namespace, overrides: dict[str, Any] | None = None) -> Any:
    from m2m import params

    return params.load(name, args.profile, args.params, overrides)


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
    _say(f"{len(drawn)} clips drawn in {args.output}")
    return int(Exit.DONE)


def _ingest(args: argparse.Namespace) -> int:
    from m2m.datasets.ingest import ingest
    from m2m.datasets.official import official

    params, source = _load("ingest", args), args.source
    if args.format is not None:
        source = official(args.format, args.source, args.annotations, args.fold, not args.partial)
    done = ingest(
        source, args.output, params, workers=args.workers, packed=args.packed, resume=args.resume, limit=args.limit
    )
    _say(str(done))
    return int(Exit.QUARANTINED if done.quarantined or done.missing else Exit.DONE)


def _lists(args: argparse.Namespace) -> int:
    from m2m.clips import MANIFEST, read_manifest
    from m2m.datasets.listed import write_lists

    rows = read_manifest(args.dataset / MANIFEST)
    for path in write_lists(rows, args.output, args.separator, args.prefix):
        _say(str(path))
    return int(Exit.DONE)


def _curate(args: argparse.Namespace) -> int:
    from m2m.curate.dataset import curate

    named = ("method", "classes", "representative", "weight", "list", "encoder", "seed")
    overrides = {name: getattr(args, name) for name in named if getattr(args, name) is not None}
    _say(str(curate(args.dataset, args.output, _load("curate", args, overrides), workers=args.workers)))
    return int(Exit.DONE)


def _curate_report(args: argparse.Namespace) -> int:
    from m2m.curation import report_selections

    overrides = {name: getattr(args, name) for name in ("encoder", "seed") if getattr(args, name) is not None}
    model = None if args.checkpoint is None else (args.checkpoint, _load("evaluate", args), _load("model", args))
    how = {"subsets": args.subsets, "workers": args.workers, "model": model}
    params = _load("curate", args, overrides)
    _say(str(report_selections(args.dataset, args.selection, args.output, params, **how)))
    return int(Exit.DONE)


def _curate_compare(args: argparse.Namespace) -> int:
    from m2m.curate.worth import compare

    _say(str(compare(args.first, args.second, args.total)))
    return int(Exit.DONE)


def _pack(args: argparse.Namespace) -> int:
    from m2m.shards import pack

    made = pack(args.dataset, args.output, args.shards)
    _say(f"{sum(s.clips for s in made)} clips in {len(made)} shards ({sum(s.size for s in made)} bytes): {args.output}")
    return int(Exit.DONE)


def _unpack(args: argparse.Namespace) -> int:
    from m2m.shards import unpack

    _say(f"{len(unpack(args.dataset, args.output))} clips: {args.output}")
    return int(Exit.DONE)


def _augment(args: argparse.Namespace) -> int:
    from m2m.augment.dataset import augment

    overrides: dict[str, Any] = {}
    if args.variant is not None:
        overrides["compose"] = {"variant": args.variant}
    if args.body is not None:
        overrides["body"] = {"gender": args.body}
    for name in ("size", "use"):
        if getattr(args, name) is not None:
            overrides[name] = getattr(args, name)
    if args.keep is not None:
        overrides["keep"] = [k for k in args.keep.split(",") if k]
    if args.on_doubt is not None:
        overrides["verify"] = {"on_doubt": args.on_doubt}
    if args.allow_empty:
        overrides["allow_empty"] = True
    summary = augment(
        args.input,
        args.output,
        params=_load("augment", args, overrides),
        workers=args.workers,
        resume=args.resume,
        limit=args.limit,
        with_originals=args.with_originals,
    )
    _say(str(summary))
    return int(Exit.QUARANTINED if summary.quarantined else Exit.DONE)


def _audit(args: argparse.Namespace) -> int:
    from m2m.audit import audit

    out, params = args.output or args.dataset, _load("audit", args)
    done = audit(args.dataset, args.originals, out, params, workers=args.workers, resume=args.resume, limit=args.limit)
    _say(str(done))
    _say(f"certificate: {out / 'audit.html'}")
    return int(Exit.GATE if done.failed else Exit.DONE)


def _audit_review(args: argparse.Namespace) -> int:
    from m2m.audit.review.build import build, copied, open_dataset
    from m2m.audit.review.sample import ReviewParams
    from m2m.audit.review.serve import Server, serve

    params = ReviewParams(args.sample, args.seed, args.plants, args.near)
    folder = open_dataset(args.dataset, args.out)
    done = build(folder, args.originals, params, _load("audit", args))
    _say(str(done))
    if args.out is not None and args.out != folder:
        _say(f"copy: {copied(done, args.out)}")
    if args.serve:
        server = Server(folder, done.key, done.page, args.port)
        serve(server, _say)
        _say(f"recorded: {server.said()}")
    return int(Exit.DONE)


def _audit_decide(args: argparse.Namespace) -> int:
    from m2m.audit.review.settle import decide

    _say(str(decide(args.dataset, args.decisions, args.reviewer)))
    return int(Exit.DONE)


def _audit_certify(args: argparse.Namespace) -> int:
    from m2m.audit.certificate import certify

    _say(str(certify(args.dataset, args.decisions, args.key)))
    return int(Exit.DONE)


def _audit_verify(args: argparse.Namespace) -> int:
    from m2m.audit.signature import verify

    _say(str(verify(args.dataset, args.public)))
    return int(Exit.DONE)


def _audit_attack(args: argparse.Namespace) -> int:
    from m2m.attacks import attack_and_report

    chosen = {"attackers": args.attacker, "seeds": args.seed}
    how = {"originals": args.originals, "people": args.people, "studio": args.studio, "workers": args.workers}
    _say(str(attack_and_report(args.datasets, args.out, chosen, **how)))
    return int(Exit.DONE)


def _gate(args: argparse.Namespace) -> int:
    from m2m.audit.gate import gate
    from m2m.checkout import manifest

    params = _load("gate", args)
    with manifest(args.dataset) as folder:
        _say(str(gate(folder, params)))
    return int(Exit.DONE)


def _pretrain(args: argparse.Namespace) -> int:
    settings = _load("pretrain", args), _load("model", args)
    return _train("pretrain_set", args, args.output, *settings, seed=args.seed)


def _align(args: argparse.Namespace) -> int:
    settings = _load("align", args), _load("model", args)
    named = {"seed": args.seed, "also": args.also}
    return _train("align_set", args, args.checkpoint, args.output, *settings, **named)


def _evaluate(args: argparse.Namespace) -> int:
    settings = _load("evaluate", args), _load("model", args)
    test = {"name": args.name, "protocol": args.protocol, "seed": args.seed}
    return _train("evaluate_set", args, args.checkpoint, args.output, *settings, **test)


def _curve(args: argparse.Namespace) -> int:
    from m2m.curve import learning_curve
    from m2m.launch import processes

    settings = _load("evaluate", args, {"seeds": args.seed} if args.seed else None), _load("model", args)
    how = {"protocol": args.protocol, "scratch": args.scratch, "name": args.name}
    done = learning_curve(args.dataset, args.pretrained, args.output, *settings, **how, count=processes(args.processes))
    _say(str(done))
    return int(Exit.DONE)


def _train(stage: str, args: argparse.Namespace, *settings: Any, **named: Any) -> int:
    from m2m.launch import launch, processes

    _say(str(launch(stage, args.dataset, *settings, count=processes(args.processes), **named)))
    return int(Exit.DONE)


def _model_convert(args: argparse.Namespace) -> int:
    from m2m.train.convert import convert

    _say(str(convert(args.source, args.output, _load("model", args), args.read_as, args.write_as)))
    return int(Exit.DONE)


def _report(args: argparse.Namespace) -> int:
    from m2m.report.reproduced import write_experiments
    from m2m.report.run import write_run_report

    if args.results:
        if args.dataset or args.evaluation or args.title:
            raise UsageError("--results goes with no --dataset, --evaluation or --title", "write two reports")
        for path in write_experiments(args.results, args.output, tracker=args.tracker, allow_mixed=args.mixed_code):
            _say(f"report: {path}")
        return int(Exit.DONE)
    if args.tracker or args.mixed_code:
        raise UsageError("--tracker and --mixed-code are for --results", "name a results.json")
    if not args.dataset and not args.evaluation:
        raise InputError("there is nothing to report", "name a --dataset, an --evaluation or --results")
    write_run_report(args.output, args.dataset, args.evaluation, args.title)
    _say(f"report: {args.output}")
    return int(Exit.DONE)


def _reproduce(args: argparse.Namespace) -> int:
    from m2m.reproduce.reproduce import prepare, reproduce

    rows, seeds = tuple(filter(None, args.rows.split(","))), tuple(filter(None, args.seeds.split(",")))
    if not all(seed.isascii() and seed.isdigit() for seed in seeds):
        raise InputError(f"--seeds is whole numbers from 0, as 0,1,2, not {args.seeds!r}")
    chosen = {"data": args.data, "rows": rows, "seeds": tuple(map(int, seeds))}
    what = prepare(args.experiments, args.profile, args.output / Path(args.profile).stem, **chosen)
    if args.dry_run:
        _say(str(what.plan(args.workers)))
        return int(Exit.DONE)
    done = reproduce(what, workers=args.workers, minutes=args.minutes, tracker=args.tracker)
    _say(str(done))
    if done.error is not None:
        raise done.error
    return int(Exit.DONE)


def _weights(args: argparse.Namespace) -> int:
    from m2m import weights

    _say(weights.act(args.action, args.names))
    return int(Exit.DONE)


def _doctor(args: argparse.Namespace) -> int:
    from m2m.doctor import examine

    found = examine(_load("augment", args), gpu=args.gpu)
    _say(str(found))
    return int(Exit.DONE if found.fit else Exit.INFRASTRUCTURE)


def _replay(args: argparse.Namespace) -> int:
    from m2m.tracking import replay

    _say(str(replay(args.spool)))
    return int(Exit.DONE)


def _release(args: argparse.Namespace) -> int:
    from m2m.release import release, unreleased

    card, held = release(args.dataset, args.output, args.key), unreleased(args.dataset)
    _say(f"{card.clips} clips released to {args.output}, data set {card.hash[:12]}")
    for name, why in held.items():
        _say(f"  left out {name}: {why}")
    return int(Exit.QUARANTINED if held else Exit.DONE)


def _register(args: argparse.Namespace) -> int:
    from m2m.checkout import manifest
    from m2m.register import register

    overrides = {} if args.repository is None else {"repository": args.repository}
    params = _load("register", args, overrides)
    with manifest(args.dataset) as folder:
        _say(str(register(folder, params, key=args.key)))
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
    _say(str(proof))
    return int(Exit.DONE)


def _say(text: str) -> None:
    """Prints a result; a reader that went away (`m2m ... | head`) changes no exit code."""
    try:
        say(text, sys.stdout)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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


if __name__ == "__main__":
    sys.exit(main())
