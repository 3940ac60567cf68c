"""Executed notebooks as HTML pages: a folder that any browser reads, without this package and without a network.

nbconvert turns a notebook into HTML with its template `basic`, which loads nothing from elsewhere; the template in
`templates/course` adds the page around it: a style for screens of all sizes, and links to the pages before and after.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from scenetext.errors import InputError
from scenetext.runs.folders import project_root, run_folder
from scenetext.system.files import may_be_replaced, replacing_folder
from scenetext.workflow.demo import PARAMETERS as DEMO
from scenetext.workflow.notebook_runner import COMPARISON, NOTEBOOKS, run_notebooks

INDEX = "index.html"
PAGES = tuple(f"{name}.html" for name in (*NOTEBOOKS, COMPARISON))


def make_course(run: str, other: str = "", out: str | Path = "course", *, root: Path | None = None) -> list[Path]:
    """Runs 07_compare for a run, and writes all its executed notebooks as pages.

    Args:
        run: a run that `scenetext run` or `scenetext demo` has made.
        other: the run that 07_compare lays beside it; "" is the pretrained network, as 04_evaluate scored it.
        out: the folder to write; an earlier course there is replaced, anything else is refused.
        root: the project folder, found from the working directory when None.

    Returns:
        The files: the index first.

    Raises:
        InputError: the run has no executed notebooks, or `out` holds other files.
        RunError: 07_compare failed.
    """
    root, out = root or project_root(), Path(out)
    copies = root / run_folder(run) / "notebooks"
    missing = next((name for name in NOTEBOOKS if not (copies / f"{name}.ipynb").is_file()), None)
    if missing is not None:
        made = "scenetext demo" if run == DEMO["run"] else f"scenetext run -p run={run}"
        raise InputError(f"The run {run} has no executed notebook {missing}: run `{made}` first.")
    if out.exists() and not may_be_replaced(out.resolve(), (INDEX, *PAGES)):
        raise InputError(f"{out} holds other files than a course: give the name of another folder.")
    run_notebooks({"run": run, "other": other}, names=(COMPARISON,), root=root)
    with replacing_folder(out.resolve()) as made_folder:
        write_pages([copies / f"{name}.ipynb" for name in (*NOTEBOOKS, COMPARISON)], made_folder)
    return [out / INDEX, *(out / page for page in PAGES)]


def write_pages(notebooks: Sequence[Path], folder: Path) -> None:
    """Writes one page for each notebook, and an index of them.

    Args:
        notebooks: executed ones, in the order of the course.
        folder: is there already.

    Raises:
        InputError: a file is no notebook.
    """
    import nbformat
    from nbformat.reader import NotJSONError
    from nbformat.v4 import new_markdown_cell, new_notebook

    read = []
    for path in notebooks:
        try:
            read.append(nbformat.read(path, as_version=4))
        except (NotJSONError, nbformat.ValidationError):
            raise InputError(f"{path} is not a notebook: run it again.") from None
    titles = [_title(notebook, path.stem) for notebook, path in zip(read, notebooks, strict=True)]
    pages = [f"{path.stem}.html" for path in notebooks]
    listed = "\n".join(f"- [{title}]({page})  \n  {claim}" for (title, claim), page in zip(titles, pages, strict=True))
    told = "The notebooks of one run, as they were executed.\n\n一次运行的全部 notebook 及其输出。"
    text = f"# scenetext · 课程\n\n{told}\n\n{listed}"
    index = new_notebook(cells=[new_markdown_cell(text)])
    with as_file(files("scenetext.workflow") / "templates") as templates:
        to_html = _exporter(templates)
        _write(folder / INDEX, to_html, index, {"title": "scenetext"})
        for number, (notebook, page) in enumerate(zip(read, pages, strict=True)):
            links = {"title": titles[number][0], "index": INDEX}
            if number:
                links["before"] = pages[number - 1], titles[number - 1][0]
            if number + 1 < len(pages):
                links["after"] = pages[number + 1], titles[number + 1][0]
            _write(folder / page, to_html, notebook, links)


def _exporter(templates: Path) -> Any:
    from nbconvert import HTMLExporter

    # without embed_images, which closes every <details> before its answer; pictures of outputs are embedded anyway
    return HTMLExporter(template_name="course", extra_template_basedirs=[str(templates)])


def _write(path: Path, exporter: Any, notebook: Any, links: dict[str, Any]) -> None:
    html, _ = exporter.from_notebook_node(notebook, resources={"course": links})
    path.write_text(html, encoding="utf-8", newline="\n")


def _title(notebook: Any, name: str) -> tuple[str, str]:
    """The heading of a notebook's first cell, and its claim in both languages."""
    first = "".join(notebook.cells[0].source) if notebook.cells else ""
    heading, *paragraphs = re.split(r"\n\s*\n", first.strip())
    return heading.removeprefix("# ").strip() or name, " ".join(paragraphs[:2])
