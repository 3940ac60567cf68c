"""Is B better than A? The folder of a comparison, with a page of the lines that decide it and their pictures."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scenetext.config import load_config
from scenetext.data.sources.images import open_images
from scenetext.errors import InputError
from scenetext.evaluate.compare_sources import changed_lines_csv, compare_all, table_of_comparisons
from scenetext.evaluate.comparison import ChangedLine, Comparison
from scenetext.evaluate.edits import Edit, edit_script
from scenetext.evaluate.evaluation_folder import check_folder_name
from scenetext.evaluate.matching import Unmatched
from scenetext.report.inline import crop_uri
from scenetext.report.lines_part import Pictures, config_pictures, sentence_on_missing
from scenetext.report.page import render
from scenetext.runs.folders import RESOLVED, run_folder
from scenetext.system.file_names import shown_path
from scenetext.system.files import json_text, may_be_replaced, replacing_folder

COMPARISON, PAGE, WON, LOST = "comparison.json", "comparison.html", "won.csv", "lost.csv"
TEMPLATE = "comparison.html"
SHOWN = 60  # lines won, and as many lost, with their pictures


@dataclass(frozen=True, slots=True)
class ShownChange:
    """A line that only one of two reads right, with its picture.

    Attributes:
        line: label and both texts.
        first, second: how the label became either text.
        crop: the picture as data URI; None where it is gone.
    """

    line: ChangedLine
    first: list[Edit]
    second: list[Edit]
    crop: str | None


def compare_command(
    sources: Sequence[str],
    labels: str | None,
    images: str | None,
    rules: str,
    unmatched: Unmatched,
    out: str | None,
) -> list[Comparison]:
    """`scenetext compare`: prints the comparisons, and writes their folder if `out` is given."""
    if out is not None:  # before a model reads
        check_folder_name(out)
        if not may_be_replaced(Path(out).resolve(), (COMPARISON, PAGE, WON, LOST)):
            raise InputError(f"{shown_path(out)} holds other files: give the name of a new folder.")
    if images is not None:
        open_images(images)
    comparisons = compare_all(sources, labels, images, rules=rules, unmatched=unmatched)
    if out is not None:
        write_comparisons(comparisons, out, images if images is not None else _run_pictures(sources))
    print(table_of_comparisons(comparisons))
    if out is not None:
        print(f"{shown_path(out)}: {COMPARISON}, {WON}, {LOST}, and {PAGE}, which opens in a browser")
    elif any(comparison.won or comparison.lost for comparison in comparisons):
        print("--out DIR lists the lines won and lost and shows their pictures.")
    return comparisons


def write_comparisons(comparisons: Sequence[Comparison], out: str | Path, images: str | Path | None) -> None:
    """Writes comparison.json, comparison.html, won.csv and lost.csv, which take their places in one step.

    Args:
        comparisons: all of them.
        out: a folder that is new or holds nothing else.
        images: where the pictures of the lines are; None for a page without them.
    """
    pictures = None if images is None else Pictures(images)
    page = comparison_page(comparisons, pictures)
    with replacing_folder(Path(out).resolve()) as made:
        (made / COMPARISON).write_bytes(json_text([each.as_dict() for each in comparisons]).encode())
        (made / PAGE).write_bytes(page.encode())
        for name, kind in ((WON, "won"), (LOST, "lost")):
            (made / name).write_bytes(changed_lines_csv(comparisons, kind).encode())
    if pictures is not None and (note := sentence_on_missing(pictures)):
        print(note, file=sys.stderr)


def comparison_page(comparisons: Sequence[Comparison], pictures: Pictures | None) -> str:
    """The page: what the comparisons say, and the lines won and lost.

    Args:
        comparisons: all of them.
        pictures: of the lines; None shows none.
    """
    shown = [(each, *(_changes(lines[:SHOWN], pictures) for lines in (each.won, each.lost))) for each in comparisons]
    content = {"comparisons": shown, "has_pictures": pictures is not None, "files": {"won": WON, "lost": LOST}}
    return render(content, TEMPLATE)


def _changes(lines: Sequence[ChangedLine], pictures: Pictures | None) -> list[ShownChange]:
    changes = []
    for line in lines:
        image = None if pictures is None else pictures.image(line.name)
        scripts = (edit_script(line.target, text) for text in (line.first, line.second))
        changes.append(ShownChange(line, *scripts, None if image is None else crop_uri(image)))
    return changes


def _run_pictures(sources: Sequence[str]) -> Path | None:
    """Where the evaluated pictures of the first source that is a run are; None without one."""
    for source in sources:
        folder = Path(source) if Path(source).exists() or Path(source).name != source else run_folder(source)
        if (folder / RESOLVED).is_file():
            return config_pictures(load_config(folder / RESOLVED))
    return None
