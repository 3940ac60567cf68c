"""The types that a setting can have, and the shapes that a section can have."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from scenetext.config.yaml_text import to_number

REQUIRED = object()  # the default of a setting that has none


@dataclass(frozen=True)
class Kind:
    """A type of setting: what it is called in messages, and a function that returns the value or raises ValueError."""

    name: str
    convert: Callable[[Any], Any]


@dataclass(frozen=True)
class Setting:
    """One setting: its kind, its meaning with unit, its default, and whether anything here reads it."""

    kind: Kind
    meaning: str
    default: Any = REQUIRED
    read: bool = True


@dataclass(frozen=True)
class Named:
    """A section whose `name` chooses the table that the rest of it follows; `default` is the table without a name."""

    tables: Mapping[str, Mapping[str, Any]]
    default: str | None = None


@dataclass(frozen=True)
class Ops:
    """A list of operations, each a mapping from its one name to its arguments (or to nothing).

    Those named in `unread` are PaddleOCR's and do nothing here.
    """

    tables: Mapping[str, Mapping[str, Any]]
    unread: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Free:
    """A section whose contents are checked by those who use it."""

    meaning: str


@dataclass(frozen=True)
class Each:
    """A section of freely named parts that all follow one table."""

    table: Mapping[str, Any]


def _number(value: Any) -> float:
    if isinstance(value, str):
        value = to_number(value)  # a number in quotes is meant as a number wherever one is asked for
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError
    return float(value)


def _whole(value: Any) -> int:
    value = _number(value)
    if not value.is_integer():
        raise ValueError
    return int(value)


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError
    return value


def _list_of(convert: Callable[[Any], Any], length: int | None = None) -> Callable[[Any], list[Any]]:
    def listed(value: Any) -> list[Any]:
        if not isinstance(value, list) or (length is not None and len(value) != length):
            raise ValueError
        return [convert(item) for item in value]

    return listed


def _either(*converts: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def first_that_fits(value: Any) -> Any:
        for convert in converts:
            try:
                return convert(value)
            except ValueError:
                continue
        raise ValueError

    return first_that_fits


def one_of(*words: str | int | bool) -> Kind:
    """A kind of value that must be one of `words`."""

    def convert(value: Any) -> Any:
        if not any(value == word and type(value) is type(word) for word in words):
            raise ValueError
        return value

    return Kind(
        "one of "
        + ", ".join(repr(word) if isinstance(word, str) and not word.isprintable() else str(word) for word in words),
        convert,
    )


def at_least(kind: Kind, lowest: float) -> Kind:
    def convert(value: Any) -> Any:
        value = kind.convert(value)
        if value < lowest:
            raise ValueError
        return value

    return Kind(f"{kind.name} of at least {lowest:g}", convert)


def _share(value: Any) -> float:
    value = _number(value)
    if not 0 <= value <= 1:
        raise ValueError
    return value


def _above_0(value: Any) -> float:
    value = _number(value)
    if value <= 0:
        raise ValueError
    return value


def optional(kind: Kind) -> Kind:
    """`kind`, or nothing."""
    return Kind(f"{kind.name} or nothing", lambda value: None if value is None else kind.convert(value))


INT = Kind("a whole number", _whole)
COUNT = at_least(INT, 1)
FROM_0 = at_least(INT, 0)
FLOAT = Kind("a number", _number)
POSITIVE = at_least(FLOAT, 0)
ABOVE_0 = Kind("a number above 0", _above_0)
SHARE = Kind("a number from 0 to 1", _share)
BOOL = Kind("true or false", _truth)
TEXT = Kind("text", _text)
TEXTS = Kind("a list of texts", _list_of(_text))
TEXT_OR_TEXTS = Kind("text or a list of texts", _either(_text, _list_of(_text)))
INTS = Kind("a list of whole numbers", _list_of(_whole))
FLOAT_OR_FLOATS = Kind("a number or a list of numbers", _either(_number, _list_of(_number)))
FLOATS = Kind("a list of numbers", _list_of(_number))
SHAPE = Kind("a list of 3 whole numbers", _list_of(_whole, 3))
PAIR = Kind("a list of 2 whole numbers", _list_of(_whole, 2))
PAIRS = Kind("a list of pairs of whole numbers", _list_of(_list_of(_whole, 2)))
NAME_PAIRS = Kind("a list of pairs of names", _list_of(_list_of(_text, 2)))
INTERVAL = Kind("a whole number, or a list of 2: first step, steps between", _either(_whole, _list_of(_whole, 2)))


def unread(kind: Kind, meaning: str) -> Setting:
    """A setting of PaddleOCR's that does nothing here."""
    return Setting(optional(kind), meaning, None, read=False)
