"""Does a confidence say how often a line is right?

Guo et al. 2017, "On Calibration of Modern Neural Networks" (arXiv 1706.04599): the reliability curve and the expected
calibration error. The threshold for a wanted precision is the practical side of it: from which confidence on are enough
lines right to need no second look?
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scenetext.evaluate.choices import PRECISIONS
from scenetext.evaluate.intervals import Score, mean_with_interval

BINS = 10  # of equal width in [0, 1]


@dataclass(frozen=True, slots=True)
class Bin:
    """The lines of one range of confidence: [low, high), the last one with its end.

    Attributes:
        low, high: the range.
        lines: how many lines it holds.
        confidence: their mean confidence.
        accuracy: ratio of lines that are right.
    """

    low: float
    high: float
    lines: int
    confidence: float
    accuracy: Score


@dataclass(frozen=True, slots=True)
class Threshold:
    """From which confidence on a wanted precision is reached.

    Attributes:
        wanted: the precision.
        confidence: the lowest threshold that reaches it on these lines; None if none does.
        lines: lines of at least this confidence.
        coverage: their ratio of all lines.
        precision: ratio of them that are right.
    """

    wanted: float
    confidence: float | None
    lines: int
    coverage: float
    precision: Score | None


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a confidence is worth.

    Attributes:
        confidence: mean over all lines.
        accuracy: ratio of lines that are right; equal to `confidence` on average for a calibrated reader.
        error: expected calibration error: the mean over lines of |accuracy - confidence| of their bin.
        bins: the reliability curve; bins without a line are left out.
        thresholds: for each wanted precision.
    """

    confidence: float
    accuracy: float
    error: float
    bins: list[Bin]
    thresholds: list[Threshold]


def calibration(
    confidences: Sequence[float], correct: Sequence[bool], wanted: Sequence[float] = PRECISIONS, seed: int = 0
) -> Calibration:
    """Compares confidences with what was right.

    Args:
        confidences: (N,) in [0, 1], N at least 1.
        correct: (N,) whether each line is right.
        wanted: precisions to find thresholds for, in (0, 1].
        seed: of the bootstrap.
    """
    sure, right = np.asarray(confidences, np.float64), np.asarray(correct, bool)
    index = np.minimum((sure * BINS).astype(int), BINS - 1)
    bins = []
    for at in np.unique(index).tolist():
        inside = index == at
        accuracy = mean_with_interval(right[inside], seed)
        bins.append(Bin(at / BINS, (at + 1) / BINS, int(inside.sum()), float(sure[inside].mean()), accuracy))
    error = sum(each.lines * abs(each.accuracy.value - each.confidence) for each in bins) / len(sure)
    return Calibration(
        float(sure.mean()), float(right.mean()), float(error), bins, [threshold(sure, right, p, seed) for p in wanted]
    )


def threshold(confidences: np.ndarray, correct: np.ndarray, wanted: float, seed: int = 0) -> Threshold:
    """The lowest confidence from which on the lines are right often enough.

    Args:
        confidences: (N,) float64, N at least 1.
        correct: (N,) bool.
        wanted: the precision, in (0, 1].
        seed: of the bootstrap.
    """
    order = np.argsort(-confidences, kind="stable")
    sure, right = confidences[order], correct[order]
    precision = np.cumsum(right) / np.arange(1, len(right) + 1)
    is_last_of_equals = np.append(sure[1:] != sure[:-1], True)  # lines of one confidence are taken or left together
    reached = np.flatnonzero((precision >= wanted) & is_last_of_equals)
    if not len(reached):
        return Threshold(wanted, None, 0, 0.0, None)
    lines = int(reached[-1]) + 1
    return Threshold(wanted, float(sure[lines - 1]), lines, lines / len(sure), mean_with_interval(right[:lines], seed))
