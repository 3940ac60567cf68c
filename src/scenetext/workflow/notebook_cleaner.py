"""Notebooks without what running them leaves behind: the form in which they are committed.

Running a notebook in JupyterLab, or with papermill onto itself, writes outputs into the file. `make` sets this module
up as git's clean filter for notebooks/*.ipynb (see .gitattributes), so that neither `git status` nor a commit ever
sees them; the file on disk keeps its outputs. Called as `python -m scenetext.workflow.notebook_cleaner < in > out`.
"""

from __future__ import annotations

import json
import sys
from typing import Any

_CELL_METADATA = {"tags"}
_LEFT_BY_PAPERMILL = {"injected-parameters", "papermill-error-cell-tag"}
_KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def cleaned(text: str) -> str:
    """The notebook `text` (JSON) without outputs, counts, injected cells and traces of tools, in Jupyter's layout.

    Raises:
        ValueError: `text` is no notebook.
    """
    notebook = json.loads(text)
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise ValueError("no notebook: `cells` is missing")
    notebook["cells"] = [_cleaned_cell(cell) for cell in notebook["cells"] if not _is_injected(cell)]
    notebook["metadata"] = {"kernelspec": _KERNEL, "language_info": {"name": "python"}}
    return json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def _is_injected(cell: dict[str, Any]) -> bool:
    return bool(_LEFT_BY_PAPERMILL & set(cell.get("metadata", {}).get("tags", [])))


def _cleaned_cell(cell: dict[str, Any]) -> dict[str, Any]:
    metadata = {key: value for key, value in cell.get("metadata", {}).items() if key in _CELL_METADATA and value}
    cell = {key: value for key, value in cell.items() if key != "attachments" or value} | {"metadata": metadata}
    if isinstance(cell.get("source"), str):
        cell["source"] = cell["source"].splitlines(keepends=True)
    if cell.get("cell_type") == "code":
        cell |= {"outputs": [], "execution_count": None}
    return cell


def main() -> None:
    """Filters standard input to standard output; what is no notebook passes through as it is."""
    data = sys.stdin.buffer.read()
    try:
        data = cleaned(data.decode("utf-8")).encode("utf-8")
    except ValueError:
        pass  # half of a merge, say: git must still be able to store it
    sys.stdout.buffer.write(data)


if __name__ == "__main__":
    main()
