"""04_evaluate: CTC, groups of lines and confusions in sentences, and three exercises."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise

from rapidfuzz.distance import Levenshtein

from scenetext.evaluate.breakdown import Confusion, Group
from scenetext.evaluate.results import Line
from scenetext.lessons.bilingual import both
from scenetext.lessons.exercise import Mistake, Verdict, check_number, check_text

BLANK_SIGN = "–"
TOLD_LENGTHS = range(3, 10)  # characters of a line whose path can be followed by eye
MADE_PAIR = ("黄焖鸡米饭", "黄闷鸡米版店")  # a label and what might be read, where every line was read right
LINES_TO_TELL = 20  # groups of fewer lines say little


def telling_lines(lines: Sequence[Line], count: int) -> list[Line]:
    """Lines whose path shows most: right ones with equal neighbours first, then right ones, wrong ones, empty ones.

    Args:
        lines: of an evaluation; at least one of their pictures can be read.
        count: how many at most.
    """

    def rank(line: Line) -> tuple[bool, bool, bool, bool]:
        doubled = any(a == b for a, b in pairwise(line.prediction))
        return (not line.prediction, not line.correct_raw, len(line.prediction) not in TOLD_LENGTHS, not doubled)

    return sorted((line for line in lines if line.width_px), key=rank)[:count]


def collapsing(characters: Sequence[str]) -> str:
    """The two rules that make a text of a path, one row each.

    Args:
        characters: the likeliest character of each step, "" for the blank.
    """
    signs = [character or BLANK_SIGN for character in characters]
    merged = [sign for sign, _ in groupby(signs)]
    text = "".join(sign for sign in merged if sign != BLANK_SIGN)
    rows = (
        ("each step says · 每步的输出", " ".join(signs)),
        ("equal neighbours merged · 合并相邻的相同输出", " ".join(merged)),
        ("blanks removed · 去掉空白", text),
    )
    return "\n".join(f"{name}:\n    {row}" for name, row in rows)


def about_groups(groups: Sequence[Group], chinese_kind: str, kind: str) -> str:
    """Which groups of lines are read best and worst, and whether the data show that they differ.

    Args:
        groups: one or more.
        chinese_kind, kind: what they are grouped by, in both languages.
    """
    large = [group for group in groups if group.lines >= LINES_TO_TELL]
    if len(large) < 2:
        return both(
            f"By {kind}, fewer than two groups have {LINES_TO_TELL} lines or more: too few to compare them.",
            f"按{chinese_kind}分组，达到 {LINES_TO_TELL} 行的组不足两个，无法比较。",
        )
    best, worst = (pick(large, key=lambda group: group.normalised) for pick in (max, min))
    apart = worst.high < best.low
    english = "their intervals do not overlap" if apart else "their intervals overlap, so this may be chance"
    chinese = "两者的区间不重叠" if apart else "两者的区间有重叠，可能只是偶然"
    return both(
        f"By {kind}, of groups with {LINES_TO_TELL} lines or more, {best.group} is read best ({best.normalised:.1%} of "
        f"{best.lines} lines) and {worst.group} worst ({worst.normalised:.1%} of {worst.lines}): {english}.",
        f"按{chinese_kind}分组（只看不少于 {LINES_TO_TELL} 行的组），{best.group} 最好（{best.lines} 行中的 "
        f"{best.normalised:.1%}），"
        f"{worst.group} 最差（{worst.lines} 行中的 {worst.normalised:.1%}）：{chinese}。",
    )


def about_confusions(confusions: Sequence[Confusion]) -> str:
    """How many characters differ, and of which kinds the differences are.

    Args:
        confusions: of an evaluation.
    """
    total = sum(confusion.count for confusion in confusions)
    forgiven = sum(confusion.count for confusion in confusions if confusion.forgiven)
    missed = sum(confusion.count for confusion in confusions if not confusion.read)
    repeated = sum(confusion.count > 1 for confusion in confusions)
    return both(
        f"{total:,} characters differ: {missed:,} were missed, {forgiven:,} differ only in width, case or white space. "
        f"{repeated:,} of {len(confusions):,} pairs occur more than once.",
        f"共有 {total:,} 个字符不同：漏掉 {missed:,} 个，{forgiven:,} 个只是全半角、大小写或空白不同。"
        f"{len(confusions):,} 种混淆中有 "
        f"{repeated:,} 种出现不止一次。",
    )


def wrong_pair(lines: Sequence[Line]) -> tuple[str, str]:
    """A label and what was read instead: the first wrong line whose texts differ in length, else the first wrong one.

    Args:
        lines: of an evaluation; if all are right, the pair is a made one.
    """
    wrong = [(line.target, line.prediction) for line in lines if not line.correct_raw and line.prediction]
    return min(wrong, key=lambda pair: len(pair[0]) == len(pair[1]), default=MADE_PAIR)


def check_collapse(answer: object, characters: Sequence[str]) -> Verdict:
    """Which text does a path collapse to?

    Args:
        answer: a text.
        characters: the likeliest character of each step, "" for the blank.
    """
    merged = [character for character, _ in groupby(characters)]
    without_blanks = [character for character in characters if character]
    mistakes = [
        Mistake("".join(character for character, _ in groupby(without_blanks)), *_too_early()),
        Mistake(
            "".join(without_blanks), "equal neighbours are merged into one character", "相邻的相同输出要合并成一个字符"
        ),
        Mistake("".join(c or BLANK_SIGN for c in merged), "the blanks are removed, too", "空白也要去掉"),
    ]
    return check_text(answer, "".join(merged), mistakes)


def _too_early() -> tuple[str, str]:
    return (
        "the blanks were removed too early: merge first, because a blank keeps two equal characters apart",
        "空白去得太早：先合并，因为空白正是用来隔开两个相同字符的",
    )


def check_similarity(answer: object, target: str, prediction: str) -> Verdict:
    """What is 1 - NED of a line?

    Args:
        answer: in [0, 1].
        target, prediction: label and text read, not both empty.
    """
    distance, longer = Levenshtein.distance(target, prediction), max(len(target), len(prediction))
    mistakes = [
        Mistake(distance / longer, "this is NED: subtract it from 1", "这是 NED：再用 1 减去它"),
        Mistake(
            distance,
            "this is the edit distance: divide it by the longer length, and subtract it from 1",
            "这是编辑距离：除以较长的长度，再用 1 减去",
        ),
        Mistake(
            1 - distance / max(1, len(target)),
            "divide by the longer of both texts, not by the label",
            "应除以两个文本中较长的长度，而不是标注的长度",
        ),
    ]
    return check_number(answer, float(1 - distance / longer), mistakes, tolerance=0.0051)


def check_line_of(answer: object, character_accuracy: float, length: int) -> Verdict:
    """How many lines of some length are right if each character is, with a given probability, on its own?

    Args:
        answer: in %.
        character_accuracy: the probability, in [0, 1].
        length: characters of a line.
    """
    right = 100 * character_accuracy**length
    mistakes = [
        Mistake(
            100 * character_accuracy,
            "this is one character: all of them have to be right",
            "这是一个字符的概率：所有字符都要对",
        ),
        Mistake(
            100 * (1 - length * (1 - character_accuracy)),
            "probabilities of independent events multiply",
            "独立事件的概率要相乘",
        ),
        Mistake(
            100 * (1 - (1 - character_accuracy) ** length),
            "this is the probability that at least one is right",
            "这是至少有一个字符正确的概率",
        ),
    ]
    return check_number(answer, float(right), mistakes, tolerance=0.06)
