"""Requests that no honest client sends, for the serving campaign. Each function is one kind, and one request."""

from __future__ import annotations

import asyncio
import base64
import functools
import io
import json
import random
import socket
import struct
import zlib
from collections.abc import Awaitable, Callable

from PIL import Image

HUGE_BYTES = 100_000_000
CHUNK = b"\0" * 65_536
PATIENCE_S = 60  # after which a request counts as hanging
SLOW_STEP_S = 0.3

Hostile = Callable[[int, random.Random, bytes], Awaitable[str]]


def _head(length: int | str, path: str = "/line", kind: str = "image/jpeg") -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: server\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


async def _outcome(port: int, *parts: bytes, pause_s: float = 0.0, closes: bool = False) -> str:
    """Sends the parts and returns the status of the answer, "closed" or "reset"."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            if pause_s:
                await asyncio.sleep(pause_s)
        if closes:
            return "left"
        line = await reader.readline()
        return line.split()[1].decode() if line.startswith(b"HTTP/") else "closed"
    except (ConnectionError, OSError):
        return "reset"
    finally:
        writer.close()


async def cut_off(port: int, draw: random.Random, good: bytes) -> str:
    """Ends in the middle of the body."""
    return await _outcome(port, _head(len(good)), good[: draw.randrange(len(good))], closes=True)


async def cut_off_and_reset(port: int, draw: random.Random, good: bytes) -> str:
    """The same, with a reset instead of an orderly end."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.write(_head(len(good)) + good[: draw.randrange(len(good))])
    writer.transport.abort()
    return "left"


async def length_too_large(port: int, draw: random.Random, good: bytes) -> str:
    """Announces more bytes than it sends, and waits."""
    return await _outcome(port, _head(len(good) + draw.randrange(1, 9999)), good)


async def length_too_small(port: int, draw: random.Random, good: bytes) -> str:
    """Announces fewer bytes than it sends."""
    return await _outcome(port, _head(draw.randrange(len(good))), good)


async def no_length(port: int, draw: random.Random, good: bytes) -> str:
    """Announces no number."""
    return await _outcome(port, _head(draw.choice(["-1", "1e3", "", "9" * 400, "12\r\nContent-Length: 13"])), good)


async def lying_type(port: int, draw: random.Random, good: bytes) -> str:
    """Calls something a picture that is none, or a picture something else."""
    other = draw.choice(
        [b"<html>", b"%PDF-1.7\n", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"PK\x03\x04", b"", b"\xff\xd8\xff"]
    )
    body = draw.choice([other, other + draw.randbytes(2000), good])
    return await _outcome(port, _head(len(body), kind=draw.choice(["image/png", "text/html", "x" * 500, ""])), body)


async def damaged_picture(port: int, draw: random.Random, good: bytes) -> str:
    """A picture with wrong bytes; it may be read."""
    body = bytearray(good)
    for _ in range(draw.randrange(1, 30)):
        body[draw.randrange(len(body))] = draw.randrange(256)
    return await _outcome(port, _head(len(body)), bytes(body))


async def huge_body(port: int, draw: random.Random, good: bytes) -> str:
    """100 MB, announced."""
    return await _outcome(port, _head(HUGE_BYTES), *([CHUNK] * (HUGE_BYTES // len(CHUNK))))


async def huge_chunks(port: int, draw: random.Random, good: bytes) -> str:
    """100 MB in chunks, not announced."""
    head = b"POST /lines HTTP/1.1\r\nHost: server\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"%x\r\n%s\r\n" % (len(CHUNK), CHUNK)
    return await _outcome(port, head, *([chunk] * (HUGE_BYTES // len(CHUNK))), b"0\r\n\r\n")


@functools.cache
def bombs() -> list[bytes]:
    """Small files of many pixels; the first call takes some seconds, in which the good clients would stand still."""

    def png(width: int, height: int, rows: int) -> bytes:
        def part(kind: bytes, data: bytes) -> bytes:
            return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

        header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
        pixels = zlib.compress(b"\0" * (1 + width) * rows, 9)
        return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", pixels) + part(b"IEND", b"")

    gif = io.BytesIO()
    Image.new("P", (9000, 9000)).save(gif, "gif")
    return [png(60_000, 60_000, 600), png(20_000, 20_000, 20_000), png(1, 900_000_000, 9), gif.getvalue()]


async def bomb(port: int, draw: random.Random, good: bytes) -> str:
    """A small file of many pixels."""
    body = draw.choice(bombs())
    return await _outcome(port, _head(len(body), draw.choice(["/line", "/photo"])), body)


async def hostile_json(port: int, draw: random.Random, good: bytes) -> str:
    """JSON that is deep, long, wrong or no JSON."""
    text = base64.b64encode(good).decode()
    body = draw.choice(
        [
            b"[" * 200_000,
            b'{"images":' * 50_000,
            json.dumps({"images": [text] * 500}).encode(),
            json.dumps({"images": [text[:-3] + "*"]}).encode(),
            json.dumps({"images": []}).encode(),
            json.dumps({"file": "http://169.254.169.254/", "fileType": 1}).encode(),
            b'{"file": "\xff\xfe"}',
            b'{"images": NaN}',
        ]
    )
    return await _outcome(port, _head(len(body), draw.choice(["/lines", "/ocr"]), "application/json"), body)


async def no_http(port: int, draw: random.Random, good: bytes) -> str:
    """Bytes that are no request."""
    head = draw.choice(
        [
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + draw.randbytes(300) + b"\r\n\r\n",  # TLS
            draw.randbytes(2000) + b"\r\n\r\n",
            b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: server\r\n\r\n",
            b"GET / HTTP/9.9\r\n\r\n",
            b"POST /line HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"GET /metrics HTTP/1.1\r\nHost: server\r\n" + b"X-Long: " + b"a" * 200_000 + b"\r\n\r\n",
        ]
    )
    return await _outcome(port, head)


async def slow_head(port: int, draw: random.Random, good: bytes) -> str:
    """A head that comes byte by byte."""
    return await _outcome(port, *(bytes([byte]) for byte in _head(len(good))), pause_s=SLOW_STEP_S)


async def slow_body(port: int, draw: random.Random, good: bytes) -> str:
    """A body that comes byte by byte."""
    return await _outcome(port, _head(len(good)), *(bytes([byte]) for byte in good[:200]), pause_s=SLOW_STEP_S)


async def silent(port: int, draw: random.Random, good: bytes) -> str:
    """A connection on which nothing comes."""
    return await _outcome(port)


async def many_at_once(port: int, draw: random.Random, good: bytes) -> str:
    """Requests without waiting for answers, which nobody reads."""
    return await _outcome(port, *([_head(len(good)) + good] * 20), closes=True)


KINDS: dict[Hostile, int] = {  # and how often each is drawn
    cut_off: 10,
    cut_off_and_reset: 10,
    length_too_large: 4,
    length_too_small: 10,
    no_length: 10,
    lying_type: 15,
    damaged_picture: 10,
    huge_body: 3,
    huge_chunks: 2,
    bomb: 10,
    hostile_json: 15,
    no_http: 15,
    slow_head: 3,
    slow_body: 3,
    silent: 2,
    many_at_once: 3,
}


async def one(kind: Hostile, port: int, draw: random.Random, good: bytes) -> str:
    """The outcome of one request of a kind; "hangs" where the server neither answers nor ends the connection."""
    try:
        return await asyncio.wait_for(kind(port, draw, good), PATIENCE_S)
    except asyncio.TimeoutError:
        return "hangs"
