"""Errors of a recogniser: scores by label length and by picture width, and confused characters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rapidfuzz.distance import Levenshtein

from scenetext.evaluate.metrics import score
from scenetext.text.normalise import normalise_for_score

LENGTH_GROUPS = (1, 2, 3, 5, 9, 17, 33)  # characters: each group begins here and ends before the next
WIDTH_GROUPS_PX = (0, 64, 128, 192, 256, 320, 480, 640)


@dataclass(frozen=True, slots=True)
class Group:
    """The score of the lines of one range.

    Attributes:
        group: the range as text, "3-4" or "640+".
        lines: how many lines it holds.
        raw: ratio of lines that equal their label exactly.
        normalised: the same after `normalise_for_score` on both sides.
        low, high: 95 % bootstrap interval of `normalised`.
    """

    group: str
    lines: int
    raw: float
    normalised: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Confusion:
    """One kind of wrong character.

    Attributes:
        expected: the character of the label, "" for a character that was read and is not in the label.
        read: the character that was read, "" for one that was missed.
        count: how often.
        forgiven: the normalised score does not count it (case, width, white space).
    """

    expected: str
    read: str
    count: int
    forgiven: bool


def group_scores(
    predictions: Sequence[str], targets: Sequence[str], values: Sequence[int], starts: Sequence[int], seed: int = 0
) -> list[Group]:
    """Scores lines by ranges of a quantity; ranges without a line are left out.

    Args:
        predictions, targets: texts read and original labels.
        values: the quantity of each line, a whole number from `starts[0]` on.
        starts: the first value of each range, rising; a range ends before the next one, the last has no end.
        seed: of the bootstrap.
    """
    member = np.searchsorted(starts, values, side="right") - 1
    groups = []
    for index in np.unique(member):
        rows = np.flatnonzero(member == index)
        scores = score([predictions[i] for i in rows], [targets[i] for i in rows], seed)
        normalised = scores.normalised
        groups.append(
            Group(
                range_name(starts, index),
                len(rows),
                scores.raw.value,
                normalised.value,
                normalised.low,
                normalised.high,
            )
        )
    return groups


def range_name(starts: Sequence[int], index: int) -> str:
    """The name of a range in tables: "2", "3-4", or "33+" for the last."""
    if index + 1 == len(starts):
        return f"{starts[index]}+"
    last = starts[index + 1] - 1
    return str(last) if last == starts[index] else f"{starts[index]}-{last}"


def confusions(predictions: Sequence[str], targets: Sequence[str]) -> list[Confusion]:
    """Counts the single-character edits that turn labels into what was read, the most frequent first.

    Each pair is aligned with the fewest insertions, deletions and replacements (Levenshtein 1966); of several shortest
    alignments one is counted.
    """
    counts: Counter[tuple[str, str]] = Counter()
    for prediction, target in zip(predictions, targets, strict=True):
        for edit in Levenshtein.editops(target, prediction):
            expected = "" if edit.tag == "insert" else target[edit.src_pos]
            read = "" if edit.tag == "delete" else prediction[edit.dest_pos]
            counts[expected, read] += 1
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [
        Confusion(expected, read, count, normalise_for_score(expected) == normalise_for_score(read))
        for (expected, read), count in ordered
    ]
