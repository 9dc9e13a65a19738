"""`python -m pipelines run | compile`: the pipelines on this machine, or as files for a cluster."""

import argparse
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from m2m import params
from m2m.errors import Exit, InputError, M2MError
from m2m.files import write_atomic
from pipelines.dataset import dataset_pipeline
from pipelines.experiment import experiment_pipeline
from pipelines.purge import purge_pipeline

SECTIONS = {
    "dataset": ("ingest", "curate", "augment", "audit", "gate", "register"),
    "experiment": ("model", "pretrain", "align", "evaluate"),
    "purge": (),
}
"""The sections of the parameters that each pipeline takes."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipelines", description="M2M's Kubeflow pipelines.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="run a pipeline on this machine")
    kinds = run.add_subparsers(dest="pipeline", required=True, metavar="PIPELINE")
    for name, about in (
        ("dataset", "from a source of clips to a registered M2M data set"),
        ("experiment", "pre-train, align, fine-tune and probe"),
        ("purge", "delete the personal data behind a released data set, and prove it"),
    ):
        kind = kinds.add_parser(name, help=about, description=about)
        kind.add_argument("--root", type=Path, default=Path("runs"), help="folder of runs and stores (default: runs)")
        kind.add_argument("--output", type=Path, help="a JSON file for what came out: hashes and paths")
        kind.add_argument("--verbose", action="store_true", help="show everything that kfp prints")
        if name != "purge":
            kind.add_argument("--profile", help="a profile (laptop, paper ...) or a YAML file (default: none)")
            kind.add_argument("--params", type=Path, help="a params.yaml (default: the built-in values)")
            kind.add_argument(
                "--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="one parameter; may be repeated"
            )
        if name == "dataset":
            kind.add_argument("--source", required=True, help="a folder, a manifest, or s3://bucket/prefix")
            kind.add_argument("--workers", type=int, default=1, help="processes of each task (default: 1)")
            kind.add_argument("--fused", action="store_true", help="augment as one task a shard")
        if name == "experiment":
            kind.add_argument("--pretrain", required=True, metavar="HASH", help="data set to pre-train on")
            kind.add_argument("--align", metavar="HASH", help="data set to align on (default: the same)")
            kind.add_argument(
                "--test",
                action="append",
                required=True,
                metavar="NAME=HASH",
                help="data set to test on; may be repeated",
            )
            kind.add_argument("--protocols", default="ft,lp", help="any of ft,lp (default: both)")
            kind.add_argument("--seeds", default="0", help="seeds of the tests, as 0,1,2 (default: 0)")
        if name == "purge":
            kind.add_argument("--dataset", required=True, metavar="HASH", help="a merged data set")
            kind.add_argument(
                "--yes", action="store_true", help="really delete; without it the report says what would go"
            )
    compile_ = commands.add_parser("compile", help="write the pipelines as files")
    compile_.add_argument("output", type=Path, metavar="OUTPUT", help="a folder")
    compile_.add_argument("--gpu", action="store_true", help="ask for GPUs where they help")
    compile_.add_argument(
        "--manifests", action="store_true", help="as Kubernetes resources instead of KFP's own format"
    )
    return parser


def values(pipeline: str, args: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """The sections a pipeline takes, checked before anything runs, as `<section>_params`.

    Raises:
        InputError: A file, key or value is wrong.
    """
    overrides: dict[str, Any] = {}
    for text in args.set:
        key, equals, value = text.partition("=")
        section, _, path = key.partition(".")
        if not equals or not path or section not in SECTIONS[pipeline]:
            known = ", ".join(SECTIONS[pipeline])
            raise InputError(f"--set {text!r} is not SECTION.KEY=VALUE", f"sections of this pipeline: {known}")
        nested: Any = _scalar(value, text)
        for part in reversed(path.split(".")):
            nested = {part: nested}
        overrides = params.merge(overrides, {section: nested})
    loaded = {name: params.load(name, args.profile, args.params, overrides.get(name)) for name in SECTIONS[pipeline]}
    return {f"{name}_params": params.to_dict(found) for name, found in loaded.items()}


def _scalar(value: str, text: str) -> Any:
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise InputError(f"--set {text!r}: the value is not YAML") from error


def _dataset(args: argparse.Namespace) -> int:
    from pipelines.run import run

    sections = values("dataset", args)
    if args.workers < 1:
        raise InputError(f"--workers must be 1 or more, not {args.workers}")
    if "://" not in args.source and not Path(args.source).exists():
        raise InputError(f"{args.source} does not exist", "name a folder of videos, a manifest, or s3://bucket/prefix")
    source = args.source if "://" in args.source else str(Path(args.source).absolute())
    more = {"source": source, "shards": sections["ingest_params"]["shards"], "workers": args.workers}
    done = run(dataset_pipeline(split=not args.fused), {**sections, **more}, args.root, args.verbose)
    card = json.loads((done.output("merge", "dataset") / "dataset.json").read_text(encoding="utf-8"))
    originals = json.loads((done.output("curate", "curated") / "dataset.json").read_text(encoding="utf-8"))
    page = done.output("describe", "page")
    print(f"{card['clips']} clips released, {card['quarantined']} quarantined, in {done.seconds:.0f} s")
    print(f"data set:  {card['hash']} ({card['variant']})")
    print(f"originals: {originals['hash']} (real)")
    print(f"report:    {page}")
    _write(args.output, {"dataset": card["hash"], "originals": originals["hash"], "report": str(page)})
    return int(Exit.DONE)


def _write(path: Path | None, values: dict[str, Any]) -> None:
    if path is not None:
        write_atomic(path, (json.dumps(values, indent=1) + "\n").encode())


def _experiment(args: argparse.Namespace) -> int:
    from pipelines.run import run

    sections = values("experiment", args)
    tests = []
    for text in args.test:
        name, equals, dataset = text.rpartition("=")
        if not equals or not name or not dataset:
            raise InputError(f"--test {text!r} is not NAME=HASH")
        for protocol in args.protocols.split(","):
            if protocol not in ("ft", "lp"):
                raise InputError(f"--protocols is any of ft,lp, not {args.protocols!r}")
            tests += [
                {"title": name, "dataset": dataset, "protocol": protocol, "seed": seed} for seed in _seeds(args.seeds)
            ]
    more = {"pretrain_set": args.pretrain, "align_set": args.align or args.pretrain, "downstream": tests}
    done = run(experiment_pipeline(), {**sections, **more}, args.root, args.verbose)
    page = done.output("summarize", "page")
    evaluations = sorted(str(p.parent) for p in done.folder.glob("*/evaluate/evaluation/metrics.json"))
    print(f"{len(evaluations)} tests in {done.seconds:.0f} s")
    print(f"report: {page}")
    _write(args.output, {"evaluations": evaluations, "report": str(page)})
    return int(Exit.DONE)


def _seeds(text: str) -> list[int]:
    try:
        return [int(seed) for seed in text.split(",")]
    except ValueError as error:
        raise InputError(f"--seeds is whole numbers, as 0,1,2, not {text!r}") from error


def _purge(args: argparse.Namespace) -> int:
    from pipelines.run import run

    done = run(purge_pipeline(), {"dataset": args.dataset, "yes": args.yes}, args.root, args.verbose)
    proof = done.output("purge", "proof")
    print(f"proof: {proof}")
    _write(args.output, {"proof": str(proof)})
    return int(Exit.DONE)


def _compile(args: argparse.Namespace) -> int:
    from pipelines.compile import compile_all

    for path in compile_all(args.output, gpu=args.gpu, manifests=args.manifests):
        print(path)
    return int(Exit.DONE)


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; exit codes as those of `m2m`."""
    args = _parser().parse_args(argv)
    runs: dict[str, Callable[[argparse.Namespace], int]] = {
        "dataset": _dataset,
        "experiment": _experiment,
        "purge": _purge,
    }
    try:
        return runs[args.pipeline](args) if args.command == "run" else _compile(args)
    except M2MError as error:
        print(f"pipelines: {error}", file=sys.stderr)
        return int(error.code)
    except KeyboardInterrupt:
        print("pipelines: stopped; what is finished is kept, the same command goes on from here", file=sys.stderr)
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main())
