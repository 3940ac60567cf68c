"""Errors of a recogniser: scores by label length, picture width, rare characters and source; confused characters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from scenetext.evaluate.edits import EQUAL, edit_script
from scenetext.evaluate.intervals import mean_with_interval
from scenetext.evaluate.metrics import line_scores
from scenetext.text.normalise import normalise_for_score

LENGTH_GROUPS = (1, 2, 3, 5, 9, 17, 33)  # characters: each group begins here and ends before the next
WIDTH_GROUPS_PX = (0, 64, 128, 192, 256, 320, 480, 640)
RARITY_GROUPS = (0, 1, 2, 5, 10, 20, 50, 100, 1000)  # labels that hold the rarest character of a line


@dataclass(frozen=True, slots=True)
class Group:
    """The score of the lines of one group.

    Attributes:
        group: its name: a range such as "3-4" or "640+", or a source.
        lines: how many lines it holds.
        raw: ratio of lines that equal their label exactly.
        normalised: the same after `normalise_for_score` on both sides.
        low, high: 95 % bootstrap interval of `normalised` (see `intervals`).
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
    return ranges(line_scores(predictions, targets), values, starts, seed)


def ranges(table: np.ndarray, values: Sequence[int], starts: Sequence[int], seed: int = 0) -> list[Group]:
    """The same from each line's scores.

    Args:
        table: (N, 2 or more), as `line_scores` gives them.
        values, starts, seed: see `group_scores`.
    """
    member = np.searchsorted(starts, values, side="right") - 1
    return [_group(range_name(starts, index), table[member == index], seed) for index in np.unique(member)]


def sources(table: np.ndarray, names: Sequence[str], seed: int = 0) -> list[Group]:
    """Scores by the folder in which each line's picture lies, the largest group first; "." for none.

    Args:
        table: (N, 2 or more), as `line_scores` gives them.
        names: of the pictures.
        seed: of the bootstrap.
    """
    folders = np.array([name.rpartition("/")[0] or "." for name in names], object)
    counts = Counter(folders.tolist())
    return [_group(folder, table[folders == folder], seed) for folder, _ in counts.most_common()]


def _group(name: str, table: np.ndarray, seed: int) -> Group:
    normalised = mean_with_interval(table[:, 1], seed)
    return Group(name, len(table), float(table[:, 0].mean()), normalised.value, normalised.low, normalised.high)


def rarity(targets: Sequence[str], reference: Iterable[str]) -> np.ndarray:
    """How many of the reference labels hold the rarest character of each label: (N,) int64.

    Args:
        targets: the labels that are scored; an empty one has 0.
        reference: the labels that are counted: of the training set, or the same labels.
    """
    counts = Counter(character for text in reference for character in set(text))
    return np.array([min((counts[character] for character in text), default=0) for text in targets], np.int64)


def range_name(starts: Sequence[int], index: int) -> str:
    """The name of a range in tables: "2", "3-4", or "33+" for the last."""
    if index + 1 == len(starts):
        return f"{starts[index]}+"
    last = starts[index + 1] - 1
    return str(last) if last == starts[index] else f"{starts[index]}-{last}"


def confusions(
    predictions: Sequence[str], targets: Sequence[str], normalise: Callable[[str], str] = normalise_for_score
) -> list[Confusion]:
    """Counts the single-character edits that turn labels into what was read, the most frequent first.

    Of several shortest alignments of a line one is counted; see `edit_script`.
    """
    counts: Counter[tuple[str, str]] = Counter()
    for prediction, target in zip(predictions, targets, strict=True):
        if prediction != target:
            counts.update((edit.expected, edit.read) for edit in edit_script(target, prediction) if edit.kind != EQUAL)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [
        Confusion(expected, read, count, normalise(expected) == normalise(read)) for (expected, read), count in ordered
    ]
