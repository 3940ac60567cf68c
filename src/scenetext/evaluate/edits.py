"""What turns a label into the text that was read, character by character."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from rapidfuzz.distance import Levenshtein

EQUAL, REPLACE, DELETE, INSERT = "equal", "replace", "delete", "insert"


@dataclass(frozen=True, slots=True)
class Edit:
    """One character of an alignment of a label with a prediction.

    Attributes:
        kind: EQUAL, REPLACE, DELETE (a character of the label was missed) or INSERT (one was read that is not there).
        expected: the character of the label, "" for an insertion.
        read: the character that was read, "" for a deletion.
    """

    kind: str
    expected: str
    read: str


def edit_script(target: str, prediction: str) -> list[Edit]:
    """Aligns a label with what was read by the fewest insertions, deletions and replacements (Levenshtein 1966).

    Of several shortest alignments one is taken, always the same.

    Args:
        target: the label.
        prediction: the text that was read.

    Returns:
        One entry per character, in the order of both texts.
    """
    script = []
    for block in Levenshtein.opcodes(target, prediction):
        expected, read = target[block.src_start : block.src_end], prediction[block.dest_start : block.dest_end]
        script += [Edit(block.tag, a, b) for a, b in zip_longest(expected, read, fillvalue="")]
    return script


def lines_with_pairs(
    targets: Sequence[str], predictions: Sequence[str], pairs: Iterable[tuple[str, str]], most: int
) -> dict[tuple[str, str], list[int]]:
    """Finds lines in which given characters were confused.

    Args:
        targets, predictions: labels and texts read.
        pairs: (expected, read) as in `breakdown.Confusion`.
        most: indices of each pair.

    Returns:
        The indices of the first `most` lines of each pair, in the order of the pairs.
    """
    found: dict[tuple[str, str], list[int]] = {pair: [] for pair in pairs}
    for index, (target, prediction) in enumerate(zip(targets, predictions, strict=True)):
        if target == prediction:
            continue
        for pair in dict.fromkeys((edit.expected, edit.read) for edit in edit_script(target, prediction)):
            if pair in found and len(found[pair]) < most:
                found[pair].append(index)
    return found
