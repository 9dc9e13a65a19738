"""kill -9 at random moments, then the same again: is the result that of an undisturbed run, is finished work kept?

    python -m benchmarks.kill [--stages toy,ingest,...] [--kills 40] [--workers 2] [--clips 6] [--seed 0]

A *round* runs a command, is killed, runs it again, until a run ends by itself; then another begins on an empty folder.
Killed is the run's own process, one of its workers (the run then goes on, and is killed again), or all processes at
once, as when a machine dies. The moment is any, or while it starts, or just after a file got its name and before
anybody wrote down that it is finished.

After every kill: no process is left; what has its final name has the bytes of the undisturbed run; what was recorded
was not done again. At the end of a round: all files are those of the undisturbed run (of records without the seconds
that steps took; without the report's page, which shows them), nothing temporary is left, the lock is free.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from m2m.files import TEMPORARY

TARGETS = ("main", "worker", "group")
MOMENTS = ("any", "any", "start", "commit")
M2M = (sys.executable, "-m", "m2m")
PAGES = frozenset({"report.html", "audit.html"})
"""Written last, with times in them."""


@dataclass(frozen=True)
class Stage:
    """A command to kill.

    Attributes:
        command: The command; `{out}` is the folder of its results, `{log}` a file beside it.
        whole: Its folder appears all at once, and a second run into it is refused.
        alone: It has no workers.
    """

    command: tuple[str, ...]
    whole: bool = False
    alone: bool = False


@dataclass
class Tally:
    """What kills did.

    Attributes:
        kills: By target and moment.
        rounds: Rounds that came to their end.
        runs: Runs, the killed ones too.
        unrecorded: Kills that met a file in its place and no record of it.
        longest: Seconds that the last process lived on after a kill, at most.
        faults: What is not as it should be.
    """

    kills: Counter[tuple[str, str]] = field(default_factory=Counter)
    rounds: int = 0
    runs: int = 0
    unrecorded: int = 0
    longest: float = 0.0
    faults: list[str] = field(default_factory=list)


def members(session: int) -> list[int]:
    """Processes of a session that run; zombies do not."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                state, _, _, of = (folder / "stat").read_text().rsplit(")", 1)[1].split()[:4]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(of) == session and state != "Z":
                found.append(int(folder.name))
    return found


def workers_of(session: int) -> list[int]:
    """Worker processes among them."""
    found = []
    for pid in members(session):
        try:
            if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def plain(value: Any) -> Any:
    """JSON without the seconds that steps took."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items() if k not in ("seconds", "traceback")}
    return [plain(v) for v in value] if isinstance(value, list) else value


def contents(out: Path) -> dict[str, Any]:
    """All files under their final names, to compare."""
    found: dict[str, Any] = {}
    for path in sorted(out.rglob("*")):
        name = path.relative_to(out).as_posix()
        if path.is_file() and path.name not in ("lock", *PAGES) and not path.match(TEMPORARY):
            data = path.read_bytes()
            found[name] = plain(json.loads(data)) if "/records/" in name else data
    return found


def recorded(out: Path) -> dict[str, tuple[int, int]]:
    """Which file each record of a finished item is; written again, it would be another."""
    found = {}
    for path in out.rglob("records/*.json"):
        if json.loads(path.read_bytes())["reason"] != "error":
            stat = path.stat()
            found[path.name] = stat.st_ino, stat.st_mtime_ns
    return found


def names(out: Path) -> set[str]:
    """The videos that have their final names."""
    return {p.name for p in (out / "videos").glob("[!.]*")}


def start(stage: Stage, out: Path) -> subprocess.Popen:
    """A run in a session of its own."""
    command = [part.format(out=out, log=out.with_suffix(".log")) for part in stage.command]
    with out.with_suffix(".err").open("ab") as log:
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log, start_new_session=True)


def wait_for_file(run: subprocess.Popen, out: Path, before: set[str], seconds: float) -> None:
    """Waits until a file that was not there has its final name, or the folder that will be the result is there."""
    end = time.monotonic() + seconds
    while run.poll() is None and time.monotonic() < end:
        if names(out) - before or out.with_name(f".{out.name}.part").exists():
            return
        time.sleep(0.001)


class Campaign:
    """Kills one stage, round after round.

    Args:
        stage: What is killed.
        folder: Where results go; must be there.
        rng: Chooses whom and when.
    """

    def __init__(self, name: str, stage: Stage, folder: Path, rng: random.Random) -> None:
        self.name, self.stage, self.rng, self.tally = name, stage, rng, Tally()
        self._out = folder / "killed"
        begin = time.monotonic()
        calm = start(stage, folder / "calm")
        if calm.wait() not in (0, 3, 4):
            raise SystemExit(f"{name} fails undisturbed:\n{(folder / 'calm.err').read_text()}")
        self.seconds = time.monotonic() - begin
        self._calm = contents(folder / "calm")

    def run(self, kills: int) -> None:
        """Does rounds until there were so many kills, and ends the last one."""
        while sum(self.tally.kills.values()) < kills:
            for path in self._out.parent.glob("killed*"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            while not self._one(kills):
                pass
            self.tally.rounds += 1
            self._ended()

    def _one(self, kills: int) -> bool:
        """One run, killed or not; whether it came to its end."""
        before, kept = names(self._out), recorded(self._out)
        run = start(self.stage, self._out)
        self.tally.runs += 1
        while sum(self.tally.kills.values()) < kills:
            moment, target = self.rng.choice(MOMENTS), "main" if self.stage.alone else self.rng.choice(TARGETS)
            if not self._wait(run, moment, before):
                break
            victims = workers_of(run.pid) if target == "worker" else []
            if target == "worker" and not victims:
                target = "main"
            if run.poll() is not None:
                break
            self._kill(run, target, victims)
            self.tally.kills[target, moment] += 1
            if sum(self.tally.kills.values()) % 10 == 0:
                print(f"{self.name}: {sum(self.tally.kills.values())} kills", flush=True)
            if target != "worker":
                run.wait()
                self._look(run, kept)
                return self.stage.whole and self._out.exists()
        code = run.wait()
        self._look(run, kept)
        if code in (0, 3, 4):
            return True
        said = self._out.with_suffix(".err").read_text()[-300:]
        if "while it was starting" not in said:  # the kill of such a worker ends the run
            self._fault(f"exit code {code}: {said}")
        return False

    def _wait(self, run: subprocess.Popen, moment: str, before: set[str]) -> bool:
        """Waits for the moment; whether the run is still there."""
        if moment == "commit":
            wait_for_file(run, self._out, before | names(self._out), 2 * self.seconds)
            time.sleep(self.rng.uniform(0, 0.1 if self.stage.whole else 0.006))
            return run.poll() is None
        try:
            run.wait(self.rng.uniform(0.02, 1.0 if moment == "any" else 0.3) * self.seconds)
        except subprocess.TimeoutExpired:
            return True
        return False

    def _kill(self, run: subprocess.Popen, target: str, victims: list[int]) -> None:
        try:
            if target == "group":
                os.killpg(run.pid, signal.SIGKILL)
            else:
                os.kill(self.rng.choice(victims) if victims else run.pid, signal.SIGKILL)
        except ProcessLookupError:
            return

    def _look(self, run: subprocess.Popen, kept: dict[str, tuple[int, int]]) -> None:
        """What the run left when it was gone."""
        gone = time.monotonic()
        while left := members(run.pid):
            if time.monotonic() - gone > 10:
                self._fault(f"processes {left} live on")
                os.killpg(run.pid, signal.SIGKILL)
            time.sleep(0.005)
        self.tally.longest = max(self.tally.longest, time.monotonic() - gone)
        if not self._out.exists():
            return
        now = contents(self._out)
        for name, data in now.items():
            failed = "/records/" in name and data["reason"] == "error"
            if data != self._calm.get(name) and not failed:
                self._fault(f"{name} is {'not the one' if name in self._calm else 'none'} of the undisturbed run")
        if self.stage.whole and now.keys() != self._calm.keys():
            self._fault("the folder is there, and not whole")
        again = [name for name, file in recorded(self._out).items() if kept.get(name, file) != file]
        if again or kept.keys() - recorded(self._out).keys():
            self._fault(f"records {again} were made again, or are gone")
        outputs = {path for name, data in now.items() if "/records/" in name for path in data["outputs"]}
        self.tally.unrecorded += any(name.startswith("videos/") and name not in outputs for name in now)

    def _ended(self) -> None:
        now = contents(self._out)
        if now != self._calm:
            different = sorted(n for n in now.keys() | self._calm.keys() if now.get(n) != self._calm.get(n))
            self._fault(f"after all: {len(different)} files differ, as {different[:3]}")
        left = [p.name for p in self._out.rglob("*") if p.match(TEMPORARY) or p.name.endswith(".part")]
        left += [p.name for p in self._out.parent.glob(".killed*")]
        if left:
            self._fault(f"left: {left}")

    def _fault(self, text: str) -> None:
        self.tally.faults.append(f"{self.name}, round {self.tally.rounds + 1}: {text}")
        print(self.tally.faults[-1], flush=True)


def stages(folder: Path, workers: int, clips: int) -> dict[str, Callable[[], Stage]]:
    """The stages by name; what they need is made when they are asked for."""
    videos, made, packed, source = folder / "videos", folder / "made", folder / "packed", folder / "source"
    at_once = ("--workers", str(workers))

    def need(path: Path, *command: str) -> str:
        if not path.exists():
            subprocess.run([*M2M, *command], check=True, capture_output=True)
        return str(path)

    def drawn() -> str:
        size = ("--classes", str(clips), "--clips", "1", "--seconds", ".5", "--fps", "24", "--plain")
        return need(videos, "studio", str(videos), *size)

    def augmented() -> str:
        return need(made, "augment", drawn(), str(made), "--profile", "laptop", "--size", "160x96", "--keep", "people")

    def many() -> str:
        """A source of many files, so that a run takes a while."""
        if not source.exists():
            source.mkdir()
            for i in range(30 * clips):
                video = sorted(Path(drawn()).glob("*/*.mp4"))[i % clips]
                shutil.copyfile(video, source / f"{i:03}.mp4")
        return str(source)

    def ingested() -> str:
        return need(folder / "ingested", "ingest", many(), str(folder / "ingested"))

    toys = ("-m", "tests.toys", "{out}", "{log}", str(workers), "0.01", *(f"a:{i}" for i in range(40)))
    chain = ("--profile", "laptop", "--size", "160x96", *at_once)
    return {
        "toy": lambda: Stage((sys.executable, *toys)),
        "ingest": lambda: Stage((*M2M, "ingest", many(), "{out}", *at_once)),
        "augment": lambda: Stage((*M2M, "augment", drawn(), "{out}", *chain)),
        "audit": lambda: Stage(
            (*M2M, "audit", augmented(), "--originals", drawn(), "--output", "{out}", "--profile", "laptop", *at_once)
        ),
        "release": lambda: Stage((*M2M, "release", augmented(), "{out}"), whole=True, alone=True),
        "pack": lambda: Stage((*M2M, "pack", ingested(), "{out}", "--shards", "3"), whole=True, alone=True),
        "unpack": lambda: Stage(
            (*M2M, "unpack", need(packed, "pack", ingested(), str(packed)), "{out}"), whole=True, alone=True
        ),
    }


def told(tally: Tally) -> Iterator[str]:
    """The tally in lines."""
    total = sum(tally.kills.values())
    by_target = Counter[str]()
    for (target, _), n in tally.kills.items():
        by_target[target] += n
    yield f"{total} kills ({', '.join(f'{n} {t}' for t, n in sorted(by_target.items()))}) in {tally.runs} runs"
    yield f"{tally.rounds} rounds ended; {tally.unrecorded} kills between a file's name and its record"
    yield f"the last process was gone after {tally.longest:.2f} s at most; faults: {len(tally.faults)}"


def main() -> int:
    """Prints what the kills did; exit code 1 where anything was not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stages", default="toy,ingest,augment,audit,release,pack,unpack")
    parser.add_argument("--kills", type=int, default=40, help="of each stage")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--clips", type=int, default=6, help="real clips of 12 frames")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="work here and leave it (default: a folder that is removed)")
    args = parser.parse_args()
    faults = 0
    with tempfile.TemporaryDirectory(prefix="kill-") as scratch:
        at = args.folder or Path(scratch)
        known = stages(at, args.workers, args.clips)
        for name in args.stages.split(","):
            folder = at / f"of-{name}"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            campaign = Campaign(name, known[name](), folder, random.Random(f"{args.seed} {name}"))
            print(f"== {name}: undisturbed {campaign.seconds:.1f} s, {len(campaign._calm)} files", flush=True)
            campaign.run(args.kills)
            print("\n".join(told(campaign.tally)), flush=True)
            faults += len(campaign.tally.faults)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
