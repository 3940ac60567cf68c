"""Reading a text file whose encoding nobody states, without guessing where the bytes leave a doubt.

The competition's labels are GB2312 with some rows beyond it, PaddleOCR's label files are UTF-8, and spreadsheets put a
byte order mark in front. A file is read in one encoding or not at all.
"""

from __future__ import annotations

import codecs
from pathlib import Path

from scenetext.errors import InputError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NAMED_LINES = 5  # so many line numbers a message lists


def read_text(path: str | Path, prefer: str = "gb2312") -> tuple[str, str]:
    """Reads a text file and says in which encoding.

    A byte order mark decides. Otherwise strict GB2312, strict UTF-8 and GB18030 are tried, in this order unless
    `prefer` puts UTF-8 first. A short text may be valid in both GB2312 and UTF-8; hanzi in the UTF-8 reading, or many
    characters beyond ASCII, then decide for it, because GB2312 hardly gives either by chance.

    Args:
        path: the file.
        prefer: "gb2312" or "utf-8", the encoding such files usually have.

    Returns:
        The text, line ends as in the file, and one of "ascii", "gb2312", "gb18030", "utf-8", "utf-8-sig", "utf-16".

    Raises:
        InputError: the file is missing or binary, a byte decodes in no encoding, or the lines disagree.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _decode_marked(path, data, encoding), encoding
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise InputError(f"{path.name}:{line} holds a zero byte, so {path} is no text file.")
    if data.isascii():
        return data.decode("ascii"), "ascii"
    as_gb2312, as_utf8 = _decoded(data, "gb2312"), _decoded(data, "utf-8")
    if as_utf8 is not None and (as_gb2312 is None or prefer == "utf-8" or _is_no_chance(as_utf8)):
        return as_utf8, "utf-8"
    if as_gb2312 is not None:
        return as_gb2312, "gb2312"
    _check_lines_agree(path.name, data)
    return data.decode("gb18030"), "gb18030"  # line by line checked just above


def _decode_marked(path: Path, data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        newline = "\n".encode(encoding)[-1:]
        line = data.count(newline, 0, error.start) + 1
        raise InputError(
            f"{path.name}:{line} holds the byte 0x{error.object[error.start]:02X}, which is no {encoding}, though the "
            "file's byte order mark announces it; save the file as UTF-8."
        ) from None


def _check_lines_agree(name: str, data: bytes) -> None:
    """Raises InputError where a line decodes in no encoding, or where some lines are UTF-8 and others GB18030."""
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
        elif as_gb is None or (_has_hanzi(as_utf8) and _share_common(as_utf8) > _share_common(as_gb)):
            utf8_lines.append(number)
    if utf8_lines:  # and so gb_lines: the caller has found that not every line is UTF-8
        few, encoding = min((utf8_lines, "UTF-8"), (gb_lines, "GB18030"), key=lambda pair: len(pair[0]))
        listed = ", ".join(map(str, few[:_NAMED_LINES])) + (", ..." if len(few) > _NAMED_LINES else "")
        raise InputError(
            f"{name} mixes encodings: {len(few)} of its lines are {encoding} ({name}:{listed}), "
            f"{max(len(utf8_lines), len(gb_lines))} are not; save the whole file as UTF-8."
        )


def _undecodable(line: bytes) -> str:
    """Says which byte of a line stops both UTF-8 and GB18030, the one that gets further."""
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


def _is_no_chance(text: str) -> bool:
    """Whether text read as UTF-8, and valid in GB2312 too, is UTF-8: about a hanzi in seven passes for it."""
    return _has_hanzi(text) or sum(not character.isascii() for character in text) >= 8


def _share_common(text: str) -> float:
    """The share of a text's characters beyond ASCII that GB2312 has: mojibake consists mostly of others."""
    beyond = [character for character in text if not character.isascii()]
    common = len("".join(beyond).encode("gb2312", "ignore")) // 2
    return common / len(beyond)
