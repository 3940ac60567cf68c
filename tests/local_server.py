"""A server on a local port that gives files in ranges, breaks connections, and plays scripts of hostile answers."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DATA = bytes(range(256)) * 4000  # 1,024,000 bytes


class FlakyServer(ThreadingHTTPServer):
    """Serves `files` with ranges; each of `break_after` is the bytes that one answer gives before it breaks."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {"/data.bin": DATA}
        self.etag = '"1"'
        self.ranges = True
        self.break_after: list[int] = []
        self.failures: list[int] = []
        self.requests: list[str | None] = []  # the Range header of each request
        self.if_range: list[str | None] = []  # that header of each request
        self.sent_bytes = 0
        self.scripts: list[Callable[[Handler], None]] = []  # played instead, the last one again and again
        self.stopped = threading.Event()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing of clients that have gone away."""

    def url(self, path="/data.bin"):
        return f"http://127.0.0.1:{self.server_port}{path}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        asked = self.headers.get("Range")
        server.requests.append(asked)
        server.if_range.append(self.headers.get("If-Range"))
        self.close_connection = True
        if server.scripts:
            script = server.scripts.pop(0) if len(server.scripts) > 1 else server.scripts[0]
            with contextlib.suppress(OSError):
                script(self)
            return None
        data = server.files.get(self.path)
        if server.failures:
            return self.send_error(server.failures.pop(0))
        if data is None:
            return self.send_error(404)
        start = int(asked[6:-1]) if asked and server.ranges else 0
        if self.headers.get("If-Range") not in (None, server.etag):
            start = 0
        if start >= len(data):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        if server.etag:
            self.send_header("ETag", server.etag)
        body = data[start:]
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if server.break_after:
            body = body[: server.break_after.pop(0)]
        self.wfile.write(body)
        server.sent_bytes += len(body)

    def log_message(self, *args):
        pass


@contextmanager
def serving() -> Iterator[FlakyServer]:
    with FlakyServer() as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield running
        running.stopped.set()
        running.shutdown()


def says(*lines: str, body: bytes = b"", every_s: float = 0.0, endless: bool = False) -> Callable[[Handler], None]:
    """A script: these lines, then this body; slowly, byte by byte and without end if wanted."""

    def play(handler: Handler) -> None:
        head = "".join(f"{line}\r\n" for line in lines).encode("latin-1") + (b"\r\n" if lines else b"")
        pieces = [head + body] if not every_s else [bytes([byte]) for byte in head + body]
        while True:
            for piece in pieces:
                handler.wfile.write(piece)
                handler.server.stopped.wait(every_s)
            if not endless or handler.server.stopped.is_set():
                return
            pieces = [body] if body else [b"x: y\r\n"]

    return play
