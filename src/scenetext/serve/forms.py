"""What requests and answers hold, as the OpenAPI page shows them."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated

from pydantic import BaseModel, Field

from scenetext.predict.photo_reader import PhotoLine
from scenetext.serve.limits import Refused
from scenetext.serve.line_queue import Reading
from scenetext.serve.service import ReadPhoto

DIGITS = 6  # of a probability, as in `photos.jsonl`

_DATA_URI = re.compile(r"data:[\w.+-]{1,60}/[\w.+-]{1,60}(;[\w.=-]{1,60}){0,4};base64", re.IGNORECASE | re.ASCII)
_URL_SAFE = str.maketrans({"-": "+", "_": "/", **dict.fromkeys(" \t\r\n", "")})

Probability = Annotated[float, Field(ge=0, le=1)]


class Line(BaseModel):
    """A line that was read."""

    text: str
    confidence: Annotated[Probability, Field(description="mean probability of the characters")]

    @classmethod
    def of(cls, reading: Reading) -> Line:
        """From text and confidence."""
        text, confidence = reading
        return cls(text=text, confidence=round(confidence, DIGITS))


class Lines(BaseModel):
    """Lines that were read, in the order of the request."""

    lines: list[Line]


class Pictures(BaseModel):
    """Pictures of one line each."""

    images: Annotated[list[str], Field(min_length=1, description="picture files in base64")]

    def decoded(self) -> list[bytes]:
        """The pictures' bytes.

        Raises:
            Refused: a text is no base64.
        """
        return [from_base64(text, f"images[{index}]") for index, text in enumerate(self.images)]


class PlacedLine(Line):
    """A text of a photo."""

    points: Annotated[list[tuple[int, int]], Field(description="corners from the upper left one clockwise, pixels")]
    box_score: Annotated[Probability, Field(description="the detector's mean probability of text")]

    @classmethod
    def at(cls, line: PhotoLine) -> PlacedLine:
        """From a text of a photo."""
        return cls(
            text=line.text,
            confidence=round(line.confidence, DIGITS),
            points=line.points.tolist(),
            box_score=round(line.box_score, DIGITS),
        )


class Photo(BaseModel):
    """The texts of a photo, in reading order; those in `rejected` are empty or less probable than was asked for."""

    width: int
    height: int
    lines: list[PlacedLine]
    rejected: list[PlacedLine]

    @classmethod
    def of(cls, read: ReadPhoto) -> Photo:
        """From a photo that was read."""
        lines, rejected = ([PlacedLine.at(line) for line in part] for part in (read.texts.lines, read.texts.rejected))
        return cls(width=read.width_px, height=read.height_px, lines=lines, rejected=rejected)


class Problem(BaseModel):
    """Why a request was not answered, in a sentence."""

    error: str


class State(BaseModel):
    """Whether the server reads, and with what."""

    ready: bool
    model: Annotated[str | None, Field(description="first digits of a SHA-256 of the model's files")]
    photos: Annotated[bool, Field(description="whether there is a detector, so that /photo answers")]


def from_base64(text: str, field: str) -> bytes:
    """The bytes of a base64 text as clients send it: with a prefix "data:image/png;base64,", in lines, or URL-safe.

    Raises:
        Refused: it is none.
    """
    head, comma, rest = text.partition(",")
    plain = rest if comma and _DATA_URI.fullmatch(head) else text
    try:
        return base64.b64decode(plain.translate(_URL_SAFE), validate=True)
    except (binascii.Error, ValueError):
        sentence = f"{field} is no base64 of a picture file, with or without data:...;base64, before it."
        raise Refused(422, sentence, "form") from None
