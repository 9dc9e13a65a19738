"""Runs a graph on this machine: data sets one after the other, then trainings side by side, each in a process."""

import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from m2m import work
from m2m.errors import InfrastructureError, M2MError
from m2m.reproduce.graph import DATA, Graph, Node
from m2m.reproduce.node import Done, compute, done, interrupted
from m2m.tracking import HTTP, SWITCH, replay
from m2m.wording import say
from m2m.workers import die_with

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""One each: the number of threads changes the last digits of a sum, and processes side by side want the cores."""
TRIES = 2


@dataclass
class Progress:
    """What a run came to.

    Attributes:
        found: Nodes that an earlier run had finished.
        made: Keys of those that this run finished, in that order.
        failed: Errors by key.
        left: Keys of those that were not begun: the time was over, or what they need has failed.
    """

    found: int = 0
    made: list[str] = field(default_factory=list)
    failed: dict[str, M2MError] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)


def run(
    graph: Graph,
    root: Path,
    *,
    workers: int = 1,
    minutes: float | None = None,
    tell: Callable[[str], None] = lambda text: say(text, sys.stderr),
) -> Progress:
    """Computes what is missing.

    Args:
        graph: What is needed.
        root: Folder of the reproduction; a second run goes on there.
        workers: Processes; their number changes no figure.
        minutes: After so many nothing new is begun; None: until everything is done.
        tell: Is told of each node in a line.

    Raises:
        InputError: Another run works in the folder.
        InfrastructureError: A process died, twice at the same training.
        KeyboardInterrupt: After Ctrl-C or SIGTERM; what is finished is kept, trainings go on from their checkpoints.
    """
    with work.locked(root), environment(root):
        runner = _Runner(graph, root, workers, minutes, tell)
        try:
            runner.run()
        finally:
            _send(root, tell)
        return runner.progress


class _Runner:
    def __init__(
        self, graph: Graph, root: Path, workers: int, minutes: float | None, tell: Callable[[str], None]
    ) -> None:
        self.graph, self.root, self.workers, self.tell = graph, root, workers, tell
        self.todo = {key: node for key, node in graph.nodes.items() if done(root, node) is None}
        self.total = len(self.todo)
        self.progress = Progress(found=len(graph.nodes) - self.total)
        self.deadline = None if minutes is None else time.monotonic() + 60 * minutes

    def run(self) -> None:
        if self.progress.found:
            self.tell(f"{self.progress.found} of {len(self.graph.nodes)} finished earlier")
        while not self.late and (node := next((n for n in self.ready() if n.kind in DATA), None)):
            self.make(node)
        if not self.late and any(node.kind not in DATA for node in self.ready()):
            self.train()
        self.progress.left = [key for key in self.todo if key not in self.progress.failed]

    @property
    def late(self) -> bool:
        return self.deadline is not None and time.monotonic() >= self.deadline

    def ready(self) -> Iterator[Node]:
        """Nodes that wait for nothing."""
        for node in list(self.todo.values()):
            if node.key not in self.progress.failed and not any(key in self.todo for key in node.needs.values()):
                yield node

    def folders(self, node: Node) -> dict[str, str]:
        return {role: self.graph.nodes[key].folder for role, key in node.needs.items()}

    def finished(self, node: Node, made: Done) -> None:
        self.progress.made.append(node.key)
        self.todo.pop(node.key)
        count = f"[{len(self.progress.made)}/{self.total}]"
        self.tell(f"{count} {node.kind} {node.name}: {made.note} ({made.seconds:.0f} s)")

    def failed(self, node: Node, error: M2MError) -> None:
        self.progress.failed[node.key] = error
        self.tell(f"failed: {node.kind} {node.name}: {error}")

    def make(self, node: Node) -> None:
        """Makes a data set, with all processes."""
        began = time.monotonic()
        try:
            made = compute(self.root, node, self.folders(node), self.workers)
        except M2MError as error:
            self.failed(node, error)
        except KeyboardInterrupt:
            interrupted(self.root, node, time.monotonic() - began)
            raise
        else:
            self.finished(node, made)

    def train(self) -> None:
        """Trains side by side until nothing more can be begun."""
        tries: dict[str, int] = {}
        while not self.late and any(True for _ in self.ready()):
            # A fresh interpreter each: a fork would copy the locks of libraries that have threads.
            context = multiprocessing.get_context("spawn")
            pool = ProcessPoolExecutor(self.workers, context, initializer=die_with, initargs=(os.getpid(),))
            running: dict[Future[Done], tuple[Node, float]] = {}
            try:
                self.feed(pool, running)
            except BrokenProcessPool as error:
                for node, _ in running.values():
                    tries[node.key] = tries.get(node.key, 0) + 1
                    if tries[node.key] >= TRIES:
                        raise InfrastructureError(
                            f"the process of {node.kind} {node.name} died", "check the memory; use fewer workers"
                        ) from error
            except KeyboardInterrupt:
                for node, began in running.values():
                    interrupted(self.root, node, time.monotonic() - began)
                raise
            finally:
                _end(pool)

    def feed(self, pool: ProcessPoolExecutor, running: dict[Future[Done], tuple[Node, float]]) -> None:
        """Keeps the processes busy."""
        while True:
            busy = {node.key for node, _ in running.values()}
            for node in self.ready():
                if len(running) >= self.workers or self.late:
                    break
                if node.key not in busy:
                    running[pool.submit(compute, self.root, node, self.folders(node))] = (node, time.monotonic())
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                node, _ = running[future]
                try:
                    self.finished(node, future.result())
                except M2MError as error:
                    self.failed(node, error)
                del running[future]  # not before: if the pool is broken, it was running


def _end(pool: ProcessPoolExecutor) -> None:
    """Ends a pool at once; a training that is asked to stop saves its checkpoint."""
    processes = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(timeout=120)


def tracker_of(root: Path) -> str:
    """The tracker of a reproduction: the environment's, or a database beside its results."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root.absolute() / 'mlflow.db'}"


@contextmanager
def environment(root: Path) -> Iterator[None]:
    """One thread a process, and the tracker beside the results unless the environment names another one."""
    before = dict(os.environ)
    os.environ.update({**dict.fromkeys(THREADS, "1"), **HTTP})
    os.environ["MLFLOW_TRACKING_URI"] = tracker_of(root)
    os.environ.setdefault(SWITCH, "later")
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _send(root: Path, tell: Callable[[str], None]) -> None:
    """Sends what the trainings have written for the tracker; what does not arrive is sent by the next run."""
    if os.environ[SWITCH] != "later":
        return
    for folder in sorted(root.glob("*/*/.m2m/tracking")):
        if any(folder.glob("*.jsonl")):
            try:
                replay(folder)
            except M2MError as error:
                tell(f"not tracked yet: {error}")
                return
