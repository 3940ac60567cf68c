"""Natural order of file names, in which 2.jpg stands before 10.jpg."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable

_DIGITS = re.compile(r"[0-9]+")

KEY_END = "\0\0"
"""Stands in a key before the name itself, and nowhere before."""


def natural_key(name: str) -> str:
    """A sorting key that compares runs of the digits 0 to 9 as numbers and everything else by code point.

    A run becomes a zero, how many digits its number has, and these digits, so that comparing keys as text compares
    numbers of any length. Names that differ only in leading zeros follow each other in the order of their text.

    Args:
        name: a name without the character U+0000, as all names of files are.
    """
    return f"{_DIGITS.sub(_counted, name)}{KEY_END}{name}"


def natural_order(names: Iterable[str]) -> list[str]:
    """Sorts names in natural order.

    Args:
        names: file names.
    """
    return sorted(names, key=natural_key)


def _counted(run: re.Match[str]) -> str:
    digits = run[0].lstrip("0")
    return f"\0{chr(min(len(digits) + 1, sys.maxunicode))}{digits}"
