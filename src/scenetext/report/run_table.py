"""All runs in one table: scores, bytes, speed, and the settings in which they differ."""

from __future__ import annotations

import csv
import io
import shutil
import sys
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any
from unicodedata import east_asian_width

from scenetext.errors import InputError
from scenetext.report.run_files import EVALUATION, RunFiles, read_run, read_scores
from scenetext.runs.folders import RESOLVED
from scenetext.runs.history import SCORED, TRAINED
from scenetext.runs.summary import network_name
from scenetext.system.file_names import shown_path
from scenetext.system.files import write_text
from scenetext.text.natural_order import natural_order

OF_PLACE_AND_LOG = {"save_model_dir", "checkpoints", "print_batch_step", "log_smooth_window", "use_visualdl"}
NONE = "–"
ABSENT = "(absent)"
INDENT = "    "
MOST_TOLD = 10  # settings beneath a run
PARTS = "Architecture."  # begins the names of the network's settings


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run in the table; None where it is not known.

    Attributes:
        name: the run's.
        trained: the day on which it was trained.
        epochs: epochs trained, as far as the log tells.
        normalised, low, high: normalised accuracy on the evaluated lines and its 95 % interval, or else that of the
            best evaluation during training, without an interval.
        lines: lines of that score.
        raw: raw accuracy on them.
        exported_bytes: of the smallest exported folder: its program and parameters.
        exported_normalised: its normalised accuracy, where the export was given labels.
        lines_per_second: of training, median.
        network: the parts of its network by their names.
        settings: every setting by its dotted name.
    """

    name: str
    trained: str | None
    epochs: int | None
    normalised: float | None
    low: float | None
    high: float | None
    lines: int | None
    raw: float | None
    exported_bytes: int | None
    exported_normalised: float | None
    lines_per_second: float | None
    network: str
    settings: dict[str, Any]


def list_runs(folder: str | Path = "runs", out: str | Path | None = None) -> list[RunRow]:
    """`scenetext runs`: prints the table of all runs, and writes it as CSV.

    Args:
        folder: of the runs.
        out: the CSV file; None writes none.

    Raises:
        InputError: the folder is missing or holds no run, or `out` is a folder.
    """
    if out is not None and Path(out).is_dir():
        raise InputError(f"{shown_path(out)} is a folder; give the name of a file to write, such as runs.csv.")
    rows = read_runs(folder)
    print(table(rows, shutil.get_terminal_size((120, 24)).columns))
    if out is not None:
        write_text(out, csv_text(rows))
        print(f"{shown_path(out)}: {len(rows)} runs")
    return rows


def read_runs(folder: str | Path) -> list[RunRow]:
    """The runs below a folder, the best first. One that cannot be read is named on stderr and left out.

    Args:
        folder: of the runs.

    Raises:
        InputError: the folder is missing or holds no run that can be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{shown_path(folder)} does not exist: train a run first, or give the folder of the runs.")
    names = natural_order([path.parent.name for path in folder.glob(f"*/{RESOLVED}")])
    if not names:
        raise InputError(f"{shown_path(folder)} holds no run: a run is a folder with a {RESOLVED}, as training writes.")
    rows = []
    for name in names:
        try:
            rows.append(_row(read_run(folder / name)))
        except InputError as error:
            print(f"left out: {shown_path(folder / name)}: {error}", file=sys.stderr)
    if not rows:
        raise InputError(f"Not one of the {len(names)} runs in {shown_path(folder)} can be read.")
    return sorted(rows, key=lambda row: -1.0 if row.normalised is None else row.normalised, reverse=True)


def _row(run: RunFiles) -> RunRow:
    scores = read_scores(run.folder / EVALUATION)
    scored = [row for row in run.rows if row["kind"] == SCORED and "normalised" in row]
    best = max(scored, key=lambda row: row["normalised"], default={})
    normalised = scores["normalised"] if scores else {"value": best.get("normalised")}
    speeds = [row["lines_per_second"] for row in run.rows if row["kind"] == TRAINED and "lines_per_second" in row]
    smallest = min(run.exports.values(), key=lambda report: report["size_bytes"], default={})
    exported = (smallest.get("accuracy") or {}).get("exported") or {}
    return RunRow(
        name=run.name,
        trained=run.manifest.get("written", "")[:10] or None,
        epochs=max((row["epoch"] for row in run.rows if "epoch" in row), default=None),
        normalised=normalised.get("value"),
        low=normalised.get("low"),
        high=normalised.get("high"),
        lines=scores["lines"] if scores else best.get("lines"),
        raw=scores["raw"]["value"] if scores else best.get("raw"),
        exported_bytes=smallest.get("size_bytes"),
        exported_normalised=exported.get("normalised", {}).get("value"),
        lines_per_second=median(speeds) if speeds else None,
        network=network_name(run.config.Architecture) if run.config.has("Architecture") else "",
        settings=_flat(run.config.model_dump()),
    )


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    """Settings by their dotted names, without those of the run's folder and of its log, which tell nothing of a run."""
    if isinstance(value, Mapping) and value:
        found = {}
        for key, below in value.items():
            if key not in OF_PLACE_AND_LOG:
                found |= _flat(below, f"{path}.{key}" if path else str(key))
        return found
    if isinstance(value, (list, tuple)) and any(isinstance(item, Mapping) for item in value):
        found = {}
        for index, item in enumerate(value):
            name = next(iter(item)) if isinstance(item, Mapping) and len(item) == 1 else None
            below, at = (item[name], name) if name else (item, index)
            found |= {f"{path}.{at}": None} if below is None else _flat(below, f"{path}.{at}")
        return found
    return {path: value}


def differing(rows: Sequence[RunRow]) -> list[str]:
    """The names of the settings that are not the same in all runs."""
    names = dict.fromkeys(name for row in rows for name in row.settings)
    return [name for name in names if len({repr(row.settings.get(name, ABSENT)) for row in rows}) > 1]


def table(rows: Sequence[RunRow], width: int) -> str:
    """The table for a terminal: one line per run, and beneath it the settings in which it differs from most runs.

    Of two networks only the names are told, not the many settings that one has and the other lacks; the CSV has all.

    Args:
        rows: the runs.
        width: columns of the terminal.
    """
    header = ("run", "trained", "epochs", "normalised", "95 % interval", "raw", "lines", "exported", "trains, lines/s")
    cells = [header, *(_cells(row) for row in rows)]
    widths = [max(_columns(line[at]) for line in cells) for at in range(len(header))]
    text = [_padded(header, widths)]
    names = differing(rows)
    shared = [name for name in names if all(name in row.settings for row in rows) and not name.startswith(PARTS)]
    told = [{"network": row.network, **{name: row.settings[name] for name in shared}} for row in rows]
    usual = {name: _usual(own[name] for own in told) for name in ("network", *shared)}
    for own, line in zip(told, cells[1:], strict=True):
        text.append(_padded(line, widths))
        others = [f"{name}={_value(value)}" for name, value in own.items() if repr(value) != usual[name]]
        if len(others) > MOST_TOLD:
            others[MOST_TOLD:] = [f"and {len(others) - MOST_TOLD} more, which --out FILE.csv lists"]
        lines = textwrap.wrap(", ".join(others), max(40, width) - len(INDENT), break_on_hyphens=False)
        text += [f"{INDENT}{part}" for part in lines]
    if len(rows) > 1:
        text.append(
            f"Beneath a run: what most of the {len(rows)} runs do not share; {len(names)} settings differ."
            if names
            else f"All {len(rows)} runs have the same settings."
        )
    return "\n".join(text)


def _usual(values: Iterable[Any]) -> str:
    """The most frequent value, by its repr; of equally frequent ones the first."""
    return Counter(map(repr, values)).most_common(1)[0][0]


def _cells(row: RunRow) -> tuple[str, ...]:
    def percent(value: float | None) -> str:
        return NONE if value is None else f"{100 * value:.2f} %"

    interval = NONE if row.low is None or row.high is None else f"{100 * row.low:.1f} to {100 * row.high:.1f}"
    exported = NONE if row.exported_bytes is None else f"{row.exported_bytes:,}"
    return (
        row.name,
        row.trained or NONE,
        NONE if row.epochs is None else str(row.epochs),
        percent(row.normalised),
        interval,
        percent(row.raw),
        NONE if row.lines is None else f"{row.lines:,}",
        exported,
        NONE if row.lines_per_second is None else f"{row.lines_per_second:,.0f}",
    )


def _value(value: Any) -> str:
    return ABSENT if value == ABSENT else "null" if value is None else str(value)


def _columns(text: str) -> int:
    """Columns of a terminal that a text takes: full-width characters take two."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def _padded(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Cells in columns: the first two to the left, numbers to the right."""
    parts = []
    for at, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        space = " " * (width - _columns(cell))
        parts.append(cell + space if at < 2 else space + cell)
    return "  ".join(parts).rstrip()


def csv_text(rows: Sequence[RunRow]) -> str:
    """One row per run: its figures, then every setting that differs."""
    figures = [name for name in RunRow.__dataclass_fields__ if name != "settings"]
    names = differing(rows)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*figures, *names])
    for row in rows:
        values = [getattr(row, name) for name in figures]
        writer.writerow([*("" if value is None else value for value in values), *_settings(row, names)])
    return text.getvalue()


def _settings(row: RunRow, names: Iterable[str]) -> list[str]:
    return [_value(row.settings.get(name, ABSENT)) for name in names]
