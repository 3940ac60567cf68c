"""The table of submissions in `submissions/README.md`: one row each, its name first, the best one at the top."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from scenetext.system.files import write_text
from scenetext.system.locks import one_process
from scenetext.system.untrusted import reading
from scenetext.text.natural_order import natural_key

COLUMNS = (
    *("submission", "written", "network", "model bytes", "rows", "empty"),
    *("validation raw", "validation normalised", "leaderboard"),
)
NONE = "–"
TITLE = "# Submissions\n\nEach folder holds `predicts.txt` and the `manifest.json` that says how it was made.\n"


def add_submission_row(path: str | Path, manifest: Mapping[str, Any]) -> None:
    """Adds a submission's row to the table, or replaces the row of that name; the rest of the file stays.

    Rows are sorted by the leaderboard's score, those without one by their normalised score on validation lines. A table
    of an earlier version gets the columns that it lacks; columns that somebody added stay at the right.

    Args:
        path: the README; made when missing, and given a table when it has none.
        manifest: of the submission, see `submit.submit`.
    """
    path = Path(path)
    with one_process(path):  # or the row of another submission, written meanwhile, would be lost
        with reading(path, "a table of submissions", "write it as UTF-8"):
            text = path.read_text(encoding="utf-8") if path.is_file() else TITLE
        write_text(path, _with_row(text, manifest))


def _with_row(text: str, manifest: Mapping[str, Any]) -> str:
    """The text of the README with the row of a submission."""
    lines = text.rstrip("\n").split("\n")
    start = next((i for i, line in enumerate(lines) if line.startswith("|") and _cells(line)[0] == COLUMNS[0]), None)
    if start is None:
        lines.append("")
        start = end = len(lines)
        rows, columns = [], list(COLUMNS)
    else:
        end = next((i for i in range(start, len(lines)) if not lines[i].startswith("|")), len(lines))
        header = _cells(lines[start])
        rows = [dict(zip(header, _cells(line), strict=False)) for line in lines[start + 2 : end]]
        columns = [*COLUMNS, *(name for name in header if name not in COLUMNS)]
    own = _own_row(manifest)
    same = next((row for row in rows if row[COLUMNS[0]] == own[COLUMNS[0]]), None)
    if same is None:
        rows.append(own)
    else:
        same |= own
    rows.sort(key=_order)
    written = [_row([row.get(name, NONE) for name in columns]) for row in rows]
    return "\n".join([*lines[:start], _row(columns), _row("---" for _ in columns), *written, *lines[end:]]) + "\n"


def _own_row(manifest: Mapping[str, Any]) -> dict[str, str]:
    """The cells of a submission by their columns."""
    leaderboard, model = manifest.get("leaderboard"), manifest["model"]
    values = (
        manifest["name"],
        manifest["written"][:10],
        model["network"] if "network" in model else model["model_name"],  # of a manifest before 0.3
        f"{model['size_bytes']:,}",
        f"{manifest['rows']:,}",
        f"{manifest['empty']:,}",
        _score(manifest, "raw"),
        _score(manifest, "normalised"),
        NONE if leaderboard is None else f"{leaderboard:.10g}",
    )
    return {name: _cell(value) for name, value in zip(COLUMNS, values, strict=True)}


def _order(row: Mapping[str, str]) -> tuple[float, float, Any]:
    """Sorts the best row first; cells that hold no number come after all numbers."""
    leaderboard, validation = (_number(row.get(name, NONE)) for name in ("leaderboard", "validation normalised"))
    return -leaderboard, -validation, natural_key(row[COLUMNS[0]])


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return -math.inf


def _score(manifest: Mapping[str, Any], kind: str) -> str:
    value = (manifest.get("scores") or {}).get(kind)
    value = value.get("value") if isinstance(value, Mapping) else value
    return NONE if value is None else f"{value:.4f}"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    return text.replace("|", "&#124;")  # a bar would end the cell


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip().strip("|").split("|")]
