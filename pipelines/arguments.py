"""The command line of each pipeline, and what a run of it gets: the same for this machine and a cluster."""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from m2m import params
from m2m.cluster import ClusterParams, Stack
from m2m.errors import InputError
from m2m.params import AugmentParams
from m2m.wording import secret_in
from pipelines.dataset import dataset_pipeline
from pipelines.experiment import experiment_pipeline
from pipelines.purge import purge_pipeline

SECTIONS = {
    "dataset": ("ingest", "curate", "augment", "audit", "gate", "register"),
    "experiment": ("model", "pretrain", "align", "evaluate"),
    "purge": (),
}
"""The sections of the parameters that each pipeline takes."""

ABOUT = {
    "dataset": "from a source of clips to a registered M2M data set",
    "experiment": "pre-train, align, fine-tune and probe",
    "purge": "delete the personal data behind a released data set, and prove it",
}


def add_params(parser: argparse.ArgumentParser) -> None:
    """Adds the options for parameters."""
    text = (
        "a profile (laptop, paper, videomae) or a YAML file; may be repeated, a later one goes before (default: none)"
    )
    parser.add_argument("--profile", action="append", help=text)
    parser.add_argument("--params", type=Path, help="a params.yaml (default: the built-in values)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="one parameter; may be repeated"
    )


def add_arguments(parser: argparse.ArgumentParser, pipeline: str) -> None:
    """Adds the options for what a pipeline works on.

    Args:
        parser: The parser of one command and pipeline.
        pipeline: A key of `SECTIONS`.
    """
    if pipeline == "dataset":
        parser.add_argument("--source", required=True, help="a folder, a manifest, or s3://bucket/prefix")
        parser.add_argument("--workers", type=int, default=1, help="processes of each task (default: 1)")
        parser.add_argument("--fused", action="store_true", help="augment as one task a shard")
    if pipeline == "experiment":
        parser.add_argument("--pretrain", required=True, metavar="HASH", help="data set to pre-train on")
        parser.add_argument("--align", metavar="HASH", help="data set to align on (default: the same)")
        parser.add_argument(
            "--test", action="append", required=True, metavar="NAME=HASH", help="data set to test on; may be repeated"
        )
        parser.add_argument("--protocols", default="ft,lp", help="any of ft,lp (default: both)")
        parser.add_argument("--seeds", default="0", help="seeds of the tests, as 0,1,2 (default: 0)")
    if pipeline == "purge":
        parser.add_argument("--dataset", required=True, metavar="HASH", help="a merged data set")
        parser.add_argument(
            "--yes", action="store_true", help="really delete; without it the report says what would go"
        )
        text = "a folder or s3://bucket/prefix that goes as a whole, as the logs of a run; may be repeated"
        parser.add_argument("--also", action="append", default=[], metavar="PLACE", help=text)
        text = "where each run has a folder: those that know of these clips go; may be repeated"
        parser.add_argument("--runs", action="append", default=[], metavar="PLACE", help=text)
        parser.add_argument("--repository", default="", help="where versions were registered: its URL")


def overrides(texts: list[str], sections: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """What `--set` says, by section.

    Args:
        texts: `SECTION.KEY=VALUE` each.
        sections: The sections that may be named.

    Raises:
        InputError: One is not of that form, or names another section.
    """
    found: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        section, _, path = key.partition(".")
        if not equals or not path or section not in sections:
            raise InputError(
                f"--set {text!r} is not SECTION.KEY=VALUE", f"sections of this pipeline: {', '.join(sections)}"
            )
        try:
            nested: Any = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise InputError(f"--set {text!r}: the value is not YAML") from error
        for part in reversed(path.split(".")):
            nested = {part: nested}
        found = params.merge(found, {section: nested})
    return found


def cluster_params(args: argparse.Namespace, sections: tuple[str, ...] = ()) -> ClusterParams:
    """The section `cluster`.

    Args:
        args: With `set`, `profile` and `params`.
        sections: Other sections that `--set` may name.

    Raises:
        InputError: A file, key or value is wrong.
    """
    said = overrides(args.set, (*sections, "cluster")).get("cluster")
    loaded: ClusterParams = params.load("cluster", args.profile, args.params, said)
    return loaded


def values(pipeline: str, args: argparse.Namespace, on_cluster: bool = False) -> dict[str, dict[str, Any]]:
    """The sections a pipeline takes, checked before anything runs, as `<section>_params`.

    Args:
        pipeline: A key of `SECTIONS`.
        args: With `set`, `profile` and `params`.
        on_cluster: Whether `--set cluster.KEY=VALUE` means something.

    Raises:
        InputError: A file, key or value is wrong.
    """
    sections = SECTIONS[pipeline]
    said = overrides(args.set, (*sections, "cluster") if on_cluster else sections)
    loaded = {name: params.load(name, args.profile, args.params, said.get(name)) for name in sections}
    return {f"{name}_params": params.to_dict(found) for name, found in loaded.items()}


def arguments(pipeline: str, args: argparse.Namespace, on_cluster: bool = False) -> dict[str, Any]:
    """What a run of a pipeline gets. It is kept with the run for all who may look at it, so no password is in it.

    Args:
        pipeline: A key of `SECTIONS`.
        args: What `add_arguments` and `add_params` ask for.
        on_cluster: Whether it runs where this machine's folders are not.

    Raises:
        InputError: Something is wrong; nothing has run.
    """
    given = _arguments(pipeline, args, on_cluster)
    if secret_in(json.dumps(given, ensure_ascii=False)):
        raise InputError(
            "an address among the parameters holds a password or a token, which every run would keep",
            "name it without; a repository by ssh with a deploy key, as docs/operations.md says",
        )
    return given


def _arguments(pipeline: str, args: argparse.Namespace, on_cluster: bool) -> dict[str, Any]:
    if pipeline == "purge":
        also, runs = (_places(texts, on_cluster) for texts in (args.also, args.runs))
        return {"dataset": args.dataset, "yes": args.yes, "also": also, "runs": runs, "repository": args.repository}
    sections = values(pipeline, args, on_cluster)
    if pipeline == "dataset":
        if args.workers < 1:
            raise InputError(f"--workers must be 1 or more, not {args.workers}")
        source = args.source
        if "://" not in source:
            if on_cluster:
                raise InputError(f"a cluster does not see {source}", "copy it to s3://bucket/prefix and name that")
            if not Path(source).exists():
                raise InputError(
                    f"{source} does not exist", "name a folder of videos, a manifest, or s3://bucket/prefix"
                )
            source = str(Path(source).absolute())
        return {**sections, "source": source, "shards": sections["ingest_params"]["shards"], "workers": args.workers}
    tests = _tests(args.test, args.protocols, args.seeds)
    return {**sections, "pretrain_set": args.pretrain, "align_set": args.align or args.pretrain, "downstream": tests}


def _places(texts: list[str], on_cluster: bool) -> list[str]:
    """Addresses as a task sees them."""
    for text in texts:
        if on_cluster and "://" not in text:
            raise InputError(f"a cluster does not see {text}", "name s3://bucket/prefix, or run m2m purge where it is")
    return [text if "://" in text else str(Path(text).absolute()) for text in texts]


def _tests(texts: list[str], protocols: str, seeds: str) -> list[dict[str, Any]]:
    tests = []
    for text in texts:
        name, equals, dataset = text.rpartition("=")
        if not equals or not name or not dataset:
            raise InputError(f"--test {text!r} is not NAME=HASH")
        for protocol in protocols.split(","):
            if protocol not in ("ft", "lp"):
                raise InputError(f"--protocols is any of ft,lp, not {protocols!r}")
            one = {"title": name, "dataset": dataset, "protocol": protocol, "epoch": 0}
            tests += [{**one, "seed": seed} for seed in parse_seeds(seeds)]
    return tests


def parse_seeds(text: str) -> list[int]:
    """Seeds as `--seeds` has them.

    Raises:
        InputError: One is none.
    """
    seeds = text.split(",")
    if not all(seed.isascii() and seed.isdigit() for seed in seeds):
        raise InputError(f"--seeds is whole numbers from 0, as 0,1,2, not {text!r}")
    return [int(seed) for seed in seeds]


def build(pipeline: str, args: argparse.Namespace, cluster: ClusterParams | None = None) -> Any:
    """The pipeline that a command line means.

    Args:
        pipeline: A key of `SECTIONS`.
        args: What `add_arguments` asks for.
        cluster: What the cluster is like; None for a run on this machine.

    Raises:
        InputError: No image holds what the parameters ask of it.
    """
    if pipeline == "dataset":
        stack = _stack(args)
        if cluster is not None and stack != "default":
            cluster = replace(cluster, stack=stack)
        if args.fused and (cluster is not None and cluster.stack == "paper"):
            raise InputError("no image holds all of the paper's models", "leave --fused out: each has one of its own")
        return dataset_pipeline(split=not args.fused, cluster=cluster, stack=stack)
    return experiment_pipeline(cluster) if pipeline == "experiment" else purge_pipeline(cluster)


def _stack(args: argparse.Namespace) -> Stack:
    """The images that the models of `augment` are in."""
    said = overrides(args.set, (*SECTIONS["dataset"], "cluster")).get("augment")
    asked: AugmentParams = params.load("augment", args.profile, args.params, said)
    return "paper" if any(asked.from_others) else "default"
