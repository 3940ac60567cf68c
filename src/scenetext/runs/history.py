"""`history.jsonl`, the rows that a training logs: one JSON object a line, each with its `kind` and `step`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scenetext.system.untrusted import reading

HISTORY = "history.jsonl"
TRAINED, SCORED = "train", "eval"  # kinds: smoothed metrics of the last steps, the scores of an evaluation
RESUMED, ENDED = "resumed", "ended"  # kinds: a training resumed from a checkpoint, a training ended, and why
FAILED = "failed"  # why a training ended whose weights or pictures became unusable

Row = dict[str, Any]


def read_history(path: str | Path) -> Iterator[tuple[str, Row]]:
    """The rows of a history, each as its text without the line end and as a dict.

    Lines that are no row are passed over: a kill has cut them.

    Args:
        path: of the file.

    Raises:
        InputError: the file is missing or cannot be read.
    """
    with reading(path, "the log of a training", "train again"):
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    for line in text.splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and isinstance(row.get("step"), int) and isinstance(row.get("kind"), str):
            yield line, row
