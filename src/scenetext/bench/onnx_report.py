"""`scenetext bench onnx`: what each precision of a network's ONNX file costs in accuracy, and what it gains in time.

Accuracy is measured on all labelled lines, time on the first TIMED_LINES of them. Each variant is opened alone for
accuracy. For time all are open, because they take turns; therefore they have no arena, in which ONNX Runtime would keep
the most memory that a batch ever needed, once for each variant.
"""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np

from scenetext.bench.command import MEASURED, TIMED_LINES
from scenetext.bench.labelled_lines import LabelledLines, open_lines
from scenetext.bench.latency import ALL_WIDTHS, Latency, measure_latency
from scenetext.bench.onnx_variants import FP32, write_variants
from scenetext.errors import InputError
from scenetext.evaluate.metrics import Scores, line_scores, score
from scenetext.predict.engines import OnnxRuntime
from scenetext.predict.line_reader import LineReader
from scenetext.predict.model_folder import model_bytes, read_inference_yml
from scenetext.predict.recognizer import Recognizer
from scenetext.system.files import MEGABYTE, write_text

TABLE = "onnx.csv"
ACCURACY, PERFORMANCE = MEASURED


@dataclass(frozen=True, slots=True)
class Precision:
    """One variant beside the others; what was not measured is None.

    Attributes:
        variant: its name.
        size_bytes: of the ONNX file.
        lines: how many were read for the accuracy.
        raw, normalised: line accuracy in [0, 1].
        lost: lines read right in FP32 and wrong here, normalised.
        won: the other way round.
        changed: lines whose text differs from FP32's.
        timed_lines: how many were computed in each round.
        mean_ms, p50_ms, p95_ms: of a batch.
        lines_per_second: of the network alone, on one CPU thread.
    """

    variant: str
    size_bytes: int
    lines: int | None = None
    raw: float | None = None
    normalised: float | None = None
    lost: int | None = None
    won: int | None = None
    changed: int | None = None
    timed_lines: int | None = None
    mean_ms: float | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None
    lines_per_second: float | None = None


def bench_onnx(
    model: str | Path,
    images: str | Path,
    *,
    labels: str | Path | None = None,
    out: str | Path | None = None,
    batch_size: int = 32,
    rounds: int = 3,
    limit: int = TIMED_LINES,
    only: str | None = None,
    progress: bool = True,
) -> str:
    """Measures accuracy and speed of a network as ONNX: as converted, simplified, in FP16 and in INT8.

    Args:
        model: the exported folder.
        images: a folder, zip, LMDB or picture.
        labels: labels of the pictures; an LMDB brings its own.
        out: a folder for the variants and the table as CSV; None keeps neither.
        batch_size: lines a batch.
        rounds: how often every batch is timed.
        limit: only so many pictures are timed, the first ones.
        only: "accuracy" or "performance" measures one of the two.
        progress: show bars.

    Returns:
        The table for people.

    Raises:
        InputError: the folder is not complete, lines have no labels, or onnxslim is missing.
    """
    lines = open_lines(images, labels)
    if lines.records is None and only != PERFORMANCE:
        raise InputError(f"{images} brings no labels: give them by --labels, or measure --only {PERFORMANCE}.")
    with nullcontext(out) if out is not None else tempfile.TemporaryDirectory(prefix="scenetext-onnx-") as place:
        folders = write_variants(model, Path(place))
        accuracy = {} if only == PERFORMANCE else _accuracies(folders, lines, batch_size, progress)
        rows = [] if only == ACCURACY else _latencies(folders, lines.pictures(limit), batch_size, rounds, progress)
        speed = {row.model: row for row in rows if row.width_px == ALL_WIDTHS}
        precisions = [
            _precision(name, model_bytes(folder), accuracy.get(name), speed.get(name))
            for name, folder in folders.items()
        ]
    if out is not None:
        write_text(Path(out) / TABLE, _csv(precisions))
    return _table(precisions, batch_size, rounds)


@dataclass(frozen=True, slots=True)
class _Accuracy:
    scores: Scores
    lost: int
    won: int
    changed: int


def _accuracies(
    folders: dict[str, Path], lines: LabelledLines, batch_size: int, progress: bool
) -> dict[str, _Accuracy]:
    """The scores of every variant, and its lines beside those of FP32."""
    targets = lines.targets
    texts = {
        name: lines.read(Recognizer(folder, "onnxruntime", batch_size), progress) for name, folder in folders.items()
    }
    right = {name: line_scores(own, targets)[:, 1] > 0 for name, own in texts.items()}
    return {
        name: _Accuracy(
            score(own, targets),
            int((right[FP32] & ~right[name]).sum()),
            int((right[name] & ~right[FP32]).sum()),
            sum(before != now for before, now in zip(texts[FP32], own, strict=True)),
        )
        for name, own in texts.items()
    }


def _latencies(
    folders: dict[str, Path], pictures: Sequence[np.ndarray], batch_size: int, rounds: int, progress: bool
) -> list[Latency]:
    """The times of every variant on one CPU thread."""
    readers = {}
    for name, folder in folders.items():
        settings = read_inference_yml(folder)
        engine = OnnxRuntime(folder, threads=1, workers=1)
        readers[name] = LineReader(engine, settings.charset, settings.canvas, batch_size, settings.decoding)
    return measure_latency(readers, pictures, [batch_size], rounds, progress)


def _precision(name: str, size_bytes: int, accuracy: _Accuracy | None, speed: Latency | None) -> Precision:
    found = {}
    if accuracy is not None:
        scores = accuracy.scores
        found |= dict(lines=scores.lines, raw=scores.raw.value, normalised=scores.normalised.value)
        found |= dict(lost=accuracy.lost, won=accuracy.won, changed=accuracy.changed)
    if speed is not None:
        found |= dict(mean_ms=speed.mean_ms, p50_ms=speed.p50_ms, p95_ms=speed.p95_ms)
        found |= dict(timed_lines=speed.lines, lines_per_second=speed.lines_per_second)
    return Precision(name, size_bytes, **found)


def _table(rows: Sequence[Precision], batch_size: int, rounds: int) -> str:
    head = f"{'':18}{'MB':>8}{'raw':>9}{'normalised':>12}{'lost':>6}{'won':>6}{'changed':>9}"
    first, lines = rows[0], []
    if first.lines is not None:
        lines.append(f"accuracy on {first.lines:,} lines; lost, won and changed against {FP32}")
    if first.timed_lines is not None:
        lines.append(
            f"time of batches of {batch_size}, {first.timed_lines:,} lines in {rounds} rounds on one CPU thread, ONNX "
            "Runtime without its memory arena"
        )
    lines += [
        "FP16 and INT8 are made of unpacked weights: of quantised ones FP16 is larger than FP32",
        f"{head}{'mean ms':>10}{'p95 ms':>10}{'lines/s':>10}",
    ]
    for row in rows:
        counts = f"{_cell(row.lost):>6}{_cell(row.won):>6}{_cell(row.changed):>9}"
        accuracy = f"{_cell(row.raw, 4):>9}{_cell(row.normalised, 4):>12}{counts}"
        speed = f"{_cell(row.mean_ms, 1):>10}{_cell(row.p95_ms, 1):>10}{_cell(row.lines_per_second, 1):>10}"
        lines.append(f"{row.variant:18}{row.size_bytes / MEGABYTE:8.2f}{accuracy}{speed}")
    return "\n".join(lines)


def _cell(value: float | None, digits: int = 0) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _csv(rows: Sequence[Precision]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field.name for field in fields(Precision)])
    writer.writerows(["" if value is None else value for value in astuple(row)] for row in rows)
    return text.getvalue()
