"""Is B better than A? Two readings of the same lines, compared line by line.

The interval of the difference is the paired bootstrap of `intervals`: a line keeps both of its results. The p value is
McNemar's (1947, "Note on the sampling error of the difference between correlated proportions", Psychometrika 12), which
looks at the lines that only one of the two reads right.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from scenetext.errors import InputError
from scenetext.evaluate.intervals import Score, mean_with_interval
from scenetext.evaluate.protocols import PROTOCOLS, Protocol, check_pairs

EXACT_PAIRS = 1000  # with more lines that differ, McNemar's chi-squared with continuity correction is as good


@dataclass(frozen=True, slots=True)
class ChangedLine:
    """A line that only one of the two reads right: its label, and both texts."""

    name: str
    target: str
    first: str
    second: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two readings of the same lines.

    Attributes:
        first, second: what they are called.
        protocol: what the comparison of a text with its label forgives; see `protocols`.
        lines: the number of lines.
        first_accuracy, second_accuracy: ratios of right lines.
        difference: the second minus the first accuracy, in [-1, 1].
        ned_difference: the second minus the first mean of 1 - normalised edit distance.
        p_value: of McNemar's test: how likely so uneven a number of won and lost lines is if both are equally good.
        won: lines that only the second reads right, in the order of the labels.
        lost: lines that only the first reads right.
    """

    first: str
    second: str
    protocol: str
    lines: int
    first_accuracy: Score
    second_accuracy: Score
    difference: Score
    ned_difference: Score
    p_value: float
    won: list[ChangedLine] = field(repr=False)
    lost: list[ChangedLine] = field(repr=False)

    @property
    def shows_difference(self) -> bool:
        """Whether the interval of the difference lies on one side of 0."""
        return is_shown(self.difference)

    def __str__(self) -> str:
        return (
            f"{difference_sentence(self.difference, self.first, self.second)} ({self.protocol} accuracy "
            f"{self.first_accuracy.value:.1%} and {self.second_accuracy.value:.1%} of {self.lines:,} lines; "
            f"{len(self.won):,} won, {len(self.lost):,} lost, McNemar p {p_value_text(self.p_value)})"
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; the lines that changed are counted."""
        values = {name: value for name, value in asdict(self).items() if name not in ("won", "lost")}
        return {**values, "won": len(self.won), "lost": len(self.lost), "shows_difference": self.shows_difference}


def is_shown(difference: Score) -> bool:
    """Whether a difference is more than chance may do: its interval does not hold 0."""
    return difference.low > 0 or difference.high < 0


def difference_sentence(difference: Score, first: str = "A", second: str = "B") -> str:
    """Says a difference of two ratios in points; one whose interval holds 0 is called none.

    Args:
        difference: the second minus the first ratio, with its interval.
        first, second: what they are called.

    Returns:
        "B is better than A by 1.2 points, 95 % interval 0.3 to 2.1", or "No difference shown between A and B: B - A is
        0.4 points, 95 % interval -0.5 to 1.3".
    """
    value, low, high = (100 * bound for bound in (difference.value, difference.low, difference.high))
    if not is_shown(difference):
        return (
            f"No difference shown between {first} and {second}: {second} - {first} is {_points(value)} points, "
            f"95 % interval {_points(low)} to {_points(high)}"
        )
    if value < 0:
        value, low, high = -value, -high, -low
    word = "better" if difference.value > 0 else "worse"
    digits = 1 if low >= 0.05 else 2  # so that no bound above 0 is written as 0.0
    return (
        f"{second} is {word} than {first} by {_points(value, digits)} points, 95 % interval {_points(low, digits)} to "
        f"{_points(high, digits)}"
    )


def _points(value: float, digits: int = 1) -> str:
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def compare_texts(
    names: Sequence[str],
    targets: Sequence[str],
    first: Sequence[str],
    second: Sequence[str],
    called: tuple[str, str] = ("A", "B"),
    protocol: Protocol = PROTOCOLS["normalised"],
    seed: int = 0,
) -> Comparison:
    """Compares two readings of the same lines.

    Args:
        names: of the lines.
        targets: their labels.
        first, second: what was read, in the order of the labels.
        called: what the two are called.
        protocol: how a text is compared with its label.
        seed: of the bootstrap.

    Raises:
        InputError: the numbers of lines differ, or there are none.
    """
    check_pairs(first, targets)
    check_pairs(second, targets)
    one, other = (protocol.score(texts, targets, seed=seed) for texts in (first, second))
    difference = other.correct[other.counted].astype(float) - one.correct[one.counted]
    distances = other.similarity[other.counted] - one.similarity[one.counted]
    won, lost = (
        [ChangedLine(names[i], targets[i], first[i], second[i]) for i in np.flatnonzero(changed).tolist()]
        for changed in (other.correct & ~one.correct, one.correct & ~other.correct)
    )
    return Comparison(
        *called,
        protocol.name,
        one.lines,
        one.accuracy,
        other.accuracy,
        mean_with_interval(difference, seed, lowest=-1.0),
        mean_with_interval(distances, seed, lowest=-1.0),
        mcnemar(len(won), len(lost)),
        won,
        lost,
    )


def mcnemar(won: int, lost: int) -> float:
    """McNemar's two-sided p value: exact up to EXACT_PAIRS lines, else by chi-squared with continuity correction.

    Args:
        won, lost: lines that only the second, and only the first reads right.

    Raises:
        InputError: a number is negative.
    """
    if won < 0 or lost < 0:
        raise InputError(f"{won} lines won and {lost} lost: neither can be negative.")
    pairs = won + lost
    if pairs <= EXACT_PAIRS:
        tail = sum(math.comb(pairs, k) for k in range(min(won, lost) + 1))
        return min(1.0, 2 * tail / 2**pairs)
    return math.erfc(max(0.0, abs(won - lost) - 1) / math.sqrt(2 * pairs))


def holm(p_values: Sequence[float]) -> list[float]:
    """P values of several tests made at once, by Holm's step-down procedure; in the order of the tests."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted


def p_value_text(p_value: float) -> str:
    """A p value with two significant digits after "=", or a bound of a tiny one."""
    return f"= {p_value:.2g}" if p_value >= 1e-4 else "< 0.0001"
