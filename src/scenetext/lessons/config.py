"""02_config: what a configuration builds, and three exercises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scenetext.data.batches import ctc_steps
from scenetext.lessons.bilingual import both
from scenetext.lessons.exercise import Mistake, Verdict, check_number
from scenetext.lessons.layers import Stage


def about_steps(lines: int, used: int, batches: int, batch_size: int, epochs: int) -> str:
    """How many steps an epoch has.

    Args:
        lines: of the training set.
        used: lines that an epoch's batches hold.
        batches: of an epoch.
        batch_size: lines of a batch on canvases of the usual width.
        epochs: of the run.
    """
    fixed = -(-lines // batch_size)
    fewer = f"{fixed - batches} fewer than" if batches < fixed else f"{batches - fixed} more than"
    word = "少" if batches < fixed else "多"
    if batches == fixed:
        fewer = "as many as"
    than = f"{fewer} the {fixed} of batches of {batch_size} lines"
    chinese = "与之相同" if batches == fixed else f"比它{word} {abs(fixed - batches)} 步"
    return both(
        f"An epoch takes {used:,} of {lines:,} lines in {batches:,} steps of {used / batches:.1f} lines on average: "
        f"{than}. {epochs} epochs have {epochs * batches:,} steps.",
        f"一轮用 {lines:,} 行中的 {used:,} 行，共 {batches:,} 步，平均每步 {used / batches:.1f} 行；每批固定 "
        f"{batch_size} 行需要 "
        f"{fixed:,} 步，{chinese}。{epochs} 轮共 {epochs * batches:,} 步。",
    )


def about_canvases(squeezed: Mapping[str, float], padding: Mapping[str, float]) -> str:
    """What one canvas for all lines, and what this run does to them.

    Args:
        squeezed: ratio of lines that lose width, by the name of the way: first one canvas, then this run.
        padding: ratio of pixels that are padding, by the same names.
    """
    (one, ours), (empty, left) = squeezed.values(), padding.values()
    return both(
        f"One canvas squeezes {one:.1%} of the lines, this run {ours:.1%}; {empty:.0%} of the pixels of one canvas "
        f"are padding, {left:.0%} of this run's.",
        f"统一画布压扁 {one:.1%} 的行，本次训练压扁 {ours:.1%}；统一画布有 {empty:.0%} 的像素是空白，本次训练有 "
        f"{left:.0%}。",
    )


def about_network(stages: Sequence[Stage]) -> str:
    """What the network makes of a line, and where its parameters are.

    Args:
        stages: from the picture to the logits; see `layers.stages`.
    """
    total = sum(stage.parameters for stage in stages)
    largest, last = max(stages, key=lambda stage: stage.parameters), stages[-1]
    steps, classes = last.shape
    height, width = stages[0].shape[1:]
    return both(
        f"{total:,} parameters turn a picture of {height}x{width} pixels into {steps} steps of {classes:,} logits, one "
        f"step for {width / steps:g} pixels. {largest.name} holds most of them, {largest.parameters / total:.0%}; the "
        f"last part, {last.name}, holds {last.parameters / total:.0%}.",
        f"{total:,} 个参数把 {height}x{width} 像素的图片变成 {steps} 个时间步、每步 {classes:,} 个 logit，每 "
        f"{width / steps:g} 像素一步。"
        f"参数最多的是 {largest.name}，占 {largest.parameters / total:.0%}；最后一部分 {last.name} 占 "
        f"{last.parameters / total:.0%}。",
    )


def telling_label(labels: Sequence[Sequence[int]]) -> int:
    """The index of a label to count CTC's steps of: the first with equal neighbours, else the longest.

    Args:
        labels: classes of each label, N at least 1.
    """
    doubled = (index for index, ids in enumerate(labels) if ctc_steps(ids) > len(ids) >= 3)
    return next(doubled, max(range(len(labels)), key=lambda index: len(labels[index])))


def check_ctc_steps(answer: object, ids: Sequence[int]) -> Verdict:
    """How many time steps does CTC need at least for a label?

    Args:
        answer: a number of steps.
        ids: classes of the label.
    """
    mistakes = [
        Mistake(
            len(ids),
            "equal neighbours would be merged without a blank between them",
            "相邻的相同字符之间如果没有空白，会被合并成一个",
        ),
        Mistake(
            2 * len(ids) + 1,
            "blanks are allowed everywhere, but needed only between equal neighbours",
            "空白可以出现在任何地方，但只有相邻的相同字符之间才必须有",
        ),
        Mistake(
            2 * len(ids) - 1, "only equal neighbours need a blank between them", "只有相邻的相同字符之间才需要空白"
        ),
    ]
    return check_number(answer, int(ctc_steps(ids)), mistakes)


def check_last_layer(answer: object, inputs: int, classes: int) -> Verdict:
    """How many parameters does the last layer have?

    Args:
        answer: a number of parameters.
        inputs: features of each step that go into it.
        classes: that come out.
    """
    mistakes = [
        Mistake(inputs * classes, "each class also has a bias", "每个类别还有一个偏置"),
        Mistake(
            inputs * (classes + 1),
            "there is one bias for each class, not for each input",
            "偏置是每个类别一个，不是每个输入一个",
        ),
        Mistake(
            classes,
            "these are the biases: each class also has a weight for each input",
            "这是偏置的个数：每个类别对每个输入还有一个权重",
        ),
    ]
    return check_number(answer, (inputs + 1) * classes, mistakes)


def check_rate(answer: object, rate: float, batch_size: int, other_size: int) -> Verdict:
    """Which learning rate belongs to another batch size, by the rule?

    Args:
        answer: a learning rate.
        rate: of this run.
        batch_size: of this run.
        other_size: another one.
    """
    factor = other_size / batch_size
    mistakes = [
        Mistake(rate, "this is the rate of this run's batch size", "这是本次批大小的学习率"),
        Mistake(
            rate / factor,
            "more lines a step allow a higher rate, fewer a lower one",
            "每步行数越多，学习率越高；越少则越低",
        ),
        Mistake(
            rate * factor**0.5,
            "this is the square root: the rule here is proportional",
            "这是平方根：这里的规则是成正比",
        ),
    ]
    return check_number(answer, float(rate * factor), mistakes, tolerance=0.01 * rate * factor)
