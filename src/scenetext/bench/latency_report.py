"""`scenetext bench latency`: what several exported folders cost, how fast they are, and how well they read."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path
from typing import Any

from scenetext.bench.labelled_lines import LabelledLines, open_lines
from scenetext.bench.latency import ALL_WIDTHS, Latency, latency_table, measure_latency
from scenetext.bench.network_cost import network_cost
from scenetext.errors import InputError
from scenetext.evaluate.intervals import Score
from scenetext.evaluate.metrics import score
from scenetext.predict.choices import AUTO
from scenetext.predict.model_folder import model_bytes
from scenetext.predict.onnx_conversion import can_be_onnx
from scenetext.predict.recognizer import Recognizer
from scenetext.system.file_names import shown_path
from scenetext.system.files import MEGABYTE, write_text

LATENCIES, NETWORKS, FIGURE = "latency.csv", "networks.csv", "accuracy_by_latency.png"


@dataclass(frozen=True, slots=True)
class Network:
    """One exported folder beside the others.

    Attributes:
        model: the folder.
        engine: what computed it.
        parameters, canvas, multiply_adds: see NetworkCost, the canvas as "48x320"; None where the folder cannot be
            converted to ONNX.
        size_bytes: of program and parameters.
        latency_ms: mean of one line at a time, all widths; nan if no batch has one line.
        accuracy, low, high: normalised line accuracy in [0, 1] and its interval; nan without labels.
    """

    model: str
    engine: str
    parameters: int | None
    canvas: str | None
    multiply_adds: int | None
    size_bytes: int
    latency_ms: float
    accuracy: float
    low: float
    high: float


def bench_latency(
    models: Sequence[str | Path],
    images: str | Path,
    *,
    labels: str | Path | None = None,
    out: str | Path | None = None,
    batch_sizes: Sequence[int] = (1, 16),
    engine: str = AUTO,
    rounds: int = 3,
    limit: int | None = None,
    progress: bool = True,
) -> str:
    """Measures exported folders and compares them.

    Args:
        models: the exported folders.
        images: a folder, zip, LMDB or picture.
        labels: labels of these pictures: then the accuracy is measured, too.
        out: a folder for the two tables as CSV and, with labels, the figure of accuracy by latency.
        batch_sizes, rounds: see `measure_latency`.
        engine: what computes, see Recognizer.
        limit: only so many pictures are timed, the first ones.
        progress: show bars.

    Returns:
        The tables for people.

    Raises:
        InputError: a folder, a picture or a label is missing, or two folders are the same.
    """
    lines = open_lines(images, labels)
    names = [shown_path(model) for model in models]
    if len(set(names)) < len(names):
        raise InputError(f"Each exported folder can be measured once; given are {', '.join(names)}.")
    readers = {name: Recognizer(model, engine, threads=1) for name, model in zip(names, models, strict=True)}
    pictures = lines.pictures(limit)
    rows = measure_latency(readers, pictures, batch_sizes, rounds, progress)
    accuracy = {name: _accuracy(reader, lines, progress) for name, reader in readers.items()}
    networks = [
        _network(name, model, readers[name], rows, accuracy[name]) for name, model in zip(names, models, strict=True)
    ]
    if out is not None:
        _write(Path(out), rows, networks)
    state = f"{len(pictures)} lines, {rounds} rounds after a warm-up of one, one CPU thread, the network alone"
    return "\n".join([state, "", _network_table(networks), "", latency_table(rows)])


def _accuracy(reader: Recognizer, lines: LabelledLines, progress: bool) -> Score:
    """Normalised line accuracy on all labelled lines; nan without any."""
    if lines.records is None:
        return Score(math.nan, math.nan, math.nan)
    return score(lines.read(reader, progress), lines.targets).normalised


def _network(name: str, model: str | Path, reader: Recognizer, rows: Sequence[Latency], accuracy: Score) -> Network:
    cost = network_cost(model) if can_be_onnx(model) else None
    alone = (row.mean_ms for row in rows if (row.model, row.batch_size, row.width_px) == (name, 1, ALL_WIDTHS))
    return Network(
        model=name,
        engine=type(reader.engine).__name__,
        parameters=cost and cost.parameters,
        canvas=cost and "{}x{}".format(*cost.canvas_px),
        multiply_adds=cost and cost.multiply_adds,
        size_bytes=model_bytes(model),
        latency_ms=next(alone, math.nan),
        accuracy=accuracy.value,
        low=accuracy.low,
        high=accuracy.high,
    )


def _network_table(networks: Sequence[Network]) -> str:
    """What each network costs, on a line of its own canvas, and how well it reads."""
    width = max(24, *(len(network.model) for network in networks)) + 1
    head = f"{'':{width}}{'engine':>17}{'M parameters':>14}{'M multiply-adds':>17}{'on':>9}{'MB':>8}"
    lines = [f"{head}{'ms a line':>11}{'normalised accuracy':>26}"]
    for each in networks:
        accuracy = "–" if math.isnan(each.accuracy) else str(Score(each.accuracy, each.low, each.high))
        lines.append(
            f"{each.model:{width}}{each.engine:>17}{_millions(each.parameters):>14}{_millions(each.multiply_adds):>17}"
            f"{each.canvas or '–':>9}{each.size_bytes / MEGABYTE:8.2f}{each.latency_ms:11.2f}{accuracy:>26}"
        )
    return "\n".join(lines)


def _millions(count: int | None) -> str:
    return "–" if count is None else f"{count / 1e6:,.2f}"


def _write(out: Path, rows: Sequence[Latency], networks: Sequence[Network]) -> None:
    write_text(out / LATENCIES, _csv(rows))
    write_text(out / NETWORKS, _csv(networks))
    if not any(math.isnan(each.accuracy) or math.isnan(each.latency_ms) for each in networks):
        from scenetext.plots import accuracy_by_latency, save

        save(accuracy_by_latency([asdict(each) for each in networks]), out / FIGURE)


def _csv(rows: Sequence[Latency] | Sequence[Network]) -> str:
    """One row each; what is not known is empty."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field.name for field in fields(rows[0])])
    writer.writerows(map(_cells, rows))
    return text.getvalue()


def _cells(row: Latency | Network) -> Iterable[Any]:
    return ("" if value is None or value != value else value for value in astuple(row))
