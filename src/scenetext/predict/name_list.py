"""A list of the pictures to read: one name a line, as PaddleOCR's Global.infer_list, or a label file."""

from __future__ import annotations

import sys
from pathlib import Path

from scenetext.data.sources.images import ImageSource
from scenetext.errors import InputError
from scenetext.predict.images import NAMES_SHOWN
from scenetext.system.file_names import shown_path
from scenetext.text.encodings import read_text


def read_names(path: str | Path, source: ImageSource) -> list[str]:
    """The names of a list, in its order; what stands behind a tab, such as a label, is passed over.

    Names that the source does not have stay in the list, so that their lines are not missing; stderr says which they
    are.

    Args:
        path: the list; empty lines do not count.
        source: where the names should be found.

    Raises:
        InputError: the list is missing, no text, or empty, or the source has none of its names.
    """
    text, _ = read_text(path, prefer="utf-8")
    names = [name for line in text.split("\n") if (name := line.partition("\t")[0].strip())]
    if not names:
        raise InputError(f"{shown_path(path)} names no picture: give one name a line.")
    known = source.names()
    missing = [name for name in names if known.find(name) is None]
    if len(missing) == len(names):
        raise InputError(
            f"{shown_path(source.path)} has none of the {len(names)} pictures that {shown_path(path)} names, the first "
            f"{names[0]}: give names as they are below that folder."
        )
    if missing:
        listed = ", ".join(missing[:NAMES_SHOWN]) + (", ..." if len(missing) > NAMES_SHOWN else "")
        print(
            f"{shown_path(source.path)} does not have {len(missing)} of the {len(names)} pictures that "
            f"{shown_path(path)} names, whose texts are empty: {listed}",
            file=sys.stderr,
        )
    return names
