"""Serves the page of a review to this machine's own browser and records every answer as it comes.

Other programs of this machine, and pages of other sites in the same browser, must not read the people on it: the
address holds a token by chance that every request needs, and a request for another host's name is refused, so that no
other name can be made to lead here.
"""

import hmac
import json
import re
import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from m2m.audit.decisions import read_reviews
from m2m.audit.review.answers import answer_from, read_answers
from m2m.audit.review.key import Key
from m2m.audit.review.settle import record
from m2m.errors import InfrastructureError, M2MError

HOST = "127.0.0.1"
MOST = 64 * 1024
"""Bytes of an answer at most."""
SECONDS = 30
"""After which a connection that says nothing is closed."""
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
NOTHING = "default-src 'none'"
POLICY = re.compile(rb'http-equiv="Content-Security-Policy" content="([^"]+)"')


class Server(ThreadingHTTPServer):
    """The page of one review on 127.0.0.1.

    Args:
        dataset: The data set's folder, where answers are recorded.
        key: The review.
        page: The page's file.
        port: 0: any that is free.

    Raises:
        InfrastructureError: The port cannot be used.
    """

    daemon_threads = True

    def __init__(self, dataset: Path, key: Key, page: Path, port: int = 0) -> None:
        self.dataset, self.key, self.page = dataset, key, page.read_bytes()
        own = POLICY.search(self.page)
        self.policy = own[1].decode() if own else NOTHING
        self.token = secrets.token_urlsafe(24)
        self.writing = threading.Lock()
        try:
            super().__init__((HOST, port), Handler)
        except (OSError, OverflowError) as error:
            raise InfrastructureError(f"cannot listen on {HOST}:{port}: {error}", "name another --port") from error

    @property
    def address(self) -> str:
        """What to open in a browser."""
        return f"http://{HOST}:{self.server_port}/{self.token}/"

    def said(self) -> str:
        """What is decided about the data set now."""
        return str(read_reviews(self.dataset, self.key.dataset))

    @property
    def hosts(self) -> frozenset[str]:
        """Names of this server in a request."""
        return frozenset(f"{name}:{self.server_port}" for name in (HOST, "localhost"))


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    server: Server
    timeout = SECONDS
    server_version, sys_version = "m2m", ""

    def do_GET(self) -> None:
        """The page, or the answers so far."""
        if (what := self._allowed()) is None:
            return
        if what == "":
            self._send(200, self.server.page, "text/html; charset=utf-8", self.server.policy)
        elif what == "answers":
            with self.server.writing:
                found = read_answers(self.server.key, self.server.dataset)
            said = [{k: getattr(a, k) for k in ("item", "reviewer", "verdict", "seen", "note", "at")} for a in found]
            self._send(200, json.dumps(said).encode(), "application/json")
        else:
            self._say(404, "there is no such page")

    def do_POST(self) -> None:
        """Records an answer."""
        what = self._allowed()
        if what is None:
            return
        if what != "answer":
            self._say(404, "there is no such page")
            return
        values = self._body()
        if values is None:
            return
        try:
            answer = answer_from(values, values.get("reviewer", ""), self.server.key)
            with self.server.writing:
                record(self.server.dataset, self.server.key, [answer])
        except M2MError as error:
            self._say(500 if isinstance(error, InfrastructureError) else 400, str(error))
            return
        self._say(200, "recorded")

    def _allowed(self) -> str | None:
        """What is asked for, after the token; None if the request was refused, and has its answer."""
        server, origin = self.server, self.headers.get("Origin")
        if self.headers.get("Host") not in server.hosts or (
            origin and origin.removeprefix("http://") not in server.hosts
        ):
            self._say(403, "this page is for this machine's own browser")
            return None
        token, slash, what = self.path.removeprefix("/").partition("/")
        if not slash or not hmac.compare_digest(token.encode("utf-8", "replace"), server.token.encode()):
            self._say(403, "open the address as m2m audit review printed it")
            return None
        return what

    def _body(self) -> dict[str, Any] | None:
        """The JSON of a request; None if it was refused, and has its answer."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or self.headers.get("Transfer-Encoding"):
            self._say(411, "an answer has a length")
        elif int(length) > MOST:
            self._say(413, f"an answer has {MOST} bytes at most")
        elif self.headers.get_content_type() != "application/json":
            self._say(415, "an answer is application/json")
        else:
            try:
                values = json.loads(self.rfile.read(int(length)))
                if isinstance(values, dict):
                    return values
            except (ValueError, RecursionError, OSError) as error:
                self.log_error("%s", error)
            self._say(400, "an answer is a JSON object")
        return None

    def _say(self, status: int, text: str) -> None:
        self._send(status, text.encode(), "text/plain; charset=utf-8")

    def _send(self, status: int, data: bytes, kind: str, policy: str = NOTHING) -> None:
        self.close_connection = True  # what a refused request still sends is not read as another one
        self.send_response(status)
        for name, value in {**HEADERS, "Content-Type": kind, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.send_header("Content-Security-Policy", f"{policy}; frame-ancestors 'none'")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a log would hold the token."""


def serve(server: Server, say: Callable[[str], None]) -> None:
    """Says where the page is, and serves it until Ctrl-C."""
    with server, suppress(KeyboardInterrupt):  # the way to end it: every answer is on the disk already
        say(f"open {server.address} in this machine's browser; Ctrl-C ends it")
        server.serve_forever()
