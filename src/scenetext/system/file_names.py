r"""Names of files as every text file, JSON file and terminal can hold them.

On Linux the name of a file is any bytes. Archives that were packed by Chinese Windows and unpacked on Linux leave names
in GBK, which Python hands out with lone surrogates: writing such a name as UTF-8 fails. Tabs and line ends in names
break the lines of label files and predictions.

The rule, for each part of a path: a name that is UTF-8 stays the same. Any other name is read as GB18030, which
contains GBK. If it is no GB18030 either, or holds control characters or line separators, those bytes are written as
`\xNN`. `raw_names` goes the other way, so that a file is found by its shown name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

_SURROGATES = re.compile("[\ud800-\udfff]")
_UNSHOWABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ESCAPED = re.compile(rb"\\x([0-9a-f]{2})")


def shown_name(raw: str) -> str:
    """The name, or one part of a path, in the form that is shown and written.

    Args:
        raw: the name that the operating system or an archive gave.

    Returns:
        A name that can be encoded and stays on one line; the module says by which rule.
    """
    if raw.isprintable() or not _UNSHOWABLE.search(raw):
        return raw
    text = _gb18030(os.fsencode(raw)) if _SURROGATES.search(raw) else raw
    return escaped_name(raw) if text is None or _UNSHOWABLE.search(text) else text


def escaped_name(raw: str) -> str:
    r"""The name with every byte that is no UTF-8, or that belongs to a control character, as `\xNN`."""
    text = os.fsencode(raw).decode("utf-8", "backslashreplace")
    return _UNSHOWABLE.sub(lambda found: "".join(f"\\x{byte:02x}" for byte in found[0].encode()), text)


def is_escaped(shown: str) -> bool:
    r"""Whether a shown name holds bytes as `\xNN`; a file may also have been given such a name."""
    return "\\x" in shown and _ESCAPED.search(shown.encode("utf-8", "replace")) is not None


def shown_path(path: str | Path) -> str:
    """A path with every part in the form of `shown_name`."""
    return "/".join(map(shown_name, str(path).split("/")))


def raw_names(shown: str) -> Iterator[str]:
    """The names that a file may have which is shown under this one, the likeliest first."""
    yield shown
    escaped = shown.encode("utf-8", "replace")
    for data in (
        shown.encode("gb18030", "replace"),
        _ESCAPED.sub(lambda found: bytes.fromhex(found[1].decode()), escaped),
    ):
        raw = data.decode("utf-8", "surrogateescape") if os.name == "nt" else os.fsdecode(data)
        if raw != shown:
            yield raw


def _gb18030(data: bytes) -> str | None:
    """The text of GB18030 bytes; None for other bytes, and where the text would not give the same bytes back."""
    try:
        text = data.decode("gb18030")
    except UnicodeDecodeError:
        return None
    return text if text.encode("gb18030", "replace") == data else None
