"""The lines that PaddleOCR's `tools/infer/predict_rec.py` logs, which are all that it says of its pictures.

PaddleOCR's logger puts the time, `ppocr` and the level before every message (ppocr/utils/logging.py). A picture's text
and score follow as Python shows a tuple: `Predicts of lines/1.png:('text', 0.98)`.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import NamedTuple

_START = re.compile(r"\[\d{4}/\d\d/\d\d \d\d:\d\d:\d\d\] ppocr [A-Z]+: ")
_FAILED, _PREDICTS = "error in loading image:", "Predicts of "
_PAIR = re.compile(  # how Python shows a text and a number in brackets; of no character PaddleOCR's mean is nan
    r"""(?P<path>.+):\((?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"), (?P<score>nan|\d+(?:\.\d+)?(?:e[+-]?\d+)?)\)"""
)
_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U(000[0-9a-f]{5}|0010[0-9a-f]{4})|(.))")
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t"}


class LoggedLine(NamedTuple):
    """What the log says of a picture.

    Attributes:
        path: of the picture.
        text: that was read, empty for a picture that could not be read.
        score: as it is written: a number, or "nan".
    """

    path: str
    text: str
    score: str


def log_start() -> str:
    """The time, name and level that PaddleOCR's logger puts before a message."""
    return f"[{datetime.now():%Y/%m/%d %H:%M:%S}] ppocr INFO: "


def is_logged(line: str) -> bool:
    """Whether PaddleOCR's logger wrote a line."""
    return _START.match(line) is not None


def predicted(path: str, text: str, score: float) -> str:
    """The message on a picture that was read."""
    return f"{_PREDICTS}{path}:{(text, score)}"


def failed(path: str) -> str:
    """The message on a picture that could not be read."""
    return f"{_FAILED}{path}"


def names_a_picture(line: str) -> bool:
    """Whether a line of a log should say what was read on a picture; `logged_line` reads it if it is whole."""
    start = _START.match(line)
    return start is not None and line.startswith((_FAILED, _PREDICTS), start.end())


def logged_line(line: str) -> LoggedLine | None:
    """What a line of a log says of a picture; None for other messages, and for lines that are not whole."""
    start = _START.match(line)
    message = line[start.end() :] if start else ""
    if message.startswith(_FAILED):
        return LoggedLine(message.removeprefix(_FAILED), "", "0.0")
    found = _PAIR.fullmatch(message, len(_PREDICTS)) if message.startswith(_PREDICTS) else None
    return found and LoggedLine(found["path"], _unquoted(found["text"]), found["score"])


def _unquoted(shown: str) -> str:
    """The text that Python shows in quotes, with backslashes before what it escapes."""

    def character(found: re.Match[str]) -> str:
        code = found[1] or found[2] or found[3]
        return chr(int(code, 16)) if code else _CONTROLS.get(found[4], found[4])

    return _ESCAPE.sub(character, shown[1:-1])
