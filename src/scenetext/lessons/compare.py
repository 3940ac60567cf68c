"""07_compare: two runs side by side, and three exercises."""

from __future__ import annotations

from scenetext.evaluate.comparison import Comparison, mcnemar
from scenetext.lessons.bilingual import both
from scenetext.lessons.exercise import Mistake, Verdict, check_number


def about_comparison(comparison: Comparison) -> str:
    """Whether the second reader is better than the first.

    Args:
        comparison: of two readings of the same lines.
    """
    won, lost, lines = len(comparison.won), len(comparison.lost), comparison.lines
    value, low, high = (
        100 * bound for bound in (comparison.difference.value, comparison.difference.low, comparison.difference.high)
    )
    if not comparison.shows_difference:
        verdict = "区间包含 0，所以这些数据看不出差别"
    else:
        verdict = f"{comparison.second} {'更好' if value > 0 else '更差'}"
    return both(
        f"{comparison}.",
        f"{comparison.second} 与 {comparison.first} 相差 {value:+.1f} 个百分点，95 % 区间 {low:+.1f} 到 {high:+.1f}："
        f"{verdict}。"
        f"{lines:,} 行中，{won} 行由错变对，{lost} 行由对变错（McNemar p = {comparison.p_value:.2g}）。",
    )


def check_difference(answer: object, comparison: Comparison) -> Verdict:
    """By how many points do the two accuracies differ, from the lines won and lost alone?

    Args:
        answer: in points, the second minus the first.
        comparison: of the two.
    """
    won, lost, lines = len(comparison.won), len(comparison.lost), comparison.lines
    right = 100 * (won - lost) / lines
    mistakes = [
        Mistake(-right, "this is the first minus the second", "这是第一个减第二个"),
        Mistake(won - lost, "these are lines: divide by all lines", "这是行数：还要除以总行数"),
        Mistake(100 * won / lines, "the lost lines count, too", "由对变错的行也要算"),
        Mistake(100 * (won + lost) / lines, "lost lines count against the second", "由对变错的行要减去"),
    ]
    return check_number(answer, float(right), mistakes, tolerance=0.051)


def check_both_wrong(answer: object, comparison: Comparison) -> Verdict:
    """How many lines do both read wrong?

    Args:
        answer: a number of lines.
        comparison: of the two.
    """
    first = round(comparison.first_accuracy.value * comparison.lines)
    second = round(comparison.second_accuracy.value * comparison.lines)
    right = comparison.lines - first - len(comparison.won)
    mistakes = [
        Mistake(
            comparison.lines - first,
            "the second reads some of these right: the lines won",
            "其中有些行第二个读对了：就是由错变对的行",
        ),
        Mistake(
            comparison.lines - second,
            "the first reads some of these right: the lines lost",
            "其中有些行第一个读对了：就是由对变错的行",
        ),
        Mistake(first - len(comparison.lost), "these are the lines that both read right", "这是两个都读对的行"),
    ]
    return check_number(answer, right, mistakes)


def check_coin(answer: object, won: int, lost: int) -> Verdict:
    """How likely is so uneven a number of won and lost lines if a fair coin decides on each of them?

    Args:
        answer: the two-sided probability, in [0, 1].
        won, lost: of a comparison.
    """
    right = mcnemar(won, lost)
    mistakes = [
        Mistake(right / 2, "this is one side: as uneven the other way counts, too", "这是单侧：反过来同样不均也要算"),
        Mistake(1 - right, "this is the probability of something less uneven", "这是不那么不均的概率"),
    ]
    return check_number(answer, float(right), mistakes, tolerance=max(0.0051, 0.02 * right))
