"""Exercises: the right answer is taken, a wrong one gets the hint of its mistake, and none stops a run."""

from __future__ import annotations

import numpy as np
import pytest

from scenetext.evaluate.comparison import compare_texts
from scenetext.evaluate.results import Line
from scenetext.lessons import compare, config, data, evaluate, export, submit, train
from scenetext.lessons.exercise import RIGHT, UNANSWERED, WRONG, Mistake, check_number, check_text
from scenetext.text import Charset

TEXTS = ["好好", "好店", "旧店"]
OWN = Charset.from_labels(["好店"])
BUCKET = train.Bucket(np.arange(2), 104, np.array([90, 100]))
CHANNEL = np.array([0.7, -0.34, 0.1, 0.05], np.float32)  # 4 bits: 15 levels, 0.1 apart
COMPARED = compare_texts(list("abcde"), list("12345"), list("1x3xx"), list("12x4x"), ("A", "B"))  # 2 won, 1 lost
PATH = ("", "好", "好", "", "好", "", "店")
NAMES = ["1.jpg", "10.jpg", "2.jpg", "9.jpg"]

# the check with its data, the right answer, and wrong ones with a word of their hints
EXERCISES = {
    "width": (lambda a: data.check_width(a, (200, 40)), 240, {200: "before scaling", 9.6: "swapped", 166.67: "divide"}),
    "labels with a character": (
        lambda a: data.check_labels_with(a, TEXTS, {"好": 4, "店": 3, "旧": 1}),
        2,
        {4: "all occurrences", 3: "occurrences"},
    ),
    "ceiling": (
        lambda a: data.check_ceiling(a, TEXTS, OWN),
        200 / 3,
        {100 / 3: "cannot read", 250 / 3: "counts characters", 2: "number of lines", 2 / 3: "ratio"},
    ),
    "CTC steps": (
        lambda a: config.check_ctc_steps(a, [3, 3, 5]),
        4,
        {3: "merged", 7: "everywhere|only between", 5: "only equal", 9: "too large"},
    ),
    "last layer": (lambda a: config.check_last_layer(a, 10, 7), 77, {70: "bias", 80: "each class", 7: "biases"}),
    "learning rate": (
        lambda a: config.check_rate(a, 1e-4, 16, 64),
        4e-4,
        {1e-4: "this run's", 2.5e-5: "more lines", 2e-4: "square root"},
    ),
    "padding": (
        lambda a: train.check_padding(a, BUCKET),
        8.65,
        {5.0: "wider than its widest", 91.35: "of text", 9.47: "by the canvas"},
    ),
    "lines needed": (
        lambda a: train.check_lines_needed(a, 0.9),
        3457,
        {900: "1.96", 13830: "0.5", 864: "±2"},
    ),
    "like the best": (
        lambda a: train.check_like_the_best(a, [0.7, 0.84, 0.85, 0.8], 0.79, 0.9),
        3,
        {2: "its own interval", 1: "outside"},
    ),
    "collapse": (
        lambda a: evaluate.check_collapse(a, PATH),
        "好好店",
        {
            "好店": "too early",
            "好好好店": "merged",
            "–好–好–店": "blanks are removed",
            "好": "short",
            "好好天": "not every",
        },
    ),
    "1-NED": (
        lambda a: evaluate.check_similarity(a, "黄焖鸡", "黄闷鸡面"),
        0.5,
        {2: "edit distance", 1 / 3: "the longer of both"},
    ),
    "line of five": (
        lambda a: evaluate.check_line_of(a, 0.97, 5),
        85.9,
        {97: "one character", 85.0: "multiply"},
    ),
    "rounded": (
        lambda a: export.check_rounded(a, float(CHANNEL[1]), CHANNEL, 4),
        -0.3,
        {-3: "multiply", -0.34: "before rounding", 0.1: "step"},
    ),
    "mean bits": (
        lambda a: export.check_mean_bits(a, 2.0, 4_000_000),
        4,
        {0.5: "bytes", 4.194: "1,000,000", 0.25: "other way"},
    ),
    "growth": (
        lambda a: export.check_growth(a, np.random.default_rng(0).normal(size=4000).astype(np.float32), 6, 4),
        16,
        {4: "doubles", 8: "multiplies"},
    ),
    "row": (lambda a: submit.check_row(a, NAMES, "10.jpg"), 4, {3: "count from 1", 5: "header", 2: "as text"}),
    "threshold": (
        lambda a: submit.check_threshold(a, [0.2, 0.6, 0.8, 0.9], [True, False, True, True], 0.99),
        0.8,
        {0.99: "precision", 0.5: "ratio of lines", 0.9: "too large"},
    ),
    "standard error": (
        lambda a: submit.check_standard_error(a, 0.9, 400),
        6,
        {36: "square root", 1.5: "points", 0.015: "ratio", 11.76: "95 %"},
    ),
    "difference": (
        lambda a: compare.check_difference(a, COMPARED),
        20,
        {-20: "first minus", 1: "divide", 40: "lost lines count, too", 60: "against"},
    ),
    "both wrong": (lambda a: compare.check_both_wrong(a, COMPARED), 1, {3: "lines won", 2: "lines lost"}),
    "coin": (lambda a: compare.check_coin(a, 10, 2), 0.039, {0.0193: "one side", 0.961: "less uneven"}),
}


@pytest.mark.parametrize("name", EXERCISES)
def test_the_right_answer_is_taken_and_a_mistake_gets_its_hint(name: str) -> None:
    check, right, wrong = EXERCISES[name]
    assert check(right).status == RIGHT
    for answer, hint in wrong.items():
        verdict = check(answer)
        assert verdict.status == WRONG
        assert any(part in verdict.text for part in hint.split("|")), f"{answer}: {verdict.text}"


@pytest.mark.parametrize("name", EXERCISES)
def test_no_answer_stops_a_run_or_is_told_the_right_one(name: str) -> None:
    check, right, _ = EXERCISES[name]
    assert check(None).status == UNANSWERED
    for answer in ("?", 1e9, -1e9, float("nan"), True, [1], "好" * 50):
        verdict = check(answer)
        assert verdict.status == WRONG
        if isinstance(right, str):
            assert right not in verdict.text
    english, chinese = repr(check(None)).split("\n")
    assert english.startswith("Not answered yet") and chinese.startswith("尚未作答")


def test_numbers_are_told_by_size_units_and_kind() -> None:
    assert check_number(np.float64(12.53), 12.5).status == RIGHT  # three digits suffice
    assert "100 times it" in check_number(0.125, 12.5).text
    assert "this is 100 times what" in check_number(1250, 12.5).text
    assert "too large" in check_number(13, 12.5).text and "too small" in check_number(12, 12.5).text
    assert check_number(8, 7).status == WRONG  # a count is exact
    assert "not a number" in check_number("7", 7).text
    assert check_number(7, 7, [Mistake(7, "never", "不会")]).status == RIGHT  # with this data the mistake is none


def test_a_text_is_compared_without_white_space_at_its_ends() -> None:
    assert check_text(" 好店 ", "好店").status == RIGHT
    assert "quotes" in check_text(5, "好店").text


def line(target: str, prediction: str) -> Line:
    return Line(target, target, prediction, 0.9, target == prediction, target == prediction, 100, 48)


@pytest.mark.parametrize(
    ("lines", "first"),
    [
        ([line("abc", "abc"), line("abb", "abb"), line("abb", "aab")], "abb"),  # a right one with equal neighbours
        ([line("aa", "aa"), line("abc", "abc")], "abc"),  # a right one of a length that the eye can follow
        ([line("a", ""), line("abc", "abd")], "abd"),  # better than none
        ([line("a", "")], ""),  # a network that has learnt nothing yet
    ],
)
def test_the_line_whose_path_shows_most_is_chosen(lines: list[Line], first: str) -> None:
    assert evaluate.telling_lines(lines, 1)[0].prediction == first


def test_a_made_pair_stands_in_where_every_line_is_right() -> None:
    assert evaluate.wrong_pair([line("a", "a")]) == evaluate.MADE_PAIR
    assert evaluate.wrong_pair([line("ab", "ac"), line("ab", "abc")]) == ("ab", "abc")


def test_a_path_is_collapsed_in_two_steps() -> None:
    assert evaluate.collapsing(PATH).split("\n")[1::2] == ["    – 好 好 – 好 – 店", "    – 好 – 好 – 店", "    好好店"]
