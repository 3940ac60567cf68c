"""Scores of a cross-validation, and the share of the way from pretrained to trained weights that it recommends.

The share at which a fold's lines count is the one that reads the lines of all other folds best. So neither the weights
nor the share have seen the lines that they are scored on. The share for a training on all lines is the one that reads
all lines best; its own score here would be a little too high.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scenetext.evaluate.comparison import Comparison, compare_texts
from scenetext.evaluate.evaluation_folder import write_evaluation
from scenetext.evaluate.metrics import line_scores
from scenetext.evaluate.readings import EVALUATE
from scenetext.evaluate.results import Evaluation, ReadLines, score_lines
from scenetext.evaluate.table import aligned
from scenetext.system.files import write_json
from scenetext.text.charset import Charset
from scenetext.text.records import Record

REPORT, OF_PRETRAINED = "report.json", "pretrained"


@dataclass(frozen=True, slots=True)
class FoldReading:
    """What the network of one fold reads on the fold's lines.

    Attributes:
        lines: (n,) the numbers of these lines among all lines.
        texts: n pairs of text and confidence for each share of the way to the trained weights.
        sizes_px: n pairs of width and height of the pictures.
    """

    lines: np.ndarray
    texts: dict[float, list[tuple[str, float]]]
    sizes_px: list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class FoldScores:
    """What a cross-validation found.

    Attributes:
        evaluation: of all lines, each read by the network that has not seen it, at the share that the others chose.
        pretrained: of the same lines read by the pretrained network; None without one.
        comparison: of the two; None without a pretrained network.
        accuracies: the normalised accuracy of all lines at each share.
        shares: the share that each fold's lines were read at.
        share: the one that reads all lines best, for a training on all lines.
    """

    evaluation: Evaluation
    pretrained: Evaluation | None
    comparison: Comparison | None
    accuracies: dict[float, float]
    shares: list[float]
    share: float

    def __str__(self) -> str:
        told = [f"{len(self.shares)} folds, each read by a network that has not seen it: {self.evaluation}"]
        if self.comparison is None:
            return told[0]
        rows = [("share of the way to the trained weights", "normalised", "")]
        rows += [(f"{share:g}", f"{accuracy:.4f}", "") for share, accuracy in self.accuracies.items()]
        listed = ", ".join(f"{share:g}" for share in self.shares)
        told += [
            f"pretrained: {self.pretrained}",
            aligned(rows),
            f"The lines of each fold count at the share that reads the other folds best: {listed}.",
            f"{self.comparison}.",
            f"For a training on all lines: Global.weight_interpolation={self.share:g}."
            if self.share
            else "No share reads these lines better than the pretrained weights: keep those.",
        ]
        return "\n".join(told)


def score_folds(
    records: Sequence[Record], readings: Sequence[FoldReading], pretrained: Sequence[str] | None, charset: Charset
) -> FoldScores:
    """Chooses the shares and scores what was read.

    Args:
        records: all lines.
        readings: of every fold, with the same shares.
        pretrained: what the pretrained network reads on all lines; None without one.
        charset: the network's characters.
    """
    right = [_right_lines(records, reading) for reading in readings]
    shares = [_best(sum(own for i, own in enumerate(right) if i != fold)) for fold in range(len(right))]
    grid = list(readings[0].texts)
    read: list[tuple[str, float]] = [("", 0.0)] * len(records)
    sizes: list[tuple[int, int]] = [(0, 0)] * len(records)
    for reading, at in zip(readings, shares, strict=True):
        for line, text, size in zip(reading.lines, reading.texts[grid[at]], reading.sizes_px, strict=True):
            read[line], sizes[line] = text, size
    names, targets = [record.name for record in records], [record.text for record in records]
    texts = [text for text, _ in read]
    confidences, (widths, heights) = [confidence for _, confidence in read], zip(*sizes, strict=True)
    evaluation = score_lines(ReadLines(names, targets, texts, confidences, widths, heights), charset)
    before = comparison = None
    if pretrained is not None:
        before = score_lines(ReadLines(names, targets, pretrained, None, widths, heights))
        comparison = compare_texts(names, targets, pretrained, texts, ("pretrained", "trained"))
    total = sum(right)
    accuracies = {share: int(count) / len(records) for share, count in zip(grid, total, strict=True)}
    return FoldScores(evaluation, before, comparison, accuracies, [grid[at] for at in shares], grid[_best(total)])


def _right_lines(records: Sequence[Record], reading: FoldReading) -> np.ndarray:
    """(shares,) the number of a fold's lines that are right, normalised, at each share."""
    targets = [records[line].text for line in reading.lines]
    tables = (line_scores([text for text, _ in texts], targets) for texts in reading.texts.values())
    return np.array([int((table[:, 1] > 0).sum()) for table in tables])


def _best(right: np.ndarray) -> int:
    """The number of the best share, the smallest of equally good ones."""
    return int(np.argmax(right))


def write_fold_scores(scores: FoldScores, folder: Path) -> None:
    """Writes `folder/evaluate` and `folder/pretrained`, evaluations that `compare` takes, and `folder/report.json`.

    Raises:
        RunError: the disk is full or broken.
    """
    write_evaluation(scores.evaluation, folder / EVALUATE)
    if scores.pretrained is not None:
        write_evaluation(scores.pretrained, folder / OF_PRETRAINED)
    report = {
        "normalised": scores.evaluation.scores.normalised.value,
        "by_share": {f"{share:g}": accuracy for share, accuracy in scores.accuracies.items()},
        "shares_of_folds": scores.shares,
        "share": scores.share,
        "comparison": None if scores.comparison is None else scores.comparison.as_dict(),
    }
    write_json(folder / REPORT, report)
