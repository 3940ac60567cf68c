"""Named protocols: what each benchmark forgives, and which lines it leaves out, each with its source.

The same texts get different scores under different protocols, so a figure can be compared only with figures of its own
protocol. `protocol("chinese-benchmark")` gives one by its name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from rapidfuzz.distance import Levenshtein

from scenetext.errors import InputError, nearest_hint
from scenetext.evaluate.intervals import Score, mean_with_interval
from scenetext.text.charset import Charset
from scenetext.text.normalise import DEFAULT_SCORE_RULES, SCORE_RULES, half_width

_NO_ALPHANUMERIC = re.compile("[^0-9a-zA-Z]")
_NO_WORD_OF_MMOCR = re.compile("[^A-Za-z0-9^\u4e00-\u9fa5]")  # the caret stays, as in mmocr's expression

_VARIANTS = str.maketrans(
    "妳亱厰塲寳幚氷栢矽瞭羗舖衞鉄钜馀麺谘拚锺勅扞枱缐唘尙粧鎻「」『』",
    "你夜厂场宝帮冰柏硅了羌铺卫铁巨余面咨拼钟敕捍台线启尚妆锁“”‘’",
)
"""What the benchmark's own converter (zhconv, to zh-cn) rewrites and OpenCC keeps, of the characters in the benchmark's
labels and published predictions, and in ppocr_keys_v1. That converter also knows words of regions (軟體 is 软件)."""

_RULES: dict[str, Callable[[str], str]] = {
    **SCORE_RULES,
    "half width": half_width,
    "variants": lambda text: text.translate(_VARIANTS),
    "ASCII spaces": lambda text: text.replace(" ", ""),
    "beyond ASCII": lambda text: text.encode("ascii", "ignore").decode(),
    "accents and beyond ASCII": lambda text: unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode(),
    "symbols": lambda text: _NO_ALPHANUMERIC.sub("", text),
    "symbols but hanzi": lambda text: _NO_WORD_OF_MMOCR.sub("", text),
}
"""Rules by the name of what they take away: SCORE_RULES, and further ones that only protocols have."""


@dataclass(frozen=True, slots=True)
class ProtocolScores:
    """The figures of one protocol.

    Attributes:
        protocol: its name.
        lines: the number of lines that it divides by.
        left_out: labels that it leaves out.
        accuracy: ratio of lines that are right.
        norm_edit_dis: one minus the mean normalised edit distance; that of two empty texts is 0.
        correct: (N,) bool, for each line that was given whether it is right; False for lines left out.
        similarity: (N,) float64, one minus the normalised edit distance of each; 0 for lines left out.
        counted: (lines,) integers, the indices of the lines that count; PaddleOCR counts some twice.
    """

    protocol: str
    lines: int
    left_out: int
    accuracy: Score
    norm_edit_dis: Score
    correct: np.ndarray
    similarity: np.ndarray
    counted: np.ndarray

    def as_dict(self) -> dict[str, Any]:
        """Everything but the single lines, for JSON."""
        return {
            "protocol": self.protocol,
            "source": PROTOCOLS[self.protocol].source if self.protocol in PROTOCOLS else "",
            "lines": self.lines,
            "left_out": self.left_out,
            "acc": asdict(self.accuracy),
            "norm_edit_dis": asdict(self.norm_edit_dis),
        }


@dataclass(frozen=True, slots=True)
class Protocol:
    """A way to compare what was read with a label.

    Attributes:
        name: what users call it.
        source: where it is defined.
        rules: what is rewritten on both sides, in this order.
        label_rules: what is rewritten in labels alone, before `rules`.
        longest_label: labels of more characters are left out; they are counted after `label_rules`.
        needs_label: labels of which nothing is left before `rules` are left out.
        needs_text: labels of which `rules` leave nothing are left out.
        replaces: the next line that counts is counted again in place of one that is left out.
        is_limited_to_charset: characters that the network has no class for are taken out of labels.
        epsilon: is added to the number of lines that is divided by.
    """

    name: str
    source: str
    rules: tuple[str, ...]
    label_rules: tuple[str, ...] = ()
    longest_label: int | None = None
    needs_label: bool = False
    needs_text: bool = False
    replaces: bool = False
    is_limited_to_charset: bool = False
    epsilon: float = 0.0

    def __call__(self, text: str) -> str:
        """What is compared of a text that was read."""
        return _apply(self.rules, text)

    def score(
        self, predictions: Sequence[str], targets: Sequence[str], charset: Charset | None = None, seed: int = 0
    ) -> ProtocolScores:
        """Scores predictions against their labels by this protocol.

        Args:
            predictions: texts read.
            targets: original labels, in the same order.
            charset: the network's characters, for protocols that take others out of labels; None keeps all.
            seed: of the bootstrap.

        Raises:
            InputError: the numbers of lines differ or are 0, or the protocol leaves out every line.
        """
        check_pairs(predictions, targets)
        labels = [self.label(target, charset) for target in targets]
        good = np.array([label is not None for label in labels])
        if not good.any():
            raise InputError(f"The protocol {self.name} leaves out all {len(labels)} labels: choose another one.")
        distances = np.array([self._distance(*pair) for pair in zip(predictions, labels, strict=True)])
        counted = np.flatnonzero(good)
        if self.replaces:  # the index of the next good line, of the first one after the last
            counted = counted[np.searchsorted(counted, np.arange(len(labels))) % len(counted)]
        correct = distances == 0
        divided = len(counted) / (len(counted) + self.epsilon)
        accuracy = mean_with_interval(correct[counted], seed)
        distance = mean_with_interval(distances[counted], seed)
        return ProtocolScores(
            self.name,
            len(counted),
            int((~good).sum()),
            Score(accuracy.value * divided, accuracy.low, accuracy.high),
            Score(1 - distance.value * divided, 1 - distance.high, 1 - distance.low),
            correct,
            1 - distances,
            counted,
        )

    def label(self, target: str, charset: Charset | None = None) -> str | None:
        """A label after its own rules; None for one that is left out."""
        label = _apply(self.label_rules, target)
        if self.longest_label is not None and len(label) > self.longest_label:
            return None
        if self.is_limited_to_charset and charset is not None and (unknown := set(charset.unknown(label))):
            label = "".join(character for character in label if character not in unknown)
        is_empty = (self.needs_label and not label) or (self.needs_text and not self(label))
        return None if is_empty else label

    def _distance(self, read: str, label: str | None) -> float:
        """The normalised edit distance of what is compared; 1 for a label that is left out."""
        if read == label:
            return 0.0
        return 1.0 if label is None else Levenshtein.normalized_distance(self(read), self(label))


def _apply(rules: Sequence[str], text: str) -> str:
    for rule in rules:
        text = _RULES[rule](text)
    return text


def check_pairs(predictions: Sequence[str], targets: Sequence[str]) -> None:
    """Raises InputError unless there are as many predictions as labels, and some."""
    if len(predictions) != len(targets) or not targets:
        raise InputError(f"{len(predictions)} predictions for {len(targets)} labels: both must be equal and not 0.")


def chosen_rules(rules: Sequence[str] = DEFAULT_SCORE_RULES) -> Protocol:
    """A protocol of this project's own rules; no line is left out.

    Args:
        rules: names of SCORE_RULES; they are applied in the order of SCORE_RULES.

    Raises:
        InputError: a rule does not exist.
    """
    for rule in rules:
        if rule not in SCORE_RULES:
            raise InputError(f"The rule {rule!r} does not exist; {nearest_hint(rule, SCORE_RULES)}.")
    ordered = tuple(rule for rule in SCORE_RULES if rule in rules)
    return Protocol("+".join(ordered) or "raw", "scenetext", ordered)


_ENCODED = dict(longest_label=25, needs_label=True, replaces=True, is_limited_to_charset=True, epsilon=1e-5)
_ALPHANUMERIC = ("case", "symbols")

PROTOCOLS: Mapping[str, Protocol] = {
    each.name: each
    for each in (
        Protocol("raw", "the texts are compared without any change", ()),
        Protocol("normalised", "scenetext: NFKC, no white space, lower case", DEFAULT_SCORE_RULES),
        Protocol(
            "paddleocr",
            "PaddleOCR, ppocr/metrics/rec_metric.py (RecMetric) and ppocr/data/imaug/label_ops.py (CTCLabelEncode with "
            "max_text_length 25)",
            ("ASCII spaces",),
            **_ENCODED,
        ),
        Protocol(
            "paddleocr-alphanumeric",
            "the same with Metric.is_filter: True",
            ("ASCII spaces", "symbols", "case"),
            **_ENCODED,
        ),
        Protocol(
            "parseq",
            "Bautista and Atienza 2022 (arXiv 2207.06966), strhub/data/dataset.py and strhub/data/utils.py with the "
            "test characters 0-9a-z and max_label_length 25",
            _ALPHANUMERIC,
            label_rules=("spaces", "accents and beyond ASCII"),
            longest_label=25,
            needs_text=True,
        ),
        Protocol(
            "parseq-cased",
            "the same with --cased: the test characters 0-9a-zA-Z",
            ("symbols",),
            label_rules=("spaces", "accents and beyond ASCII"),
            longest_label=25,
            needs_text=True,
        ),
        Protocol(
            "deep-text-recognition",
            "Baek et al. 2019 (arXiv 1904.01906), test.py with --sensitive --data_filtering_off",
            _ALPHANUMERIC,
        ),
        Protocol(
            "union14m",
            "Jiang et al. 2023 (arXiv 2307.08723): word accuracy ignoring case and symbols of MMOCR's WordMetric",
            ("case", "symbols but hanzi"),
            epsilon=1e-8,
        ),
        Protocol(
            "chinese-benchmark",
            "Chen et al. 2021 (arXiv 2112.15093), section on evaluation, and models/*/ of "
            "FudanVI/benchmarking-chinese-text-recognition: half width, simplified characters, lower case, no spaces",
            ("half width", "traditional", "variants", "spaces", "case"),
        ),
        Protocol(
            "openocr",
            "OpenOCR, openrec/metrics/rec_metric.py with is_filter: True, as its English configurations have it, and "
            "tools/data/ratio_dataset_test.py with max_text_length 25",
            ("ASCII spaces", "symbols", "case"),
            label_rules=("spaces", "beyond ASCII"),
            longest_label=25,
            needs_label=True,
            epsilon=1e-5,
        ),
        Protocol(
            "openocr-chinese",
            "OpenOCR, openrec/metrics/rec_metric.py with ignore_space: False, as in configs/rec/svtrv2/svtrv2_ch.yml",
            ("case",),
            is_limited_to_charset=True,
            epsilon=1e-5,
        ),
    )
}
"""All named protocols."""

OPENOCR_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "acc_real": (),
    "acc_lower": ("case",),
    "acc_ignore_space": ("ASCII spaces",),
    "acc_ignore_space_lower": ("ASCII spaces", "case"),
    "acc_ignore_space_symbol": ("ASCII spaces", "symbols"),
    "acc_ignore_space_lower_symbol": ("ASCII spaces", "symbols", "case"),
}
"""The accuracies that OpenOCR's evaluation writes beside each other, and what each forgives (RecMetric with ratios)."""


def protocol(name: str) -> Protocol:
    """The protocol of that name.

    Raises:
        InputError: there is none.
    """
    if name not in PROTOCOLS:
        raise InputError(f"The protocol {name!r} does not exist; {nearest_hint(name, PROTOCOLS)}.")
    return PROTOCOLS[name]


def are_equal(rules: Sequence[str], predictions: Sequence[str], targets: Sequence[str]) -> np.ndarray:
    """Which lines are right where `rules` are forgiven, such as those of OPENOCR_COLUMNS: (N,) bool."""
    pairs = zip(predictions, targets, strict=True)
    return np.array([read == label or _apply(rules, read) == _apply(rules, label) for read, label in pairs], bool)
