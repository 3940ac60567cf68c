"""Scores of recognition: line accuracy, raw and normalised, and 1 - normalised edit distance, with their intervals.

Every line counts once against its original label; nothing is filtered. `intervals` says how the intervals are made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from rapidfuzz.distance import LCSseq, Levenshtein

from scenetext.evaluate.intervals import Score, mean_with_interval, ratio_with_interval
from scenetext.evaluate.protocols import check_pairs
from scenetext.text.normalise import normalise_for_score


@dataclass(frozen=True, slots=True)
class Scores:
    """The scores of one set of predictions.

    Attributes:
        lines: number of lines.
        empty: predictions without any character.
        raw: ratio of lines that equal their label exactly.
        normalised: the same after normalisation of both sides; by default NFKC, without white space, in lower case.
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


@dataclass(frozen=True, slots=True)
class CharacterScores:
    """How many of the characters are right, over all lines, on the raw texts.

    The characters of a line that are right are the most that both texts have in the same order (their longest common
    subsequence).

    Attributes:
        precision: right ones over all that were read.
        recall: right ones over all of the labels.
    """

    precision: Score
    recall: Score


def score(
    predictions: Sequence[str],
    targets: Sequence[str],
    seed: int = 0,
    normalise: Callable[[str], str] = normalise_for_score,
) -> Scores:
    """Scores predictions against their labels, line by line.

    Args:
        predictions: texts read.
        targets: original labels, in the same order.
        seed: of the bootstrap.
        normalise: what the normalised accuracy compares of a text.

    Raises:
        InputError: the numbers of lines differ, or are 0.
    """
    check_pairs(predictions, targets)
    return summarised(predictions, line_scores(predictions, targets, normalise), seed)


def summarised(predictions: Sequence[str], table: np.ndarray, seed: int = 0) -> Scores:
    """The scores of lines whose `line_scores` are known."""
    raw, normalised, ned = (mean_with_interval(column, seed) for column in table.T)
    return Scores(len(table), sum(not text for text in predictions), raw, normalised, ned)


def line_scores(
    predictions: Sequence[str], targets: Sequence[str], normalise: Callable[[str], str] = normalise_for_score
) -> np.ndarray:
    """Per line: equal, equal after normalisation, 1 - normalised edit distance. (N, 3) float64."""
    table = np.ones((len(targets), 3))
    for row, (read, label) in enumerate(zip(predictions, targets, strict=True)):
        if read != label:
            is_equal = normalise(read) == normalise(label)
            table[row] = 0.0, is_equal, 1.0 - Levenshtein.normalized_distance(read, label)
    return table


def character_scores(predictions: Sequence[str], targets: Sequence[str], seed: int = 0) -> CharacterScores:
    """Precision and recall of characters; see CharacterScores.

    Raises:
        InputError: the numbers of lines differ, or are 0.
    """
    check_pairs(predictions, targets)
    counts = np.array(
        [
            (len(label) if read == label else LCSseq.similarity(read, label), len(read), len(label))
            for read, label in zip(predictions, targets, strict=True)
        ],
        np.float64,
    )
    right, read, labelled = counts.T
    return CharacterScores(ratio_with_interval(right, read, seed), ratio_with_interval(right, labelled, seed))
