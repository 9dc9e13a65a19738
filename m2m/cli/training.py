"""Subcommands that train and report, and those of the machine that they run on."""

import argparse
from pathlib import Path
from typing import Any

from m2m.cli.options import Add, load, tell
from m2m.errors import Exit, InputError, UsageError


def add_training(add: Add) -> None:
    """Adds what trains, evaluates and reports, and what says how the machine is."""
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


def _pretrain(args: argparse.Namespace) -> int:
    settings = load("pretrain", args), load("model", args)
    return _train("pretrain_set", args, args.output, *settings, seed=args.seed)


def _align(args: argparse.Namespace) -> int:
    settings = load("align", args), load("model", args)
    named = {"seed": args.seed, "also": args.also}
    return _train("align_set", args, args.checkpoint, args.output, *settings, **named)


def _evaluate(args: argparse.Namespace) -> int:
    settings = load("evaluate", args), load("model", args)
    test = {"name": args.name, "protocol": args.protocol, "seed": args.seed}
    return _train("evaluate_set", args, args.checkpoint, args.output, *settings, **test)


def _curve(args: argparse.Namespace) -> int:
    from m2m.curve import learning_curve
    from m2m.launch import processes

    settings = load("evaluate", args, {"seeds": args.seed} if args.seed else None), load("model", args)
    how = {"protocol": args.protocol, "scratch": args.scratch, "name": args.name}
    done = learning_curve(args.dataset, args.pretrained, args.output, *settings, **how, count=processes(args.processes))
    tell(str(done))
    return int(Exit.DONE)


def _train(stage: str, args: argparse.Namespace, *settings: Any, **named: Any) -> int:
    from m2m.launch import launch, processes

    tell(str(launch(stage, args.dataset, *settings, count=processes(args.processes), **named)))
    return int(Exit.DONE)


def _model_convert(args: argparse.Namespace) -> int:
    from m2m.train.convert import convert

    tell(str(convert(args.source, args.output, load("model", args), args.read_as, args.write_as)))
    return int(Exit.DONE)


def _report(args: argparse.Namespace) -> int:
    from m2m.report.reproduced import write_experiments
    from m2m.report.run import write_run_report

    if args.results:
        if args.dataset or args.evaluation or args.title:
            raise UsageError("--results goes with no --dataset, --evaluation or --title", "write two reports")
        for path in write_experiments(args.results, args.output, tracker=args.tracker, allow_mixed=args.mixed_code):
            tell(f"report: {path}")
        return int(Exit.DONE)
    if args.tracker or args.mixed_code:
        raise UsageError("--tracker and --mixed-code are for --results", "name a results.json")
    if not args.dataset and not args.evaluation:
        raise InputError("there is nothing to report", "name a --dataset, an --evaluation or --results")
    write_run_report(args.output, args.dataset, args.evaluation, args.title)
    tell(f"report: {args.output}")
    return int(Exit.DONE)


def _weights(args: argparse.Namespace) -> int:
    from m2m import weights

    tell(weights.act(args.action, args.names))
    return int(Exit.DONE)


def _doctor(args: argparse.Namespace) -> int:
    from m2m.doctor import examine

    found = examine(load("augment", args), gpu=args.gpu)
    tell(str(found))
    return int(Exit.DONE if found.fit else Exit.INFRASTRUCTURE)


def _replay(args: argparse.Namespace) -> int:
    from m2m.tracking import replay

    tell(str(replay(args.spool)))
    return int(Exit.DONE)
