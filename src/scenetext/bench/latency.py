"""How long a network takes: one line at a time and in batches, by width, of several exported folders in turn.

SVTRv2's page (OpenOCR, tools/infer_rec.py) times the network alone, one line at a time, on IIIT5k's pictures, and
prints the mean. Here the same is timed, from the batch on its canvas to the probabilities, with the spread beside the
mean. What is not timed: reading, decoding and resizing pictures, and decoding probabilities to text; `bench predict`
times all of that.

A batch holds lines of like widths, padded to the widest, as PaddleOCR's predict_rec makes batches. `predict` puts
only lines of one width into a batch, so that no line changes another one's text; among few pictures its batches are
smaller.

Warm-up: every batch is computed once before anything is timed, because engines prepare themselves for a new shape when
it first comes. The folders take turns in every round, so that what slows the machine down slows all of them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from tqdm.auto import tqdm

from scenetext.errors import InputError
from scenetext.evaluate.breakdown import range_name
from scenetext.predict.line_reader import LineReader, like_batches

CANVAS_GROUPS_PX = (1, 161, 321, 481, 641, 1281)  # widths: each group begins here and ends before the next
ALL_WIDTHS = "all"
MILLISECONDS = 1000.0


@dataclass(frozen=True, slots=True)
class Latency:
    """How long one network took for batches of one size.

    Attributes:
        model: the exported folder.
        batch_size: lines a batch; the last one may have fewer.
        width_px: of the canvas, a range such as "321-480", or "all".
        lines: how many lines were computed in one round.
        mean_ms, p50_ms, p95_ms: of a batch, over all rounds.
        lines_per_second: lines by the sum of the times.
    """

    model: str
    batch_size: int
    width_px: str
    lines: int
    mean_ms: float
    p50_ms: float
    p95_ms: float
    lines_per_second: float


@dataclass(frozen=True, slots=True)
class _Timed:
    """A batch, (B, 3, H, W) float32, the size that it was made for, and its times in seconds."""

    batch: np.ndarray
    batch_size: int
    seconds: list[float]


def measure_latency(
    readers: dict[str, LineReader],
    pictures: Sequence[np.ndarray],
    batch_sizes: Sequence[int],
    rounds: int = 3,
    progress: bool = True,
) -> list[Latency]:
    """Times several networks on the same pictures.

    Args:
        readers: the networks, by the name of their folder or variant.
        pictures: (H, W, 3) uint8 each, blue first.
        batch_sizes: lines a batch.
        rounds: how often every batch is timed.
        progress: show a bar.

    Returns:
        For every network and batch size a row for all widths and one for every range that occurs.

    Raises:
        InputError: there are no pictures, no rounds, or a batch of no lines.
    """
    if rounds < 1:
        raise InputError(f"--rounds {rounds}: give at least 1.")
    if not pictures or min(batch_sizes) < 1:
        raise InputError("Latency needs at least one picture, and batches of at least 1 line.")
    timed = {
        name: [
            _Timed(batch, size, [])
            for size in dict.fromkeys(batch_sizes)
            for batch in like_batches(map(reader.fit, pictures), size)
        ]
        for name, reader in readers.items()
    }
    total = (rounds + 1) * sum(map(len, timed.values()))
    with tqdm(total=total, unit="batch", desc="bench", disable=not progress) as bar:
        for name, reader in readers.items():
            for each in timed[name]:
                reader.engine.run(each.batch)  # warm-up
                bar.update()
        for _ in range(rounds):
            for name, reader in readers.items():
                for each in timed[name]:
                    started = time.perf_counter()
                    reader.engine.run(each.batch)
                    each.seconds.append(time.perf_counter() - started)
                    bar.update()
    return [row for name, batches in timed.items() for row in _rows(name, batches)]


def latency_table(rows: Sequence[Latency]) -> str:
    """The rows as a table."""
    width = max(24, *(len(row.model) for row in rows)) + 1
    head = f"{'':{width}}{'batch':>6}{'width px':>10}{'lines':>8}{'mean ms':>10}{'p50 ms':>10}{'p95 ms':>10}"
    lines = [f"{head}{'lines/s':>10}"]
    for row in rows:
        lines.append(
            f"{row.model:{width}}{row.batch_size:6}{row.width_px:>10}{row.lines:8,}{row.mean_ms:10.2f}{row.p50_ms:10.2f}"
            f"{row.p95_ms:10.2f}{row.lines_per_second:10.1f}"
        )
    return "\n".join(lines)


def _rows(name: str, batches: Sequence[_Timed]) -> Iterator[Latency]:
    for size in dict.fromkeys(each.batch_size for each in batches):
        own = [each for each in batches if each.batch_size == size]
        yield _row(name, size, ALL_WIDTHS, own)
        widths = [each.batch.shape[3] for each in own]
        group = np.searchsorted(CANVAS_GROUPS_PX, widths, side="right") - 1
        for index in np.unique(group):
            yield _row(
                name,
                size,
                range_name(CANVAS_GROUPS_PX, int(index)),
                [own[i] for i in np.flatnonzero(group == index)],
            )


def _row(name: str, size: int, width_px: str, batches: Sequence[_Timed]) -> Latency:
    seconds = np.array([each.seconds for each in batches])  # (batches, rounds)
    lines = sum(len(each.batch) for each in batches)
    p50, p95 = np.percentile(seconds, [50, 95])
    return Latency(
        model=name,
        batch_size=size,
        width_px=width_px,
        lines=lines,
        mean_ms=MILLISECONDS * float(seconds.mean()),
        p50_ms=MILLISECONDS * float(p50),
        p95_ms=MILLISECONDS * float(p95),
        lines_per_second=lines * seconds.shape[1] / float(seconds.sum()),
    )
