"""A proxy before an S3 server that fails as it is told: answers 503, or cuts a connection in the middle of a body."""

import http.client
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

BUSY = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
DENIED = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>"


class FaultyProxy:
    """Forwards requests to a server.

    Attributes:
        url: Its own address.
        fault: Asked about every request, as (method, path, bytes of the body); what it returns is done to it: "busy"
            (503), "denied" (403), "cut request" (half of the body is read), "cut answer" (half of the body is sent), ""
            (nothing).
        spoil: Whether the first byte of every body that is sent up is changed.
        seen: Every request, as (method, path, fault).
    """

    def __init__(self, endpoint: str) -> None:
        self.fault: Callable[[str, str, int], str] = lambda *_: ""
        self.spoil = False
        self.seen: list[tuple[str, str, str]] = []
        self._to = urlsplit(endpoint).netloc
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _do(self) -> None:
                proxy._handle(self)

            do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _do

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handle(self, client: BaseHTTPRequestHandler) -> None:
        length = int(client.headers.get("Content-Length", 0))
        fault = self.fault(client.command, client.path, length)
        self.seen.append((client.command, client.path, fault))
        if fault == "cut request":
            client.rfile.read(length // 2)
            client.close_connection = True
            return
        body = client.rfile.read(length)
        if fault == "busy":
            self._answer(client, 503, {"Content-Type": "application/xml"}, BUSY, len(BUSY))
            return
        if fault == "denied":
            self._answer(client, 403, {"Content-Type": "application/xml"}, DENIED, len(DENIED))
            return
        if self.spoil and body:
            body = bytes([body[0] ^ 1]) + body[1:]
        server = http.client.HTTPConnection(self._to, timeout=30)
        headers = {k: v for k, v in client.headers.items() if k.lower() not in ("expect", "connection")}
        server.request(client.command, client.path, body, headers)
        answer = server.getresponse()
        data = answer.read()
        server.close()
        kept = {k: v for k, v in answer.getheaders() if k.lower() not in ("content-length", "connection")}
        size = int(answer.getheader("Content-Length") or len(data))
        if fault == "cut answer":
            data = data[: len(data) // 2]
            client.close_connection = True
        self._answer(client, answer.status, kept, data, size)

    @staticmethod
    def _answer(client: BaseHTTPRequestHandler, status: int, headers: dict, data: bytes, size: int) -> None:
        client.send_response_only(status)
        for name, value in headers.items():
            client.send_header(name, value)
        client.send_header("Content-Length", str(size))
        client.end_headers()
        if client.command != "HEAD":
            client.wfile.write(data)


class First:
    """The fault of the first `n` requests that fit; the others go through."""

    def __init__(self, fault: str, n: int, method: str, at_least: int = 0) -> None:
        self._fault, self._left, self._method, self._at_least = fault, n, method, at_least
        self._lock = threading.Lock()

    def __call__(self, method: str, _path: str, length: int) -> str:
        with self._lock:
            if method != self._method or length < self._at_least or self._left <= 0:
                return ""
            self._left -= 1
            return self._fault
