"""The whole of M2M on drawn clips: what `make demo` runs. Nothing is downloaded; what is done is not done again."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path("demo")
CLASSES, CLIPS = 7, 15
SEEDS = "0,1"
BIN = Path(sys.executable).parent


def run(*command: str, codes: tuple[int, ...] = (0,)) -> None:
    """Shows a command and runs it; another exit code than those ends the demo with it."""
    print(f"\n$ {shlex.join(command)}", flush=True)
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    code = subprocess.run(command, env=environment, check=False).returncode
    if code not in codes:
        sys.exit(code)


def pipeline(name: str, output: Path, *arguments: str) -> dict:
    """Runs a pipeline and returns what came out."""
    fixed = ("--profile", "laptop", "--root", str(ROOT), "--output", str(output))
    run("python", "-m", "pipelines", "run", name, *fixed, *arguments)
    return json.loads(output.read_text(encoding="utf-8"))


def main() -> None:
    """Draws clips, makes data sets of them, trains on each, and says where to look."""
    begin = time.monotonic()
    videos = ROOT / "videos"
    if not videos.is_dir():
        part = ROOT / ".part"
        shutil.rmtree(part, ignore_errors=True)
        size = ("--classes", str(CLASSES), "--clips", str(CLIPS), "--seconds", "2", "--fps", "8", "--plain")
        run("m2m", "studio", str(part), *size, "--workers", "2")
        part.rename(videos)
    sets = {}
    for variant in ("m2m", "no_human"):
        chosen = ("--source", str(videos), "--set", f"augment.compose.variant={variant}")
        made = pipeline("dataset", ROOT / f"{variant}.json", *chosen)
        sets[variant] = made["dataset"]
        sets["real"] = made["originals"]
    evaluations = []
    for variant in ("real", "m2m", "no_human"):
        tests = ("--pretrain", sets[variant], "--test", f"studio={sets[variant]}", "--seeds", SEEDS)
        evaluations += pipeline("experiment", ROOT / f"{variant}_experiment.json", *tests)["evaluations"]
    page = ROOT / "report.html"
    named = [a for variant in ("m2m", "no_human", "real") for a in ("--dataset", sets[variant])]
    named += [a for folder in evaluations for a in ("--evaluation", folder)]
    print(f"\n$ m2m report {page} --dataset ... --evaluation ...", flush=True)
    environment = {**os.environ, "M2M_STORE": str((ROOT / "store").absolute())}
    report = [str(BIN / "m2m"), "report", str(page), "--title", "The demo", *named]
    if code := subprocess.run(report, env=environment, check=False).returncode:
        sys.exit(code)
    print(f"\nDone in {time.monotonic() - begin:.0f} s.\n")
    print(f"The report:           {page}")
    print(f"The originals:        {videos}")
    print("The trainings:        make mlflow")
    print("Your own videos:      make augment VIDEOS=<folder> OUT=<folder>")


if __name__ == "__main__":
    main()
