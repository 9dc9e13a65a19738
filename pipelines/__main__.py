"""`python -m pipelines run | submit | schedule | reproduce | compile | trainjob`: here, on a cluster, or as files."""

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from m2m import params
from m2m.errors import Exit, M2MError
from m2m.files import write_atomic
from m2m.wording import say
from pipelines import arguments
from pipelines.run import Run, run


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipelines", description="M2M's Kubeflow pipelines.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command, about, options in (
        ("run", "run a pipeline on this machine", _run_options),
        ("submit", "run a pipeline on a cluster, now", _submit_options),
        ("schedule", "run a pipeline on a cluster, at its times", _schedule_options),
    ):
        kinds = commands.add_parser(command, help=about).add_subparsers(
            dest="pipeline", required=True, metavar="PIPELINE"
        )
        for name, what in arguments.ABOUT.items():
            kind = kinds.add_parser(name, help=what, description=what)
            options(kind)
            if name != "purge" or command != "run":
                arguments.add_params(kind)
            arguments.add_arguments(kind, name)
    compile_ = commands.add_parser("compile", help="write the pipelines as files")
    compile_.add_argument("output", type=Path, metavar="OUTPUT", help="a folder")
    compile_.add_argument(
        "--manifests", action="store_true", help="as Kubernetes resources instead of KFP's own format"
    )
    arguments.add_params(compile_)
    _reproduce_options(commands)
    about = "write a pre-training on several machines, for Kubeflow's Trainer"
    job = commands.add_parser("trainjob", help=about, description=about)
    job.add_argument("output", type=Path, metavar="OUTPUT", help="a YAML file for kubectl apply")
    job.add_argument("--pretrain", required=True, metavar="HASH", help="data set to pre-train on")
    job.add_argument("--machines", type=int, default=2, help="pods of cluster.train_gpus GPUs each (default: 2)")
    job.add_argument("--seed", type=int, default=0, help="as the experiment pipeline has it (default: 0)")
    arguments.add_params(job)
    return parser


def _run_options(kind: argparse.ArgumentParser) -> None:
    kind.add_argument("--root", type=Path, default=Path("runs"), help="folder of runs and stores (default: runs)")
    kind.add_argument("--output", type=Path, help="a JSON file for what came out: hashes and paths")
    kind.add_argument("--verbose", action="store_true", help="show everything that kfp prints")
    kind.add_argument(
        "--runner",
        choices=("subprocess", "docker"),
        default="subprocess",
        help="each task as a process of this environment, or in its stage's image (default: subprocess)",
    )


def _submit_options(kind: argparse.ArgumentParser) -> None:
    kind.add_argument(
        "--endpoint",
        default=os.environ.get("KF_PIPELINES_ENDPOINT", ""),
        help="address of KFP's API (default: KF_PIPELINES_ENDPOINT, or the cluster around this pod)",
    )
    kind.add_argument(
        "--namespace", default="", help="where runs run, on a server with users (default: none, for one without)"
    )
    kind.add_argument("--experiment", default="m2m", help="what runs are grouped by (default: m2m)")
    kind.add_argument("--service-account", default="", help="of the pods (default: KFP's)")
    kind.add_argument("--ca", type=Path, help="a file of certificates for the endpoint")


def _schedule_options(kind: argparse.ArgumentParser) -> None:
    _submit_options(kind)
    kind.add_argument("--cron", required=True, metavar="CRON", help="five fields, as '30 3 * * mon-fri'")
    kind.add_argument("--timezone", default="UTC", help="of --cron, as Europe/Berlin (default: UTC)")
    kind.add_argument(
        "--cluster-timezone", default="UTC", help="cronScheduleTimezone of KFP's installation (default: UTC)"
    )
    kind.add_argument("--name", help="of the schedule; saying it again replaces it (default: the pipeline's)")


def _reproduce_options(commands: Any) -> None:
    about = "reproduce the paper's experiments on a cluster: submit what can begin, and say how it stands"
    kind = commands.add_parser("reproduce", help=about, description=about)
    kind.add_argument("experiments", nargs="+", metavar="EXPERIMENT", help="table1 and so on, or the path of a .yaml")
    kind.add_argument("--profile", default="paper", help="a scale: paper, or a YAML file (default: paper)")
    kind.add_argument("--data", type=Path, metavar="FILE", help="your published data sets, as YAML")
    kind.add_argument("--rows", default="", help="some rows, as m2m,mesh_on_real (default: all)")
    kind.add_argument("--seeds", default="", help="in place of the scale's, as 0,1,2")
    kind.add_argument(
        "--dry-run", action="store_true", help="say what would be submitted and what it costs; ask nobody"
    )
    kind.add_argument("--wait", action="store_true", help="ask every minute until all is done; Ctrl-C stops the asking")
    text = "write results.json of each experiment into this folder: after --wait, or in place of submitting"
    kind.add_argument("--collect", type=Path, metavar="OUT", help=text)
    kind.add_argument("--params", type=Path, help="a params.yaml, for its section cluster (default: built-in values)")
    kind.add_argument(
        "--set", action="append", default=[], metavar="cluster.KEY=VALUE", help="one of them; may be repeated"
    )
    _submit_options(kind)


def _run(args: argparse.Namespace) -> int:
    given = arguments.arguments(args.pipeline, args)
    docker, sees = args.runner == "docker", ()
    if docker and "://" not in given.get("source", "://"):
        from pipelines.containers import seen

        sees = seen(given["source"])
    done = run(arguments.build(args.pipeline, args), given, args.root, args.verbose, docker=docker, sees=sees)
    _write(args.output, {"dataset": _dataset, "experiment": _experiment, "purge": _purge}[args.pipeline](done))
    return int(Exit.DONE)


def _dataset(done: Run) -> dict[str, Any]:
    card = json.loads((done.output("merge", "dataset") / "dataset.json").read_text(encoding="utf-8"))
    originals = json.loads((done.output("curate", "curated") / "dataset.json").read_text(encoding="utf-8"))
    page = done.output("describe", "page")
    print(f"{card['clips']} clips released, {card['quarantined']} quarantined, in {done.seconds:.0f} s")
    print(f"data set:  {card['hash']} ({card['variant']})")
    print(f"originals: {originals['hash']} (real)")
    print(f"report:    {page}")
    return {"dataset": card["hash"], "originals": originals["hash"], "report": str(page)}


def _experiment(done: Run) -> dict[str, Any]:
    page = done.output("summarize", "page")
    evaluations = sorted(str(p.parent) for p in done.folder.glob("*/evaluate/evaluation/metrics.json"))
    print(f"{len(evaluations)} tests in {done.seconds:.0f} s")
    print(f"report: {page}")
    return {"evaluations": evaluations, "report": str(page)}


def _purge(done: Run) -> dict[str, Any]:
    proof = done.output("purge", "proof")
    print(f"proof: {proof}")
    return {"proof": str(proof)}


def _write(path: Path | None, values: dict[str, Any]) -> None:
    if path is not None:
        write_atomic(path, (json.dumps(values, indent=1) + "\n").encode())


def _submit(args: argparse.Namespace) -> int:
    from pipelines.cluster import Cluster

    given = arguments.arguments(args.pipeline, args, on_cluster=True)
    pipeline = arguments.build(args.pipeline, args, _cluster(args))
    run_id = Cluster.of(args).submit(pipeline, given)
    print(f"run {run_id}")
    return int(Exit.DONE)


def _schedule(args: argparse.Namespace) -> int:
    from pipelines.cluster import Cluster
    from pipelines.cron import parse

    timetable = parse(args.cron, args.timezone)
    six = timetable.for_cluster(args.cluster_timezone)
    given = arguments.arguments(args.pipeline, args, on_cluster=True)
    pipeline = arguments.build(args.pipeline, args, _cluster(args))
    said = Cluster.of(args).schedule(args.name or pipeline.name, pipeline, given, six)
    print(f"{args.name or pipeline.name}: {said}, cron {six!r} in {args.cluster_timezone}")
    for at in timetable.next(3):
        print(f"  {at:%a %Y-%m-%d %H:%M %Z}")
    return int(Exit.DONE)


def _cluster(args: argparse.Namespace) -> Any:
    return arguments.cluster_params(args, arguments.SECTIONS[args.pipeline])


def _compile(args: argparse.Namespace) -> int:
    from pipelines.compile import compile_all

    for path in compile_all(args.output, arguments.cluster_params(args), manifests=args.manifests):
        print(path)
    return int(Exit.DONE)


def _reproduce(args: argparse.Namespace) -> int:
    from m2m.reproduce.reproduce import prepare
    from m2m.reproduce.tracked import Runs
    from pipelines import reproduce
    from pipelines.cluster import Cluster
    from pipelines.submission import submissions

    rows = tuple(filter(None, args.rows.split(",")))
    seeds = tuple(arguments.parse_seeds(args.seeds)) if args.seeds else ()
    # Nothing is computed here: the folder of a reproduction is one that cannot be.
    what = prepare(args.experiments, args.profile, Path(os.devnull), data=args.data, rows=rows, seeds=seeds)
    wanted = submissions(what.graph, what.scale)
    cluster = params.load("cluster", None, args.params, arguments.overrides(args.set, ("cluster",)).get("cluster"))
    if args.dry_run:
        print(f"{reproduce.planned(wanted)}\n\n{what.plan()}")
        return int(Exit.DONE)
    if not args.collect or args.wait:
        planner = reproduce.Planner(wanted, Cluster.of(args), Runs(), cluster)
        if not args.wait:
            print(reproduce.table(planner.step()))
            return int(Exit.DONE)
        lines = reproduce.wait(planner, lambda text: print(text, flush=True))
    if args.collect:
        paths, missing = reproduce.join(what, Runs(), args.collect)
        print("\n".join([*map(str, paths), f"{missing} evaluations are not there yet"]))
    if args.wait:
        reproduce.check_finished(lines)
    return int(Exit.DONE)


def _trainjob(args: argparse.Namespace) -> int:
    import yaml

    from pipelines.trainjob import trainjob

    names = ("model", "pretrain")
    said = arguments.overrides(args.set, (*names, "cluster"))
    loaded = {name: params.load(name, args.profile, args.params, said.get(name)) for name in names}
    sections = {name: params.to_dict(found) for name, found in loaded.items()}
    documents = trainjob(args.pretrain, sections, args.seed, args.machines, arguments.cluster_params(args, names))
    write_atomic(args.output, yaml.safe_dump_all(documents, sort_keys=False).encode())
    print(f"kubectl apply -n NAMESPACE -f {args.output}")
    return int(Exit.DONE)


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; exit codes as those of `m2m`."""
    args = _parser().parse_args(argv)
    commands: dict[str, Callable[[argparse.Namespace], int]] = {
        "run": _run,
        "submit": _submit,
        "schedule": _schedule,
        "reproduce": _reproduce,
        "compile": _compile,
        "trainjob": _trainjob,
    }
    try:
        return commands[args.command](args)
    except M2MError as error:
        say(f"pipelines: {error}", sys.stderr)
        return int(error.code)
    except KeyboardInterrupt:
        kept = "runs on the cluster go on" if args.command == "reproduce" else "what is finished is kept"
        print(f"pipelines: stopped; {kept}, the same command goes on from here", file=sys.stderr)
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main())
