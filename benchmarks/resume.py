"""kill -9 of whole pipelines in the middle, all but the work store deleted, then the same again: what is lost?

    python -m benchmarks.resume [--clips 3] [--kills .3,.7,.95]

Every process of a run is killed at once, as when a machine dies. Then everything under its root goes but `work`: data
store, folders of the runs, tracker. Counted are the records of clips that were there before and made again, the epochs
that were trained again, and whether data set and weights are those of an undisturbed run, to the bit.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

CLASSES = 6
FIXED = ("--profile", "laptop")
EPOCH = re.compile(r"pretrain: epoch (\d+)/")
ONWARDS = re.compile(r"pretrain: goes on after epoch (\d+) ")


def start(root: Path, name: str, *arguments: str) -> subprocess.Popen:
    """A pipeline in a process group of its own."""
    output = ("--root", str(root), "--output", str(root / f"{name}.json"))
    command = [sys.executable, "-m", "pipelines", "run", name, *FIXED, *output, *arguments]
    root.mkdir(exist_ok=True)
    log = (root / f"{name}.txt").open("w")
    return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)


def finish(root: Path, name: str, *arguments: str) -> dict:
    """Runs a pipeline to its end and returns what came out."""
    if start(root, name, *arguments).wait() != 0:
        raise SystemExit(f"{name} failed:\n{(root / f'{name}.txt').read_text()}")
    return json.loads((root / f"{name}.json").read_text())


def kill_when(run: subprocess.Popen, reached: Callable[[], bool]) -> None:
    """kill -9 of all processes of a run as soon as something is so."""
    while not reached():
        if run.poll() is not None:
            raise SystemExit("the run ended before it could be killed")
        time.sleep(0.05)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()


def records(root: Path) -> dict[str, int]:
    """When each record of a work store was written, in ns."""
    return {p.name: p.stat().st_mtime_ns for p in (root / "work" / "records").rglob("*.json")}


def forget(root: Path) -> None:
    """Deletes everything but the work store."""
    for path in root.iterdir():
        if path.name != "work":
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def epochs(root: Path, pattern: re.Pattern[str]) -> list[int]:
    """What the newest log of a run says about the pre-training."""
    logs = sorted((root / "runs").glob("m2m-experiment-*.log"))
    return [int(n) for n in pattern.findall(logs[-1].read_text())] if logs else []


def checkpoint(root: Path) -> bytes:
    """What the pre-training of the newest run handed on."""
    return max((root / "runs").glob("m2m-experiment-*/pretrain/checkpoint/checkpoint.pt")).read_bytes()


def main() -> int:
    """Prints what each kill did; exit code 1 where more was lost than a clip a process, or results differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=3, help="clips a class")
    parser.add_argument("--kills", default=".3,.7,.95", help="shares of the records after which to kill")
    parser.add_argument("--folder", type=Path, help="work here and leave it (default: a folder that is removed)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.folder or Path(scratch)
        videos, calm, hurt = folder / "videos", folder / "calm", folder / "hurt"
        size = ("--classes", str(CLASSES), "--clips", str(args.clips), "--seconds", "2", "--fps", "8", "--plain")
        subprocess.run([sys.executable, "-m", "m2m", "studio", str(videos), *size], check=True)
        source = ("--source", str(videos))
        begin = time.monotonic()
        expected = finish(calm, "dataset", *source)
        total = len(records(calm))
        print(f"undisturbed: {total} records of clips in {time.monotonic() - begin:.0f} s", flush=True)
        good = True
        for share in map(float, args.kills.split(",")):
            kill_when(start(hurt, "dataset", *source), lambda share=share: len(records(hurt)) >= share * total)
            before = records(hurt)
            forget(hurt)
            time.sleep(1)
            left = {name: when for name, when in records(hurt).items() if before.get(name) == when}
            print(f"killed after {len(before)} of {total} records; still there: {len(left)}", flush=True)
            good &= left == before
        begin = time.monotonic()
        made = finish(hurt, "dataset", *source)
        after = records(hurt)
        redone = sum(after[name] != when for name, when in before.items())
        same = made["dataset"] == expected["dataset"] and made["originals"] == expected["originals"]
        print(f"again: {len(after) - len(before)} more in {time.monotonic() - begin:.0f} s, made again: {redone}, "
              f"data set {'the same' if same else 'DIFFERENT'}", flush=True)  # fmt: skip
        good &= same and not redone

        data = expected["dataset"]
        trained = ("--pretrain", data, "--test", f"studio={data}", "--protocols", "lp", "--set", "pretrain.epochs=30")
        finish(calm, "experiment", *trained)
        kill_when(start(hurt, "experiment", *trained), lambda: max(epochs(hurt, EPOCH), default=0) >= 10)
        done = max(epochs(hurt, EPOCH))
        forget(hurt)
        finish(hurt, "dataset", *source)  # the data set itself was deleted as well
        finish(hurt, "experiment", *trained)
        onwards, again = epochs(hurt, ONWARDS), epochs(hurt, EPOCH)
        same = checkpoint(calm) == checkpoint(hurt)
        print(f"killed after epoch {done} of the pre-training; went on after epoch {onwards}, trained {again}; "
              f"checkpoint {'byte-identical' if same else 'DIFFERENT'}")  # fmt: skip
        good &= same and bool(onwards)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
