"""What reading a damaged file comes to: whether its pictures are right, seconds, memory."""

import hashlib
import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av

from m2m.container import open_container
from m2m.errors import M2MError
from m2m.video import probe, read

SECONDS = 60
"""The longest that a file may take."""
MEGABYTES = 1536
"""The most memory that a file may take."""

QUARANTINED, SAME, UNSEEN = "quarantined", "whole and the same", "differs, no sign"
GAP, OTHER = "lost, the file says where", "another whole file"
SIGNS, LENGTH, CRASH, HANG, MEMORY = "differs, sign ignored", "other length", "crash", "hang", "memory"
VERDICTS = (QUARANTINED, SAME, UNSEEN, GAP, OTHER, SIGNS, LENGTH, CRASH, HANG, MEMORY)
BAD = frozenset({SIGNS, LENGTH, CRASH, HANG, MEMORY})
NO_SIGNS = ("AMF_DATA_TYPE",)
"""What FFmpeg says of tags, and not of pictures."""


@dataclass(frozen=True)
class Outcome:
    """What became of a file.

    Attributes:
        verdict: One of `VERDICTS`.
        why: The reason of a quarantine, or what else is to be known.
        seconds: How long it took; 0 where it was looked at in this process.
        megabytes: What it added to the process's peak; the same.
        frames: Hashes of the pictures that were read to the end.
    """

    verdict: str
    why: str
    seconds: float = 0.0
    megabytes: float = 0.0
    frames: tuple[str, ...] = ()


def hashes(path: Path) -> tuple[str, ...]:
    """A hash of each picture."""
    return tuple(hashlib.sha256(f.image.tobytes() + str(f.image.shape).encode()).hexdigest()[:16] for f in read(path))


def look(path: Path, truth: tuple[str, ...] | None) -> Outcome:
    """Reads a file as `m2m ingest` and `m2m augment` do.

    Args:
        path: The file.
        truth: Hashes of the pictures that were meant; None where nothing is known.
    """
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture() as log:
            info, frames = probe(path, count=True), hashes(path)
    except M2MError as error:
        return Outcome(QUARANTINED, str(error))
    except Exception as error:
        return Outcome(CRASH, f"{type(error).__name__}: {error}")
    finally:
        av.logging.set_level(None)
    signs = "; ".join(f"{name}: {text.strip()}" for _, name, text in log if not text.startswith(NO_SIGNS))[:500]
    if info.n_frames != len(frames):
        return Outcome(LENGTH, f"counted {info.n_frames}, read {len(frames)}", frames=frames)
    if truth is None:
        return Outcome(OTHER, f"{len(frames)} frames {signs}", frames=frames)
    if frames == truth:
        return Outcome(SAME, signs, frames=frames)
    if len(frames) != len(truth):
        text = f"{len(frames)} frames, not {len(truth)} {signs}"
        told = (
            len(frames) < len(truth) and not signs and (info.variable or len(frames) + _edited_out(path) == len(truth))
        )
        return Outcome(GAP if told else LENGTH, text, frames=frames)
    other = sum(a != b for a, b in zip(frames, truth, strict=True))
    return Outcome(SIGNS if signs else UNSEEN, f"{other} of {len(truth)} pictures {signs}", frames=frames)


def _edited_out(path: Path) -> int:
    """Pictures that a file holds and, by its list of edits, does not show."""
    with open_container(path) as container:
        return sum(packet.is_discard for packet in container.demux(video=0))


def judge(path: Path, truth: tuple[str, ...] | None) -> Outcome:
    """The same in a process of its own, with time and memory; arguments as above."""
    ours, theirs = os.pipe()
    begin = time.monotonic()
    child = os.fork()
    if not child:
        os.close(ours)
        _child(path, truth, theirs)
    os.close(theirs)
    before = _resident(child)
    with os.fdopen(ours, "rb") as pipe:
        said = pipe.read()
    _, status, used = os.wait4(child, 0)
    measured = {"seconds": time.monotonic() - begin, "megabytes": used.ru_maxrss / 1024 - before}
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM:
        return Outcome(HANG, f"more than {SECONDS} s", **measured)
    if status or not said:
        return Outcome(CRASH, f"status {status}", **measured)
    found: dict[str, Any] = json.loads(said)
    if measured["megabytes"] > MEGABYTES:
        return Outcome(MEMORY, f"{found['verdict']}: {found['why']}", **measured)
    return Outcome(found["verdict"], found["why"], frames=tuple(found["frames"]), **measured)


def _resident(process: int) -> float:
    """Megabytes that a process has now."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next((int(n.split()[1]) / 1024 for n in lines if n.startswith("VmRSS")), 0.0)


def _child(path: Path, truth: tuple[str, ...] | None, pipe: int) -> None:
    """Tells what it found, and ends the process."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(SECONDS)
    found = look(path, truth)
    with os.fdopen(pipe, "wb") as out:
        out.write(json.dumps({"verdict": found.verdict, "why": found.why, "frames": found.frames}).encode())
    os._exit(0)
