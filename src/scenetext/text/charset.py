"""Characters and their class numbers.

Only this module knows the classes of the blank and of the space, so that every network, loss and decoder agrees with
PaddleOCR's dictionaries: class 0 is the CTC blank, class i + 1 is line i of the dictionary (counted from 0), and the
space, if `use_space_char` is set, is one more class at the end.
"""

from __future__ import annotations

import string
import warnings
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from scenetext.errors import InputError
from scenetext.system.files import write_text
from scenetext.system.regular_files import read_regular_file

BLANK = 0
"""The class of the CTC blank."""

SOS = 0
"""The class that starts a line in an attention decoder; characters have CTC's classes, the last class ends a line."""

NRTR_PAD, NRTR_SOS, NRTR_EOS = 0, 2, 3
"""The classes of NRTR's decoder for padding, for the start and for the end of a line. Class 1 is never used."""

NRTR_SHIFT = 3
"""A character's class in NRTR's decoder is its class in CTC plus this number."""

CLASSES_BEYOND_CTC = {"ctc": 0, "attention": 1, "nrtr": 4}
"""How many more classes than CTC each decoder has: attention has the end of a line, NRTR the classes above."""

SPACE = " "

DEFAULT_CHARACTERS = string.digits + string.ascii_lowercase
"""The characters of a network without a dictionary."""

UPSTREAM_FOLDERS = {
    "ppocr",
    "tools",
    "charsets",
}  # folders of dictionaries in PaddleOCR's and OpenOCR's configs and ours

BUNDLED = {
    "ppocr_keys_v1": "ppocr_keys_v1.txt",  # CRNN to PP-OCRv4: 6,623 characters
    "ppocrv5": "ppocrv5.txt",  # PP-OCRv5 mobile and server: 18,383 characters
    "ppocrv5_dict": "ppocrv5.txt",
    "ppocrv6": "ppocrv6.txt",  # PP-OCRv6 small and medium: 18,708 characters
    "ppocrv6_small": "ppocrv6.txt",
    "ppocrv6_dict": "ppocrv6.txt",
    "ppocrv6_tiny": "ppocrv6_tiny.txt",  # PP-OCRv6 tiny: 6,904 characters
    "ppocrv6_tiny_dict": "ppocrv6_tiny.txt",
    "EN_symbol_dict": "en94.txt",  # OpenOCR's name of the next
    "en94": "en94.txt",  # the SVTRv2 paper's English networks: printable ASCII without the space
    "en_dict": "en_dict.txt",  # PP-OCRv3 and v4 English: printable ASCII from 0 on, the space last
}
"""The files of the bundled dictionaries, by the names that configs may give them."""

_LARGEST_BYTES = 8_000_000  # of a dictionary: all characters of Unicode take 6 million
CHARSETS = Path(__file__).parent / "charsets"  # the folder of these files, package data

GB2312_LEVELS = {"gb2312-1": 1, "gb2312": 2}
"""Names that `named_characters` takes for the hanzi of GB 2312-80, and the level of each."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a set of texts a charset can spell.

    Attributes:
        lines: number of texts.
        lines_covered: texts of which the charset has every character.
        characters: number of characters; each is counted as often as it occurs.
        characters_covered: those that the charset has.
        missing: the characters that the charset lacks, most frequent first, and how often each occurs.
    """

    lines: int
    lines_covered: int
    characters: int
    characters_covered: int
    missing: dict[str, int]


@dataclass(frozen=True)
class Charset:
    """An immutable list of characters; class i + 1 is `characters[i]`, class 0 the blank.

    Attributes:
        characters: the character of every class but the blank, in the order of the classes.
        use_space_char: whether the last character is the space that PaddleOCR appends, which is no line of the file.
        lower_case: whether labels are converted to lower case before they are encoded.
    """

    characters: tuple[str, ...]
    use_space_char: bool = False
    lower_case: bool = False

    @classmethod
    def default(cls, use_space_char: bool = False) -> Charset:
        """The charset that PaddleOCR uses without a dictionary: 0-9a-z, with labels in lower case.

        Args:
            use_space_char: append the space as the last class.
        """
        return replace(cls._of(DEFAULT_CHARACTERS, use_space_char), lower_case=True)

    @classmethod
    def from_file(cls, path: str | Path, use_space_char: bool = False) -> Charset:
        """Reads a dictionary by PaddleOCR's rule.

        The file has one character a line. Only CR and LF are stripped, so U+3000 and a line that holds a space are
        kept. Blank and repeated lines and lines of several characters keep their class, because official weights count
        them; a warning names those of a dictionary that is not bundled.

        Args:
            path: a UTF-8 file.
            use_space_char: append the space as the last class.

        Raises:
            InputError: the file is missing, empty, too large or not UTF-8.
        """
        path = Path(path)
        data = read_regular_file(path, _LARGEST_BYTES, f"The dictionary {path}")
        lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
        if lines[-1] == b"":
            lines.pop()
        if not lines:
            raise InputError(f"The dictionary {path} is empty; write one character a line into it.")
        characters = []
        for number, line in enumerate(lines, 1):
            try:
                characters.append(line.decode("utf-8").strip("\r\n"))
            except UnicodeDecodeError:
                raise InputError(f"{path}:{number} is not UTF-8; save the dictionary as UTF-8.") from None
        if path.parent != CHARSETS:
            _warn_of_odd_lines(path, characters)
        return cls._of(characters, use_space_char)

    @classmethod
    def from_labels(cls, texts: Iterable[str], extra: Iterable[str] = (), use_space_char: bool = False) -> Charset:
        """The characters of labels, sorted by code point.

        The ordinary space is left out: it becomes a class only through `use_space_char`.

        Args:
            texts: the labels.
            extra: further texts or characters.
            use_space_char: append the space as the last class.
        """
        characters = set().union(*texts, *extra) - {SPACE}
        return cls._of(sorted(characters), use_space_char)

    @classmethod
    def _of(cls, characters: Sequence[str], use_space_char: bool) -> Charset:
        return cls((*characters, SPACE) if use_space_char else tuple(characters), use_space_char)

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {character: i for i, character in enumerate(self.characters, 1)}  # the last of repeated lines counts

    @property
    def num_classes(self) -> int:
        """The number of classes, the blank included."""
        return len(self.characters) + 1

    def folded(self, text: str) -> str:
        """A label as it is encoded: in lower case if `lower_case` is set, else unchanged."""
        return text.lower() if self.lower_case else text

    def encode(self, text: str) -> list[int]:
        """The classes of the characters of a text, after `folded`.

        Args:
            text: a label.

        Returns:
            One class per character.

        Raises:
            InputError: the charset lacks a character; PaddleOCR would drop it silently.
        """
        try:
            return [self._ids[character] for character in self.folded(text)]
        except KeyError as error:
            if error.args[0] == SPACE and not self.use_space_char:
                raise InputError(
                    f"The label {text!r} holds a space and the dictionary has none; set Global.use_space_char to true."
                ) from None
            name = f"{error.args[0]!r} (U+{ord(error.args[0]):04X})"
            raise InputError(
                f"The character {name} of the label {text!r} is not in the dictionary of {len(self.characters)} "
                "characters; add it to the dictionary or remove the line."
            ) from None

    def unknown(self, text: str) -> list[str]:
        """The characters of a text that the charset lacks, in their order, as often as they occur."""
        return [character for character in self.folded(text) if character not in self._ids]

    def may_lack(self, characters: Collection[str]) -> bool:
        """Whether some text of these characters may hold one that the charset lacks.

        If the answer is no, `encode` accepts every text of these characters.

        Args:
            characters: those that occur in the texts.
        """
        folded = set().union(*map(self.folded, characters))
        if self.lower_case and "Σ" in characters:
            folded.add("ς")  # its lower case at the end of a word
        return not folded <= self._ids.keys()

    def decode(self, ids: Iterable[int]) -> str:
        """The text of a sequence of classes, without the blanks. Repeated classes stay; a CTC decoder merges them.

        Args:
            ids: the classes.

        Raises:
            InputError: a number is not a class of this charset.
        """
        ids = list(ids)
        if ids and not 0 <= min(ids) <= max(ids) < self.num_classes:
            raise InputError(
                f"The network gives class {max(ids)} and the dictionary has {self.num_classes} classes with the blank; "
                "use the dictionary that the network was trained with."
            )
        return "".join(self.characters[i - 1] for i in ids if i != BLANK)

    def coverage(self, texts: Iterable[str]) -> Coverage:
        """Counts the lines and the characters of `texts` that this charset can spell."""
        lines = lines_covered = characters = 0
        missing: Counter[str] = Counter()
        for text in texts:
            unknown = self.unknown(text)
            lines += 1
            lines_covered += not unknown
            characters += len(text)
            missing.update(unknown)
        ordered = dict(sorted(missing.items(), key=lambda item: (-item[1], item[0])))
        return Coverage(lines, lines_covered, characters, characters - missing.total(), ordered)

    def rows_in(self, other: Charset, layout: str = "ctc") -> list[int | None]:
        """The class in `other` of each class of this charset.

        A trained head is sliced to another dictionary by it: row c of the new matrix is row `rows[c]` of the old one.

        Args:
            other: the charset that the head was trained on.
            layout: a key of CLASSES_BEYOND_CTC: the decoder whose classes are meant.

        Returns:
            One number per class, the blank first; None for a character that `other` lacks.
        """
        rows = [other._ids.get(character) for character in self.characters]
        if layout == "attention":
            return [SOS, *rows, other.num_classes]
        if layout == "nrtr":
            moved = (None if row is None else row + NRTR_SHIFT for row in rows)
            return [*range(NRTR_SHIFT + 1), *moved, other.num_classes + NRTR_SHIFT]
        return [BLANK, *rows]

    def write(self, path: str | Path) -> None:
        """Writes the dictionary file: `lines` in UTF-8 with LF.

        Args:
            path: of the file.
        """
        write_text(path, self.lines())

    def lines(self) -> str:
        """The dictionary file's text: one character a line, without the space of `use_space_char`."""
        characters = self.characters[:-1] if self.use_space_char else self.characters
        return "".join(character + "\n" for character in characters)


def _warn_of_odd_lines(path: Path, lines: Sequence[str]) -> None:
    """Says which lines of a dictionary are no class that a label can use: usually slips of whoever wrote it."""
    last = {line: number for number, line in enumerate(lines, 1)}
    if len(last) == len(lines) and all(len(line) == 1 for line in lines):
        return
    found: dict[str, list[int]] = {}
    for number, line in enumerate(lines, 1):
        if not line:
            kind = "blank"
        elif len(line) > 1:
            kind = "with white space beside a character" if len(line.strip()) <= 1 else "of several characters"
        elif last[line] != number:
            kind = "repeated further down"
        else:
            continue
        found.setdefault(kind, []).append(number)
    told = ", ".join(f"{len(numbers)} {kind} (line {numbers[0]})" for kind, numbers in found.items())
    warnings.warn(
        f"The dictionary {path} has odd lines: {told}. Each stays a class, as in PaddleOCR, which no label uses; write "
        "one character a line, unless weights were trained with these lines.",
        stacklevel=1,
    )


def charset_path(name_or_path: str | Path, base: str | Path | None = None) -> Path:
    """Finds a dictionary file.

    A file that exists is taken first, relative to the working directory or to `base`. Otherwise the name without folder
    and suffix may be a key of `BUNDLED`, so that PaddleOCR's own `ppocr/utils/ppocr_keys_v1.txt` needs no edit. If a
    bundled file takes the place of a missing file in a folder that is neither PaddleOCR's nor ours, a warning says so.

    Args:
        name_or_path: a path or a bundled name.
        base: the folder that a relative path starts from, usually that of the config file.

    Raises:
        InputError: no such file or name exists.
    """
    path = Path(name_or_path)
    for candidate in (path, Path(base) / path if base is not None else path):
        if candidate.is_file():
            return candidate
    if path.stem in BUNDLED:
        bundled = CHARSETS / BUNDLED[path.stem]
        if path.parent != Path() and not UPSTREAM_FOLDERS & set(path.parts):
            warnings.warn(f"The dictionary {path} does not exist; {bundled} is used instead.", stacklevel=2)
        return bundled
    raise InputError(
        f"The dictionary {str(name_or_path)!r} is neither a file nor one of the names {', '.join(BUNDLED)}; "
        "`scenetext prepare` and the notebook 01_data write one."
    )


def gb2312_characters(level: int = 1) -> tuple[str, ...]:
    """The hanzi of GB 2312-80 in the order of the standard, from Python's codec.

    Args:
        level: 1 for the 3,755 common ones (rows 16 to 55, ordered by sound), 2 for all 6,763 (to row 87).

    Raises:
        InputError: another level.
    """
    if level not in (1, 2):
        raise InputError(f"level={level!r} is not a level of GB 2312; use 1 or 2.")
    codes = ((row + 0xA0, cell + 0xA0) for row in range(16, 56 if level == 1 else 88) for cell in range(1, 95))
    return tuple("".join(bytes(code).decode("gb2312", "ignore") for code in codes))


def named_characters(name_or_path: str | Path) -> tuple[str, ...]:
    """Characters to add to a charset.

    Args:
        name_or_path: "gb2312-1" (3,755 hanzi), "gb2312" (6,763 hanzi), a bundled dictionary's name or a file's path.

    Raises:
        InputError: no such name or file exists.
    """
    if str(name_or_path) in GB2312_LEVELS:
        return gb2312_characters(GB2312_LEVELS[str(name_or_path)])
    try:
        return Charset.from_file(charset_path(name_or_path)).characters
    except InputError as error:
        raise InputError(
            f"{str(error).rstrip('.')}; extra characters can also be {' or '.join(GB2312_LEVELS)}."
        ) from None
