"""Subcommands that replace people by bodies, and look at what came of it."""

import argparse
from pathlib import Path
from typing import Any

from m2m.cli.options import Add, add_limit, add_resume, add_workers, load, tell
from m2m.errors import Exit


def add_augment(add: Add) -> None:
    """Adds what augments, audits and gates."""
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
    add_workers(augment)
    add_limit(augment, "none")
    augment.add_argument("--keep", default=None, metavar="LIST", help="intermediates to keep: people,plates,bodies")
    augment.add_argument(
        "--on-doubt", help="quarantine the clip, or blackout its doubtful frames (default: quarantine)"
    )
    augment.add_argument("--allow-empty", action="store_true", help="release clips in which nobody is found")
    add_resume(augment)
    augment.add_argument(
        "--with-originals", action="store_true", help="show the originals in the report, for your eyes"
    )

    audit = add("audit", _audit, "look at finished clips with other eyes", params=True)
    audit.add_argument("dataset", metavar="DATASET", type=Path, help="a data set that m2m augment wrote")
    audit.add_argument("--originals", type=Path, default=None, help="what it was made from: finds copies of it")
    audit.add_argument("--output", type=Path, default=None, help="a folder (default: DATASET)")
    add_workers(audit)
    add_limit(audit, "none")
    add_resume(audit)

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
    add_workers(attack)

    gate = add("gate", _gate, "fail where a data set may not be used", params=True)
    gate.add_argument("dataset", metavar="DATASET", help="an audited data set: its folder, or its hash")


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
        params=load("augment", args, overrides),
        workers=args.workers,
        resume=args.resume,
        limit=args.limit,
        with_originals=args.with_originals,
    )
    tell(str(summary))
    return int(Exit.QUARANTINED if summary.quarantined else Exit.DONE)


def _audit(args: argparse.Namespace) -> int:
    from m2m.audit import audit

    out, params = args.output or args.dataset, load("audit", args)
    done = audit(args.dataset, args.originals, out, params, workers=args.workers, resume=args.resume, limit=args.limit)
    tell(str(done))
    tell(f"certificate: {out / 'audit.html'}")
    return int(Exit.GATE if done.failed else Exit.DONE)


def _audit_review(args: argparse.Namespace) -> int:
    from m2m.audit.review.build import build, copied, open_dataset
    from m2m.audit.review.sample import ReviewParams
    from m2m.audit.review.serve import Server, serve

    params = ReviewParams(args.sample, args.seed, args.plants, args.near)
    folder = open_dataset(args.dataset, args.out)
    done = build(folder, args.originals, params, load("audit", args))
    tell(str(done))
    if args.out is not None and args.out != folder:
        tell(f"copy: {copied(done, args.out)}")
    if args.serve:
        server = Server(folder, done.key, done.page, args.port)
        serve(server, tell)
        tell(f"recorded: {server.said()}")
    return int(Exit.DONE)


def _audit_decide(args: argparse.Namespace) -> int:
    from m2m.audit.review.settle import decide

    tell(str(decide(args.dataset, args.decisions, args.reviewer)))
    return int(Exit.DONE)


def _audit_certify(args: argparse.Namespace) -> int:
    from m2m.audit.certificate import certify

    tell(str(certify(args.dataset, args.decisions, args.key)))
    return int(Exit.DONE)


def _audit_verify(args: argparse.Namespace) -> int:
    from m2m.audit.signature import verify

    tell(str(verify(args.dataset, args.public)))
    return int(Exit.DONE)


def _audit_attack(args: argparse.Namespace) -> int:
    from m2m.attacks import attack_and_report

    chosen = {"attackers": args.attacker, "seeds": args.seed}
    how = {"originals": args.originals, "people": args.people, "studio": args.studio, "workers": args.workers}
    tell(str(attack_and_report(args.datasets, args.out, chosen, **how)))
    return int(Exit.DONE)


def _gate(args: argparse.Namespace) -> int:
    from m2m.audit.gate import gate
    from m2m.checkout import manifest

    params = load("gate", args)
    with manifest(args.dataset) as folder:
        tell(str(gate(folder, params)))
    return int(Exit.DONE)
