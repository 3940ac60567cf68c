"""Intervals hold the truth about as often as they say; a gain inside its interval is called none."""

from __future__ import annotations

import numpy as np
import pytest

from scenetext.evaluate.comparison import difference_sentence, holm, mcnemar
from scenetext.evaluate.intervals import Score, mean_with_interval, ratio_with_interval

SETS = 1000


def covered(draw, truth: float, lowest: float = 0.0) -> float:
    """In how many of SETS simulated data sets the 95 % interval holds the truth."""
    random = np.random.default_rng(5)
    found = [mean_with_interval(draw(random), seed, lowest) for seed in range(SETS)]
    return sum(score.low <= truth <= score.high for score in found) / SETS


@pytest.mark.parametrize(
    ("lines", "right"),
    [
        (1197, 0.8),
        (300, 0.98),  # near 1, where the plain bootstrap holds the truth in 9 of 10 sets
    ],
)
def test_the_interval_of_a_score_holds_the_truth_19_times_of_20(lines: int, right: float) -> None:
    assert 0.93 <= covered(lambda random: random.random(lines) < right, right) <= 0.97


@pytest.mark.parametrize(
    ("lines", "won", "lost"),
    [
        (304, 0.05, 0.05),  # no difference
        (1197, 0.03, 0.01),
    ],
)
def test_the_interval_of_a_paired_difference_holds_the_truth_19_times_of_20(
    lines: int, won: float, lost: float
) -> None:
    def draw(random: np.random.Generator) -> np.ndarray:
        return random.choice([1.0, -1.0, 0.0], lines, p=[won, lost, 1 - won - lost])

    assert 0.93 <= covered(draw, won - lost, lowest=-1.0) <= 0.97


def test_the_interval_of_a_similarity_holds_the_truth_19_times_of_20() -> None:
    def draw(random: np.random.Generator) -> np.ndarray:  # 70 % right lines, the others similar by fifths
        return np.where(random.random(400) < 0.7, 1.0, random.integers(0, 5, 400) / 5)

    assert 0.93 <= covered(draw, 0.7 + 0.3 * 0.4) <= 0.97


def test_all_right_lines_of_few_do_not_make_an_interval_of_no_width() -> None:
    score = mean_with_interval(np.ones(10))
    assert score.value == score.high == 1.0 and 0.75 < score.low < 0.85  # Jeffreys: Beta(10.5, 0.5)


def test_a_ratio_is_that_of_the_sums_and_0_where_there_is_nothing() -> None:
    score = ratio_with_interval([3, 0, 2], [4, 1, 2])
    assert score.value == 5 / 7 and score.low < 5 / 7 < score.high
    assert ratio_with_interval([0, 0], [0, 0]).value == 0.0


def test_an_interval_repeats_with_its_seed() -> None:
    values = np.arange(20) % 3 / 2
    assert mean_with_interval(values, 1) == mean_with_interval(values, 1) != mean_with_interval(values, 2)


@pytest.mark.parametrize(
    ("difference", "told"),
    [
        (Score(0.012, 0.003, 0.021), "B is better than A by 1.2 points, 95 % interval 0.3 to 2.1"),
        (Score(-0.012, -0.021, -0.003), "B is worse than A by 1.2 points, 95 % interval 0.3 to 2.1"),
        (
            Score(0.004, -0.005, 0.013),
            "No difference shown between A and B: B - A is 0.4 points, 95 % interval -0.5 to 1.3",
        ),
        (
            Score(0.0, -0.0002, 0.0),
            "No difference shown between A and B: B - A is 0.0 points, 95 % interval 0.0 to 0.0",
        ),
        (
            Score(0.002, 0.0004, 0.004),
            "B is better than A by 0.20 points, 95 % interval 0.04 to 0.40",
        ),  # no bound is 0.0
    ],
)
def test_a_difference_is_said_in_points_and_one_whose_interval_holds_0_is_called_none(difference, told) -> None:
    assert difference_sentence(difference) == told


@pytest.mark.parametrize(
    ("won", "lost", "p_value"),
    [
        (0, 0, 1.0),
        (5, 0, 2 / 2**5),  # all five on one side: both tails of five coins
        (7, 1, 2 * (1 + 8) / 2**8),
        (4, 4, 1.0),
        (600, 500, 0.00283),  # chi-squared with continuity correction: (99)² / 1100 = 8.91, one degree of freedom
    ],
)
def test_mcnemar_is_exact_for_few_lines_that_differ(won: int, lost: int, p_value: float) -> None:
    assert mcnemar(won, lost) == mcnemar(lost, won) == pytest.approx(p_value, rel=1e-2)


def test_both_forms_of_mcnemar_agree_where_they_meet() -> None:
    assert mcnemar(530, 470) == pytest.approx(mcnemar(531, 470), abs=0.01)


def test_several_p_values_are_raised_by_holm() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
