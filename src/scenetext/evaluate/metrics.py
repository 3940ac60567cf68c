"""Scores of recognition: line accuracy, raw and normalised, and 1 - normalised edit distance, with their intervals.

Every line counts once against its original label; nothing is filtered. The interval is the percentile bootstrap over
lines (Efron and Tibshirani 1993, chapter 13).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from rapidfuzz.distance import Levenshtein

from scenetext.errors import InputError
from scenetext.text.normalise import normalise_for_score

BOOTSTRAP_SAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Score:
    """A mean over lines in [0, 1] and its 95 % bootstrap interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


@dataclass(frozen=True, slots=True)
class Scores:
    """The scores of one set of predictions.

    Attributes:
        lines: number of lines.
        empty: predictions without any character.
        raw: ratio of lines that equal their label exactly.
        normalised: the same after NFKC, without white space, in lower case, on both sides.
        one_minus_ned: mean of 1 - Levenshtein distance / longer length, on the raw texts.
    """

    lines: int
    empty: int
    raw: Score
    normalised: Score
    one_minus_ned: Score

    def as_dict(self) -> dict:
        """Nested plain values for JSON."""
        return asdict(self)


def score(predictions: Sequence[str], targets: Sequence[str], seed: int = 0) -> Scores:
    """Scores predictions against their labels, line by line.

    Args:
        predictions: texts read.
        targets: original labels, in the same order.
        seed: of the bootstrap.

    Raises:
        InputError: the numbers of lines differ, or are 0.
    """
    if len(predictions) != len(targets) or not targets:
        raise InputError(f"{len(predictions)} predictions for {len(targets)} labels: both must be equal and not 0.")
    table = line_scores(predictions, targets)
    draws = np.random.default_rng(seed).integers(0, len(targets), (BOOTSTRAP_SAMPLES, len(targets)))
    raw, normalised, ned = (_with_interval(column, draws) for column in table.T)
    return Scores(len(targets), sum(not text for text in predictions), raw, normalised, ned)


def line_scores(predictions: Sequence[str], targets: Sequence[str]) -> np.ndarray:
    """Per line: equal, equal after normalisation, 1 - normalised edit distance. (N, 3) float64."""
    rows = [
        (
            float(p == t),
            float(normalise_for_score(p) == normalise_for_score(t)),
            1.0 - Levenshtein.normalized_distance(p, t),
        )
        for p, t in zip(predictions, targets, strict=True)
    ]
    return np.array(rows, dtype=np.float64).reshape(-1, 3)


def _with_interval(column: np.ndarray, draws: np.ndarray) -> Score:
    low, high = np.percentile(column[draws].mean(axis=1), [2.5, 97.5])
    return Score(float(column.mean()), float(low), float(high))
