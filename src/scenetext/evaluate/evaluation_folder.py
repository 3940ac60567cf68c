"""The folder of an evaluation: `scores.json` and `predictions.csv`, which belong together.

The scores hold the checksum of their predictions, so that nobody takes scores for those of other predictions.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scenetext.errors import InputError
from scenetext.evaluate.results import Evaluation, csv_rows
from scenetext.system.file_names import shown_path
from scenetext.system.files import (
    json_text,
    may_be_replaced,
    read_json,
    replacing,
    replacing_folder,
    sha256_bytes,
    sha256_file,
    write_json,
)
from scenetext.system.locks import one_process

SCORES, PREDICTIONS = "scores.json", "predictions.csv"
CHECKSUM = "predictions_sha256"


def check_folder_name(out: str | Path) -> None:
    """Raises InputError if `out` is a file."""
    if Path(out).exists() and not Path(out).is_dir():
        raise InputError(f"{shown_path(out)} is a file; give the name of a folder to write.")


def write_evaluation(evaluation: Evaluation, out: str | Path) -> None:
    """Writes both files, which take their places in one step.

    Where other files lie in the folder, the scores take their place first: they hold the checksum of their predictions,
    so that `read_evaluation` tells a process that was killed between the two.

    Raises:
        RunError: the disk is full or broken.
    """
    rows = io.StringIO(newline="")
    csv.writer(rows, lineterminator="\n").writerows(csv_rows(evaluation.lines))
    write_with_scores(out, PREDICTIONS, rows.getvalue().encode(), evaluation.as_dict())


def write_with_scores(out: str | Path, name: str, content: bytes, scores: Mapping[str, Any]) -> None:
    """Writes what was read or found, and its scores, which get the checksum of it; see `write_evaluation`.

    Args:
        out: the folder.
        name: of the file of what was read or found.
        content: of that file.
        scores: for JSON.

    Raises:
        RunError: the disk is full or broken.
    """
    folder, told = Path(out).resolve(), {**scores, CHECKSUM: sha256_bytes(content)}
    with one_process(folder):  # another one waits: what it has scored took long
        if may_be_replaced(folder, (SCORES, name)):
            with replacing_folder(folder) as made:
                (made / name).write_bytes(content)
                (made / SCORES).write_bytes(json_text(told).encode())
            return
        with replacing(folder / name) as file:
            file.write(content)
            file.flush()
            write_json(folder / SCORES, told)


def read_evaluation(folder: str | Path) -> dict[str, Any]:
    """The content of scores.json.

    Raises:
        InputError: a file is missing, or the scores are those of other predictions.
    """
    scores, predictions = Path(folder) / SCORES, Path(folder) / PREDICTIONS
    content = read_json(scores)
    if not predictions.is_file():
        raise InputError(f"{shown_path(predictions)} does not exist: score again.")
    told = content.get(CHECKSUM) if isinstance(content, dict) else None
    if told is not None and told != sha256_file(predictions):
        raise InputError(f"{shown_path(scores)} holds the scores of other predictions than {PREDICTIONS}: score again.")
    return content
