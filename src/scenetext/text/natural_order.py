"""The order in which people count file names: 2.jpg before 10.jpg."""

from __future__ import annotations

import re
from collections.abc import Iterable

_DIGITS = re.compile(r"([0-9]+)")


def natural_key(name: str) -> tuple:
    """A sorting key that compares runs of digits as numbers and everything else by code point."""
    parts = _DIGITS.split(name)  # text, digits, text, ..., text
    pairs = zip(parts[::2], parts[1::2], strict=False)
    return (*((text, int(digits)) for text, digits in pairs), (parts[-1], -1), name)


def natural_order(names: Iterable[str]) -> list[str]:
    """The names in natural order."""
    return sorted(names, key=natural_key)
