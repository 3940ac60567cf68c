"""Named protocols: what each forgives and leaves out, by hand-made pairs."""

from __future__ import annotations

import numpy as np
import pytest

from scenetext.errors import InputError
from scenetext.evaluate.choices import PROTOCOL_NAMES
from scenetext.evaluate.paddleocr_metric import paddleocr_scores
from scenetext.evaluate.protocols import OPENOCR_COLUMNS, PROTOCOLS, are_equal, chosen_rules, protocol
from scenetext.text.charset import Charset

# protocol, what was read, label, whether it is right (None: the label is left out)
PAIRS = [
    ("raw", "A", "a", False),
    ("normalised", "ab1", "ＡＢ 1", True),
    ("normalised", "停车场", "停車場", False),
    ("chinese-benchmark", "停车场", "停車場", True),
    ("chinese-benchmark", "ab1!", "ＡＢ 1！", True),
    ("chinese-benchmark", "你的", "妳的", True),  # OpenCC keeps this variant, the benchmark's converter does not
    ("chinese-benchmark", "锺表妆台", "鐘錶粧枱", True),  # as zhconv 1.4.3 rewrites them
    ("chinese-benchmark", "中国 bank", "中　國ＢＡＮＫ", True),
    ("chinese-benchmark", "头发发展", "頭髮發展", True),
    ("chinese-benchmark", "①", "1", False),  # half width, not NFKC
    ("chinese-benchmark", "好。", "好", False),
    ("paddleocr", "a b", "ab", True),
    ("paddleocr", "a\u3000b", "ab", False),  # only the ASCII space is removed
    ("paddleocr", "A", "a", False),
    ("paddleocr", "x" * 25, "x" * 25, True),
    ("paddleocr", "x" * 26, "x" * 26, None),
    ("paddleocr-alphanumeric", "O'K", "ok", True),
    ("paddleocr-alphanumeric", "停", "车", True),  # nothing is left of either: PaddleOCR calls that right
    ("parseq", "ITS", "It's", True),
    ("parseq", "cafe", "Café", True),  # labels lose their accents
    ("parseq", "café", "cafe", False),  # what was read does not: the accented letter goes
    ("parseq", "a", "停车", None),  # no character of the test's charset is left
    ("parseq-cased", "ITS", "It's", False),
    ("parseq-cased", "Its", "It's", True),
    ("deep-text-recognition", "ITS", "It's!", True),
    ("deep-text-recognition", "", "停车", True),
    ("union14m", "It's", "ITS", True),
    ("union14m", "停车场", "停车", False),  # hanzi count
    ("union14m", "a^", "a", False),  # the caret is no symbol to MMOCR's expression
    ("openocr", "it s", "It's", True),
    ("openocr", "a", "停车", None),
    ("openocr", "x", "x" * 26, None),
    ("openocr-chinese", "ABC", "abc", True),
    ("openocr-chinese", "a b", "ab", False),
]


@pytest.mark.parametrize(("name", "read", "label", "right"), PAIRS)
def test_what_a_protocol_forgives(name: str, read: str, label: str, right: bool | None) -> None:
    scores = protocol(name).score([read, "z"], [label, "z"])
    assert (scores.left_out, scores.correct.tolist()) == ((1, [False, True]) if right is None else (0, [right, True]))
    assert scores.lines == (1 if right is None and not PROTOCOLS[name].replaces else 2)


def test_the_command_offers_all_protocols_and_each_names_its_source() -> None:
    assert sorted(PROTOCOL_NAMES) == sorted(PROTOCOLS)
    assert [name for name, each in PROTOCOLS.items() if each.name != name or len(each.source) < 20] == []


def test_a_protocol_or_rule_that_does_not_exist_is_told_with_the_nearest() -> None:
    with pytest.raises(InputError, match="'chinese_benchmark' does not exist; the nearest is chinese-benchmark"):
        protocol("chinese_benchmark")
    with pytest.raises(InputError, match="'spases' does not exist; the nearest is spaces"):
        chosen_rules(["width", "spases"])


def test_rules_are_applied_in_one_order_whatever_the_order_they_are_named_in() -> None:
    chosen = chosen_rules(["case", "punctuation", "traditional", "width"])
    assert chosen.rules == ("width", "traditional", "punctuation", "case")
    assert chosen("《停車》 Ａ！") == "停车 a"


def test_figures_of_the_chinese_benchmark_are_those_worked_out_by_hand() -> None:
    lines = [  # what was read, label: 1 - distance / longer length after the rules
        ("鳳凰樓", "凤凰楼"),  # 1
        ("Ｂ超 ２４", "b超24"),  # 1
        ("中山大路", "中山路"),  # one of 4 is too many: 3/4
        ("", "停車場"),  # 0
        ("价:５元", "價：6元"),  # one of 4 differs: 3/4
        ("好。", "好."),  # the full stop of Chinese has no half width: 1/2
    ]
    scores = protocol("chinese-benchmark").score([read for read, _ in lines], [label for _, label in lines])
    assert (scores.lines, scores.left_out) == (6, 0)
    assert scores.correct.tolist() == [True, True, False, False, False, False]
    assert scores.accuracy.value == pytest.approx(2 / 6)
    assert scores.norm_edit_dis.value == pytest.approx((1 + 1 + 3 / 4 + 0 + 3 / 4 + 1 / 2) / 6)


def test_figures_of_english_protocols_are_those_worked_out_by_hand() -> None:
    read = ["thankyou", "cafe", "x", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "sale.", "naive x"]
    labels = ["Thankyou!", "café", "!!!", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "Sale", "naïve-x"]
    by_hand = {  # lines, acc, norm_edit_dis
        "parseq": (4, 1, 1),  # !!! has no character of the charset, 26 letters are too many
        "parseq-cased": (4, 2 / 4, (7 / 8 + 1 + 3 / 4 + 1) / 4),
        "deep-text-recognition": (6, 3 / 6, (1 + 3 / 4 + 0 + 1 + 1 + 5 / 6) / 6),  # café is caf, naïve-x is navex
        "union14m": (6, 3 / 6, (1 + 3 / 4 + 0 + 1 + 1 + 5 / 6) / 6),
        "openocr": (5, 2 / 5, (1 + 3 / 4 + 0 + 1 + 5 / 6) / 5),
        # Sale counts in place of the 26 letters, too; of 9, 4, 3, 5, 5 and 7 characters 2, 1, 3, 2, 2 and 2 differ
        "paddleocr": (6, 0, (7 / 9 + 3 / 4 + 0 + 3 / 5 + 3 / 5 + 5 / 7) / 6),
    }
    for name, expected in by_hand.items():
        scores = protocol(name).score(read, labels)
        found = (scores.lines, scores.accuracy.value, scores.norm_edit_dis.value)
        assert found == pytest.approx(expected, abs=1e-5), name


def test_figures_of_a_protocol_are_means_over_the_lines_that_it_counts() -> None:
    scores = protocol("parseq").score(["abcd", "x", "ABC"], ["abce", "停", "abc"])
    assert (scores.lines, scores.left_out, scores.counted.tolist()) == (2, 1, [0, 2])
    assert scores.accuracy.value == 1 / 2
    assert scores.norm_edit_dis.value == pytest.approx((3 / 4 + 1) / 2)


def test_a_protocol_that_leaves_out_everything_is_no_score() -> None:
    with pytest.raises(InputError, match="parseq leaves out all 2 labels"):
        protocol("parseq").score(["a", "b"], ["停", "车"])


def upstream(predictions: list[str], labels: list[str], charset: str, longest: int) -> tuple[float, float]:
    """acc and norm_edit_dis as PaddleOCR's evaluation computes them, written down step by step from its rules.

    Line i of the data set is encoded; when that fails, the line (i + 1) mod n is taken in its place, and so on.
    """

    def encoded(label: str) -> str | None:
        if not 0 < len(label) <= longest:
            return None
        return "".join(c for c in label if c in charset) or None

    right = distance = 0.0
    for i in range(len(labels)):
        while encoded(labels[i]) is None:
            i = (i + 1) % len(labels)
        read, label = predictions[i].replace(" ", ""), encoded(labels[i]).replace(" ", "")
        right += read == label
        distance += edits(read, label) / max(len(read), len(label), 1)
    return right / (len(labels) + 1e-5), 1 - distance / (len(labels) + 1e-5)


def edits(a: str, b: str) -> int:
    """Levenshtein's distance by its recurrence."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row, before = [i], row
        for j, y in enumerate(b, 1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (x != y)))
    return row[-1]


def test_paddleocrs_figures_are_those_of_its_rules() -> None:
    random = np.random.default_rng(0)
    letters = list("abcdef 停车场龘")
    labels = ["".join(random.choice(letters, random.integers(1, 9))) for _ in range(300)]
    read = [label if random.random() < 0.5 else label[:-1] + random.choice(letters) for label in labels]
    labels[3] = labels[299] = "a" * 8  # too long, the last one too: its place is taken by the first
    labels[7] = "龘"  # nothing is left of it
    found = paddleocr_scores(read, labels, Charset(tuple("abcdef 停车场")), max_text_length=7)
    acc, norm_edit_dis = upstream(read, labels, "abcdef 停车场", 7)
    assert (found.acc, found.norm_edit_dis) == (pytest.approx(acc, abs=1e-12), pytest.approx(norm_edit_dis, abs=1e-12))


def test_paddleocrs_known_values_are_met() -> None:
    assert paddleocr_scores(["ab", "c"], ["ab", "c"]).acc == pytest.approx(2 / (2 + 1e-5), abs=1e-12)  # 0.999995
    assert paddleocr_scores([""] * 17, ["a"] * 17).norm_edit_dis == pytest.approx(5.9e-7, rel=0.01)
    assert paddleocr_scores(["a"], ["a" * 26]) is None


def test_the_way_from_our_raw_accuracy_to_paddleocrs_is_said_rule_by_rule() -> None:
    read = ["ab", "cd", "e", "ff", "停"]
    labels = ["a b", "cd龘", "e", "f" * 30, "车"]
    steps = paddleocr_scores(read, labels, Charset(tuple("abcdef停车 "))).steps
    assert [step.labels for step in steps] == [1, 1, 1]
    assert [round(step.accuracy, 3) for step in steps] == [0.4, 0.6, 0.6]  # raw: 0.2


def test_openocrs_columns_forgive_what_their_names_say() -> None:
    pairs = {"a": "a", "B": "b", "c d": "cd", "E F": "ef", "g-": "g", "H i!": "hi"}
    found = {
        name: are_equal(rules, list(pairs), list(pairs.values())).tolist() for name, rules in OPENOCR_COLUMNS.items()
    }
    assert found == {
        "acc_real": [True, False, False, False, False, False],
        "acc_lower": [True, True, False, False, False, False],
        "acc_ignore_space": [True, False, True, False, False, False],
        "acc_ignore_space_lower": [True, True, True, True, False, False],
        "acc_ignore_space_symbol": [True, False, True, False, True, False],
        "acc_ignore_space_lower_symbol": [True, True, True, True, True, True],
    }
