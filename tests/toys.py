"""Toy tasks for tests of the work loop; workers import them by name. As a program: a run that can be killed."""

import atexit
import functools
import hashlib
import logging
import os
import resource
import signal
import sys
import time
from pathlib import Path

import numpy as np

from m2m.errors import InfrastructureError, InputError, QuarantineError
from m2m.files import Transaction
from m2m.records import Item
from m2m.store import open_store
from m2m.work import run


def content(payload: str) -> bytes:
    """What the toy writes for a payload."""
    return hashlib.sha256(payload.encode()).digest() * 500


class Toy:
    """Writes a file in slow steps and notes in a log that it ran. Payloads are `verb:anything`."""

    def __init__(self, out: Path, log: Path, step: float = 0.0) -> None:
        self.out, self.log, self.step = out, log, step

    def __call__(self, payload: str) -> dict:
        name = payload.replace(":", "_")
        with self.log.open("a") as log:
            log.write(f"{payload} {os.getpid()}\n")
        verb = payload.split(":")[0]
        if verb in MISDEEDS:
            MISDEEDS[verb](self)
        path = f"videos/{name}.bin"
        with Transaction() as files, files.part(self.out / path).open("wb") as file:
            for block in range(5):
                file.write(content(payload)[block * 3200 : (block + 1) * 3200])
                file.flush()
                time.sleep(self.step)
        return {"outputs": {"video": path}, "length": len(content(payload))}


def _quarantine(_: Toy) -> None:
    raise QuarantineError("verifier", "somebody is still there", {"frame": 7})


def _odd_evidence(_: Toy) -> None:
    raise QuarantineError("verifier", "somebody is still there", {"score": np.float32(0.5), "share": float("nan")})


def _bug(_: Toy) -> None:
    raise ZeroDivisionError("a\n  bug\n")


def _bad_input(_: Toy) -> None:
    raise InputError("this clip is odd")


def _missing_package(_: Toy) -> None:
    import a_package_that_does_not_exist  # noqa: F401


def _full(_: Toy) -> None:
    raise InfrastructureError("the disk is full", "free some space")


def _die(_: Toy) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _die_once(toy: Toy) -> None:
    if toy.log.read_text().count("dieonce") == 1:
        os.kill(os.getpid(), signal.SIGKILL)


def _half(toy: Toy) -> None:
    """Dies in the middle of writing."""
    with Transaction() as files:
        files.part(toy.out / "videos" / "half.bin").write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)


def _hang(toy: Toy) -> None:
    with Transaction() as files:
        files.part(toy.out / "videos" / "hang.bin").write_bytes(b"hang")
        time.sleep(60)


def _hungry(_: Toy) -> None:
    """Asks for more memory than it may have, as a task does in a container."""
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, resource.RLIM_INFINITY))
    np.ones(1 << 33, np.uint8)


def _deaf(toy: Toy) -> None:
    """Hangs in the middle of writing and hears no signal but SIGKILL, as a decoder that is stuck."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    _hang(toy)


MISDEEDS = {
    "quarantine": _quarantine,
    "oddevidence": _odd_evidence,
    "bug": _bug,
    "badinput": _bad_input,
    "missing": _missing_package,
    "full": _full,
    "die": _die,
    "dieonce": _die_once,
    "half": _half,
    "hang": _hang,
    "hungry": _hungry,
    "deaf": _deaf,
}


def factory(out: Path, log: Path, step: float = 0.0) -> functools.partial:
    """A picklable maker of toys."""
    return functools.partial(Toy, out, log, step)


def leave_slowly() -> None:
    """What a library may do at the end of a process."""
    time.sleep(1.0)
    print("left in peace", flush=True)


def slow_factory() -> Toy:
    atexit.register(leave_slowly)
    raise InputError("the model file is not there", "fetch it")


def talking_factory() -> Toy:
    logging.getLogger("m2m.toys").info("drawn with a pencil")
    logging.getLogger("others").info("nobody's business")
    raise InputError("the model file is not there", "fetch it")


def broken_factory() -> Toy:
    raise InputError("the model file is not there", "fetch it")


def dying_factory() -> Toy:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def items(payloads: list[str], version: str = "1") -> list[Item]:
    return [Item(p.replace(":", "_"), f"{p}/{version}", p) for p in payloads]


def main() -> None:
    out, log, workers, step = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    store = open_store(os.environ["TOYS_STORE"]) if "TOYS_STORE" in os.environ else None
    run(factory(out, log, step), items(sys.argv[5:]), out=out, workers=workers, store=store)


if __name__ == "__main__":
    main()
