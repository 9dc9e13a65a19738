"""Broken files and broken bytes, for so long: what becomes of them, and whether any of it is wrong.

    python -m tests.fuzz [--minutes 10] [--seed 0] [--files 500] [--augment 20] [--keep FOLDER]

Drawn clips in all formats are damaged, and real ones where M2M_REAL_CLIPS names their folder; then what is no usual
video. Each file is read in a process of its own: seconds, memory, pictures against those of the whole file. Then all
of them go through `m2m ingest`, and some of what it takes through `m2m augment`. The rest of the time goes to the
readers of everything else. Ends with exit code 1 if a file was shortened, a sign of damage was ignored, or something
hung, crashed or took too much memory.
"""

import argparse
import collections
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from m2m.clips import read_manifest
from tests.fuzz import judge, readers, seeds
from tests.fuzz.judge import BAD, OTHER, QUARANTINED, VERDICTS, Outcome
from tests.fuzz.mutations import KINDS, OF_OTHER
from tests.fuzz.odd import ODD


def damaged(whole: list[seeds.Seed], seed: int, scratch: Path) -> Iterator[tuple[str, Path, tuple[str, ...] | None]]:
    """Kind, file and pictures that were meant, one after the other without end; the odd ones first."""
    for name, odd in ODD.items():
        odd.make(scratch / name)
        yield "odd", scratch / name, None
    data = {one.path: one.path.read_bytes() for one in whole}
    for number in range(10**9):
        for kind, mutate in KINDS.items():
            rng = random.Random(f"{seed}/{number}/{kind}")
            one, other = rng.sample(whole, 2)
            path = scratch / f"{kind}_{number:04d}_{one.path.name}"
            path.write_bytes(mutate(data[one.path], rng, data[other.path]))
            yield kind, path, other.frames if kind in OF_OTHER else one.frames


def check_odd(name: str, found: Outcome) -> Outcome:
    """The verdict on an odd file, by what is expected of it."""
    frames = ODD[name].frames
    right = found.verdict == (QUARANTINED if frames is None else OTHER)
    if right and frames is not None:
        right = found.why.startswith(f"{frames} frames")
    return found if right else Outcome("wrong", found.why, found.seconds, found.megabytes)


def files(args: argparse.Namespace, folder: Path, until: float) -> bool:
    """Reads damaged files; prints a table. Returns whether all is well."""
    (folder / "whole").mkdir()
    (folder / "broken").mkdir()
    paths = [*seeds.drawn(folder / "whole"), *(p for p in seeds.real() if p.stat().st_size < args.largest)]
    whole = [seeds.Seed(path, judge.hashes(path)) for path in paths]
    table: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    outcomes: dict[str, Outcome] = {}
    for kind, path, truth in damaged(whole, args.seed, folder / "broken"):
        found = judge.judge(path, truth)
        found = check_odd(path.name, found) if kind == "odd" and found.verdict not in BAD else found
        outcomes[path.name] = found
        table[kind][found.verdict] += 1
        if found.verdict in BAD or found.verdict == "wrong":
            print(f"!! {path.name}: {found.verdict}: {found.why}", flush=True)
        if len(outcomes) >= args.files or time.monotonic() > until:
            break
    columns = [v for v in (*VERDICTS, "wrong") if any(row[v] for row in table.values())]
    print("| damage | files | " + " | ".join(columns) + " |\n|---|---|" + "---|" * len(columns))
    for kind, row in [*table.items(), ("all", sum(table.values(), collections.Counter()))]:
        print(f"| {kind} | {row.total()} | " + " | ".join(str(row[v] or "") for v in columns) + " |")
    slowest, largest = (max(outcomes, key=lambda n, of=of: getattr(outcomes[n], of)) for of in ("seconds", "megabytes"))
    print(f"slowest: {slowest} {outcomes[slowest].seconds:.1f} s; most memory: {largest} "
          f"{outcomes[largest].megabytes:.0f} MB; {len(whole)} whole files, seed {args.seed}", flush=True)  # fmt: skip
    good = not any(o.verdict in BAD or o.verdict == "wrong" for o in outcomes.values())
    return through_ingest(folder, outcomes) & through_augment(args, folder) & good


def run(*words: object) -> tuple[int, str, float]:
    """Exit code, what was printed, seconds."""
    begin = time.monotonic()
    ran = subprocess.run([sys.executable, "-m", "m2m", *map(str, words)], capture_output=True, text=True, check=False)
    return ran.returncode, ran.stdout + ran.stderr, time.monotonic() - begin


def through_ingest(folder: Path, outcomes: dict[str, Outcome]) -> bool:
    """All files through `m2m ingest`: its verdicts are those of the reader, each with a reason."""
    code, said, seconds = run("ingest", folder / "broken", folder / "set", "--workers", 2)
    rows = read_manifest(folder / "set" / "clips.parquet")
    odd = {Path(name).stem for name, o in ODD.items() if o.frames is None}
    refused = {r.clip_id for r in rows if r.status == "quarantined" and r.reason == "unreadable"}
    taken = {r.clip_id for r in rows if r.status == "ok"}
    meant = sum(o.verdict == QUARANTINED for o in outcomes.values())
    print(f"m2m ingest: {len(rows)} of {len(outcomes)} files have a row, {len(refused)} refused (the reader: {meant}), "
          f"{len(taken)} taken, exit code {code}, {seconds:.0f} s; {len(odd & taken)} odd ones are left to augment",
          flush=True)  # fmt: skip
    well = code in (0, 3) and "Traceback" not in said and len(rows) == len(outcomes) == len(refused) + len(taken)
    if not well:
        print(said[-2000:])
    return well and meant - len(refused) in (0, len(odd & taken))


def through_augment(args: argparse.Namespace, folder: Path) -> bool:
    """Some of what ingest took through `m2m augment`: as many frames come out as went in, or a reason."""
    rows = [r for r in read_manifest(folder / "set" / "clips.parquet") if r.status == "ok" and r.n_frames < 1000]
    odd = [r for r in rows if any(r.clip_id.startswith(Path(name).stem) for name in ODD)]
    rest = random.Random(args.seed).sample([r for r in rows if r not in odd], len(rows) - len(odd))
    chosen = {r.clip_id: r for r in [*odd, *rest][: args.augment]}
    if not chosen:
        return True
    (folder / "some").mkdir()
    for row in chosen.values():
        os.link(folder / "set" / row.path, folder / "some" / Path(row.path).name)
    code, said, seconds = run("augment", folder / "some", folder / "out", "--allow-empty", "--workers", 2)
    after = read_manifest(folder / "out" / "clips.parquet")
    reasons = collections.Counter(r.reason for r in after if r.status != "ok")
    wrong = [r.clip_id for r in after if r.status == "ok" and r.n_frames != chosen[r.clip_id].n_frames]
    print(f"m2m augment: {len(after)} of {len(chosen)} clips have a row, {len(after) - reasons.total()} released, "
          f"quarantined: {dict(reasons)}, other length: {wrong}, exit code {code}, {seconds:.0f} s",
          flush=True)  # fmt: skip
    for record in (folder / "out" / ".m2m" / "records").glob("*.json"):
        values = json.loads(record.read_text())
        if values.get("reason") == "error":
            print(f"  error: {values['name']}: {values['what'][:300]}")
    well = code in (0, 3) and "Traceback" not in said and not wrong and len(after) == len(chosen)
    if not well:
        print(said[-2000:])
    return well


def main() -> int:
    """Prints what became of all; exit code 1 where something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--files", type=int, default=500, help="at most so many, up to 1000: as many as ingest takes")
    parser.add_argument("--largest", type=int, default=700_000, help="bytes of the largest real clip to damage")
    parser.add_argument("--augment", type=int, default=20, help="clips to augment, of those that ingest takes")
    parser.add_argument("--keep", type=Path, help="a folder that stays; must not exist")
    parser.add_argument("--only", choices=("files", "readers"))
    args = parser.parse_args()
    args.files = min(args.files, 1000)
    begin, well = time.monotonic(), True
    folder = args.keep or Path(tempfile.mkdtemp(prefix="m2m-fuzz-"))
    folder.mkdir(exist_ok=not args.keep)
    try:
        if args.only != "readers":
            well = files(args, folder, begin + 60 * args.minutes * (1 if args.only else 0.6))
        if args.only != "files":
            well &= readers.run(args.seed, begin + 60 * args.minutes)
    finally:
        if not args.keep:
            shutil.rmtree(folder)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
