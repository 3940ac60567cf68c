"""Reads a text file of unknown encoding: the bytes decide, and a file that no one encoding explains is an error.

The competition's labels are GB2312 with some rows in GB18030, PaddleOCR's label files are UTF-8, and spreadsheets write
a byte order mark. A file is read in one encoding or not at all.
"""

from __future__ import annotations

import codecs
import re
import sys
from pathlib import Path

from scenetext.errors import InputError
from scenetext.system.regular_files import read_regular_file

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NAMED_LINES = 5  # the number of lines that a message lists


def read_text(path: str | Path, prefer: str = "gb2312") -> tuple[str, str]:
    """Reads a text file and finds its encoding.

    A byte order mark decides. Without one, strict GB2312, strict UTF-8 and GB18030 are tried, in this order unless
    `prefer` puts UTF-8 first. A short text may be valid in both GB2312 and UTF-8. Hanzi in the UTF-8 reading, or many
    characters beyond ASCII, then decide for UTF-8, because GB2312 bytes rarely give either by chance.

    Args:
        path: the file.
        prefer: "gb2312" or "utf-8", the encoding that such files usually have.

    Returns:
        The text, with the line ends of the file, and its encoding: "ascii", "gb2312", "gb18030", "utf-8", "utf-8-sig"
        or "utf-16".

    Raises:
        InputError: the file is missing or binary, a byte is valid in no encoding, or lines have different encodings.
    """
    path = Path(path)
    data = read_regular_file(path, sys.maxsize)
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _decode_marked(path, data, encoding), encoding
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise InputError(f"{path.name}:{line} holds a zero byte, so {path} is not a text file; choose another file.")
    if data.isascii():
        return data.decode("ascii"), "ascii"
    as_gb2312, as_utf8 = _decoded(data, "gb2312"), _decoded(data, "utf-8")
    if as_utf8 is not None and (as_gb2312 is None or prefer == "utf-8" or _is_surely_utf8(as_utf8)):
        return as_utf8, "utf-8"
    if as_gb2312 is not None:
        return as_gb2312, "gb2312"
    _check_lines_agree(path.name, data)
    return data.decode("gb18030"), "gb18030"  # every line is valid, as checked just above


def split_lines(text: str) -> list[str]:
    """The lines of a text; only LF, CR LF and CR end a line, because U+2028 and others belong to labels."""
    lines = re.split(r"\r\n|\n|\r", text)
    return lines if lines[-1] else lines[:-1]


def _decode_marked(path: Path, data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        newline = "\n".encode(encoding)[-1:]
        line = data.count(newline, 0, error.start) + 1
        raise InputError(
            f"{path.name}:{line} holds the byte 0x{error.object[error.start]:02X}, which is not valid in {encoding}, "
            "the encoding of the file's byte order mark; save the file as UTF-8."
        ) from None


def _check_lines_agree(name: str, data: bytes) -> None:
    """Raises InputError if a line is valid in no encoding, or if some lines are UTF-8 and others GB18030."""
    utf8_lines: list[int] = []
    gb_lines: list[int] = []
    for number, line in enumerate(data.split(b"\n"), 1):
        if line.isascii():
            continue
        as_utf8, as_gb = _decoded(line, "utf-8"), _decoded(line, "gb18030")
        if as_utf8 is None and as_gb is None:
            raise InputError(f"{name}:{number} {_undecodable(line)}; correct the line or save the file as UTF-8.")
        if as_utf8 is None:
            gb_lines.append(number)
        elif as_gb is None or (_has_hanzi(as_utf8) and _common_fraction(as_utf8) > _common_fraction(as_gb)):
            utf8_lines.append(number)
    if utf8_lines:  # gb_lines is not empty either, because the caller has found that the file is not UTF-8
        few, encoding = min((utf8_lines, "UTF-8"), (gb_lines, "GB18030"), key=lambda pair: len(pair[0]))
        listed = ", ".join(map(str, few[:_NAMED_LINES])) + (", ..." if len(few) > _NAMED_LINES else "")
        raise InputError(
            f"{name} mixes encodings: {len(few)} of its lines are {encoding} ({name}:{listed}), "
            f"{max(len(utf8_lines), len(gb_lines))} are not; save the whole file as UTF-8."
        )


def _undecodable(line: bytes) -> str:
    """Names the byte at which decoding a line fails, in the one of UTF-8 and GB18030 that decodes more of it."""
    starts = []
    for encoding in ("utf-8", "gb18030"):
        try:
            line.decode(encoding)
        except UnicodeDecodeError as error:
            starts.append(error.start)
    start = max(starts)
    return f"holds the byte 0x{line[start]:02X} (byte {start + 1} of the line), which is neither UTF-8 nor GB18030"


def _decoded(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _has_hanzi(text: str) -> bool:
    return any("\u4e00" <= character <= "\u9fff" for character in text)


def _is_surely_utf8(text: str) -> bool:
    """Whether a text that is valid in both encodings is UTF-8, beyond doubt.

    The GB2312 bytes of one hanzi in seven are valid in UTF-8, too, where they are a letter that is no hanzi.
    """
    return _has_hanzi(text) or sum(not character.isascii() for character in text) >= 8


def _common_fraction(text: str) -> float:
    """The fraction of a text's characters beyond ASCII that GB2312 has: wrongly decoded text has mostly others."""
    beyond = [character for character in text if not character.isascii()]
    common = len("".join(beyond).encode("gb2312", "ignore")) // 2
    return common / len(beyond)
