"""Natural order of file names, in which 2.jpg stands before 10.jpg."""

from __future__ import annotations

import re
from collections.abc import Iterable

_DIGITS = re.compile(r"([0-9]+)")


def natural_key(name: str) -> tuple:
    """A sorting key by which runs of the digits 0-9 compare as numbers and everything else by code point.

    Args:
        name: a file name.

    Returns:
        A tuple to compare with those of other names; no two names have equal keys.
    """
    parts = _DIGITS.split(name)  # text, digits, text, ..., text
    pairs = zip(parts[::2], parts[1::2], strict=False)
    return (*((text, int(digits)) for text, digits in pairs), (parts[-1], -1), name)


def natural_order(names: Iterable[str]) -> list[str]:
    """Sorts names in natural order.

    Args:
        names: file names.
    """
    return sorted(names, key=natural_key)
