"""The table of submissions in `submissions/README.md`: one row each, its name first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from scenetext.system.files import write_text
from scenetext.system.locks import one_process
from scenetext.system.untrusted import reading

COLUMNS = (
    *("submission", "written", "network", "model bytes", "rows", "empty"),
    *("validation raw", "validation normalised"),
)
TITLE = "# Submissions\n\nEach folder holds `predicts.txt` and the `manifest.json` that says how it was made.\n"


def add_submission_row(path: str | Path, manifest: Mapping[str, Any]) -> None:
    """Adds a submission's row to the table, or replaces the row of that name; the rest of the file stays.

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
    header = _row(COLUMNS)
    if header not in lines:
        lines += ["", header, _row("---" for _ in COLUMNS)]
    first = lines.index(header) + 2
    end = first
    while end < len(lines) and lines[end].startswith("|"):
        end += 1
    name = _cell(manifest["name"])
    row = _row(
        (
            name,
            manifest["written"][:10],
            manifest["model"]["model_name"],
            f"{manifest['model']['size_bytes']:,}",
            f"{manifest['rows']:,}",
            f"{manifest['empty']:,}",
            _score(manifest, "raw"),
            _score(manifest, "normalised"),
        )
    )
    same = [i for i in range(first, end) if _cells(lines[i])[0] == name]
    if same:
        lines[same[0]] = row
    else:
        lines.insert(end, row)
    return "\n".join(lines) + "\n"


def _score(manifest: Mapping[str, Any], kind: str) -> str:
    value = (manifest.get("scores") or {}).get(kind)
    value = value.get("value") if isinstance(value, Mapping) else value
    return "–" if value is None else f"{value:.4f}"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(text: str) -> str:
    return text.replace("|", "&#124;")  # a bar would end the cell


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip().strip("|").split("|")]
