"""From texts to scores."""

from __future__ import annotations

import pytest

from scenetext.errors import InputError
from scenetext.evaluate.metrics import score


def test_scores_count_every_line_against_its_original_label():
    predictions = ["abc", "ＡＢ", "a b", "", "xyz", "中国"]
    targets = ["abc", "ab", "ab", "q", "xyzw", "中国"]
    scores = score(predictions, targets)
    assert (scores.lines, scores.empty) == (6, 1)
    assert scores.raw.value == pytest.approx(2 / 6)
    assert scores.normalised.value == pytest.approx(4 / 6)  # width, case and space do not count here
    assert scores.one_minus_ned.value == pytest.approx((1 + 0 + 2 / 3 + 0 + 3 / 4 + 1) / 6)
    assert scores.raw.low <= scores.raw.value <= scores.raw.high


def test_an_all_correct_set_scores_exactly_one_and_an_all_wrong_one_exactly_zero():
    assert score(["a"] * 7, ["a"] * 7).raw.value == 1.0
    assert score([""] * 7, ["a"] * 7).normalised.value == 0.0


def test_the_interval_narrows_with_more_lines_and_repeats_with_the_seed():
    few, many = (score(["a", "b"] * n, ["a", "a"] * n).raw for n in (20, 500))
    assert many.high - many.low < few.high - few.low
    assert score(["a", "b"] * 20, ["a", "a"] * 20).raw == few


@pytest.mark.parametrize("predictions, targets", [([], []), (["a"], [])])
def test_unequal_or_no_lines_are_refused(predictions, targets):
    with pytest.raises(InputError):
        score(predictions, targets)
