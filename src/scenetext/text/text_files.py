"""Reads the texts of a file, whatever lines it has: texts alone, or a label file."""

from __future__ import annotations

from pathlib import Path

from scenetext.errors import InputError
from scenetext.system.file_names import shown_path
from scenetext.text.encodings import read_text
from scenetext.text.label_files import read_label_table


def read_texts(path: str | Path) -> list[str]:
    """The texts of a file: of a `.csv` or of lines `name<TAB>text` the labels, else its lines that are not blank.

    Args:
        path: the file.

    Raises:
        InputError: the file cannot be read as text, holds no text, or only some of its lines have a tab.
    """
    path = Path(path)
    if path.suffix.lower() != ".csv":
        text, _ = read_text(path, prefer="utf-8")
        lines = [(number, line.rstrip("\r")) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
        tabbed = [number for number, line in lines if "\t" in line]
        if lines and not tabbed:
            return [line for _, line in lines]
        if not lines:
            raise InputError(f"{shown_path(path)} holds no text: give texts, one a line, or a label file.")
        if len(tabbed) < len(lines):
            raise InputError(
                f"{path.name}:{tabbed[0]} holds a tab and other lines do not: give texts alone, one a line, or a label "
                "file of lines name<TAB>text."
            )
    texts = [record.text for record in read_label_table(path).records]
    if not texts:
        raise InputError(f"{shown_path(path)} holds no label that can be used.")
    return texts
