"""kill -9 at random moments, then go on: is the data set the one of an undisturbed run, and is finished work kept?

python -m benchmarks.kill VIDEOS [--kills 20] [--workers 1]
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMAND = [sys.executable, "-m", "m2m", "augment"]


def contents(folder: Path) -> dict[str, bytes]:
    """What makes a data set: manifest, card and videos, not the report with its times nor the work records."""
    files = [folder / "clips.parquet", folder / "dataset.json", *sorted((folder / "videos").iterdir())]
    return {str(f.relative_to(folder)): f.read_bytes() for f in files}


def start(videos: Path, out: Path, workers: int) -> subprocess.Popen:
    """An augmentation in a process group of its own."""
    command = [*COMMAND, str(videos), str(out), "--workers", str(workers)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)


def main() -> int:
    """Prints what the kills did; exit code 1 where the data sets differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("videos", type=Path)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as folder:
        calm, killed = Path(folder) / "calm", Path(folder) / "killed"
        begin = time.monotonic()
        start(args.videos, calm, args.workers).communicate()
        whole = time.monotonic() - begin
        print(f"undisturbed: {whole:.1f} s, {len(contents(calm)) - 2} videos")
        redone, done, finished = 0, {}, 0
        for i in range(args.kills):
            run = start(args.videos, killed, args.workers)
            wait = rng.uniform(0.3, 1.2 * whole / 3)
            try:
                run.wait(wait)
                finished += 1
            except subprocess.TimeoutExpired:
                os.kill(run.pid, signal.SIGKILL)  # the parent alone: its workers must notice
                run.wait()
            time.sleep(0.5)
            now = {p.name: p.stat().st_mtime_ns for p in (killed / "videos").glob("*.mp4")}
            redone += sum(name in now and now[name] != stamp for name, stamp in done.items())
            done = now
            print(f"kill {i + 1}: after {wait:.1f} s, {len(done)} videos finished", flush=True)
            if finished and len(done) == len(contents(calm)) - 2:
                finished = 0
                for p in [*(killed / "videos").iterdir(), *(killed / ".m2m").rglob("*.json")]:
                    p.unlink()  # all is done: begin again, so that every kill hits work
                done = {}
        start(args.videos, killed, args.workers).communicate()
        same = contents(calm) == contents(killed)
        left = [p.name for p in killed.rglob("*") if p.name.endswith("part")]
        verdict = "byte-identical" if same else "DIFFERENT"
        print(f"{args.kills} kills: data set {verdict}, finished clips redone: {redone}, left: {left}")
        return 0 if same and not redone and not left else 1


if __name__ == "__main__":
    sys.exit(main())
