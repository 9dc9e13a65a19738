"""Peak memory of a long video against that of a short one of the same scene.

python -m benchmarks.memory [--minutes 10] [--fps 10]
"""

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np

from benchmarks.clips import SIZE, frames_of
from m2m import video

MEASURE = """
import resource, sys
from m2m.cli import main

code = main(sys.argv[1:])
who = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
print("PEAK", *(resource.getrusage(w).ru_maxrss for w in who), code)
"""


def write(path: Path, frames: int, fps: int, clip: str) -> None:
    """A clip played forth and back until it has the asked length."""
    once = list(frames_of(clip))
    turn = [*once, *once[-2:0:-1]]
    with video.Writer(path, SIZE, Fraction(fps)) as writer:
        for frame in itertools.islice(itertools.cycle(turn), frames):
            writer.write(np.ascontiguousarray(frame))


def peak(path: Path, out: Path) -> float:
    """MiB at the peak of the largest process of an augmentation."""
    command = [sys.executable, "-c", MEASURE, "augment", str(path), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ)
    line = next(row for row in done.stdout.splitlines() if row.startswith("PEAK")).split()
    if line[3] not in ("0", "3"):  # a quarantined clip has been worked through as well
        raise SystemExit(f"augment ended with {line[3]}: {done.stdout}{done.stderr}")
    return max(int(line[1]), int(line[2])) / 1024


def main() -> None:
    """Prints both peaks and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--fps", type=int, default=10)
    parser.add_argument("--clip", default="tai_chi.mp4")
    args = parser.parse_args()
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        for name, seconds in (("short", 30), ("long", 60 * args.minutes)):
            path = Path(folder) / f"{name}.mp4"
            write(path, int(seconds * args.fps), args.fps, args.clip)
            peaks.append(peak(path, Path(folder) / name))
            print(f"{name}: {seconds:.0f} s, {int(seconds * args.fps)} frames, peak {peaks[-1]:.0f} MiB", flush=True)
    print(f"ratio {peaks[1] / peaks[0]:.3f}")


if __name__ == "__main__":
    main()
