"""Runs a pipeline on this machine: the same object that is compiled for a cluster, each task a process of its own."""

import builtins
import os
import re
import signal
import sys
import threading
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, redirect_stdout
from dataclasses import dataclass
from io import TextIOBase
from pathlib import Path
from typing import Any, TextIO

from kfp import local
from kfp.local import subprocess_task_handler

from m2m.errors import GateError, InfrastructureError, InputError, M2MError

SHOWN = (
    re.compile(r"Executing task \S*'(?P<task>[^']+)'"),
    re.compile(r"Task \S*'?(?P<failed>[\w-]+)'?\S* failed .*"),
    re.compile(r"^\s*(?P<line>\[\d+/\d+\] .*)$"),
    re.compile(r"^\s*(?P<say>\d+ of \d+ finished earlier|epoch .*)$"),
)
"""Of everything that kfp and the tasks print, what a person wants to see; the rest is in the log."""

RAISED = re.compile(r"^\s*m2m\.errors\.(?P<kind>\w+): (?P<text>.*)$")
COLOUR = re.compile(r"\x1b\[\d+m")
CODES: dict[str, type[M2MError]] = {
    "InputError": InputError,
    "MissingError": InputError,
    "GateError": GateError,
    "InfrastructureError": InfrastructureError,
}


@dataclass(frozen=True)
class Run:
    """A finished local run.

    Attributes:
        folder: What its tasks wrote, a folder a task.
        log: Everything that was printed.
        seconds: How long it took.
    """

    folder: Path
    log: Path
    seconds: float

    def output(self, task: str, artifact: str) -> Path:
        """The path of an artifact.

        Raises:
            InputError: The task wrote none.
        """
        path = self.folder / task / artifact
        if not path.exists():
            raise InputError(f"the run in {self.folder} has no {artifact} of {task}", f"look at {self.log}")
        return path


class _Log(TextIOBase):
    """Takes what is printed, line by line and thread by thread; keeps all of it and shows some of it."""

    def __init__(self, file: TextIO, screen: TextIO, verbose: bool) -> None:
        self._file, self._screen, self._verbose = file, screen, verbose
        self._parts: defaultdict[int, str] = defaultdict(str)
        self._lock = threading.Lock()
        self.raised: list[tuple[str, str]] = []

    def write(self, text: str) -> int:
        """Takes a piece of text."""
        with self._lock:
            *lines, rest = (self._parts[threading.get_ident()] + text).split("\n")
            self._parts[threading.get_ident()] = rest
            for line in lines:
                self._line(COLOUR.sub("", line))
        return len(text)

    def _line(self, line: str) -> None:
        self._file.write(line + "\n")
        self._file.flush()
        if error := RAISED.match(line):
            self.raised.append((error["kind"], error["text"]))
        shown = line if self._verbose else self._short(line)
        if shown is not None:
            # Not print(): kfp replaces it while a task runs, by one that writes to this log first.
            self._screen.write(shown + "\n")
            self._screen.flush()

    @staticmethod
    def _short(line: str) -> str | None:
        for pattern in SHOWN:
            if found := pattern.search(line):
                (name, text), *_ = ((k, v) for k, v in found.groupdict().items() if v is not None)
                return {"task": text, "failed": found[0]}.get(name, f"  {text}")
        return None


def run(
    pipeline: Callable[..., Any],
    arguments: dict[str, Any],
    root: Path,
    verbose: bool = False,
    docker: bool = False,
    sees: tuple[Path, ...] = (),
) -> Run:
    """Runs a pipeline with `kfp.local`.

    Stores and tracker lie under `root` unless the environment names others, so a second run finds what the first has
    done.

    Args:
        pipeline: What one of the factories of this package gave.
        arguments: Its parameters.
        root: Folder of runs, stores and the tracker's data.
        verbose: Show everything, not only what a person wants to see.
        docker: Each task in a container of its stage's image, instead of a process of this environment.
        sees: Files and folders outside of `root` that containers may read.

    Raises:
        M2MError: A task failed with an error of ours; the same error, so that exit codes hold.
        InfrastructureError: A task died without one.
        KeyboardInterrupt: Ctrl-C; nothing of the run goes on.
    """
    root = root.absolute()
    runs = root / "runs"
    begin = time.time()
    try:
        runs.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write in {root}: {error.strerror}", "choose another folder") from error
    before = set(runs.iterdir())
    name = f"{pipeline.name}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    log, stopped = runs / f"{name}.log", threading.Event()
    with (
        log.open("w", encoding="utf-8") as file,
        _environment(root, name),
        _runner(pipeline, root, name, stopped, docker, sees) as (by, end),
        _interruptible(stopped, end),
    ):
        local.init(by, pipeline_root=str(runs))
        printed = _Log(file, sys.stdout, verbose)
        try:
            with redirect_stdout(printed), _quiet():
                pipeline(**arguments)
        except RuntimeError as error:
            raise _cause(error, printed.raised, log) from error
    folders = sorted(p for p in set(runs.iterdir()) - before if p.is_dir())
    if not folders:
        raise InfrastructureError(f"the run left no folder in {runs}", f"look at {log}")
    return Run(folders[0], log, time.time() - begin)


Runner = tuple[local.SubprocessRunner | local.DockerRunner, Callable[[], None]]
"""A runner of kfp's, and what ends the tasks that it has started and that do not get the terminal's signal."""


def _runner(
    pipeline: Any, root: Path, name: str, stopped: threading.Event, docker: bool, sees: tuple[Path, ...]
) -> AbstractContextManager[Runner]:
    if not docker:
        return _processes(stopped)
    from pipelines.containers import docker_runner

    return docker_runner(pipeline, root, name, stopped, sees)


@contextmanager
def _processes(stopped: threading.Event) -> Iterator[Runner]:
    own = subprocess_task_handler.run_local_subprocess

    def start(*args: Any, **kwargs: Any) -> int:
        if stopped.is_set():
            raise KeyboardInterrupt
        return own(*args, **kwargs)

    subprocess_task_handler.run_local_subprocess = start
    try:
        yield local.SubprocessRunner(use_venv=False), lambda: None
    finally:
        subprocess_task_handler.run_local_subprocess = own


@contextmanager
def _interruptible(stopped: threading.Event, end: Callable[[], None]) -> Iterator[None]:
    """Lets Ctrl-C end a run: a loop of kfp's goes through all that is left of it first, and waits for what runs."""

    def stop(*_: object) -> None:
        stopped.set()
        end()
        raise KeyboardInterrupt

    # A run in a thread, in the background of a shell, or under somebody else's handler is not ours to stop.
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _cause(error: RuntimeError, raised: list[tuple[str, str]], log: Path) -> M2MError:
    """What made the run fail, as the error that the task raised."""
    for kind, text in reversed(raised):
        if kind in CODES:
            return CODES[kind](text, f"everything that was printed: {log}")
    return InfrastructureError(COLOUR.sub("", str(error)), f"look at {log}")


@contextmanager
def _environment(root: Path, name: str) -> Iterator[None]:
    """Addresses of stores and tracker for the tasks, which inherit them."""
    tracker = f"sqlite:///{root / 'mlflow.db'}"
    defaults = {"M2M_STORE": str(root / "store"), "M2M_WORK": str(root / "work"), "MLFLOW_TRACKING_URI": tracker}
    # Loops run two tasks at a time: threads that wait must not keep a processor from those that work.
    defaults["OMP_WAIT_POLICY"] = "passive"
    before = dict(os.environ)
    os.environ.update({k: v for k, v in defaults.items() if not os.environ.get(k)})
    os.environ["M2M_PIPELINE_RUN"] = name
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps kfp's ways to itself.

    It warns, once a task, that images and memory mean nothing on this machine; and with loops in threads it leaves its
    own `print` behind.
    """
    own = builtins.print
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        builtins.print = own
