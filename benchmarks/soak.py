"""Does a worker that lives long grow? One process augments and audits clip after clip; watched is what it holds.

    python -m benchmarks.soak [--minutes 45] [--csv soak.csv] [--image docs/images/soak.svg]

The clips have many sizes and lengths, nobody to two people, and broken files are among them; they come in rounds, each
in an order of its own. Sampled are resident and own memory, open handles and threads of the worker and of the run's own
process, temporary files, and /dev/shm. A line is fitted to the last two thirds of the time: one value a clip, and a
level of its own for each of the round's clips. Flat is, for the upper end of the slope's 95 % interval:
memory of the worker, less than 2 % of it an hour; of the run's own process, less than 10 MiB an hour, for it keeps the
records; handles, threads, temporary files and what lies in /dev/shm, less than one (MiB) an hour.
"""

import argparse
import csv
import io
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
from scipy import stats

from m2m import params, work
from m2m.audit.clip import ClipAuditor, Subject
from m2m.audit.rows import row_dict
from m2m.augment.dataset import ClipAugmenter, Job
from m2m.clips import Clip
from m2m.files import TEMPORARY, file_sha256
from m2m.records import Item
from m2m.studio.clip import ClipSpec, draw_clip
from m2m.video import Writer

EVERY = 3.0
"""Seconds between samples."""
FPS = Fraction(24)
DRAWN = (
    # label, size, frames, persons
    ("wave", (432, 240), 48, 1),
    ("squat", (320, 180), 24, 1),
    ("walk", (640, 360), 24, 2),
    ("punch", (160, 96), 72, 1),
    ("bow", (240, 320), 30, 1),
    ("clap", (322, 182), 36, 2),
    ("march", (432, 240), 24, 0),
)
ODD = (("jumping_jack", (321, 181), 24),)
"""Drawn a pixel larger, and written without loss: a side is odd."""
BROKEN = ("short.mp4", "holes.mp4", "noise.mp4", "nothing.avi", "sound.mp4")
NAMES = [*(f"{label}.mp4" for label, *_ in DRAWN), *(f"{label}.mkv" for label, *_ in ODD), *BROKEN]
"""The videos of a round."""


class Soaked:
    """Augments a clip, and audits what came out; refuses as the augmentation does."""

    def __init__(self, out: Path) -> None:
        chain = params.load("augment", "laptop", overrides={"size": "source", "keep": ["people", "plates", "bodies"]})
        self._augment, self._audit = ClipAugmenter(chain, out), ClipAuditor(params.load("audit", "laptop"))
        self._out = out

    def __call__(self, job: Job) -> dict[str, Any]:
        result = self._augment(job)
        files = {word: self._out / path for word, path in result["outputs"].items()}
        number, (fps_num, fps_den) = result["n_frames"], result["fps"]
        size = {"width": result["width"], "height": result["height"]}
        digest = file_sha256(files["video"])
        clip = replace(job.clip, sha256=digest, n_frames=number, fps_num=fps_num, fps_den=fps_den, **size)
        chain = self._augment.params
        subject = Subject(clip, files["video"], job.source, colour=chain.render.colour, body=chain.body)
        kept = {"plate": files["plates"], "people": files["people"], "bodies": files["bodies"]}
        return result | {"audit": row_dict(self._audit(subject.having(kept)))}


def sources(folder: Path) -> None:
    """Draws the clips of a round, and breaks some."""
    folder.mkdir()
    for i, (label, size, frames, persons) in enumerate(DRAWN):
        spec = ClipSpec(label, i, size, FPS, float(frames / FPS), persons=max(persons, 1), enter=False)
        drawn = draw_clip(spec)
        with Writer(folder / f"{label}.mp4", size, FPS) as writer:
            for frame in drawn.frames if persons else drawn.plates:
                writer.write(frame)
    for i, (label, (width, height), frames) in enumerate(ODD):
        drawn = draw_clip(ClipSpec(label, i, (width + 1, height + 1), FPS, float(frames / FPS)))
        with Writer(folder / f"{label}.mkv", (width, height), FPS, lossless=True) as writer:
            for frame in drawn.frames:
                writer.write(np.ascontiguousarray(frame[:height, :width]))
    whole = (folder / "wave.mp4").read_bytes()
    (folder / "short.mp4").write_bytes(whole[: len(whole) * 2 // 3])
    (folder / "holes.mp4").write_bytes(bytes(b if i % 997 else b ^ 255 for i, b in enumerate(whole)))
    (folder / "noise.mp4").write_bytes(random.Random(0).randbytes(40_000))
    (folder / "nothing.avi").write_bytes(b"")
    with av.open(str(folder / "sound.mp4"), "w") as container:  # no pictures at all
        stream = container.add_stream("aac", rate=8000)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        silence.sample_rate = 8000
        container.mux(stream.encode(silence))
        container.mux(stream.encode(None))


def order(number: int, names: list[str]) -> list[str]:
    """The order of a round."""
    return random.Random(number).sample(sorted(names), len(names))


def rounds(folder: Path, n: int) -> Iterator[Item]:
    """Rounds over the videos of a folder."""
    for i in range(n):
        for j, name in enumerate(order(i, NAMES)):
            path = folder / name
            name = f"{i:04}_{j:02}_{path.stem}"
            yield Item(name, name, Job(Clip(name, str(path), sha256=file_sha256(path)), path))


def run(folder: Path) -> None:
    """The run that is watched: more rounds than there is time for."""
    items = list(rounds(folder / "videos", 1000))
    work.run(partial(Soaked, folder / "out"), items, out=folder / "out", workers=1)


def children(pid: int) -> list[int]:
    """Processes of a process."""
    return [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def held(pid: int) -> dict[str, float]:
    """What a process holds: MiB resident, and its own; open handles; threads."""
    rows = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    kib = {name: int(value.split()[0]) for name, value in rows.items()}
    return {
        "rss": kib["Rss"] / 1024,
        "uss": (kib["Private_Clean"] + kib["Private_Dirty"]) / 1024,
        "handles": sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()),
        "threads": sum(1 for _ in Path(f"/proc/{pid}/task").iterdir()),
    }


def sample(main: int, folder: Path) -> dict[str, float] | None:
    """One row; None while there is no worker."""
    # The other child of a run is the tracker of multiprocessing.
    workers = [c for c in children(main) if b"spawn_main" in Path(f"/proc/{c}/cmdline").read_bytes()]
    if not workers:
        return None
    shm = shutil.disk_usage("/dev/shm")
    parts = sum(1 for _ in (folder / "out").rglob(TEMPORARY))
    of_main = {f"main_{name}": value for name, value in held(main).items()}
    of_worker = {f"worker_{name}": value for name, value in held(workers[0]).items()}
    return {
        "done": len(list((folder / "out/.m2m/records").glob("*.json"))),
        "worker": workers[0],
        **of_main,
        **of_worker,
        "temporary": sum(1 for _ in (folder / "tmp").rglob("*")) + parts,
        "shm": shm.used / 2**20,
    }


def watch(main: subprocess.Popen, folder: Path, minutes: float, rows: Path) -> None:
    """Samples until the time is up, and writes every row at once."""
    begin, writer = time.monotonic(), None
    with rows.open("w", newline="") as file:
        while time.monotonic() - begin < 60 * minutes and main.poll() is None:
            row = sample(main.pid, folder)
            if row is not None:
                row = {"seconds": round(time.monotonic() - begin, 1), **row}
                if writer is None:
                    writer = csv.DictWriter(file, list(row))
                    writer.writeheader()
                writer.writerow(row)
                file.flush()
            time.sleep(EVERY)


def slope(hours: np.ndarray, values: np.ndarray, names: np.ndarray) -> tuple[float, float, float]:
    """Slope an hour, with the ends of its 95 % interval, where every clip has a level of its own."""
    known = np.unique(names)
    design = np.column_stack([hours - hours.mean(), *(names == name for name in known)])
    best, *_ = np.linalg.lstsq(design, values, rcond=None)
    left = len(values) - design.shape[1]
    spread = float(np.sum((values - design @ best) ** 2)) / left
    half = float(stats.t.ppf(0.975, left)) * np.sqrt(spread * np.linalg.inv(design.T @ design)[0, 0])
    return float(best[0]), float(best[0] - half), float(best[0] + half)


def limit(name: str, mean: float) -> float:
    """The slope an hour that is still flat."""
    if name.startswith("worker_") and name.endswith("ss"):
        return 0.02 * mean
    return 10.0 if name in ("main_rss", "main_uss") else 1.0


def judge(rows: list[dict[str, float]]) -> bool:
    """Prints a line for each figure; whether all are flat."""
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    done, seconds = columns.pop("done").astype(int), columns.pop("seconds")
    processes = len(np.unique(columns.pop("worker")))
    # One value a clip, the mean of the samples while it was in work: samples of one clip are not independent.
    at = [int(i) for i in np.unique(done[seconds >= seconds[-1] / 3]) if np.sum(done == i) > 1]
    names = np.array([order(i // len(NAMES), NAMES)[i % len(NAMES)] for i in at])
    often = np.array([np.sum(names == name) > 1 for name in names], bool)
    if often.sum() < len(np.unique(names[often])) + 8:
        raise SystemExit(f"{often.sum()} clips say nothing: give it more time")
    hours = np.array([seconds[done == i].mean() for i in at]) / 3600
    print(f"{len(rows)} samples, {done[-1]} clips in {seconds[-1] / 60:.1f} min, processes of workers: {processes}; "
          f"fitted: {often.sum()} clips, {np.ptp(hours[often]) * 60:.1f} min")  # fmt: skip
    flat = processes == 1
    for name, values in columns.items():
        means = np.array([values[done == i].mean() for i in at])[often]
        rise, low, high = slope(hours[often], means, names[often])
        good = high < limit(name, means.mean())
        flat &= good
        print(f"{name:16} mean {means.mean():8.1f}, samples {values[seconds >= seconds[-1] / 3].min():.1f} to "
              f"{values.max():.1f}, an hour {rise:+.2f} [{low:+.2f}, {high:+.2f}], "
              f"less than {limit(name, means.mean()):.1f}: {'flat' if good else 'NOT SHOWN'}")  # fmt: skip
    return flat


def draw(rows: list[dict[str, float]], image: Path) -> None:
    """The figures against the time, means of minutes."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    minute = np.array([row["seconds"] for row in rows]) / 60
    bins = np.floor(minute).astype(int)
    panels = (
        ("memory, MiB", {"worker_rss": "worker, resident", "worker_uss": "worker, its own", "main_rss": "run"}),
        ("open handles", {"worker_handles": "worker", "main_handles": "run"}),
        ("threads", {"worker_threads": "worker", "main_threads": "run"}),
        ("files, MiB", {"temporary": "temporary files", "shm": "/dev/shm, MiB"}),
    )
    with mpl.rc_context({"svg.hashsalt": "m2m", "svg.fonttype": "none", "font.size": 8}):
        figure = Figure(figsize=(7.2, 4.4), layout="constrained")
        for axes, (label, lines) in zip(figure.subplots(2, 2).flat, panels, strict=True):
            for name, called in lines.items():
                values = np.array([row[name] for row in rows])
                at = np.unique(bins)
                axes.plot(at, [values[bins == b].mean() for b in at], label=called, linewidth=1.2)
            axes.set(xlabel="minutes", ylabel=label)
            axes.set_ylim(bottom=0, top=1.35 * axes.get_ylim()[1])
            axes.axvline(minute[-1] / 3, color="grey", linewidth=0.6, linestyle=":")
            axes.grid(alpha=0.3)
            axes.spines[["top", "right"]].set_visible(False)
            axes.legend(frameon=False, loc="upper right", ncols=3, fontsize=7, handlelength=1.2, columnspacing=1)
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
    text = drawn.getvalue()
    short = re.sub(r"-?\d+\.\d{2,}", lambda number: f"{float(number[0]):.1f}", text[text.index("<svg") :])
    image.write_text(short)


def main() -> int:
    """Prints the figures; exit code 1 where one is not flat."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=45)
    parser.add_argument("--csv", type=Path, default=Path("soak.csv"), help="the samples")
    parser.add_argument("--image", type=Path, help="where to draw them, an SVG")
    parser.add_argument("--read", action="store_true", help="judge and draw the samples that are there")
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.run:
        run(args.run)
        return 0
    if not args.read:
        with tempfile.TemporaryDirectory(prefix="soak-") as scratch:
            folder = Path(scratch)
            sources(folder / "videos")
            (folder / "tmp").mkdir()
            environment = {**os.environ, "TMPDIR": str(folder / "tmp"), "OMP_NUM_THREADS": "1"}
            command = [sys.executable, "-m", "benchmarks.soak", "--run", str(folder)]
            with (args.csv.with_suffix(".log")).open("w") as log:
                process = subprocess.Popen(command, env=environment, stderr=log, start_new_session=True)
                try:
                    watch(process, folder, args.minutes, args.csv)
                finally:
                    process.send_signal(signal.SIGTERM)
                    code = process.wait(60)
            left = [p.name for p in folder.rglob(TEMPORARY)] + [p.name for p in (folder / "tmp").rglob("*")]
            print(f"stopped by SIGTERM: exit code {code}, left: {left}")
    with args.csv.open(newline="") as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    if args.image:
        draw(rows, args.image)
    return 0 if judge(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
