"""03_train: width buckets and learning curves, and three exercises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scenetext.data.batches import BatchPlan
from scenetext.data.transforms import canvas_width
from scenetext.lessons.bilingual import both, paragraphs
from scenetext.lessons.exercise import Mistake, Verdict, check_number

NORMAL_95 = 1.96  # standard errors at each side of a 95 % interval


@dataclass(frozen=True, slots=True)
class Bucket:
    """A batch on its canvas.

    Attributes:
        indices: (B,) of its lines.
        canvas_px: width of the canvas.
        widths_px: (B,) of its lines, none wider than the canvas.
    """

    indices: np.ndarray
    canvas_px: int
    widths_px: np.ndarray

    @property
    def padding(self) -> float:
        """The ratio of the canvas that is padding, in [0, 1)."""
        return 1 - float(self.widths_px.mean()) / self.canvas_px


def buckets(plan: Sequence[BatchPlan], widths_px: np.ndarray) -> list[Bucket]:
    """The batches of an epoch, the narrowest canvas first.

    Args:
        plan: of an epoch.
        widths_px: (N,) of all lines at the network's height. What augmentation changes does not count.
    """
    found = []
    for batch in plan:
        own = widths_px[batch.indices]
        canvas = batch.width_px or canvas_width(int(own.max()))
        found.append(Bucket(batch.indices, canvas, np.minimum(own, canvas)))
    return sorted(found, key=lambda bucket: bucket.canvas_px)


def about_buckets(found: Sequence[Bucket]) -> str:
    """How lines share canvases in an epoch.

    Args:
        found: one or more buckets, the narrowest first.
    """
    first, last = found[0], found[-1]
    total = sum(bucket.canvas_px * len(bucket.widths_px) for bucket in found)
    padding = 1 - sum(float(bucket.widths_px.sum()) for bucket in found) / total
    widest = max(found, key=lambda bucket: bucket.canvas_px).canvas_px
    one = 1 - sum(float(bucket.widths_px.sum()) for bucket in found) / (
        widest * sum(len(bucket.widths_px) for bucket in found)
    )
    return both(
        f"{len(found):,} batches: {len(first.widths_px)} lines on the narrowest canvas of {first.canvas_px} pixels, "
        f"{len(last.widths_px)} on the widest of {last.canvas_px}. {padding:.1%} of all pixels are padding; on "
        f"canvases "
        f"that all are as wide as the widest it would be {one:.0%}.",
        f"共 {len(found):,} 批：最窄的画布 {first.canvas_px} 像素，放 {len(first.widths_px)} 行；最宽的 "
        f"{last.canvas_px} 像素，放 "
        f"{len(last.widths_px)} 行。全部像素中有 {padding:.1%} 是空白；如果所有画布都和最宽的一样宽，空白会占 "
        f"{one:.0%}。",
    )


def about_curves(
    loss: Sequence[float], normalised: Sequence[float], low: Sequence[float], high: Sequence[float]
) -> str:
    """What the curves of a training show, and what they do not.

    Args:
        loss: of the logged steps.
        normalised: validation accuracy of each evaluation, in [0, 1]; at least one.
        low, high: ends of their 95 % intervals.
    """
    sentences = []
    if len(loss) > 1:
        word, chinese = ("fell", "下降") if loss[-1] < loss[0] else ("rose", "上升")
        sentences.append(
            both(
                f"The training loss {word} from {loss[0]:.3g} to {loss[-1]:.3g}.",
                f"训练损失从 {loss[0]:.3g} {chinese}到 {loss[-1]:.3g}。",
            )
        )
    best, last = int(np.argmax(normalised)), len(normalised) - 1
    if last == 0:
        sentences.append(
            both(
                f"There was one evaluation, {normalised[0]:.1%}: nothing was chosen, and there is no curve to read.",
                f"只评估了一次，准确率 {normalised[0]:.1%}：没有挑选余地，也就没有曲线可读。",
            )
        )
        return paragraphs(*sentences)
    inside = sum(low[best] <= value <= high[best] for value in normalised)
    sentences.append(
        both(
            f"The best of {last + 1} evaluations is number {best + 1} with {normalised[best]:.1%} (95 % interval "
            f"{low[best]:.1%} to {high[best]:.1%}), the last one has {normalised[last]:.1%}. {inside} of the "
            f"{last + 1} lie within that interval: between them these lines show no difference.",
            f"{last + 1} 次评估中最好的是第 {best + 1} 次，{normalised[best]:.1%}（95 % 区间 {low[best]:.1%} 到 "
            f"{high[best]:.1%}），最后一次是 {normalised[last]:.1%}。{last + 1} 次中有 {inside} 次落在这个区间内："
            "这些数据看不出它们之间的差别。",
        )
    )
    return paragraphs(*sentences)


def check_padding(answer: object, bucket: Bucket) -> Verdict:
    """Which percentage of a batch's pixels is padding?

    Args:
        answer: in %.
        bucket: the batch.
    """
    widest = float(bucket.widths_px.max())
    text = float(bucket.widths_px.mean())
    mistakes = [
        Mistake(
            100 * (1 - text / widest),
            "the canvas is wider than its widest line: see canvas_px",
            "画布比最宽的行还宽：见 canvas_px",
        ),
        Mistake(100 * text / bucket.canvas_px, "this is the percentage of text", "这是文字所占的百分比"),
        Mistake(
            100 * (bucket.canvas_px - text) / text, "divide by the canvas, not by the text", "应除以画布，而不是文字"
        ),
    ]
    return check_number(answer, 100 * bucket.padding, mistakes, tolerance=0.06)


def check_lines_needed(answer: object, accuracy: float) -> Verdict:
    """How many validation lines give an accuracy a 95 % interval of ±1 point?

    Args:
        answer: a number of lines.
        accuracy: in [0, 1].
    """
    spread = accuracy * (1 - accuracy)
    right = spread * (NORMAL_95 / 0.01) ** 2
    mistakes = [
        Mistake(
            spread / 0.01**2,
            "this is for one standard error; 95 % need 1.96",
            "这是一个标准误对应的行数；95 % 需要 1.96 个",
        ),
        Mistake(
            4 * right,
            "this is for ±0.5: the interval reaches 1 point to each side",
            "这是 ±0.5 个百分点：区间向两侧各延伸 1 个百分点",
        ),
        Mistake(
            right / 4,
            "this is for ±2: the interval reaches 1 point to each side",
            "这是 ±2 个百分点：区间向两侧各延伸 1 个百分点",
        ),
        Mistake(right**0.5, "the number of lines grows with the square", "行数按平方增长"),
    ]
    return check_number(answer, float(right), mistakes, tolerance=0.02 * right + 1.0)


def check_like_the_best(answer: object, normalised: Sequence[float], low: float, high: float) -> Verdict:
    """How many evaluations lie within the best one's interval?

    Args:
        answer: a number of evaluations.
        normalised: accuracy of each evaluation, in [0, 1].
        low, high: ends of the best one's interval.
    """
    right = sum(low <= value <= high for value in normalised)
    mistakes = [
        Mistake(right - 1, "the best one lies within its own interval, too", "最好的那一次也在它自己的区间内"),
        Mistake(len(normalised) - right, "these are the ones outside", "这是落在区间之外的次数"),
    ]
    return check_number(answer, int(right), mistakes)
