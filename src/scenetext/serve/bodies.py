"""Bodies of requests, read within a number of bytes and a time whatever their headers say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from starlette.requests import Request

from scenetext.serve.limits import BODIES_HELD, BYTES_PER_MB, Limits, Refused

DRAINED_BODIES = 4  # of the largest size: so much of a larger body is read and thrown away
DRAINED_S = 2.0


class Bodies:
    """Reads the bodies of all requests, and knows how much memory they take together.

    Args:
        limits: of the server.
    """

    def __init__(self, limits: Limits):
        self._limits = limits
        self._held_bytes = 0

    @asynccontextmanager
    async def read(self, request: Request) -> AsyncIterator[bytes]:
        """The body of a request; it counts as held within the block.

        Raises:
            Refused: it is too large, comes too slowly, or all bodies together take too much memory.
            ClientDisconnect: the client has gone.
        """
        declared = request.headers.get("content-length", "0")  # the server's parser lets digits pass, and nothing else
        if int(declared) > self._limits.body_bytes:
            await self._drain(request, int(declared))
            raise self._too_large()
        data = bytearray()
        try:
            try:
                await asyncio.wait_for(self._collect(request, data), self._limits.read_s)
            except asyncio.TimeoutError:
                sentence = f"The body did not come within {self._limits.read_s:g} seconds: send it faster."
                raise Refused(408, sentence, "slow", closes=True) from None
            yield bytes(data)
        finally:
            self._held_bytes -= len(data)

    async def _collect(self, request: Request, data: bytearray) -> None:
        async for chunk in request.stream():
            if len(data) + len(chunk) > self._limits.body_bytes:
                raise self._too_large()
            if self._held_bytes + len(chunk) > BODIES_HELD * self._limits.body_bytes:
                raise Refused(503, "Too many large requests come in: try again in a moment.", "memory", closes=True)
            self._held_bytes += len(chunk)
            data += chunk

    async def _drain(self, request: Request, declared: int) -> None:
        """Throws a body away that is somewhat too large: a client that still sends does not see an early answer."""

        async def thrown_away() -> None:
            async for _ in request.stream():
                pass

        if declared <= DRAINED_BODIES * self._limits.body_bytes:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(thrown_away(), DRAINED_S)

    def _too_large(self) -> Refused:
        most = self._limits.body_bytes / BYTES_PER_MB
        return Refused(413, f"The body is larger than {most:g} MB: send a smaller picture.", "size", closes=True)
