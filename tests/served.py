"""A server in this process, on a free port, for tests."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from scenetext.serve.http_application import MODEL_HEADER, application
from scenetext.serve.limits import Limits
from scenetext.serve.served_model import ModelChoice
from scenetext.serve.server import listening, uvicorn_server
from scenetext.serve.service import Service

WAIT_S = 60


class Served:
    """A server.

    Attributes:
        port: where it listens on 127.0.0.1.
        service: what reads behind it.
    """

    def __init__(self, port: int, service: Service):
        self.port = port
        self.service = service

    def ask(self, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any, dict[str, str]]:
        """Status, body (of JSON its content) and headers of an answer; GET without a body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        try:
            connection.request("GET" if body is None else "POST", path, body, headers)
            answer = connection.getresponse()
            content, kind = answer.read(), answer.getheader("Content-Type") or ""
            value = json.loads(content) if kind == "application/json" else content.decode()
            return answer.status, value, {name.lower(): text for name, text in answer.getheaders()}
        finally:
            connection.close()

    def model_of(self, headers: dict[str, str]) -> str:
        """The name of the model that an answer was read with."""
        return headers[MODEL_HEADER.lower()]


@contextmanager
def serving(choice: ModelChoice, limits: Limits | None = None) -> Iterator[Served]:
    """Serves until the block ends."""
    limits = limits or Limits()
    app = application(choice, limits)
    listener = listening(port=0)
    server = uvicorn_server(app, limits)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    app.state.service.open()
    thread.start()
    try:
        running = Served(listener.getsockname()[1], app.state.service)
        assert running.ask("/ready")[0] == 200  # connections wait until it has started
        yield running
    finally:
        server.should_exit = True
        thread.join(WAIT_S)
        assert not thread.is_alive()
