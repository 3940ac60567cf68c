"""Scores of recognition: line accuracy, raw and normalised, and 1 - normalised edit distance, with their intervals.

Every line counts once against its original label; nothing is filtered. `intervals` says how the intervals are made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from rapidfuzz.distance import Levenshtein

from scenetext.evaluate.intervals import Score, mean_with_interval
from scenetext.evaluate.protocols import check_pairs
from scenetext.text.normalise import normalise_for_score


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
    check_pairs(predictions, targets)
    table = line_scores(predictions, targets)
    raw, normalised, ned = (mean_with_interval(column, seed) for column in table.T)
    return Scores(len(targets), sum(not text for text in predictions), raw, normalised, ned)


def line_scores(predictions: Sequence[str], targets: Sequence[str]) -> np.ndarray:
    """Per line: equal, equal after normalisation, 1 - normalised edit distance. (N, 3) float64."""
    table = np.ones((len(targets), 3))
    for row, (read, label) in enumerate(zip(predictions, targets, strict=True)):
        if read != label:
            normalised = normalise_for_score(read) == normalise_for_score(label)
            table[row] = 0.0, normalised, 1.0 - Levenshtein.normalized_distance(read, label)
    return table
