"""From which confidence on are lines right: what some lines reach, and what they show, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from scenetext.evaluate.calibration import Calibration, calibration, threshold_sentence
from scenetext.evaluate.results import ReadLines, score_lines
from scenetext.evaluate.table import table_of


def ordered(right: str, wanted: float) -> Calibration:
    """Lines from the surest on: 1 is right, 0 is wrong; their confidences are 0.999, 0.998, and so on."""
    confidences = [(999 - at) / 1000 for at in range(len(right))]
    return calibration(confidences, [sign == "1" for sign in right], (wanted,))


@pytest.mark.parametrize(
    ("right", "wanted", "shown"),
    [
        ("1" * 36, 0.9, 36),  # 0.9 ** 36 = 0.0225 is below 0.025
        ("1" * 35, 0.9, None),  # 0.9 ** 35 = 0.02503
        ("1", 0.9, None),  # a single line says nothing
        ("1" * 367, 0.99, None),
        ("1" * 368, 0.99, 368),  # 0.99 ** 368 = 0.0248
        ("0" + "1" * 53, 0.9, 54),  # 0.9 ** 54 + 54 * 0.1 * 0.9 ** 53 = 0.0034 + 0.0203 = 0.0237
        ("0" + "1" * 52, 0.9, None),  # 0.9 ** 53 + 53 * 0.1 * 0.9 ** 52 = 0.0038 + 0.0221 = 0.0259
        ("1" * 36 + "0" * 9, 0.9, 36),  # with one error 54 lines are needed
        ("1" * 54 + "0" + "0" * 9, 0.9, 55),  # 0.9 ** 55 + 55 * 0.1 * 0.9 ** 54 = 0.0030 + 0.0186
        ("0" * 50, 0.9, None),
        ("1" * 500, 1.0, None),  # no number of lines shows that none will ever be wrong
        ("1" * 4 + "0", 0.3, 4),  # of 4: 0.3 ** 4 = 0.0081; of 5: 0.3 ** 5 + 5 * 0.7 * 0.3 ** 4 = 0.0308
    ],
)
def test_a_threshold_is_shown_by_enough_lines(right: str, wanted: float, shown: int | None) -> None:
    (found,) = ordered(right, wanted).thresholds
    assert (found.shown and found.shown.lines) == shown
    if shown:
        assert found.shown.confidence == pytest.approx((1000 - shown) / 1000)
        assert found.shown.precision.low >= wanted and found.shown.coverage == shown / len(right)
        assert found.confidence <= found.shown.confidence  # what is shown is reached


def test_lines_of_one_confidence_show_together_or_not() -> None:
    (found,) = calibration([0.9] * 36 + [0.8], [True] * 37, (0.9,)).thresholds
    assert found.shown.lines == 37
    (found,) = calibration([0.9] * 45, [True] * 36 + [False] * 9, (0.9,)).thresholds
    assert found.shown is None  # the 36 right ones cannot be had alone


def test_what_lines_show_holds_for_other_lines_and_what_they_reach_does_not() -> None:
    random = np.random.default_rng(0)
    missed = {"shown": 0, "reached": 0}
    for _ in range(300):
        confidences = np.sort(1 - random.beta(0.4, 2.2, 300))[::-1]
        truth = np.cumsum(confidences) / np.arange(1, 301)  # a calibrated reader's precision from each line on
        (found,) = calibration(confidences, random.random(300) < confidences, (0.9,)).thresholds
        missed["shown"] += bool(found.shown) and truth[found.shown.lines - 1] < 0.9
        missed["reached"] += found.confidence is not None and truth[found.lines - 1] < 0.9
    assert missed["shown"] <= 0.04 * 300, missed
    assert missed["reached"] >= 0.3 * 300, missed


@pytest.mark.parametrize(
    ("right", "wanted", "told"),
    [
        ("1" * 40, 0.9, "90 % is shown from confidence 0.9600 on: 100.0% of 40 lines are right, 95 % interval 94."),
        ("1", 0.9, "90 % is reached from confidence 0.9990 on by 1 line, too few to show it: 36 without an error "),
        ("1" * 9, 0.95, "on by 9 lines, too few to show it: 72 without an error would, or more with some"),
        (
            "1" * 9,
            1.0,
            "100 % is reached from confidence 0.9910 on by 9 lines, too few to show it: no number of lines ",
        ),
        ("000", 0.99, "99 % is not reached on these lines"),
    ],
)
def test_a_sentence_says_on_how_many_lines_a_threshold_rests(right: str, wanted: float, told: str) -> None:
    (found,) = ordered(right, wanted).thresholds
    assert told in threshold_sentence(found)


def test_the_table_of_score_holds_the_sentences() -> None:
    read = ReadLines(["0.png", "1.png"], ["A", "B"], ["A", "B"], [0.9, 0.8])
    text = table_of(score_lines(read, precisions=(0.9,)))
    assert "90 % is reached from confidence 0.8000 on by 2 lines, too few to show it" in text
