"""How fast the studio draws: frames a second of one process, and which part takes how much of its time.

python -m benchmarks.drawing [--classes 6] [--seconds 3] [--plain]

There is no peer that draws people with masks, plates and poses. Times are of the processor, all threads together, so
that other work on the machine counts little; the first clip, in which loops are compiled or loaded, is left out.
"""

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from m2m.studio import StudioParams, dataset
from m2m.studio.plan import plan


def timed(spent: Counter[str], name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with its seconds added up under a name."""

    @wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        began = time.process_time()
        try:
            return function(*args, **options)
        finally:
            spent[name] += time.process_time() - began

    return call


def main() -> None:
    """Prints frames a second and shares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--classes", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--plain", action="store_true", help="still cameras: the plate is one picture")
    args = parser.parse_args()
    entries = plan(StudioParams(args.classes, 1, seed=3, seconds=args.seconds, plain=args.plain))
    spent: Counter[str] = Counter()
    parts: Any = dataset
    parts.draw_clip = timed(spent, "drawing", parts.draw_clip)
    parts.write_truth = timed(spent, "truth", parts.write_truth)
    with tempfile.TemporaryDirectory() as folder:
        dataset.draw_entry(Path(folder), entries[0])
        spent.clear()
        began, wall = time.process_time(), time.monotonic()
        for entry in entries[1:]:
            dataset.draw_entry(Path(folder), entry)
        total, wall = time.process_time() - began, time.monotonic() - wall
    spent["encoding"] = total - sum(spent.values())
    frames = sum(e.spec.frames for e in entries[1:])
    width, height = entries[0].spec.size
    shares = ", ".join(f"{name} {seconds / total:.0%}" for name, seconds in spent.items())
    print(f"{frames} frames of {width}x{height}: {frames / total:.1f} a second of the CPU ({shares})")
    print(f"{wall:.1f} s by the clock, {total:.1f} s of the CPU")


if __name__ == "__main__":
    main()
