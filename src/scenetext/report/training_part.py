"""How a run went: its curves, what it was resumed from, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any

from scenetext import plots
from scenetext.report.inline import figure_uri
from scenetext.report.run_files import RunFiles
from scenetext.runs.history import ENDED, FAILED, RESUMED, SCORED, TRAINED, Row

CURVE_IN = (4.8, 2.9)  # as wide as a phone, so that letters stay legible
FINISHED, UNKNOWN = "finished", "unknown"


@dataclass(frozen=True, slots=True)
class TrainingPart:
    """How a training went.

    Attributes:
        steps: batches trained, as far as the log tells.
        epochs: epochs planned.
        curves: pictures as data URIs, by what they show.
        best: the row of the best evaluation; None without one.
        lines_per_second: median over the logged rows; None without one.
        reader_share: median ratio of time that training waited for pictures; None without a row.
        events: rows of resumptions, and of ends that were not the last one.
        end: why the last training ended; "unknown" where the log stops without an end.
        problem: what a failed one told.
    """

    steps: int
    epochs: int
    curves: dict[str, str]
    best: Row | None
    lines_per_second: float | None
    reader_share: float | None
    events: list[Row]
    end: str
    problem: str


def training_part(run: RunFiles) -> TrainingPart | None:
    """What a run's history tells; None for a run without one."""
    if not run.rows:
        return None
    trained = [row for row in run.rows if row["kind"] == TRAINED and "loss" in row]
    scored = [row for row in run.rows if row["kind"] == SCORED and "normalised" in row]
    others = [row for row in run.rows if row["kind"] in (RESUMED, ENDED)]
    epochs = run.config.Global.epoch_num
    end, problem = _end(run.rows, epochs)
    return TrainingPart(
        steps=max(row["step"] for row in run.rows),
        epochs=epochs,
        curves=_curves(run, trained, scored, others),
        best=max(scored, key=lambda row: row["normalised"], default=None),
        lines_per_second=_median(trained, "lines_per_second"),
        reader_share=_median(trained, "reader_share"),
        events=[row for row in others if row["kind"] == RESUMED or row.get("reason") != FINISHED],
        end=end,
        problem=problem,
    )


def _end(rows: list[Row], epochs: int) -> tuple[str, str]:
    """Why the last training ended, and the problem of a failed one."""
    last = rows[-1]
    if last["kind"] == ENDED:
        return last.get("reason", UNKNOWN), last.get("problem", "")
    was_noted = any(row["kind"] in (RESUMED, ENDED) for row in rows)  # logs of earlier versions do not say
    is_over = last["kind"] == SCORED and last.get("epoch", 0) >= epochs
    return (FINISHED if is_over and not was_noted else UNKNOWN), ""


def _curves(run: RunFiles, trained: list[Row], scored: list[Row], others: list[Row]) -> dict[str, str]:
    events = [(row["step"], _event_name(row)) for row in others if _event_name(row)]
    curves = {}
    if trained:
        steps, loss = [row["step"] for row in trained], [row["loss"] for row in trained]
        name = f"{run.config.Loss.name}, median of the last steps" if run.config.has("Loss") else "loss"
        curves["loss"] = figure_uri(plots.loss_curve(steps, loss, events, name), CURVE_IN)
    if scored:
        columns = [[row[key] for row in scored] for key in ("step", "raw", "normalised")]
        lines = scored[-1].get("lines")
        curves["accuracy"] = figure_uri(plots.accuracy_curve(*columns, lines, events), CURVE_IN)
    return curves


def _event_name(row: Row) -> str:
    """The name by which the figures know an event; "" for an end that is no event."""
    if row["kind"] == RESUMED:
        return RESUMED
    reason = row.get("reason")
    return reason if reason in ("interrupted", "early stop", FAILED) else ""


def _median(rows: list[Row], key: str) -> float | None:
    values: list[Any] = [row[key] for row in rows if key in row]
    return median(values) if values else None
