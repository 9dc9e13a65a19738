"""Runs a graph on this machine: data sets one after the other, then trainings side by side, each in a process."""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import connection
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
SAVING = 120
"""Seconds that a training has to save after SIGTERM."""


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
        except M2MError:
            _send(root, tell)
            raise
        _send(root, tell)  # not after a signal: whoever stops a run waits for no tracker, and the next one sends
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
        hands: list[_Hand] = []
        tries: dict[str, int] = {}
        try:
            while True:
                for hand in [h for h in hands if h.node is None]:
                    if (node := self.next(hands)) is not None:
                        hand.give(self.root, node, self.folders(node))
                while len(hands) < self.workers and (node := self.next(hands)) is not None:
                    hands.append(_Hand())
                    hands[-1].give(self.root, node, self.folders(node))
                busy = [hand for hand in hands if hand.node is not None]
                if not busy:
                    return
                connection.wait([hand.pipe for hand in busy])
                for hand in [h for h in busy if h.pipe.poll()]:
                    node, answer = hand.take()
                    if isinstance(answer, Done):
                        self.finished(node, answer)
                    elif isinstance(answer, M2MError):
                        self.failed(node, answer)
                    else:  # it died; a process of its own is made for the next one
                        hands.remove(hand)
                        hand.end()
                        tries[node.key] = tries.get(node.key, 0) + 1
                        if tries[node.key] >= TRIES:
                            advice = "check the memory; use fewer workers"
                            raise InfrastructureError(f"the process of {node.kind} {node.name} died", advice)
        finally:
            for hand in hands:
                if hand.node is not None:
                    interrupted(self.root, hand.node, time.monotonic() - hand.began)
                hand.process.terminate()  # a training that is asked to stop saves its checkpoint
            for hand in hands:
                hand.end()

    def next(self, hands: list["_Hand"]) -> Node | None:
        """What can be begun, if there is time."""
        busy = {hand.node.key for hand in hands if hand.node is not None}
        return None if self.late else next((node for node in self.ready() if node.key not in busy), None)


class _Hand:
    """A process that computes one node after the other, so that PyTorch is imported once."""

    def __init__(self) -> None:
        # A fresh interpreter: a fork would copy the locks of libraries that have threads.
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, os.getpid()), daemon=False)
        self.process.start()
        theirs.close()
        self.node: Node | None = None
        self.began = 0.0

    def give(self, root: Path, node: Node, needs: dict[str, str]) -> None:
        """Has a node computed."""
        self.node, self.began = node, time.monotonic()
        with suppress(OSError):  # it is dead, which `take` says
            self.pipe.send((root, node, needs))

    def take(self) -> tuple[Node, Done | M2MError | None]:
        """The node and what came of it; None if the process died."""
        node, self.node = self.node, None
        assert node is not None
        try:
            return node, self.pipe.recv()
        except (EOFError, OSError):
            return node, None

    def end(self) -> None:
        """Ends the process; a training has time to save."""
        self.pipe.close()
        self.process.join(SAVING)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def _serve(pipe: connection.Connection, parent: int) -> None:
    """The life of a process."""
    die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this one by SIGTERM
    with suppress(EOFError, KeyboardInterrupt):  # the parent is gone, or has asked this one to stop
        while True:
            root, node, needs = pipe.recv()
            try:
                pipe.send(compute(root, node, needs))
            except M2MError as error:
                pipe.send(error)


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
    folders = [folder for folder in sorted(root.glob("*/*/.m2m/tracking")) if any(folder.glob("*.jsonl"))]
    if folders:
        tell(f"sending {len(folders)} trainings to the tracker")
    for folder in folders:
        try:
            replay(folder)
        except M2MError as error:
            tell(f"not tracked yet: {error}")
            return
