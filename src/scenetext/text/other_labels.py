"""Label files that look like those of text recognition and are not: other tasks', and those that pandas quoted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

_BOX_KEYS = re.compile(r"""["'](transcription|points|bbox|box|polygon|label|text)["']\s*:""")
_LOOKED_AT = 2000  # characters of a label; the keys of the first box are among them
_LONGEST_LIST = 100_000  # characters of a list of names
_ANGLES = {"0", "180"}
_QUOTE, _TWO_QUOTES = b'"', b'""'
_LABEL_WITH_QUOTE = re.compile(rb'\t([^\r\n]*"[^\r\n]*)')


def is_list_of_boxes(text: str) -> bool:
    """Whether a label is the JSON of a detection data set, such as PPOCRLabel's Label.txt holds."""
    return text.lstrip()[:1] in ("[", "{") and _BOX_KEYS.search(text[:_LOOKED_AT]) is not None


def may_be_list_of_names(name: str) -> bool:
    """Whether a name is several ones, PaddleOCR's `["0.jpg", "1.jpg"]`."""
    return name.startswith("[") and name.endswith("]")


def names_in(name: str) -> list[str]:
    """The names in PaddleOCR's list of several pictures with one text; the name itself where it is no such list."""
    if not may_be_list_of_names(name) or len(name) > _LONGEST_LIST:
        return [name]
    try:
        names = json.loads(name)
    except (ValueError, RecursionError):
        return [name]
    return names if names and all(isinstance(each, str) for each in names) else [name]


def are_angles(texts: Iterable[str]) -> bool:
    """Whether all labels are those of a classifier of upside-down lines, which says 0 or 180 of each."""
    seen = set()
    for text in texts:
        if text not in _ANGLES:
            return False
        seen.add(text)
    return seen == _ANGLES


def unquoted(data: bytes) -> tuple[bytes, int]:
    """Labels as they were before pandas' `to_csv(sep="\\t")` quoted them.

    It puts a label that holds a quote into quotes, and doubles those within: `5"屏` becomes `"5""屏"`. So a file is
    taken for quoted if all of its labels that hold a quote look like this.

    Args:
        data: lines of `name<TAB>text`, UTF-8.

    Returns:
        The lines and how many of them had quotes.
    """
    if b'\t"' not in data:
        return data, 0
    labels = [found[1] for found in _LABEL_WITH_QUOTE.finditer(data)]
    if not all(map(_is_quoted, labels)):
        return data, 0
    return _LABEL_WITH_QUOTE.sub(lambda found: b"\t" + found[1][1:-1].replace(_TWO_QUOTES, _QUOTE), data), len(labels)


def _is_quoted(label: bytes) -> bool:
    inner = label[1:-1]
    in_quotes = len(label) > 1 and label.startswith(_QUOTE) and label.endswith(_QUOTE)
    return in_quotes and _TWO_QUOTES in inner and _QUOTE not in inner.replace(_TWO_QUOTES, b"")
