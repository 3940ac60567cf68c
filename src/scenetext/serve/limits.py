"""What a server takes at most, and the refusal of what exceeds it."""

from __future__ import annotations

from dataclasses import dataclass

from scenetext.errors import InputError
from scenetext.serve.choices import (
    ANSWER_S,
    LINES_WAITING,
    MAX_BODY_MB,
    MAX_PIXELS,
    PHOTOS_WAITING,
    PICTURES,
    READ_S,
)

BYTES_PER_MB = 1_000_000
BODIES_HELD = 16  # full-size bodies that are in memory at the same time, or more smaller ones
RETRY_AFTER_S = 1


@dataclass(frozen=True, slots=True)
class Limits:
    """What a server takes at most.

    Attributes:
        body_bytes: of a request's body; all bodies together may take BODIES_HELD times as many.
        pixels: of a picture.
        pictures: of one request.
        lines_waiting: lines that are received and not answered, of all requests.
        photos_waiting: the same of whole photos, each of which takes as long as some dozen lines.
        read_s: seconds within which a client sends the head of a request, and then its body.
        answer_s: seconds within which a request is answered after its body has come.

    Raises:
        InputError: one of them is out of its range.
    """

    body_bytes: int = MAX_BODY_MB * BYTES_PER_MB
    pixels: int = MAX_PIXELS
    pictures: int = PICTURES
    lines_waiting: int = LINES_WAITING
    photos_waiting: int = PHOTOS_WAITING
    read_s: float = READ_S
    answer_s: float = ANSWER_S

    def __post_init__(self) -> None:
        for name in ("body_bytes", "pixels", "pictures", "lines_waiting", "photos_waiting", "read_s", "answer_s"):
            if not 0 < getattr(self, name) < float("inf"):
                raise InputError(f"The server's limit {name} is {getattr(self, name)}, and must be a number above 0.")
        if self.pictures > self.lines_waiting:
            raise InputError(
                f"A request may hold {self.pictures} pictures, and only {self.lines_waiting} lines may wait: such a "
                "request would never be read. Raise --max-waiting or lower --max-pictures."
            )


class Refused(Exception):
    """A request that is not read, with its HTTP status and a sentence.

    Args:
        status: of the answer.
        sentence: why, and what helps.
        reason: one word for the metrics.
        closes: end the connection, because the rest of the body is not wanted.
    """

    def __init__(self, status: int, sentence: str, reason: str, closes: bool = False):
        super().__init__(sentence)
        self.status = status
        self.reason = reason
        self.headers: dict[str, str] = {}
        if status == 503:
            self.headers["Retry-After"] = str(RETRY_AFTER_S)
        if closes:
            self.headers["Connection"] = "close"


class Gate:
    """Counts what is received and not answered, and refuses what exceeds the limit.

    Args:
        limit: the most at a time.
        what: in the refusal's sentence ("lines").
    """

    def __init__(self, limit: int, what: str):
        self._limit = limit
        self._what = what
        self.inside = 0

    def enter(self, count: int) -> None:
        """Counts some more; `leave` has to follow.

        Raises:
            Refused: they are too many.
        """
        if self.inside + count > self._limit:
            raise Refused(503, f"{self.inside} {self._what} are waiting already: try again in a moment.", "busy")
        self.inside += count

    def leave(self, count: int) -> None:
        """Counts them no more."""
        self.inside -= count
