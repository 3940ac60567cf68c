"""06_submit: what finetuning gained on lines that chose nothing, and three exercises."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scenetext.evaluate.calibration import threshold
from scenetext.evaluate.comparison import Comparison
from scenetext.lessons.bilingual import both, paragraphs
from scenetext.lessons.exercise import Mistake, Verdict, check_number
from scenetext.text.natural_order import natural_order

DRAWS = 20_000


def lift_of_choice(accuracy: float, lines: int, evaluations: int, seed: int = 0) -> float:
    """How far the best of several equally good networks lies above their true accuracy, by chance alone.

    Args:
        accuracy: the true one, in [0, 1].
        lines: that each is scored on.
        evaluations: how many networks.
        seed: of the simulation.

    Returns:
        The mean over simulated choices, if each network's chance is its own. The epochs of one training share most of
        their errors, so that it is an upper bound for them.
    """
    scores = np.random.default_rng(seed).binomial(lines, accuracy, (DRAWS, max(1, evaluations)))
    return float(scores.max(axis=1).mean()) / lines - accuracy


def about_gains(validation: Comparison | None, test: Comparison, evaluations: int) -> str:
    """The gain of finetuning where the epoch was chosen and where nothing was, and why they differ.

    Args:
        validation: pretrained and finetuned network on the lines that chose the epoch; None where they are unknown.
        test: the same on lines that chose nothing.
        evaluations: how many epochs there were to choose from.
    """
    honest = test.difference
    shown = (
        both("", "")
        if test.shows_difference
        else both(" The interval holds 0: this gain is called none.", "区间包含 0：这样的提升视为没有提升。")
    )
    told_en, told_zh = shown.split("\n")
    sentences = [
        both(
            f"On the {test.lines:,} test lines, which chose nothing, finetuning gained {100 * honest.value:+.1f} "
            f"points, 95 % interval {100 * honest.low:+.1f} to {100 * honest.high:+.1f}.{told_en}",
            f"在没有参与任何选择的 {test.lines:,} 行测试数据上，微调提升了 {100 * honest.value:+.1f} 个百分点，95 % "
            f"区间 "
            f"{100 * honest.low:+.1f} 到 {100 * honest.high:+.1f}。{told_zh}",
        )
    ]
    if validation is None:
        return sentences[0]
    chosen = validation.difference
    above = round(100 * (chosen.value - honest.value), 1)
    compared = f"{above:+.1f} points against the test lines", f"与测试行相差 {above:+.1f} 个百分点"
    sentences.append(
        both(
            f"On the {validation.lines:,} validation lines it was {100 * chosen.value:+.1f}, {100 * chosen.low:+.1f} "
            f"to {100 * chosen.high:+.1f}: {compared[0]}.",
            f"在 {validation.lines:,} 行验证数据上是 {100 * chosen.value:+.1f}，{100 * chosen.low:+.1f} 到 "
            f"{100 * chosen.high:+.1f}：{compared[1]}。",
        )
    )
    sentences.append(_about_choice(validation, evaluations, above))
    return paragraphs(*sentences)


def _about_choice(validation: Comparison, evaluations: int, above: float) -> str:
    """How much of the gain on validation lines the choice of an epoch may explain; `above` is in points."""
    if evaluations < 2:
        return both(
            "There was one evaluation, so these lines chose nothing, either.",
            "只评估了一次，所以验证行也没有参与选择。",
        )
    lift = 100 * lift_of_choice(validation.second_accuracy.value, validation.lines, evaluations)
    english = (
        f"They chose the best of {evaluations} evaluations: if these were equally good, chance alone would lift the "
        f"best by up to {lift:.1f} points on average."
    )
    chinese = (
        f"这些行从 {evaluations} 次评估中选出最好的一次：即使它们同样好，仅凭偶然，最好的一次平均也会高出至多 "
        f"{lift:.1f} 个百分点。"
    )
    if above <= 0:
        return both(f"{english} Here chance went the other way.", f"{chinese}这里偶然起了相反的作用。")
    return both(english, chinese)


def check_row(answer: object, names: Sequence[str], name: str) -> Verdict:
    """In which row of the file does a picture stand, the header not counted?

    Args:
        answer: a number from 1 on.
        names: of all pictures.
        name: one of them.
    """
    right = natural_order(names).index(name) + 1
    mistakes = [
        Mistake(right - 1, "count from 1", "从 1 开始数"),
        Mistake(right + 1, "the header is no row of a picture", "表头不是图片的行"),
        Mistake(
            sorted(names).index(name) + 1,
            "this is its place as text: numbers are compared as numbers",
            "这是按文本排序的位置：数字要按大小比较",
        ),
        Mistake(
            sorted(names).index(name),
            "this is its place as text: numbers are compared as numbers",
            "这是按文本排序的位置：数字要按大小比较",
        ),
    ]
    return check_number(answer, right, mistakes)


def check_threshold(answer: object, confidences: Sequence[float], correct: Sequence[bool], wanted: float) -> Verdict:
    """From which confidence on are enough of the lines right?

    Args:
        answer: a confidence; 1.1 if there is none.
        confidences: (N,) in [0, 1], N at least 1.
        correct: (N,).
        wanted: ratio of right ones among the kept lines, in (0, 1].
    """
    sure, right = np.asarray(confidences, np.float64), np.asarray(correct, bool)
    found = threshold(sure, right, wanted)
    lowest = 1.1 if found.confidence is None else found.confidence
    if answer is not None and isinstance(answer, (int, float)) and not isinstance(answer, bool):
        below = sure[sure < lowest]
        higher = float(below.max()) if len(below) else 0.0
        if higher < answer <= lowest and answer > 0:  # it keeps the same lines
            return check_number(lowest, lowest)
    mistakes = [
        Mistake(
            wanted,
            "this is the precision that is wanted, not a confidence that reaches it",
            "这是想要的准确率，不是达到它的置信度",
        ),
        Mistake(found.coverage, "this is the ratio of lines that are kept", "这是保留下来的行所占的比例"),
    ]
    return check_number(answer, float(lowest), mistakes, tolerance=0.0051)


def check_standard_error(answer: object, accuracy: float, lines: int) -> Verdict:
    """How many of the lines is one standard error of the number of right ones?

    Args:
        answer: a number of lines.
        accuracy: in (0, 1).
        lines: how many.
    """
    right = (lines * accuracy * (1 - accuracy)) ** 0.5
    mistakes = [
        Mistake(right**2, "this is the variance: take its square root", "这是方差：还要开平方"),
        Mistake(100 * right / lines, "this is in points: the exercise asks for lines", "这是百分点：题目问的是行数"),
        Mistake(right / lines, "this is the ratio: the exercise asks for lines", "这是比例：题目问的是行数"),
        Mistake(
            1.96 * right,
            "this is the half of a 95 % interval: one standard error is smaller",
            "这是 95 % 区间的一半：一个标准误更小",
        ),
    ]
    return check_number(answer, float(right), mistakes, tolerance=0.02 * right)
