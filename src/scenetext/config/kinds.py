"""The kinds of value that a setting of a configuration, or an option of a network's part, can have.

A kind is part of an annotation, `epoch_num: Annotated[int, COUNT]`. Pydantic (the sections) and `options` (the
constructors of networks) both convert values by it. A number in quotes is a number, and true is never a number.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from scenetext.config.yaml_text import to_number

LARGEST_SEED = 2**64 - 1  # Paddle's generators take no larger one
LARGEST_INT = 2**31 - 1  # of what is counted: Paddle counts in 32 bits
LARGEST_FLOAT = 3.4e38  # float32 holds no larger one
LARGEST_SIDE = 10_000  # pixels: a canvas of that height and width is far beyond any text line
MOST_LINES, MOST_THREADS, MOST_CHARACTERS = 1_000_000, 1024, 100_000  # in a batch, in a process, in a line
EXACT_FLOAT = 2**53  # from here on a float no longer holds every whole number
WRONG_KIND = "wrong_kind"  # pydantic's type of the errors that a kind raises


@dataclass(frozen=True)
class Kind:
    """A kind of value: what messages call it, and a function that returns the converted value or raises ValueError."""

    name: str
    convert: Callable[[Any], Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._check)

    def _check(self, value: Any) -> Any:
        try:
            return self.convert(value)
        except (ValueError, TypeError, OverflowError):
            raise PydanticCustomError(WRONG_KIND, "must be {kind}", {"kind": self.name}) from None


class Unread:
    """Marks a setting of PaddleOCR's that has no meaning here: it is accepted and listed by `Config.ignored`."""


UNREAD = Unread()


def _number(value: Any) -> int | float:
    if isinstance(value, str):
        value = to_number(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError
    return value


def _whole(value: Any) -> int:
    value = _number(value)
    if isinstance(value, float) and not (value.is_integer() and abs(value) <= EXACT_FLOAT):
        raise ValueError
    return int(value)  # a whole number is never a float on its way, which would round it


def _counted(value: Any) -> int:
    value = _whole(value)
    if abs(value) > LARGEST_INT:
        raise ValueError
    return value


def _real(value: Any) -> float:
    value = float(_number(value))
    if abs(value) > LARGEST_FLOAT:
        raise ValueError
    return value


def _rounded(value: float) -> float:
    """The float32 that an optimiser makes of a number."""
    return struct.unpack("f", struct.pack("f", value))[0]


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:  # no file's name holds a zero byte
        raise ValueError
    return value


def _filled(value: Any) -> str:
    if not _text(value).strip():
        raise ValueError
    return value


def _list_of(convert: Callable[[Any], Any], length: int | None = None, least: int = 0) -> Callable[[Any], list[Any]]:
    def listed(value: Any) -> list[Any]:
        if not isinstance(value, (list, tuple)) or length not in (None, len(value)) or len(value) < least:
            raise ValueError
        return [convert(item) for item in value]

    return listed


def _by_name(convert: Callable[[Any], Any]) -> Callable[[Any], dict[str, Any]]:
    def mapped(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValueError
        return {_filled(key): convert(item) for key, item in value.items()}

    return mapped


def _either(*converts: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def first_that_fits(value: Any) -> Any:
        for convert in converts:
            try:
                return convert(value)
            except ValueError:
                continue
        raise ValueError

    return first_that_fits


def _where(kind: Kind, holds: Callable[[Any], bool], name: str) -> Kind:
    """The values of `kind` for which `holds` is true, under another name."""

    def convert(value: Any) -> Any:
        value = kind.convert(value)
        if not holds(value):
            raise ValueError
        return value

    return Kind(name, convert)


def one_of(*words: str | int | bool) -> Kind:
    """A kind of value that must be one of `words`."""

    def convert(value: Any) -> Any:
        if not any(value == word and type(value) is type(word) for word in words):
            raise ValueError
        return value

    shown = (repr(word) if isinstance(word, str) and not word.isprintable() else str(word) for word in words)
    return Kind(f"one of {', '.join(shown)}", convert)


def at_least(kind: Kind, lowest: float) -> Kind:
    """The values of `kind` from `lowest` on."""
    return _where(kind, lambda value: value >= lowest, f"{kind.name} of at least {lowest:g}")


def between(kind: Kind, lowest: float, highest: float) -> Kind:
    """The values of `kind` from `lowest` to `highest`."""
    return _where(kind, lambda value: lowest <= value <= highest, f"{kind.name} from {lowest:g} to {highest:.10g}")


def optional(kind: Kind) -> Kind:
    """`kind`, or nothing."""
    return Kind(f"{kind.name} or nothing", lambda value: None if value is None else kind.convert(value))


INT = Kind("a whole number", _counted)
COUNT = at_least(INT, 1)
FROM_0 = at_least(INT, 0)
SEED = _where(
    Kind(INT.name, _whole), lambda value: 0 <= value <= LARGEST_SEED, f"a whole number from 0 to {LARGEST_SEED}"
)
FLOAT = Kind("a number", _real)
NOT_NEGATIVE = at_least(FLOAT, 0)
ABOVE_0 = _where(FLOAT, lambda value: _rounded(value) > 0, "a number above 0")
SHARE = _where(FLOAT, lambda value: 0 <= value <= 1, "a number from 0 to 1")
DECAY = _where(FLOAT, lambda value: 0 <= _rounded(value) < 1, "a number from 0 to below 1 (at most 0.99999997)")
SMALL = between(FLOAT, 1e-30, 1)
RATIO = _where(FLOAT, lambda value: 0 < value <= 1, "a number above 0, at most 1")
BOOL = Kind("true or false", _truth)
TEXT = Kind("text", _text)
TEXTS = Kind("a list of texts", _list_of(_text))
SOME_TEXTS = Kind("a list of at least one text", _list_of(_text, least=1))
TEXT_OR_TEXTS = Kind("text or a list of texts", _either(_text, _list_of(_text)))
FILES = Kind("the name of a file or a list of at least one", _either(_filled, _list_of(_filled, least=1)))
FLOAT_OR_FLOATS = Kind("a number or a list of numbers", _either(FLOAT.convert, _list_of(FLOAT.convert)))
RATIO_OR_RATIOS = Kind(f"{RATIO.name}, or a list of them", _either(RATIO.convert, _list_of(RATIO.convert)))
RATES = Kind("a list of numbers of at least 0", _list_of(NOT_NEGATIVE.convert))
FACTORS = Kind("a mapping of names to numbers of at least 0", _by_name(NOT_NEGATIVE.convert))
EPOCHS = Kind("a list of whole numbers of at least 0", _list_of(FROM_0.convert))
SHAPE = Kind("a list of 3 whole numbers", _list_of(_counted, 3))
SIDE = between(INT, 1, LARGEST_SIDE)
SIDES = Kind(f"a list of 2 whole numbers of at least 1, at most {LARGEST_SIDE}", _list_of(SIDE.convert, 2))
PAIRS_OF_SIDES = Kind(
    f"a list of pairs of whole numbers of at least 1, at most {LARGEST_SIDE}", _list_of(SIDES.convert)
)
NAME_PAIRS = Kind("a list of at least one pair of names", _list_of(_list_of(_text, 2), least=1))
IMAGE_SHAPE = _where(
    SHAPE,
    lambda shape: shape[0] == 3 and min(shape) >= 1 and max(shape) <= LARGEST_SIDE,
    f"a list of 3 whole numbers: 3 channels, a height and a width from 1 to {LARGEST_SIDE}",
)
JOINED_SHAPE = _where(
    SHAPE,
    lambda shape: shape[2] == 3 and min(shape) >= 1 and max(shape) <= LARGEST_SIDE,
    f"a list of 3 whole numbers: a height and a width from 1 to {LARGEST_SIDE}, 3 channels",
)


def _interval(value: Any) -> int | list[int]:
    if not isinstance(value, (list, tuple)):
        return COUNT.convert(value)
    start, every = _list_of(_counted, 2)(value)
    return [FROM_0.convert(start), COUNT.convert(every)]


INTERVAL = Kind(f"{COUNT.name}, or a list of 2: the first from 0 on, the second from 1 on", _interval)

Count = Annotated[int, COUNT]
Natural = Annotated[int, FROM_0]
Rate = Annotated[float, NOT_NEGATIVE]
Factor = Annotated[float, ABOVE_0]
Share = Annotated[float, SHARE]
Decay = Annotated[float, DECAY]
Flag = Annotated[bool, BOOL]
Text = Annotated[str, TEXT]
SomeTexts = Annotated[list[str], SOME_TEXTS]
OptionalText = Annotated[str | None, optional(TEXT)]
OptionalTexts = Annotated[list[str] | None, optional(TEXTS)]
NamePairs = Annotated[list[list[str]], NAME_PAIRS]

UnreadFlag = Annotated[bool | None, optional(BOOL), UNREAD]
UnreadInt = Annotated[int | None, optional(INT), UNREAD]
UnreadShare = Annotated[float | None, optional(SHARE), UNREAD]
UnreadText = Annotated[str | None, optional(TEXT), UNREAD]
UnreadTexts = Annotated[list[str] | None, optional(TEXTS), UNREAD]
UnreadShape = Annotated[list[int] | None, optional(SHAPE), UNREAD]
UnreadRatios = Annotated[float | list[float] | None, optional(FLOAT_OR_FLOATS), UNREAD]
