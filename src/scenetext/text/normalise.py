"""Normalisation of labels: full or half width, case, white space, traditional or simplified characters.

The competition's labels mix these forms in neighbouring rows, so each choice changes the number of classes and the
characters that a network must distinguish. Every choice is named and off by default.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import cache, partial
from typing import Any

from scenetext.errors import InputError, nearest_hint

CHOICES = {
    "width": ("keep", "half"),
    "case": ("keep", "lower", "upper"),
    "spaces": ("keep", "single", "remove"),
    "traditional": ("keep", "simplified"),
}
"""The choices of `normalise` and the values of each, the default first."""

_HALF_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}  # the full-width forms of ASCII ! to ~
_WHITE_SPACE = re.compile(r"\s+")  # U+3000 included


def normalise(
    text: str, *, width: str = "keep", case: str = "keep", spaces: str = "keep", traditional: str = "keep"
) -> str:
    """Rewrites a label by the named choices.

    Args:
        text: the label.
        width: "half" turns full-width letters, digits and punctuation (U+FF01 to U+FF5E) into ASCII. U+3000 is white
            space, which only `spaces` changes.
        case: "lower" or "upper".
        spaces: "single" makes each run of white space, U+3000 included, one ordinary space and trims the ends; "remove"
            removes white space.
        traditional: "simplified" turns traditional characters into simplified ones, phrase by phrase, with OpenCC's
            tables (package opencc-python-reimplemented).

    Raises:
        InputError: a choice has a value that does not exist.
    """
    check_choices(width=width, case=case, spaces=spaces, traditional=traditional)
    if width == "half":
        text = half_width(text)
    if traditional == "simplified":
        text = _simplified(text)
    if case != "keep":
        text = text.lower() if case == "lower" else text.upper()
    if spaces != "keep":
        text = _WHITE_SPACE.sub(" ", text).strip() if spaces == "single" else _WHITE_SPACE.sub("", text)
    return text


def half_width(text: str) -> str:
    """The text with full-width letters, digits and punctuation (U+FF01 to U+FF5E) as ASCII."""
    return text.translate(_HALF_WIDTH)


def normalise_for_score(text: str) -> str:
    """The form of a text that the normalised line accuracy compares: NFKC, without white space, in lower case."""
    return _WHITE_SPACE.sub("", unicodedata.normalize("NFKC", text)).lower()


def without_punctuation(text: str) -> str:
    """The text without the characters that Unicode calls punctuation (categories P*), full width or not."""
    return "".join(character for character in text if not unicodedata.category(character).startswith("P"))


def _simplified(text: str) -> str:
    return text if text.isascii() else _simplifier().convert(text)


SCORE_RULES: dict[str, Callable[[str], str]] = {
    "width": partial(unicodedata.normalize, "NFKC"),
    "traditional": _simplified,
    "punctuation": without_punctuation,
    "spaces": partial(_WHITE_SPACE.sub, ""),
    "case": str.lower,
}
"""What a score may forgive, by name, in the order in which the rules are applied: differences of width and other forms
of one character (NFKC), traditional characters, punctuation, white space, and case."""

DEFAULT_SCORE_RULES = ("width", "spaces", "case")
"""The rules of `normalise_for_score`."""


def check_choices(**choices: str) -> None:
    """Checks arguments of `normalise`.

    Args:
        choices: values by the name of the choice.

    Raises:
        InputError: `CHOICES` lacks a name or a value.
    """
    for name, value in choices.items():
        if name not in CHOICES:
            raise InputError(f"The normalisation {name!r} does not exist; {nearest_hint(name, CHOICES)}.")
        if value not in CHOICES[name]:
            raise InputError(f"The normalisation {name} can be {', '.join(CHOICES[name])}, not {value!r}.")


@cache
def _simplifier() -> Any:
    try:
        from opencc import OpenCC
    except ImportError:
        raise InputError(
            "traditional='simplified' needs the package opencc-python-reimplemented; install it or choose 'keep'."
        ) from None
    return OpenCC("t2s")
