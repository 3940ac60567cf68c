"""The scenario of a crash campaign that downloads from a local server."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from crash_jobs import Scenario, as_command

OLD, NEW = (bytes(range(k, 256 + k - 1)) * 4000 for k in (0, 1))  # 1,020,000 bytes each


class Download(Scenario):
    """A checked download over an older file of that name, and over the part of a stopped one."""

    name, verb = "download", "demo"
    product_path = "out/data.bin"
    cut_short = "command"

    @contextmanager
    def service(self) -> Iterator[dict[str, Any]]:
        with ThreadingHTTPServer(("127.0.0.1", 0), _Ranges) as server:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            yield {"url": f"http://127.0.0.1:{server.server_port}/data.bin"}
            server.shutdown()

    def warm(self) -> None:
        import scenetext.system.download  # noqa: F401

    def old(self) -> None:
        (self.world / self.product_path).write_bytes(OLD)

    def command(self) -> int:
        from scenetext.system.download import download

        options = {"sha256": hashlib.sha256(NEW).hexdigest(), "tries": 2, "pause_s": 0.0, "progress": False}
        path = self.world / self.product_path
        return as_command(self.verb, lambda: download(self.parameters["url"], path, **options))


class _Ranges(BaseHTTPRequestHandler):
    """Serves NEW, the whole or from an offset on."""

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{len(NEW) - 1}/{len(NEW)}")
        self.send_header("ETag", '"1"')
        self.send_header("Content-Length", str(len(NEW) - start))
        self.end_headers()
        with suppress(ConnectionError):  # the client was killed
            self.wfile.write(NEW[start:])

    def log_message(self, *_arguments: object) -> None:
        """Says nothing."""
