"""The report of a run: one HTML file that holds its pictures and styles and needs neither network nor scripts."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from scenetext.config.yaml_text import dump
from scenetext.errors import InputError
from scenetext.report.attention_part import attention_part
from scenetext.report.choices import WORST
from scenetext.report.export_part import export_parts
from scenetext.report.lines_part import Pictures, config_pictures, lines_part, sentence_on_missing
from scenetext.report.run_files import EVALUATION, RunFiles, find_run, read_run, read_run_evaluation
from scenetext.report.scores_part import scores_part
from scenetext.report.training_part import training_part
from scenetext.runs.summary import short_settings
from scenetext.system.file_names import shown_path
from scenetext.system.files import MEGABYTE, write_text

REPORT = "report.html"
TEMPLATE, STYLE = "report.html", "style.css"
PARTS = 5


def write_report(
    run: str | Path,
    out: str | Path | None = None,
    *,
    images: str | Path | None = None,
    worst: int = WORST,
    progress: bool = True,
) -> Path:
    """Writes the report of a run.

    What a run lacks is left out, and the report says so in its place. Pictures that are gone are named on stderr.

    Args:
        run: the run's folder, or its name below runs/.
        out: the file; by default report.html in the run's folder.
        images: where the pictures of the evaluated lines are; by default where the configuration's Eval section says.
        worst: wrong lines to show with their pictures.
        progress: show a bar.

    Returns:
        The file's path.

    Raises:
        InputError: there is no such run, one of its files is damaged, or `out` is a folder.
    """
    folder = find_run(run)
    out = folder / REPORT if out is None else Path(out)
    if out.is_dir():
        raise InputError(f"{shown_path(out)} is a folder; give the name of a file to write, such as {REPORT}.")
    if worst < 0:
        raise InputError(f"--worst {worst}: give the number of lines, from 0 on.")
    with tqdm(total=PARTS, unit="part", desc="report", disable=not progress) as bar:
        content, note = _content(read_run(folder), images, worst, bar)
    write_text(out, render(content))
    if note:
        print(note, file=sys.stderr)
    if progress:
        print(f"{shown_path(out)}: {out.stat().st_size / MEGABYTE:.2f} MB; open it in a browser")
    return out


def _content(run: RunFiles, images: str | Path | None, worst: int, bar: tqdm) -> tuple[dict[str, Any], str]:
    """What the template shows, and a sentence on pictures that are gone."""
    content: dict[str, Any] = {
        "run": run,
        "settings": short_settings(run.config),
        "configuration": dump(run.config.model_dump()),
        "training": training_part(run),
        "scores": None,
        "lines": None,
        "attention": None,
    }
    bar.update()
    note = ""
    evaluation = read_run_evaluation(run.folder / EVALUATION)
    if evaluation is not None:
        content["scores"] = scores_part(run, evaluation)
        bar.update()
        place = images if images is not None else config_pictures(run.config)
        if place is None:
            raise InputError("The configuration has no section Eval: say where the pictures are by --images.")
        pictures = Pictures(place)
        content["lines"] = lines_part(evaluation.evaluation, pictures, worst)
        note = sentence_on_missing(pictures)
        bar.update()
        content["attention"] = attention_part(run, content["lines"].worst)
        bar.update()
    content["note"] = note
    content["exports"] = export_parts(run)
    bar.update(bar.total - bar.n)
    return content, note


def render(content: Mapping[str, Any], template: str = TEMPLATE) -> str:
    """A page.

    Args:
        content: by the names that the template uses.
        template: its file.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("scenetext.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": _percent, "points": _points, "megabytes": _megabytes, "shown": _shown}
    style = environment.loader.get_source(environment, STYLE)[0]
    return environment.get_template(template).render(**content, style=style)


def _percent(ratio: float, digits: int = 1) -> str:
    return f"{100 * ratio:.{digits}f}\u00a0%"  # the sign stays beside its number


def _points(difference: float) -> str:
    return f"{100 * difference:+.1f}"


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / MEGABYTE:.2f} MB"


def _shown(text: str) -> str:
    """A label with its spaces as signs."""
    return text.replace("\u3000", "\u25a1").replace(" ", "\u2423")
