"""What the serving campaign needs on the client's side: crops with their right answers, a server, HTTP over asyncio."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONFIDENCE_DIFFERENCE = 1e-4  # the last digits depend on the batch, as offline
START_S = 120
SAMPLE_S = 1.0


@dataclass(frozen=True)
class Crop:
    """A picture file, and what the offline reader reads on it."""

    name: str
    data: bytes
    text: str
    confidence: float

    def is_read_by(self, answer: dict) -> bool:
        """Whether an answer of the server equals the offline reader's."""
        return answer["text"] == self.text and abs(answer["confidence"] - self.confidence) < CONFIDENCE_DIFFERENCE


def labelled_crops(model: str, count: int) -> list[Crop]:
    """Real crops where they are (SCENETEXT_SHARED), else drawn lines, with the offline reader's answers."""
    from scenetext.data.sources.images import open_images
    from scenetext.data.transforms import decode_image
    from scenetext.predict.recognizer import Recognizer

    real = Path(os.environ.get("SCENETEXT_SHARED", ROOT.parent / "shared")) / "competition" / "test_images.zip"
    with tempfile.TemporaryDirectory() as folder:
        source = open_images(real if real.is_file() else _drawn(Path(folder), count))
        names = source.names()[:count]
        files = [source.read(name) for name in names]
    readings = Recognizer(model)([decode_image(data, name) for name, data in zip(names, files, strict=True)])
    print(f"{len(names)} {'real crops' if real.is_file() else 'drawn lines'} were read offline", flush=True)
    return [Crop(name, data, *read) for name, data, read in zip(names, files, readings, strict=True)]


def _drawn(folder: Path, count: int) -> Path:
    sys.path.insert(0, str(ROOT / "tests"))
    from drawn import draw_digits

    return draw_digits(folder, count, longest=20) / "images"


@dataclass
class Server:
    """A server process.

    Attributes:
        port: where it listens.
        process: that serves.
        memory_mb: resident memory, each second.
    """

    port: int
    process: subprocess.Popen
    memory_mb: list[float] = field(default_factory=list)

    def resident_mb(self) -> float:
        """Its resident memory now; 0 when it has ended."""
        try:
            status = Path(f"/proc/{self.process.pid}/status").read_text()
        except OSError:
            return 0.0
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        return int(found[1]) / 1024 if found else 0.0


@contextmanager
def server(options: Sequence[str]) -> Iterator[Server]:
    """`scenetext serve` with these options on a free port, until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "scenetext", "serve", "--port", str(port), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    running = Server(port, process)
    stopped = threading.Event()

    def watch() -> None:
        while not stopped.wait(SAMPLE_S):
            running.memory_mb.append(running.resident_mb())

    watcher = threading.Thread(target=watch, daemon=True)
    try:
        line = process.stdout.readline()
        if "is served at" not in line:
            raise SystemExit(f"the server did not start: {line}")
        watcher.start()
        yield running
    finally:
        stopped.set()
        process.terminate()
        process.wait(timeout=START_S)


@dataclass
class Answer:
    """An answer of the server."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict:
        """Its body."""
        return json.loads(self.body)


class Client:
    """A client that keeps its connection; lean, because it shares the machine with the server."""

    def __init__(self, port: int):
        self.port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def open(self) -> asyncio.StreamWriter:
        """Connects, if it is not connected."""
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port)
        return self._writer

    async def post(self, path: str, body: bytes, kind: str = "image/jpeg") -> Answer:
        """One request; it connects again where the server has closed the connection."""
        writer = await self.open()
        head = f"POST {path} HTTP/1.1\r\nHost: server\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        return await self.answer()

    async def answer(self) -> Answer:
        """Reads an answer."""
        try:
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            status, *lines = head.split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
            body = await self._reader.readexactly(int(headers.get("content-length", 0)))
        except (OSError, asyncio.IncompleteReadError):
            self.close()
            raise
        if headers.get("connection") == "close":
            self.close()
        return Answer(int(status.split()[1]), headers, body)

    def close(self) -> None:
        """Ends the connection."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


@dataclass
class Tally:
    """What became of the good requests.

    Attributes:
        seconds: of each right answer.
        wrong: answers that differ from the offline reader's, and failures that are no refusals.
        refused: how many were refused with 503.
    """

    seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    refused: int = 0


async def good_client(port: int, crops: Sequence[Crop], first: int, until: float, tally: Tally) -> None:
    """Asks for one crop after the other until a moment; a refused one is asked for again after a while."""
    client, at = Client(port), first
    while time.monotonic() < until:
        crop = crops[at % len(crops)]
        began = time.monotonic()
        try:
            answer = await client.post("/line", crop.data)
        except (OSError, asyncio.IncompleteReadError) as error:
            tally.wrong.append(f"{crop.name}: {type(error).__name__}")
            await asyncio.sleep(0.1)
            continue
        if answer.status == 503:
            tally.refused += 1
            if "retry-after" not in answer.headers:
                tally.wrong.append(f"{crop.name}: 503 without Retry-After")
            await asyncio.sleep(0.2)
            continue
        at += 1
        if answer.status == 200 and crop.is_read_by(answer.json()):
            tally.seconds.append(time.monotonic() - began)
        else:
            tally.wrong.append(f"{crop.name}: {answer.status} {answer.body[:200]!r}, offline {crop.text!r}")
    client.close()
