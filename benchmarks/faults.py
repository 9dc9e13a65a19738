"""Faults put into every stage of the chain, and whether anything of the originals' people is released.

    python -m benchmarks.faults [--faults 1000] [--seed 0] [--workers 1] [--size 432x240] [--setting NAME]

Clips are drawn, so that the truth is known. The verifier is left as it is but where it is what breaks.
"""

import argparse
import json
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path

import numpy as np

from m2m.studio import ACTIONS, ClipSpec
from m2m.studio.backgrounds import CAMERAS
from tests.faults.campaign import Outcome, augment_with_faults, draw_plan, judge, prepare

HEIGHTS = 0.42, 0.8
"""Height of the people as a share of the picture's: above the smallest that the models were measured to find."""
SETTINGS: dict[str, list[str]] = {
    "default": ["--profile", "laptop"],
    "outline": ["--profile", "laptop", "--variant", "no_human"],
    "blackout": ["--profile", "laptop", "--variant", "blackout"],
    "doubt": ["--profile", "laptop", "--on-doubt", "blackout"],
    "empty": ["--profile", "laptop", "--allow-empty"],
}
"""Options of the runs by name; `outline` paints out the people's dilated outlines, as the paper does."""
OUTLINE = "augment: {region: {outline: dilate}, inpaint: {backend: navier-stokes}}\n"


def draw_bases(count: int, frames: int, size: tuple[int, int], seed: int) -> dict[str, ClipSpec]:
    """Clips of all kinds: actions, cameras, one and two people, cuts, things held and things in front."""
    rng = np.random.default_rng(seed)
    bases = {}
    for i in range(count):
        action = list(ACTIONS)[i % len(ACTIONS)]
        bases[f"{action}_{i:02d}"] = ClipSpec(
            action,
            seed=int(rng.integers(2**31)),
            size=size,
            fps=Fraction(12),
            seconds=frames / 12,
            persons=1 + (i % 3 == 1),
            camera=CAMERAS[i // 2 % len(CAMERAS)],
            height=float(rng.uniform(*HEIGHTS)) * size[1],
            cut=i % 7 == 6,
            occluder=["", "", "table", "", "bush"][i % 5] if i % 7 != 6 else "",
        )
    return bases


def table(outcomes: list[Outcome]) -> str:
    """A row a fault, in Markdown."""
    by_kind: dict[str, list[Outcome]] = defaultdict(list)
    for one in outcomes:
        by_kind[one.fault].append(one)
    lines = ["| fault | n | released | quarantined, by reason | people shown | files broken |", "|" + "---|" * 6]
    for kind, group in by_kind.items():
        reasons = Counter(o.reason for o in group if o.status != "ok")
        why = ", ".join(f"{n} {reason}" for reason, n in reasons.most_common())
        shown, broken = sum(bool(o.leaks) for o in group), sum(bool(o.broken) for o in group)
        released = sum(o.status == "ok" for o in group)
        lines.append(f"| {kind} | {len(group)} | {released} | {why} | {shown} | {broken} |")
    return "\n".join(lines)


def main() -> None:
    """Prints a table; writes every outcome to a file if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=1000)
    parser.add_argument("--bases", type=int, default=26)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--size", default="432x240")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--setting", choices=SETTINGS, default="default")
    parser.add_argument("--kinds", nargs="+", default=(), help="faults by name (default: all)")
    parser.add_argument("--ghosts", type=int, default=1)
    parser.add_argument("--scratch", type=Path)
    parser.add_argument("--write", type=Path)
    args = parser.parse_args()
    width, height = (int(side) for side in args.size.split("x"))
    bases = draw_bases(args.bases, args.frames, (width, height), args.seed)
    plan = draw_plan(list(bases), args.faults, args.seed, args.kinds)
    with tempfile.TemporaryDirectory() as folder:
        root = args.scratch or Path(folder)
        source, out = root / "source", root / "out"
        prepare(source, bases, plan)
        options = [*SETTINGS[args.setting], "--size", args.size]
        if args.setting == "outline":
            (root / "outline.yaml").write_text(OUTLINE)
            options += ["--profile", str(root / "outline.yaml")]
        began = time.monotonic()
        code = augment_with_faults(source, out, "--workers", str(args.workers), *options)
        spent = time.monotonic() - began
        outcomes = judge(out, bases, (width, height), args.ghosts)
    print(table(outcomes))
    lost = sum(o.status != "ok" for o in outcomes)
    shown = [o for o in outcomes if o.leaks]
    print(f"{len(outcomes)} clips, {lost} quarantined, exit code {code}, {spent:.0f} s; {len(shown)} show somebody")
    for one in shown:
        print(one)
    if args.write:
        args.write.write_text(json.dumps([asdict(o) for o in outcomes]))


if __name__ == "__main__":
    main()
