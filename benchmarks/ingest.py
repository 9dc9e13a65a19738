"""Ingest of ten thousand files, killed in the middle and begun again: what is lost, and how much memory it takes.

    python -m benchmarks.ingest [--files 10000] [--workers 2]

Drawn clips are linked under many names in folders of classes.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from m2m.clips import read_manifest
from m2m.studio import StudioParams, draw_dataset

CLASSES = 10


def resident(leader: int) -> dict[int, float]:
    """Megabytes of the processes of a group, by process."""
    out = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(folder.name)) == leader:
                lines = (folder / "status").read_text().splitlines()
                out[int(folder.name)] = next(int(n.split()[1]) / 1024 for n in lines if n.startswith("VmRSS"))
        except (OSError, StopIteration):  # it has just ended
            continue
    return out


def main() -> int:
    """Prints figures; exit code 1 where something was done again or is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        drawn = draw_dataset(folder / "drawn", StudioParams(5, 2, seconds=0.25, fps=8, size=(160, 96)))
        for index in range(args.files):
            place = folder / "source" / f"class{index % CLASSES}" / f"clip{index:05d}.mp4"
            place.parent.mkdir(parents=True, exist_ok=True)
            os.link(drawn[index % len(drawn)], place)
        command = [sys.executable, "-m", "m2m", "ingest", str(folder / "source"), str(folder / "out")]
        command += ["--workers", str(args.workers)]
        records = folder / "out" / ".m2m" / "records"

        def done() -> int:
            return sum(1 for _ in records.glob("*.json")) if records.is_dir() else 0

        begin, most = time.monotonic(), []
        run = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
        while done() < args.files // 2 and run.poll() is None:
            most.append((done(), sum(resident(run.pid).values())))
            time.sleep(0.5)
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        kept = {p.name: p.stat().st_mtime_ns for p in records.glob("*.json")}
        print(f"killed after {len(kept)} of {args.files} clips, {time.monotonic() - begin:.0f} s", flush=True)
        begin = time.monotonic()
        run = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
        while run.poll() is None:
            most.append((done(), sum(resident(run.pid).values())))
            time.sleep(0.5)
        again = sum((records / name).stat().st_mtime_ns != when for name, when in kept.items())
        rows = read_manifest(folder / "out" / "clips.parquet")
        print(f"again: the rest in {time.monotonic() - begin:.0f} s, exit code {run.returncode}; done twice: {again}; "
              f"rows: {len(rows)}")  # fmt: skip
        for low, high in ((0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1.01)):
            part = [mb for n, mb in most if low * args.files <= n < high * args.files]
            print(
                f"memory of all processes, {low:.0%} to {min(high, 1):.0%} done: {max(part, default=0):.0f} MB at most"
            )
    return 0 if not again and len(rows) == args.files and run.returncode == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
