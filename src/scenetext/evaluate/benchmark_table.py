"""The scores of a benchmark as a CSV file and as a table for people."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from scenetext.evaluate.protocols import OPENOCR_COLUMNS
from scenetext.evaluate.suite_scores import MOST_RATIO, SetScores, averages
from scenetext.evaluate.suites import Suite

RATIO_NAMES = [*map(str, range(1, MOST_RATIO)), f"{MOST_RATIO}+"]
COLUMNS = (
    *("suite", "set", "protocol", "lines", "left_out", "acc", "acc_low", "acc_high", "norm_edit_dis"),
    *OPENOCR_COLUMNS,
    *(f"ratio_{name}_{what}" for name in RATIO_NAMES for what in ("lines", "acc")),
)


@dataclass(frozen=True, slots=True)
class ScoredSet:
    """One test set with its scores by a protocol."""

    name: str
    suite: Suite
    protocol: str
    scores: SetScores


def rows(scored: Sequence[ScoredSet]) -> Iterator[ScoredSet]:
    """The sets and behind those of each suite their averages, as rows of the CSV and of the table."""
    for suite in dict.fromkeys(each.suite for each in scored):
        own = [each for each in scored if each.suite == suite]
        yield from own
        for name, scores in averages([each.scores for each in own]).items():
            yield ScoredSet(name, suite, own[0].protocol, scores)


def csv_text(scored: Sequence[ScoredSet]) -> str:
    """The CSV: one row a set or average; ratios of lines in percent, what is not known empty."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows(scored):
        scores = row.scores
        numbers = [
            scores.acc,
            scores.low,
            scores.high,
            scores.norm_edit_dis,
            *(scores.others[rule] for rule in OPENOCR_COLUMNS),
        ]
        ratios = [
            cell
            for lines, acc in zip(scores.ratio_lines, scores.ratio_acc, strict=True)
            for cell in (int(lines), _number(acc))
        ]
        writer.writerow(
            [row.suite.name, row.name, row.protocol, scores.lines, scores.left_out, *map(_number, numbers), *ratios]
        )
    return text.getvalue()


def table(scored: Sequence[ScoredSet]) -> str:
    """The table: for each suite its sets, their averages, and the accuracy by proportions."""
    lines: list[str] = []
    for suite in dict.fromkeys(each.suite for each in scored):
        own = [row for row in rows(scored) if row.suite == suite]
        lines += _suite_lines(suite, own[:1] if len(own) == 3 else own, len(own) - 2)  # one set is its own average
    return "\n".join(lines)


def _suite_lines(suite: Suite, own: Sequence[ScoredSet], sets: int) -> list[str]:
    """The part of one suite of which `sets` sets were read; the last row holds all of its lines."""
    missing = f", {sets} of its {len(suite.sets)} sets" if sets < len(suite.sets) else ""
    width = max(24, *(len(row.name) for row in own))
    lines = [
        f"{suite.name}{missing}, protocol {own[0].protocol}",
        f"{'':{width}}{'lines':>9}{'left out':>10}{'acc %':>8}{'95 % interval':>17}{'norm_edit_dis':>15}"
        f"{'acc_real %':>12}",
    ]
    for row in own:
        scores = row.scores
        interval = "" if scores.low is None else f"{scores.low:.2f} to {scores.high:.2f}"
        lines.append(
            f"{row.name:{width}}{scores.lines:9,}{scores.left_out:10,}{scores.acc:8.2f}{interval:>17}{scores.norm_edit_dis:15.4f}"
            f"{scores.others['acc_real']:12.2f}"
        )
    pooled = own[-1].scores
    used = [index for index in range(MOST_RATIO) if pooled.ratio_lines[index]]
    lines.append(f"{'width / height':{width}}{''.join(f'{RATIO_NAMES[index]:>8}' for index in used)}")
    lines.append(f"{'  lines':{width}}{''.join(f'{pooled.ratio_lines[index]:8,}' for index in used)}")
    lines.append(f"{'  acc %':{width}}{''.join(f'{pooled.ratio_acc[index]:8.2f}' for index in used)}")
    return [*lines, ""]


def _number(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.4f}"
