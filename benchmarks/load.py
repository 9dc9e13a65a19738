"""What the work loop costs where there are many items, and whether that grows faster than their number.

    python -m benchmarks.load [--items 1000,10000] [--workers 2,8] [--stores none,folder,s3] [--delay 0.2]

The task writes one small file. Told are the seconds an item of a first run, of a second that finds all finished, and
(with a store) of a third on an empty disk; the processor's seconds of all processes and runs; and the peak memory of
the run's own process. `s3` is a server in this program that holds everything in memory and waits before it answers.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from m2m.files import write_atomic
from m2m.records import Item
from m2m.store import open_store
from m2m.work import run


class Writes:
    """Writes a small file."""

    def __init__(self, out: Path) -> None:
        self._out = out

    def __call__(self, name: str) -> dict[str, Any]:
        path = f"videos/{name}.bin"
        write_atomic(self._out / path, name.encode())
        return {"outputs": {"video": path}}


class SlowServer:
    """As much of S3 as a work store needs, in memory; every answer takes a while.

    Attributes:
        url: Its address.
        seen: Requests by method.
        most: Requests under way at once, at most.
    """

    def __init__(self, delay: float) -> None:
        self.seen: Counter[str] = Counter()
        self.most = 0
        self._data: dict[str, bytes] = {}
        self._now, self._lock = 0, threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do(self) -> None:
                with server._lock:
                    server.seen[self.command] += 1
                    server._now += 1
                    server.most = max(server.most, server._now)
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                time.sleep(delay)
                with server._lock:
                    server._now -= 1
                key = urlsplit(self.path).path
                if self.command == "PUT":
                    server._data[key] = body
                    self.answer(200, b"")
                else:
                    found = server._data.get(key)
                    error = b"<Error><Code>NoSuchKey</Code></Error>"
                    self.answer(*((404, error) if found is None else (200, found)))

            def answer(self, status: int, data: bytes) -> None:
                self.send_response_only(status)
                self.send_header("Content-Length", str(len(data)))
                self.send_header("ETag", '"e"')
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

            do_GET = do_PUT = do_HEAD = do

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()


def case(folder: Path, n: int, workers: int, uri: str) -> dict[str, float]:
    """Three runs of one case, in this process; the worker's start is told apart."""
    items = [Item(f"clip_{i:06}", str(i), f"clip_{i:06}") for i in range(n)]
    store = open_store(uri) if uri else None
    do = partial(run, workers=workers, progress=False, store=store)
    told: dict[str, float] = {}

    def timed(name: str, some: list[Item], out: Path) -> None:
        begin = time.monotonic()
        do(partial(Writes, out), some, out=out)
        told[name] = time.monotonic() - begin

    timed("start", items[:1], folder / "start")
    timed("first", items, folder / "out")
    timed("again", items, folder / "out")
    if store is not None:
        timed("elsewhere", items, folder / "other")
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    told["processor"] = sum(u.ru_utime + u.ru_stime for u in used)
    told["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return told


@contextmanager
def place(kind: str, folder: Path, delay: float) -> Iterator[tuple[str, dict[str, str], SlowServer | None]]:
    """A store's address, the environment for it, and the server behind it."""
    if kind != "s3":
        yield (str(folder / "store") if kind == "folder" else ""), {}, None
        return
    server = SlowServer(delay)
    secret = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}
    yield "s3://bucket/work", {**secret, "AWS_ENDPOINT_URL": server.url}, server


def main() -> None:
    """Prints a line a case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", default="1000,10000")
    parser.add_argument("--workers", default="2,8")
    parser.add_argument("--stores", default="none,folder")
    parser.add_argument("--delay", type=float, default=0.2, help="seconds before S3 answers")
    parser.add_argument("--case", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.case:
        folder, n, workers, uri = args.case
        print(json.dumps(case(Path(folder), int(n), int(workers), uri)))
        return
    for kind in args.stores.split(","):
        for workers in map(int, args.workers.split(",")):
            for n in map(int, args.items.split(",")):
                with (
                    tempfile.TemporaryDirectory(prefix="load-") as scratch,
                    place(kind, Path(scratch), args.delay) as at,
                ):
                    uri, environment, server = at
                    command = [sys.executable, "-m", "benchmarks.load", "--case", scratch, str(n), str(workers), uri]
                    done = subprocess.run(
                        command, stdout=subprocess.PIPE, check=True, env={**os.environ, **environment}
                    )
                    told = json.loads(done.stdout)
                    shutil.rmtree(scratch)
                    Path(scratch).mkdir()
                runs = ", ".join(f"{name} {told[name]:.1f} s ({1000 * told[name] / n:.2f} ms an item)"
                                 for name in ("first", "again", "elsewhere") if name in told)  # fmt: skip
                asked = f", requests {dict(server.seen)}, {server.most} at once" if server is not None else ""
                cost = f"processor {told['processor']:.0f} s, memory {told['memory']:.0f} MiB{asked}"
                print(
                    f"{kind:6} {workers} workers, {n:5} items: {runs}, start {told['start']:.1f} s, {cost}", flush=True
                )


if __name__ == "__main__":
    main()
