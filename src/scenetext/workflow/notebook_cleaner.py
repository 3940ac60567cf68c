"""Removes from notebooks what running them writes: the form in which they are committed.

Running a notebook in JupyterLab, or with papermill onto itself, writes outputs into the file. `make` sets this module
up as git's clean filter for *.ipynb (see .gitattributes), so that neither `git status` nor a commit ever sees them; the
file on disk keeps its outputs. Called as `python -m scenetext.workflow.notebook_cleaner < in > out`.

nbstripout 0.9.1 does not do the same: it drops or keeps the kernel's name but cannot set it, keeps the empty tags that
papermill writes into every cell, drops only the last of several tagged kinds of cells, needs every tool's metadata
named, and fails on a file that is not a notebook.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from typing import Any

_CELL_METADATA = {"tags"}
_LEFT_BY_PAPERMILL = {"injected-parameters", "papermill-error-cell-tag"}
_KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def cleaned(text: str) -> str:
    """The notebook `text` (JSON) without outputs, counts, injected cells and tools' metadata, in Jupyter's layout.

    Raises:
        ValueError: `text` is not a notebook.
    """
    notebook = json.loads(text)
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise ValueError("This is not a notebook: it has no list of `cells`.")
    notebook["cells"] = [_cleaned_cell(cell) for cell in notebook["cells"] if not _is_injected(cell)]
    notebook["metadata"] = {"kernelspec": _KERNEL, "language_info": {"name": "python"}}
    return json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def _is_injected(cell: dict[str, Any]) -> bool:
    return bool(_LEFT_BY_PAPERMILL & set(cell.get("metadata", {}).get("tags", [])))


def _cleaned_cell(cell: dict[str, Any]) -> dict[str, Any]:
    metadata = {key: value for key, value in cell.get("metadata", {}).items() if key in _CELL_METADATA and value}
    cell = {key: value for key, value in cell.items() if key != "attachments" or value} | {"metadata": metadata}
    cell["source"] = "".join(cell.get("source", "")).splitlines(
        keepends=True
    )  # a list or a string, as Jupyter reads it
    if cell.get("cell_type") == "code":
        cell |= {"outputs": [], "execution_count": None}
    return cell


def main() -> None:
    """Filters standard input to standard output; a file that is not a notebook is not changed."""
    data = sys.stdin.buffer.read()
    with suppress(ValueError):  # such as a notebook with conflict marks, which git must be able to store, too
        data = cleaned(data.decode("utf-8")).encode("utf-8")
    sys.stdout.buffer.write(data)


if __name__ == "__main__":
    main()
