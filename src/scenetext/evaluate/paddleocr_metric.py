"""PaddleOCR's own figures of the same predictions, and why they differ from ours.

PaddleOCR (ppocr/metrics/rec_metric.py, ppocr/data/imaug/label_ops.py, ppocr/data/simple_dataset.py) removes spaces from
both sides, takes characters that the dictionary lacks out of the labels, and leaves out labels that are longer than
`max_text_length`, in place of which it counts the next line again. Its divisor is the number of lines plus 1e-5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from scenetext.evaluate.protocols import PROTOCOLS
from scenetext.text.charset import Charset

MAX_TEXT_LENGTH = 25  # Global.max_text_length of most of its configurations


@dataclass(frozen=True, slots=True)
class Step:
    """One of PaddleOCR's rules, added to those before it.

    Attributes:
        rule: what it does, in words.
        labels: how many labels it changes or leaves out.
        accuracy: ratio of right lines with it.
    """

    rule: str
    labels: int
    accuracy: float


@dataclass(frozen=True, slots=True)
class PaddleOCRScores:
    """PaddleOCR's figures.

    Attributes:
        acc, norm_edit_dis: as its evaluation prints them.
        max_text_length: the longest label that it counts.
        steps: from our raw accuracy to `acc`, rule by rule; that of the dictionary only where it is known.
    """

    acc: float
    norm_edit_dis: float
    max_text_length: int
    steps: list[Step]


def paddleocr_scores(
    predictions: Sequence[str],
    targets: Sequence[str],
    charset: Charset | None = None,
    max_text_length: int = MAX_TEXT_LENGTH,
) -> PaddleOCRScores | None:
    """Scores predictions by PaddleOCR's rules.

    Args:
        predictions: texts read.
        targets: original labels, in the order of the label file.
        charset: the network's characters; None takes no characters out of labels.
        max_text_length: Global.max_text_length. A network that is trained with GTC (MultiLabelEncode) loses two
            characters of it.

    Returns:
        None if PaddleOCR would leave out all labels.

    Raises:
        InputError: the numbers of lines differ or are 0.
    """
    whole = replace(PROTOCOLS["paddleocr"], longest_label=max_text_length)
    if targets and all(whole.label(target, charset) is None for target in targets):
        return None
    spaces = replace(whole, longest_label=None, needs_label=False, is_limited_to_charset=False)
    limited = replace(spaces, is_limited_to_charset=True)
    counted = whole.score(predictions, targets, charset)
    accuracy = spaces.score(predictions, targets).accuracy.value
    steps = [Step("spaces are removed", sum(" " in target for target in targets), accuracy)]
    if charset is not None:
        unknown = sum(bool(charset.unknown(target)) for target in targets)
        accuracy = limited.score(predictions, targets, charset).accuracy.value
        steps.append(Step("characters outside the dictionary are taken out of labels", unknown, accuracy))
    rule = f"labels of more than {max_text_length} characters, or of none, are left out; the next line counts again"
    steps.append(Step(rule, counted.left_out, counted.accuracy.value))
    return PaddleOCRScores(counted.accuracy.value, counted.norm_edit_dis.value, max_text_length, steps)
