"""A real browser for tests: Chromium without a window, asked through its DevTools protocol what it shows.

https://chromedevtools.github.io/devtools-protocol/ (Emulation.setDeviceMetricsOverride, Runtime.evaluate,
Page.captureScreenshot).
"""

from __future__ import annotations

import base64
import itertools
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PHONE, DESKTOP = (390, 844), (1280, 900)  # CSS pixels
WAIT_S = 60


class Browser:
    """A page in a browser.

    Attributes:
        requests: addresses that the page asked for, the page's own first.
        problems: what the browser's console and its policies complained of.
    """

    def __init__(self, socket: Any):
        self._socket = socket
        self._numbers = itertools.count(1)
        self._loaded = False
        self.requests: list[str] = []
        self.problems: list[str] = []
        for domain in ("Page", "Network", "Log", "Runtime"):
            self._call(f"{domain}.enable")

    def open(self, page: Path | str, size: tuple[int, int]) -> None:
        """Opens a file or an address in a window of a size in CSS pixels; narrow ones are phones."""
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 2 if width < 600 else 1}
        self._call("Emulation.setDeviceMetricsOverride", mobile=width < 600, **metrics)
        self.requests.clear()
        self._loaded = False
        self._call("Page.navigate", url=page if isinstance(page, str) else page.resolve().as_uri())
        until = time.monotonic() + WAIT_S
        while not self._loaded:
            assert time.monotonic() < until, "the page was not loaded in time"
            self._take()

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def choose(self, selector: str, file: Path) -> None:
        """Chooses a file in an element `input type=file`, as a user does."""
        document = self._call("DOM.getDocument")["root"]["nodeId"]
        node = self._call("DOM.querySelector", nodeId=document, selector=selector)["nodeId"]
        self._call("DOM.setFileInputFiles", nodeId=node, files=[str(file.resolve())])

    def wait_for(self, expression: str) -> None:
        """Waits until a JavaScript expression is true."""
        until = time.monotonic() + WAIT_S
        while not self.ask(expression):
            assert time.monotonic() < until, f"{expression} did not become true in time"
            time.sleep(0.05)

    def screenshot(self, file: Path, whole: bool = True) -> None:
        """Writes a PNG of the page, or of its first screen."""
        answer = self._call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(answer["data"]))

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while (message := self._take()).get("id") != number:
            pass
        assert "error" not in message, message
        return message["result"]

    def _take(self) -> dict[str, Any]:
        message = json.loads(self._socket.recv())
        method, params = message.get("method"), message.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Log.entryAdded":
            self.problems.append(params["entry"]["text"])
        elif method == "Runtime.exceptionThrown":
            self.problems.append(params["exceptionDetails"]["text"])
        elif method == "Page.loadEventFired":
            self._loaded = True
        return message


@contextmanager
def browser() -> Iterator[Browser]:
    """Starts a browser; skips the test where none is installed."""
    websocket = pytest.importorskip("websocket")
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(f"no browser is here ({', '.join(BROWSERS)})")
    with tempfile.TemporaryDirectory(prefix="scenetext-browser-", ignore_cleanup_errors=True) as profile:
        options = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run")
        command = [program, *options, "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            socket = websocket.create_connection(
                _page_address(Path(profile), process), suppress_origin=True, timeout=WAIT_S
            )
            yield Browser(socket)
            socket.close()
        finally:
            process.terminate()
            process.wait(timeout=WAIT_S)


def _page_address(profile: Path, process: subprocess.Popen) -> str:
    """The address of the DevTools socket of the browser's first page."""
    import urllib.request

    until = time.monotonic() + WAIT_S
    port_file = profile / "DevToolsActivePort"
    while time.monotonic() < until:
        assert process.poll() is None, "the browser has ended"
        lines = port_file.read_text().splitlines() if port_file.is_file() else []
        if lines:
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy cannot reach it
            with opener.open(f"http://127.0.0.1:{lines[0]}/json/list", timeout=WAIT_S) as answer:
                pages = [page for page in json.load(answer) if page["type"] == "page"]
            if pages:
                return pages[0]["webSocketDebuggerUrl"]
        time.sleep(0.05)
    raise AssertionError("the browser did not start in time")
