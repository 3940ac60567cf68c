"""05_export: rounding, bits and budgets in sentences, and three exercises."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scenetext.lessons.bilingual import both, paragraphs
from scenetext.lessons.exercise import Mistake, Verdict, check_number
from scenetext.lessons.rounding import Reading, levels_of, relative_error, rounded, step_of
from scenetext.system.files import MEGABYTE

LARGE = 0.01  # of all weights: smaller ones may keep many bits at little cost


def about_parts(stored: Mapping[str, int]) -> str:
    """Which part of the network takes most bytes.

    Args:
        stored: bytes by part, one or more.
    """
    total = sum(stored.values())
    part = max(stored, key=lambda name: stored[name])
    return both(
        f"Of {total / MEGABYTE:.2f} MB, {part} takes most: {stored[part] / total:.0%}.",
        f"{total / MEGABYTE:.2f} MB 中占得最多的是 {part}：{stored[part] / total:.0%}。",
    )


def about_rounding(row: np.ndarray, readings: Mapping[int, Sequence[Reading]]) -> str:
    """What rounding did to a channel and to some lines.

    Args:
        row: (N,) weights of the channel.
        readings: by number of bits, from the most to the fewest: the lines as the rounded network reads them.
    """
    own, *fewer = readings
    first, last = fewer[0], fewer[-1]
    changed = [bits for bits in fewer if [text for text, _ in readings[bits]] != [text for text, _ in readings[own]]]
    error = both(
        f"The channel's squared error is {relative_error(row, first):.1e} of its weights' squares at {first} bits, "
        f"{relative_error(row, last):.1e} at {last}.",
        f"{first} 比特时这个通道的平方误差是其权重平方和的 {relative_error(row, first):.1e}，{last} 比特时是 "
        f"{relative_error(row, last):.1e}。",
    )
    if not changed:
        return paragraphs(
            error, both(f"The texts stay the same down to {last} bits.", f"直到 {last} 比特，读出的文本都没有变化。")
        )
    return paragraphs(
        error,
        both(
            f"The first text that differs from the unrounded network's is at {changed[0]} bits.",
            f"与未取整的网络相比，{changed[0]} 比特时第一次出现不同的文本。",
        ),
    )


def about_bits(keys: Sequence[str], bits: Sequence[float], numbers: Sequence[int]) -> str:
    """How the bit allocator spread the bits.

    Args:
        keys: names of the weights, in the network's order; one or more.
        bits: of each, per number.
        numbers: how many each has.
    """
    bits, numbers = np.asarray(bits, float), np.asarray(numbers, float)
    middle = int(np.searchsorted(np.cumsum(numbers), numbers.sum() / 2)) + 1
    halves = [
        float(np.average(bits[part], weights=numbers[part])) if numbers[part].size else math.nan
        for part in (slice(0, middle), slice(middle, None))
    ]
    large = np.flatnonzero(numbers >= min(LARGE * numbers.sum(), numbers.max()))
    most, fewest = int(large[bits[large].argmax()]), int(large[bits[large].argmin()])
    return both(
        f"The mean is {np.average(bits, weights=numbers):.2f} bits, {halves[0]:.2f} in the first half of the weights "
        f"and {halves[1]:.2f} in the second. Of the large weights, {keys[most]} got most, {bits[most]:.1f}; "
        f"{keys[fewest]} fewest, "
        f"{bits[fewest]:.1f}.",
        f"平均 {np.average(bits, weights=numbers):.2f} 比特，前一半权重平均 {halves[0]:.2f}，后一半 {halves[1]:.2f}。"
        f"较大的权重中，分到最多的是 "
        f"{keys[most]}（{bits[most]:.1f}），最少的是 {keys[fewest]}（{bits[fewest]:.1f}）。",
    )


def about_curve(curve: Sequence[Mapping[str, Any]], low: Sequence[float], high: Sequence[float]) -> str:
    """From which budget on the lines show no loss.

    Args:
        curve: rows of an export's report, by rising budget, the last in float32.
        low, high: ends of the 95 % intervals of each row's `normalised`.
    """
    if not curve:
        return both("No budgets were asked for: set budgets_mb.", "没有要求任何预算：请设置 budgets_mb。")
    *budgets, full = curve
    equal = [row for row in budgets if low[-1] <= row["normalised"] <= high[-1]]
    reference = f"{full['normalised']:.1%}", f"{low[-1]:.1%}", f"{high[-1]:.1%}"
    sentences = [
        both(
            f"In float32 the network reads {reference[0]} of the lines, 95 % interval {reference[1]} to "
            f"{reference[2]}.",
            f"float32 的网络读对 {reference[0]} 的行，95 % 区间 {reference[1]} 到 {reference[2]}。",
        )
    ]
    if equal:
        row = equal[0]
        sentences.append(
            both(
                f"The smallest budget within this interval is {row['max_mb']:g} MB: {row['bits']:.1f} bits a weight "
                f"and {row['normalised']:.1%}.",
                f"落在这个区间内的最小预算是 {row['max_mb']:g} MB：每个权重 {row['bits']:.1f} 比特，"
                f"{row['normalised']:.1%}。",
            )
        )
    below = [row for row in budgets if row["normalised"] < low[-1]]
    if below:
        row = below[-1]
        sentences.append(
            both(
                f"At {row['max_mb']:g} MB and {row['bits']:.1f} bits it is {row['normalised']:.1%}: these lines show a "
                "loss.",
                f"{row['max_mb']:g} MB、{row['bits']:.1f} 比特时是 {row['normalised']:.1%}：这些数据显示有损失。",
            )
        )
    return paragraphs(*sentences)


def check_rounded(answer: object, weight: float, row: np.ndarray, bits: int) -> Verdict:
    """What does a weight become when its channel is rounded to so many bits?

    Args:
        answer: the value of the nearest level.
        weight: one of the channel's weights.
        row: (N,) all of them, not all 0.
        bits: 2 or more.
    """
    step = float(step_of(row, bits)[0])
    code = round(weight / step)
    cut = math.trunc(weight / step) * step
    mistakes = [
        Mistake(code, "this is the number of the level: multiply it by the step", "这是第几级：还要乘以步长"),
        Mistake(
            cut,
            "this is cut off, not rounded: the nearest level is on the other side",
            "这是截断，不是取整：最近的一级在另一侧",
        ),
        Mistake(float(weight), "this is the weight before rounding", "这是取整之前的权重"),
        Mistake(step, "this is the step between two levels", "这是相邻两级之间的步长"),
        Mistake(
            round(weight * levels_of(bits) / float(np.abs(row).max())) * float(np.abs(row).max()) / levels_of(bits),
            "the levels lie on both sides of zero: the step is the largest magnitude over (levels - 1) / 2",
            "各级在零的两侧：步长是最大绝对值除以 (级数 - 1) / 2",
        ),
    ]
    right = float(rounded(row, bits)[int(np.abs(row - weight).argmin())])
    return check_number(answer, right, mistakes, tolerance=0.02 * step)


def check_mean_bits(answer: object, budget_mb: float, weights: int) -> Verdict:
    """How many bits a weight does a budget give on average?

    Args:
        answer: bits.
        budget_mb: units of 1,000,000 bytes.
        weights: how many numbers are stored.
    """
    right = 8 * budget_mb * MEGABYTE / weights
    mistakes = [
        Mistake(right / 8, "these are bytes: a byte has 8 bits", "这是字节数：一个字节有 8 比特"),
        Mistake(
            right * 1.048576,
            "a MB is 1,000,000 bytes here, as in the competition's rule",
            "这里 1 MB 是 1,000,000 字节，与比赛规则相同",
        ),
        Mistake(1 / right, "this is the other way round", "这是倒数"),
    ]
    return check_number(answer, float(right), mistakes, tolerance=0.02 * right)


def check_growth(answer: object, row: np.ndarray, more: int, fewer: int) -> Verdict:
    """By which factor does the squared error of a channel grow with fewer bits?

    Args:
        answer: a factor; the rule of thumb, 4 for each bit, counts as right if the channel is near it.
        row: (N,) weights of the channel, not all 0.
        more, fewer: numbers of bits.
    """
    right = relative_error(row, fewer) / max(relative_error(row, more), 1e-30)
    gone = more - fewer
    mistakes = [
        Mistake(
            2.0**gone, "the step doubles with each bit: its square grows fourfold", "每少一比特步长加倍：平方则变为四倍"
        ),
        Mistake(4.0 * gone, "each bit multiplies the error, it does not add to it", "每一比特使误差翻倍，而不是相加"),
        Mistake(4.0, "this is the factor of one bit", "这是少一比特的倍数"),
    ]
    return check_number(answer, float(right), mistakes, tolerance=0.3 * right)
