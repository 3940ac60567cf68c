"""Checks answers to exercises without showing them: the right one is computed from the data when it is asked for.

A wrong answer is told apart by what leads to it, so that the hint fits the mistake. An exercise that nobody has
answered says so and stops no run.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import NamedTuple

from scenetext.lessons.bilingual import both

UNANSWERED, RIGHT, WRONG = "unanswered", "right", "wrong"
ROUNDED = 0.005  # of a number: rounding to three digits is no mistake


class Mistake(NamedTuple):
    """A wrong answer that a known mistake leads to, and the hint, in English and in Chinese."""

    value: float | str
    english: str
    chinese: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer is: a notebook shows it as its text.

    Attributes:
        status: UNANSWERED, RIGHT or WRONG.
        text: for the student, in English and in Chinese.
    """

    status: str
    text: str

    def __repr__(self) -> str:
        return self.text


def check_number(
    answer: object, right: float, mistakes: Sequence[Mistake] = (), *, tolerance: float | None = None
) -> Verdict:
    """Checks an answer that is a number.

    Args:
        answer: what the student wrote; None if nothing yet.
        right: the right answer.
        mistakes: answers that known mistakes lead to; those that are right after all with this data are passed over.
        tolerance: how far off an answer may be; by default 0.5 % of the right one, and 0 for whole numbers.
    """
    if answer is None:
        return _unanswered()
    if isinstance(answer, bool) or not isinstance(answer, Real) or not math.isfinite(answer):
        return _wrong(f"{answer!r} is not a number", f"{answer!r} 不是数字")
    if tolerance is None:
        tolerance = 0.0 if isinstance(right, int) else ROUNDED * abs(right)
    if _near(answer, right, tolerance):
        return _right()
    near = [
        mistake
        for mistake in (*mistakes, *_of_units(right))
        if _near(answer, mistake.value, tolerance) and not _near(mistake.value, right, tolerance)
    ]
    if near:
        nearest = min(near, key=lambda mistake: abs(answer - mistake.value))
        return _wrong(nearest.english, nearest.chinese)
    if answer > right:
        return _wrong("the number is too large", "这个数太大了")
    return _wrong("the number is too small", "这个数太小了")


def check_text(answer: object, right: str, mistakes: Iterable[Mistake] = ()) -> Verdict:
    """Checks an answer that is a text, white space at its ends aside; see `check_number`."""
    if answer is None:
        return _unanswered()
    if not isinstance(answer, str):
        return _wrong(f"{answer!r} is not a text: write it in quotes", f"{answer!r} 不是文本：请加引号")
    if answer.strip() == right.strip():
        return _right()
    for mistake in mistakes:
        if answer.strip() == str(mistake.value).strip():
            return _wrong(mistake.english, mistake.chinese)
    if len(answer.strip()) != len(right.strip()):
        more = len(answer.strip()) > len(right.strip())
        return _wrong(f"the text is too {'long' if more else 'short'}", f"文本太{'长' if more else '短'}了")
    return _wrong("the length is right, but not every character", "长度对，但有的字符不对")


def _near(value: float | str, other: float, tolerance: float) -> bool:
    return abs(float(value) - other) <= tolerance + 1e-12 * abs(other)


def _of_units(right: float) -> list[Mistake]:
    """A ratio for a percentage, and the other way round; whole numbers are counts."""
    if isinstance(right, int):
        return []
    return [
        Mistake(
            right / 100, "this is the ratio: the exercise asks for 100 times it", "这是比例：题目要的是它的 100 倍"
        ),
        Mistake(right * 100, "this is 100 times what the exercise asks for", "这是题目所要的数的 100 倍"),
    ]


def _unanswered() -> Verdict:
    return Verdict(
        UNANSWERED, both("Not answered yet: replace None by your answer.", "尚未作答：把 None 换成你的答案。")
    )


def _right() -> Verdict:
    return Verdict(RIGHT, both("Right.", "正确。"))


def _wrong(english: str, chinese: str) -> Verdict:
    return Verdict(WRONG, both(f"Not yet: {english}.", f"还不对：{chinese}。"))
