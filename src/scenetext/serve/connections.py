"""uvicorn's HTTP/1.1 connection with what it has no settings for: a time for the head of a request, and a number."""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_CONNECTIONS = 512
TOO_MANY = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Type: application/json\r\n"
    b'Content-Length: 56\r\n\r\n{"error": "too many connections: try again in a moment"}'
)


def patient_for(read_s: float) -> type[H11Protocol]:
    """The protocol class whose connections are closed when the head of a request takes longer.

    Args:
        read_s: seconds from the first byte of a request, or from the opening of the connection, to the end of its head.
    """

    class Connection(H11Protocol):
        """A connection with a client."""

        _late: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            if len(self.connections) > MOST_CONNECTIONS:
                transport.write(TOO_MANY)
                transport.close()
            else:
                self._wait()

        def connection_lost(self, error: Exception | None) -> None:
            self._stop_waiting()
            super().connection_lost(error)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.conn.their_state is not h11.IDLE:
                self._stop_waiting()
            else:
                self._wait()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:  # the next head has begun
                self._wait()

        def _wait(self) -> None:
            if self._late is None:
                self._late = self.loop.call_later(read_s, self._close)

        def _stop_waiting(self) -> None:
            if self._late is not None:
                self._late.cancel()
                self._late = None

        def _close(self) -> None:
            if not self.transport.is_closing():
                self.transport.close()

    return Connection
