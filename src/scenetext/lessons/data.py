"""01_data: what the lines are like, and three exercises."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from scenetext.lessons.bilingual import both, ordinary, paragraphs
from scenetext.lessons.exercise import Mistake, Verdict, check_number
from scenetext.text.charset import Charset

RARE = 10  # occurrences below which a character is hard to learn from the labels alone


def about_widths(widths_px: Sequence[float], canvas_px: int) -> str:
    """What the widths of the lines are like, and what a fixed canvas does to them.

    Args:
        widths_px: (N,) at the network's height, N at least 1.
        canvas_px: width of the fixed canvas.
    """
    widths = np.asarray(widths_px, float)
    middle, wide, widest = np.percentile(widths, [50, 95, 100])
    squeezed = float((widths > canvas_px).mean())
    padding = float(1 - np.minimum(widths, canvas_px).mean() / canvas_px)
    return paragraphs(
        both(
            f"Half of the lines are at most {middle:.0f} pixels wide, one in twenty is wider than {wide:.0f}, and the "
            f"widest has {widest:.0f}: {widest / middle:.1f} times the median.",
            f"一半的行不超过 {middle:.0f} 像素宽，二十分之一的行宽于 {wide:.0f} 像素，最宽的一行有 {widest:.0f} 像素，"
            f"是中位数的 {widest / middle:.1f} 倍。",
        ),
        both(
            f"On a fixed canvas {canvas_px} pixels wide, {squeezed:.1%} of the lines are squeezed, and {padding:.0%} "
            "of the pixels are padding.",
            f"放在 {canvas_px} 像素宽的固定画布上，{squeezed:.1%} 的行会被压扁，{padding:.0%} 的像素只是空白。",
        ),
    )


def about_characters(counts: Mapping[str, int]) -> str:
    """How unevenly characters occur.

    Args:
        counts: occurrences by character; at least one.
    """
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    total, rare = sum(counts.values()), sum(count < RARE for count in counts.values())
    once = sum(count == 1 for count in counts.values())
    top = ordered[:10]
    share = sum(count for _, count in top) / total
    character, most = ordered[0]
    return both(
        f"The most frequent of {len(counts):,} characters, {ordinary(character)}, occurs {most:,} times; the first "
        f"{len(top)} together make up {share:.0%} of all occurrences. {rare:,} characters occur less than {RARE} "
        f"times, {once:,} only once: from these labels alone a network has little to learn them by.",
        f"{len(counts):,} 个字符中最常见的是“{ordinary(character)}”，出现 {most:,} 次；前 {len(top)} "
        f"个合计占全部出现次数的 "
        f"{share:.0%}。{rare:,} 个字符出现不到 {RARE} 次，{once:,} 个只出现一次：仅靠这些标注，网络很难学会它们。",
    )


def about_charsets(texts: Sequence[str], own: Charset, charset: Charset) -> str:
    """How many validation labels two dictionaries can write.

    Args:
        texts: the labels, N at least 1.
        own: made from the training labels alone.
        charset: the dictionary of the run.
    """
    alone, with_extra = own.coverage(texts).lines_covered, charset.coverage(texts).lines_covered
    return both(
        f"Of {len(texts):,} validation labels, {alone:,} can be written with the training labels' "
        f"{len(own.characters):,} characters, {with_extra:,} with charset.txt's {len(charset.characters):,}: "
        f"{with_extra - alone:,} more.",
        f"{len(texts):,} 条验证集标注中，只用训练集标注的 {len(own.characters):,} 个字符能写出 {alone:,} 条，用 "
        f"charset.txt 的 {len(charset.characters):,} 个字符能写出 {with_extra:,} 条，多 {with_extra - alone:,} 条。",
    )


def check_width(answer: object, size: Sequence[int], height_px: int = 48) -> Verdict:
    """How wide is a picture after it has been scaled to the network's height?

    Args:
        answer: pixels, to the nearest pixel.
        size: (width, height) of the picture in pixels.
        height_px: of the network.
    """
    width, height = map(float, size)
    right = width * height_px / height
    mistakes = [
        Mistake(
            width,
            "this is its width before scaling: height and width shrink together",
            "这是缩放前的宽度：高和宽同时缩放",
        ),
        Mistake(
            height * height_px / width,
            "width and height are swapped: `sizes` has the width first",
            "宽和高弄反了：`sizes` 里宽在前",
        ),
        Mistake(
            width * height / height_px,
            "divide by the picture's own height, and multiply by the new one",
            "应除以原来的高度，再乘以新的高度",
        ),
    ]
    return check_number(answer, right, mistakes, tolerance=1.0)


def check_labels_with(answer: object, texts: Sequence[str], counts: Mapping[str, int]) -> Verdict:
    """How many training labels hold the most frequent character?

    Args:
        answer: a number of labels.
        texts: the training labels.
        counts: occurrences by character in the training and validation labels.
    """
    character = max(sorted(counts), key=lambda one: counts[one])
    own = Counter("".join(texts))[character]
    mistakes = [
        Mistake(
            counts[character],
            "these are all occurrences, in the validation labels too: count training labels",
            "这是全部出现次数，还包括验证集：请数训练集的标注",
        ),
        Mistake(
            own,
            "these are occurrences: a label that holds the character twice is one label",
            "这是出现次数：同一条标注里出现两次也只算一条",
        ),
    ]
    return check_number(answer, sum(character in text for text in texts), mistakes)


def check_ceiling(answer: object, texts: Sequence[str], charset: Charset) -> Verdict:
    """Which accuracy could a perfect reader reach on these lines with this dictionary?

    Args:
        answer: in %.
        texts: the validation labels, N at least 1.
        charset: of the reader.
    """
    covered = charset.coverage(texts).lines_covered
    right = 100 * covered / len(texts)
    characters = [character for text in texts for character in text]
    known = set(charset.characters) | {" "}
    mistakes = [
        Mistake(100 - right, "these are the lines that it cannot read", "这是它读不出来的行"),
        Mistake(
            100 * sum(character in known for character in characters) / len(characters),
            "this counts characters: a line is right only if all of its characters are",
            "这是按字符算的：一行里所有字符都对，这一行才算对",
        ),
        Mistake(covered, "this is the number of lines, not the percentage", "这是行数，不是百分比"),
    ]
    return check_number(answer, float(right), mistakes, tolerance=0.05 + 1e-9)
